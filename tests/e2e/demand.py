#!/usr/bin/python3
"""demand.py ROOT BUILD - a window too small for the top layer: it is not asked for, and the decisions
of player and server come out the same when they are made again from their logs, but not from altered
ones.
"""
import os
import subprocess
import sys

import material
import analysis

DURATION_S = 4
IN_FLIGHT = 30  # units of a layer that may be on their way before it is known to be of no use


def replay(program, log):
    return subprocess.run([material.clips.program_path(program), "--replay-policy", log],
                          capture_output=True, text=True, check=False)


def check_replay(program, log, kinds, altered_from, altered_to, told):
    altered = log + ".altered"
    with open(log, encoding="ascii") as f:
        lines = f.readlines()
    with open(altered, "w", encoding="ascii") as f:
        f.writelines(line.replace(altered_from, altered_to) for line in lines)
    same, other = replay(program, log), replay(program, altered)
    print(same.stdout + same.stderr + other.stderr, end="")
    made = [sum(f'"decision":"{kind}"' in line for line in lines) for kind in kinds]
    return (same.returncode == 0 and f"{len(lines)} decisions, all the same" in same.stdout
            and other.returncode == 1 and told in other.stderr and min(made) > 10)


def main():
    folder = material.folder("demand")
    log = os.path.join(folder, "policy.jsonl")
    clip = material.small_clip()
    links = [material.scenario.Link("wifi", clip.peak_bps * 1.2 + 200e3, 10),
             material.scenario.Link("lte", clip.peak_bps * 0.8 + 200e3, 30)]
    server_log = os.path.join(folder, "server-policy.jsonl")
    outcome = material.scenario.play(folder, [clip.layered, "--policy-log", server_log], material.pki(), links, DURATION_S,
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
    good = check_replay("svc-player", log, ("demand", "delay"), '"out":{"spatial":',
                        '"out":{"spatial":1', "demand: spatial was") and good
    good = check_replay("svc-server", server_log, ("unit", "sent"), '"verdict":0', '"verdict":1',
                        "unit: verdict was") and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
