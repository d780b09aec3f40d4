#!/usr/bin/python3
"""demand.py ROOT BUILD - a window too small for the top layer: it is not asked for, and the player's
decisions come out the same when they are made again from its log, but not from an altered one.
"""
import os
import subprocess
import sys

import material
import analysis

DURATION_S = 4
IN_FLIGHT = 30  # units of a layer that may be on their way before it is known to be of no use


def replay(log):
    return subprocess.run([material.clips.program_path("svc-player"), "--replay-policy", log],
                          capture_output=True, text=True, check=False)


def check_replay(log):
    altered = log + ".altered"
    with open(log, encoding="ascii") as f:
        lines = f.readlines()
    with open(altered, "w", encoding="ascii") as f:
        f.writelines(line.replace('"out":{"spatial":', '"out":{"spatial":1') for line in lines)
    same, other = replay(log), replay(altered)
    print(same.stdout + same.stderr + other.stderr, end="")
    kinds = [sum(f'"decision":"{kind}"' in line for line in lines) for kind in ("demand", "delay")]
    return (same.returncode == 0 and f"{len(lines)} decisions, all the same" in same.stdout
            and other.returncode == 1 and "demand: spatial was" in other.stderr and min(kinds) > 10)


def main():
    folder = material.folder("demand")
    log = os.path.join(folder, "policy.jsonl")
    clip = material.small_clip()
    links = [material.scenario.Link("wifi", clip.peak_bps * 1.2 + 200e3, 10),
             material.scenario.Link("lte", clip.peak_bps * 0.8 + 200e3, 30)]
    outcome = material.scenario.play(folder, clip.layered, material.pki(), links, DURATION_S,
                                     player_options=[
                                         "--headless", "--policy-log", log, "--size", "160x90",
                                         "--screenshot", os.path.join(folder, "screen.png")])
    shown = analysis.shown_rows(outcome.report, DURATION_S)
    broken, _ = analysis.judge(shown, clip.reference)
    late = {row.spatial for row in shown if row.t_s > 1}
    sent = {name: t["sent"] for name, t in analysis.server_layers(outcome.server).items()}
    print(f"{len(shown)} shown, {broken} broken, best layers after a second {late}, sent {sent}")
    good = len(shown) > 30 and broken == 0 and max(late) == 1
    good = good and max(sent["s2t0"], sent["s2t1"]) < IN_FLIGHT < min(sent["s1t0"], sent["s1t1"])
    return 0 if check_replay(log) and good else 1


if __name__ == "__main__":
    sys.exit(main())
