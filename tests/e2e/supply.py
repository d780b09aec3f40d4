#!/usr/bin/python3
"""supply.py ROOT BUILD - a live broadcast over one link whose rate falls to a third and returns: the
encoder is told less for the top layer, and more again; the base layer loses nothing and nothing
stalls. Before that a second viewer with a poor link costs the first one nothing. What is waited for is
what the server reports, not a time.
"""
import os
import subprocess
import sys
import time

import material
from clip import program_path
from live_report import newest, exit_code
from programs import Programs, free_udp_ports, wait_for_udp

BITRATES = [60, 100, 500]            # kbit/s; sound comes with it
POOR_BPS = 0.3e6                     # the base layer and sound
FULL_BPS, THIRD_BPS = 1.6e6, 0.533e6 # less than half of the top layer fits a third of the link
PATIENCE_S = 40
STALL_MAX_MS = 400                   # the latency


def told(report):
    """What the encoder is told, by layer; [] before the first report."""
    return newest(report).get("encoder", {}).get("told", [])


def lacking(report):
    """Units of the top layer that any of two viewers was not brought."""
    viewers = newest(report).get("viewers", [])
    tops = [v["tracks"][-2] for v in viewers if len(viewers) == 2]
    return sum(t["dropped_by_policy"] + t["expired"] for t in tops)


def wait_for(what, holds, report, programs):
    """Until holds(what the encoder is told)."""
    until = time.monotonic() + PATIENCE_S
    while not (told(report) and holds(told(report))):
        for program in programs:
            program.check_alive()
        if time.monotonic() > until:
            raise SystemExit(f"WRONG: not within {PATIENCE_S} s: {what}; {newest(report)}")
        time.sleep(0.05)
    said = newest(report)
    print(f"{said['t_ms'] / 1000:5.1f} s {what}: {[layer['bps'] for layer in told(report)]}")


def viewer(programs, name, pki, port, options=()):
    return programs.start(name, [
        program_path("svc-player"), "--ca", pki["ca.pem"], "--headless", "--duration", "600",
        "--path", f"local=127.0.0.1,to=127.0.0.1:{port},name=lte", *options,
        f"moqt://127.0.0.1:{port}/live"])


def main():
    folder, pki = material.folder("supply"), material.pki()
    report, player_json = (os.path.join(folder, name) for name in ("server.jsonl", "player.json"))
    log = os.path.join(folder, "policy.jsonl")
    for old in (report, player_json):
        if os.path.exists(old):
            os.remove(old)
    server_port, port, poor_port = free_udp_ports(3)
    link, poor = (material.scenario.Link(name, rate, 20)
                  for name, rate in (("lte", FULL_BPS), ("poor", POOR_BPS)))
    with Programs(folder) as programs:
        server = programs.start("svc-server", [
            program_path("svc-server"), "--cert", pki["server.pem"], "--key", pki["server.key"],
            "--listen", f"127.0.0.1:{server_port}", "--namespace", "live", "--start-on-viewer",
            "--live", "test:320x180@30", "--bitrate", ",".join(map(str, BITRATES)),
            "--json", report, "--policy-log", log, "--log", "info"])
        wait_for_udp(server, server_port)
        vlink = programs.start("vlink", [program_path("vlink"), "--control", "--link",
                                         link.spec(port, server_port), "--link",
                                         poor.spec(poor_port, server_port)], stdin=subprocess.PIPE)
        wait_for_udp(vlink, port)
        player = viewer(programs, "svc-player", pki, port, ["--json", player_json])
        all_of = (server, vlink, player)
        top = BITRATES[-1] * 1000
        wait_for("all of it", lambda t: t[2]["bps"] == top and t[2]["mean_bps"] > 0, report, all_of)
        other = viewer(programs, "poor-viewer", pki, poor_port)
        wait_for("all of it, though another lacks it", lambda t: lacking(report) > 5, report,
                 all_of + (other,))
        shared = told(report)[2]["min_bps"]
        other.stop()
        vlink.tell(f"lte.rate={THIRD_BPS:.0f}bit")
        wait_for("down", lambda t: t[2]["bps"] < top * 0.75, report, all_of)
        time.sleep(2)
        vlink.tell(f"lte.rate={FULL_BPS:.0f}bit")
        wait_for("up", lambda t: t[2]["bps"] > top * 0.6, report, all_of)
        last = newest(report)
        player.stop()
    again = subprocess.run([program_path("svc-server"), "--replay-policy", log],
                           capture_output=True, text=True, check=False)
    print(again.stdout + again.stderr, end="")
    with open(log, encoding="ascii") as file:
        decisions = sum('"decision":"supply"' in line for line in file)
    seen = material.scenario.read_json(player_json, player)
    base = next(v for v in last["viewers"] if v["id"] == 1)["tracks"][1]
    encoder = last["encoder"]
    print(f"{seen['frames_shown']} shown, longest stall {seen['stall_ms_max']:.0f} ms, "
          f"{seen['base_layer_lost']} base pictures lost, told {encoder['told']}")
    rules = {
        "the base layer lost nothing": seen["base_layer_lost"] == 0,
        "nor did it on the way": base["name"] == "v-s0t0" and base["expired"] == 0
                                 and base["sent"] == base["offered"] > 30,
        "nothing stalled": seen["stall_ms_max"] < STALL_MAX_MS,
        "the second viewer cost the first nothing": shared == top,
        "the base kept its rate": encoder["told"][0]["min_bps"] == BITRATES[0] * 1000,
        "the report tells the least and the mean":
            encoder["told"][2]["min_bps"] < encoder["told"][2]["mean_bps"] < top,
        "it is decided again to the same": again.returncode == 0 and decisions > 20,
        "the encoder lived": encoder["restarts"] == 0 and encoder["errors"] == 0,
    }
    return exit_code(rules)


if __name__ == "__main__":
    sys.exit(main())
