#!/usr/bin/python3
"""pace.py ROOT BUILD - a live encoder that gets too little of the machine leaves layers out by itself
and takes them up again when it has enough, while the viewer's base layer goes on.

The machine is made slow for the encoder alone: its process is stopped most of the time. What is
waited for is what the server reports, not a time.
"""
import glob
import os
import signal
import sys
import time

import material
from clip import program_path
from live_report import newest, exit_code
from programs import Programs, free_udp_ports, wait_for_udp

STOPPED_S, RUNNING_S = 0.1, 0.004
PATIENCE_S = 60


def child_of(pid):
    """The encoder's process, which svc-server has forked."""
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                number, rest = file.read().split(" ", 1)
        except OSError:
            continue # it has just ended
        if int(rest.rsplit(")", 1)[1].split()[1]) == pid:
            return int(number)
    raise SystemExit("WRONG: svc-server has no process for its encoder")


def wait_for(what, holds, report, programs, meanwhile):
    """Until holds(the encoder's report)."""
    until = time.monotonic() + PATIENCE_S
    while not holds(newest(report).get("encoder", {})):
        for program in programs:
            program.check_alive()
        if time.monotonic() > until:
            raise SystemExit(f"WRONG: not within {PATIENCE_S} s: {what}; {newest(report)}")
        meanwhile()
    said = newest(report)["encoder"]
    print(f"{what}: speed {said['speed']}, {said['temporal_layers']} temporal, "
          f"{said['spatial_layers']} spatial layers, load {said['load']:.2f}, {said['pictures']} "
          f"pictures, {said['left_out_late']} left out")


def main():
    folder, pki = material.folder("pace"), material.pki()
    report = os.path.join(folder, "server.jsonl")
    if os.path.exists(report):
        os.remove(report)
    port = free_udp_ports(1)[0]
    with Programs(folder) as programs:
        server = programs.start("svc-server", [
            program_path("svc-server"), "--cert", pki["server.pem"], "--key", pki["server.key"],
            "--listen", f"127.0.0.1:{port}", "--namespace", "live", "--live", "test:320x180@30",
            "--bitrate", "60,150,400", "--json", report, "--log", "info"])
        wait_for_udp(server, port)
        player = programs.start("svc-player", [
            program_path("svc-player"), "--ca", pki["ca.pem"], "--headless", "--duration", "600",
            "--path", "local=127.0.0.1", f"moqt://127.0.0.1:{port}/live"])
        both = (server, player)
        wait_for("it runs", lambda e: e.get("pictures", 0) > 20, report, both,
                 lambda: time.sleep(0.05))
        child = child_of(server.process.pid)

        def slow():
            os.kill(child, signal.SIGSTOP)
            time.sleep(STOPPED_S)
            os.kill(child, signal.SIGCONT)
            time.sleep(RUNNING_S)

        wait_for("too slow", lambda e: e["speed"] == 10 and e["temporal_layers"] == 1
                 and e["spatial_layers"] < 3, report, both, slow)
        wait_for("fast again", lambda e: e["pace_ups"] > 0, report, both, lambda: time.sleep(0.05))
        last = newest(report)
    tracks = {t["name"]: t for t in last["viewers"][0]["tracks"]}
    base = tracks["v-s0t0"]
    rules = {
        "the encoder lived": last["encoder"]["restarts"] == 0 and last["encoder"]["errors"] == 0,
        "all of the base layer was sent": base["offered"] == base["sent"] > 20,
        "and arrived": base["expired"] == 0,
        "a top layer was there at first": tracks["v-s2t0"]["offered"] > 0,
    }
    return exit_code(rules)


if __name__ == "__main__":
    sys.exit(main())
