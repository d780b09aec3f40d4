#!/usr/bin/python3
"""broadcasts.py ROOT BUILD - one server, two workers, three sources and several viewers: each gets
the broadcast it asks for; a source on demand runs while somebody watches and no longer; a viewer that
stands still costs the one beside it nothing; a source that is damaged stops nobody else.
"""
import json
import os
import shutil
import signal
import sys
import time

import material
from clip import program_path
from live_report import exit_code
from programs import Programs, free_udp_ports, wait_for_udp

PATIENCE_S = 40
STALL_MAX_MS = 2000 # the machine may be busy; a server that waits for somebody stands for all the time
LOST_MAX = 30       # base pictures of about 125, likewise
WATCH_S = 4
VIEWERS_MAX, VIEWERS_AT_ONCE = 12, 3 # until both workers have some: it is the kernel that hands them out

CONFIG = """
listen: 127.0.0.1:{port}
cert: {cert}
key: {key}
workers: 2
json: {report}
qlog: {qlog}
sources:
  - {{namespace: film, kind: file, input: {clip}, loop: true}}
  - {{namespace: spare/film, kind: file, input: {clip}, loop: true, on_demand: true}}
  - {{namespace: camera, kind: live, input: "test:320x180@30", on_demand: true,
      encoder: {{bitrate_kbps: [60, 100, 300]}}}}
  - {{namespace: torn, kind: file, input: {torn}}}
"""


def newest(report):
    """The last whole line that is about all; {}: there is none yet."""
    said = {}
    try:
        with open(report, encoding="utf-8") as file:
            for line in file:
                read = json.loads(line)
                said = read if read["kind"] == "interval" else said
    except (OSError, ValueError):
        pass  # not there yet, or its last line is being written
    return said


def sources(report):
    return {s["namespace"]: s for s in newest(report).get("sources", [])}


def wait_for(what, report, holds, programs):
    until = time.monotonic() + PATIENCE_S
    while not (sources(report) and holds(newest(report))):
        for program in programs:
            program.check_alive()
        if time.monotonic() > until:
            raise SystemExit(f"WRONG: not within {PATIENCE_S} s: {what}; {newest(report)}")
        time.sleep(0.05)
    print(f"{newest(report)['t_ms'] / 1000:5.1f} s {what}")


class Watching:
    def __init__(self, programs, folder, pki, port):
        self.programs, self.folder, self.pki, self.port = programs, folder, pki, port
        self.n = 0

    def start(self, ns, *options):
        self.n += 1
        name = f"viewer{self.n}"
        out = os.path.join(self.folder, name + ".json")
        if os.path.exists(out):
            os.remove(out)
        player = self.programs.start(name, [
            program_path("svc-player"), "--ca", self.pki["ca.pem"], "--headless", "--json", out,
            "--path", f"local=127.0.0.1,to=127.0.0.1:{self.port},name=lo", *options,
            f"moqt://127.0.0.1:{self.port}/{ns}"])
        player.json = out
        return player

    def to_end(self, player):
        player.wait(WATCH_S + PATIENCE_S)
        return material.scenario.read_json(player.json, player)


def good(seen):
    print(f"{seen['frames_shown']} shown, longest stall {seen['stall_ms_max']:.0f} ms, "
          f"{seen['base_layer_lost']} base pictures lost")
    return (seen["base_layer_lost"] <= LOST_MAX and seen["stall_ms_max"] < STALL_MAX_MS
            and seen["frames_shown"] > 60)


def logs_apart(folder):
    """Files of server's connections that are whole: as many as connections, whoever wrote them."""
    whole = 0
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            records = [json.loads(text) for text in file.read().split("\x1e") if text.strip()]
        whole += "trace" in records[0] and len(records) > 20
    return whole


def brought(report, number):
    """The base units that the session was brought in time; all of them, or it is None."""
    base = None
    with open(report, encoding="utf-8") as file:
        for line in file:
            for viewer in json.loads(line)["viewers"]:
                if viewer["id"] == number:
                    base = next((t for t in viewer["tracks"] if t["name"] == "v-s0t0"), base)
    return base["sent"] if base and base["sent"] == base["offered"] and not base["expired"] else None


def workers(said, ns):
    return {v["worker"] for v in said["viewers"] if v["namespace"] == ns and v["bytes"] > 20000}


def main():
    folder, pki, clip = material.folder("broadcasts"), material.pki(), material.small_clip()
    report, torn = (os.path.join(folder, name) for name in ("server.jsonl", "torn.mkv"))
    qlog = os.path.join(folder, "qlog")
    shutil.rmtree(qlog, ignore_errors=True)
    (port,) = free_udp_ports(1)
    with open(clip.layered, "rb") as source, open(torn, "wb") as file:
        file.write(source.read()[:20000])
    config = os.path.join(folder, "server.yaml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(port=port, cert=pki["server.pem"], key=pki["server.key"],
                                 report=report, clip=clip.layered, torn=torn,
                                 qlog=qlog))
    rules = {}
    with Programs(folder) as programs:
        server = programs.start("svc-server", [program_path("svc-server"), "--config", config,
                                               "--log", "info"])
        wait_for_udp(server, port)
        watching = Watching(programs, folder, pki, port)
        wait_for("the film runs, what is on demand does not, what is torn has failed", report,
                 lambda said: [sources(report)[ns]["state"] for ns in
                               ("film", "spare/film", "camera", "torn")]
                 == ["running", "idle", "idle", "failed"], [server])
        many = []
        while len(many) < VIEWERS_MAX and len(workers(newest(report), "film")) < 2:
            many += [watching.start("film", "--duration", "600") for _ in range(VIEWERS_AT_ONCE)]
            seen = len(many)
            wait_for(f"{seen} viewers of the film", report,
                     lambda said: sum(v["bytes"] > 20000 for v in said["viewers"]) >= seen,
                     [server, *many])
        rules["both workers have viewers"] = len(workers(newest(report), "film")) == 2
        camera = watching.start("camera", "--duration", str(WATCH_S))
        spare = watching.start("spare/film", "--duration", str(WATCH_S))
        rules["the camera is seen"] = good(watching.to_end(camera))
        rules["what is on demand is seen"] = good(watching.to_end(spare))
        rules["they ran for that"] = all(
            sources(report)[ns]["objects"] > 100 for ns in ("camera", "spare/film"))
        for viewer in many:
            viewer.process.send_signal(signal.SIGSTOP)
        beside = watching.start("film", "--duration", str(WATCH_S))
        number = watching.n
        rules["viewers that stand still cost nothing"] = good(watching.to_end(beside))
        for viewer in many:
            viewer.process.send_signal(signal.SIGCONT)
        other = watching.start("nowhere", "--duration", str(WATCH_S))
        wait_for("nobody watches: it runs no longer", report,
                 lambda said: sources(report)["camera"]["state"] == "idle"
                 and sources(report)["spare/film"]["state"] == "idle", [server])
        other.process.wait(PATIENCE_S)
        rules["there is nothing elsewhere"] = other.process.returncode != 0
        rules["the film went on"] = sources(report)["film"]["state"] == "running"
    rules["nothing came late beside those who stand still"] = (brought(report, number) or 0) > 30
    rules["each connection has its qlog"] = logs_apart(qlog) == watching.n
    return exit_code(rules)


if __name__ == "__main__":
    sys.exit(main())
