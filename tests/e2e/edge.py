#!/usr/bin/python3
"""edge.py ROOT BUILD - three servers: an origin that has a layered file; an edge that serves it on,
asked for when somebody watches; and a relay that the origin publishes it to. Players at the edge and
at the relay see what the origin has, layer by layer.
"""
import json
import os
import subprocess
import sys
import time

import material
from clip import program_path
from programs import Programs, free_udp_ports, wait_for_udp

FRAMES, VIEWERS, PATIENCE_S = 60, 2, 60
LOST_MAX = 5 # base pictures; the machine may be busy

ORIGIN = """sources:
  - {{namespace: demo, kind: file, input: {clip}, loop: true}}
  - {{namespace: cam1, kind: live, input: "test:320x180@25", encoder: {{bitrate_kbps: [100], layers: L1T1,
     key_interval_s: 60}}}}
  - {{namespace: cam2, kind: live, input: "test:320x180@25", encoder: {{bitrate_kbps: [100], layers: L1T1,
     key_interval_s: 60}}}}
push:
  - {{namespace: demo, to: "moqt://127.0.0.1:{relay}", ca: {ca}}}
"""
EDGE = """sources:
  - {{namespace: far/away, kind: upstream, input: "moqt://127.0.0.1:{origin}/demo", ca: {ca},
     on_demand: true}}
  - {{namespace: far/cam, kind: upstream, input: "moqt://127.0.0.1:{origin}/cam2", ca: {ca}}}
"""
RELAY = """sources:
  - {namespace: demo, kind: publish}
access:
  anonymous:
    - {namespace: "", subscribe: true, publish: true}
"""


def start_server(running, folder, pki, name, port, config):
    path = os.path.join(folder, name + ".yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(config + "log_level: info\n")
    server = running.start(name, [program_path("svc-server"), "--config", path, "--listen",
                                  f"127.0.0.1:{port}", "--cert", pki["server.pem"], "--key",
                                  pki["server.key"]])
    wait_for_udp(server, port)
    return server


def watch(running, folder, pki, name, uri):
    report = os.path.join(folder, name + ".json")
    player = running.start(name, [program_path("svc-player"), "--headless", "--ca", pki["ca.pem"],
                                  "--frames", str(FRAMES), "--json", report, uri])
    return player, report


def final(report):
    with open(report, encoding="utf-8") as f:
        return json.loads(f.read().splitlines()[-1])


def said(folder, name, text):
    with open(os.path.join(folder, name + ".log"), encoding="utf-8") as f:
        return text in f.read()


def begin_anew(pki, origin, edge):
    """Groups that begin when somebody asks again, long before the next would: at the origin, by forward; at the
    edge, by NEW_GROUP_REQUEST, which goes on to the origin."""
    visits = [subprocess.Popen([
        os.path.join(material.BUILD, "tests", "e2e", "visit"), f"port={port}", f"ca={pki['ca.pem']}", f"ns={ns}",
        "track=v-s0t0", f"again={again}", "hold=4"], stdout=subprocess.PIPE, text=True)
              for port, ns, again in ((origin, "cam1", "forward"), (edge, "far/cam", "group"))]
    return [json.loads(v.communicate(timeout=PATIENCE_S)[0]) for v in visits]


def main():
    folder, pki = material.folder("edge"), material.pki()
    clip = material.small_clip()
    origin, edge, relay = free_udp_ports(3)
    with Programs(folder) as running:
        start_server(running, folder, pki, "relay", relay, RELAY)
        start_server(running, folder, pki, "origin", origin,
                     ORIGIN.format(clip=clip.layered, relay=relay, ca=pki["ca.pem"]))
        start_server(running, folder, pki, "edge", edge, EDGE.format(origin=origin, ca=pki["ca.pem"]))
        until = time.monotonic() + PATIENCE_S
        while not said(folder, "origin", ": published") and time.monotonic() < until:
            time.sleep(0.05)
        where = {"edge": f"moqt://127.0.0.1:{edge}/far/away",
                 "relay": f"moqt://127.0.0.1:{relay}/demo"}
        players = [watch(running, folder, pki, f"player-{at}-{i}", uri)
                   for at, uri in where.items() for i in range(VIEWERS)]
        asked = begin_anew(pki, origin, edge)
        for player, _ in players:
            player.wait(PATIENCE_S)
        shown = {os.path.basename(r): final(r) for _, r in players}
    rules = {"every player shows its pictures": all(s["frames_shown"] >= FRAMES for s in shown.values()),
             "the base layer is whole": all(s["base_layer_lost"] <= LOST_MAX for s in shown.values()),
             "each is told of its own session": all(
                 p["sender"] and p["sender"]["cc"] and p["sender"]["rtt_ms"]
                 for s in shown.values() for p in s["paths"]),
             "and of layers by whose they are": all(
                 bool((s["sender"] or {}).get("layers")) == ("origin" in name) for name, s in shown.items())}
    for where, visit in zip(("origin", "edge"), asked):
        rules[f"one group more for who asks at the {where}"] = visit["groups"] == 1
    print(asked)
    print({name: (s["frames_shown"], s["base_layer_lost"], s["startup_ms"]) for name, s in shown.items()})
    bad = [name for name, good in rules.items() if not good]
    for name in bad:
        print("not so:", name)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
