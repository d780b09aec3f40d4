#!/usr/bin/python3
"""supply.py ROOT BUILD - a live broadcast over one link whose rate falls to a third and returns: the
encoder is told less for the top layer, and more again; the base layer loses nothing and nothing
stalls. What is waited for is what the server reports, not a time.
"""
import os
import subprocess
import sys
import time

import material
from clip import program_path
from live_report import newest
from programs import Programs, free_udp_ports, wait_for_udp

BITRATES = [60, 100, 500]            # kbit/s; sound comes with it
FULL_BPS, THIRD_BPS = 1.6e6, 0.533e6 # less than half of the top layer fits a third of the link
PATIENCE_S = 40
STALL_MAX_MS = 400                   # the latency


def told(report):
    """What the encoder is told, by layer; [] before the first report."""
    return newest(report).get("encoder", {}).get("told", [])


def wait_for(what, holds, report, programs):
    until = time.monotonic() + PATIENCE_S
    while not (told(report) and holds(told(report))):
        for program in programs:
            program.check_alive()
        if time.monotonic() > until:
            raise SystemExit(f"WRONG: not within {PATIENCE_S} s: {what}; {newest(report)}")
        time.sleep(0.05)
    said = newest(report)
    print(f"{said['t_ms'] / 1000:5.1f} s {what}: {[layer['bps'] for layer in told(report)]}")


def main():
    folder, pki = material.folder("supply"), material.pki()
    report, player_json = (os.path.join(folder, name) for name in ("server.jsonl", "player.json"))
    log = os.path.join(folder, "policy.jsonl")
    for old in (report, player_json):
        if os.path.exists(old):
            os.remove(old)
    server_port, port = free_udp_ports(2)
    link = material.scenario.Link("lte", FULL_BPS, 20)
    with Programs(folder) as programs:
        server = programs.start("svc-server", [
            program_path("svc-server"), "--cert", pki["server.pem"], "--key", pki["server.key"],
            "--listen", f"127.0.0.1:{server_port}", "--namespace", "live", "--start-on-viewer",
            "--live", "test:320x180@30", "--bitrate", ",".join(map(str, BITRATES)),
            "--json", report, "--policy-log", log, "--log", "info"])
        wait_for_udp(server, server_port)
        vlink = programs.start("vlink", [program_path("vlink"), "--control", "--link",
                                         link.spec(port, server_port)], stdin=subprocess.PIPE)
        wait_for_udp(vlink, port)
        player = programs.start("svc-player", [
            program_path("svc-player"), "--ca", pki["ca.pem"], "--headless", "--duration", "600",
            "--json", player_json, "--path", f"local=127.0.0.1,to=127.0.0.1:{port},name=lte",
            f"moqt://127.0.0.1:{port}/live"])
        all_of = (server, vlink, player)
        top = BITRATES[-1] * 1000
        wait_for("all of it", lambda t: t[2]["bps"] == top and t[2]["mean_bps"] > 0, report, all_of)
        time.sleep(1)
        vlink.tell(f"lte.rate={THIRD_BPS:.0f}bit")
        wait_for("down", lambda t: t[2]["bps"] < top * 0.75, report, all_of)
        time.sleep(2)
        vlink.tell(f"lte.rate={FULL_BPS:.0f}bit")
        wait_for("up", lambda t: t[2]["bps"] > top * 0.6, report, all_of)
        player.stop()
        last = newest(report)
    again = subprocess.run([program_path("svc-server"), "--replay-policy", log],
                           capture_output=True, text=True, check=False)
    print(again.stdout + again.stderr, end="")
    with open(log, encoding="ascii") as file:
        decisions = sum('"decision":"supply"' in line for line in file)
    seen = material.scenario.read_json(player_json, player)
    base = last["viewers"][0]["tracks"][1]
    encoder = last["encoder"]
    print(f"{seen['frames_shown']} shown, longest stall {seen['stall_ms_max']:.0f} ms, "
          f"{seen['base_layer_lost']} base pictures lost, told {encoder['told']}")
    rules = {
        "the base layer lost nothing": seen["base_layer_lost"] == 0,
        "nor did it on the way": base["name"] == "v-s0t0" and base["expired"] == 0
                                 and base["sent"] == base["offered"] > 30,
        "nothing stalled": seen["stall_ms_max"] < STALL_MAX_MS,
        "the base kept its rate": encoder["told"][0]["min_bps"] == BITRATES[0] * 1000,
        "the report tells the least and the mean":
            encoder["told"][2]["min_bps"] < encoder["told"][2]["mean_bps"] < top,
        "it is decided again to the same": again.returncode == 0 and decisions > 20,
        "the encoder lived": encoder["restarts"] == 0 and encoder["errors"] == 0,
    }
    for what, holds in rules.items():
        if not holds:
            print("WRONG: not true: " + what)
    return 0 if all(rules.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
