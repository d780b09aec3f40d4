#!/usr/bin/python3
"""shift.py ROOT BUILD - pause, seek back and return to live, with a server that keeps a window; and a
broadcast of a file joined before its next key picture. Judged by the media times that are shown.
"""
import os
import sys
import time

import material
import programs
from control import Control
from live_report import exit_code
from resume import Stage

KEY_INTERVAL_S = 2
LIVE = ["--live", "test:320x180@30", "--layers", "L2T2", "--bitrate", "100,200", "--key-interval",
        str(KEY_INTERVAL_S), "--window", "60"]
FILE_KEY_S = 10


def shown(report):
    """[(seconds since the first shown picture, media time in s)]"""
    return [(row[5] / 1000, row[1] / 1e6) for row in report["shown"]]


def time_shift(folder):
    at = os.path.join(folder, "socket")
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, LIVE)
        stage.serve()
        player = stage.play("--control", at)
        c = Control(at)
        rules = {"plays": c.wait(lambda: c.get("frames-shown") > 60)}
        rules["window known"] = c.wait(lambda: (c.get("window") or 0) > 5, 20)
        # pause: goes on where it was
        before = c.get("pts-us")
        c.ask("pause", "on")
        time.sleep(3)
        held = c.get("pts-us")
        c.ask("pause", "off")
        rules["goes on"] = c.wait(lambda: c.get("pts-us") != held and c.get("state") == "playing", 5)
        after = c.get("pts-us")
        rules["where it was"] = before <= held and abs(after - held) / 1e6 < KEY_INTERVAL_S + 1
        rules["behind"] = c.wait(lambda: c.get("behind") > 2, 3)
        print(f"paused at {held / 1e6:.2f}, goes on at {after / 1e6:.2f}, behind {c.get('behind'):.1f}")
        c.wait(lambda: c.get("pts-us") > 9.5e6, 12) # so that 5 s before it is not the oldest
        # back
        here = c.get("pts-us")
        rules["seek"] = c.ask("seek", -5)["error"] == "success"
        rules["went back"] = c.wait(lambda: c.get("pts-us") < here - 3e6, 5)
        there, began = c.get("pts-us"), time.monotonic()
        time.sleep(2)
        rate = (c.get("pts-us") - there) / 1e6 / (time.monotonic() - began)
        print(f"from {here / 1e6:.2f} to {there / 1e6:.2f}, then {rate:.2f} s a second, "
              f"behind {c.get('behind'):.1f}")
        rules["plays at its pace"] = 0.7 < rate < 1.3
        rules["goes on over groups"] = c.wait(lambda: c.get("pts-us") > there + 5e6, 6)
        # live
        rules["live"] = c.ask("live")["error"] == "success"
        rules["is live"] = c.wait(lambda: c.get("behind") == 0 and c.get("state") == "playing", 8)
        rules["a seek before all goes to the oldest"] = c.ask("seek", -1000)["error"] == "success"
        rules["the oldest"] = c.wait(lambda: c.get("pts-us") < there, 5)
        # on to near live: the tail takes over without a new start
        # it may have no place yet to go from: the oldest is at 0, which it takes for none
        rules["forward"] = c.wait(lambda: c.ask("seek", c.get("behind") - 4)["error"] == "success", 5)
        rules["near live"] = c.wait(lambda: 2 < c.get("behind") < 7, 5)
        time.sleep(2 * KEY_INTERVAL_S + 2)
        c.ask("quit")
        player.process.wait(20)
    report = material.scenario.read_json(stage.report, player)
    events = [e["what"] for e in report["events"]]
    rows = shown(report)[-90:]
    steps = [b[1] - a[1] for a, b in zip(rows, rows[1:])]
    print(f"last steps of media time: {min(steps):.3f} to {max(steps):.3f} s;", events[-4:])
    rules["caught up"] = "what is live has been caught up with" in events
    rules["without a gap"] = 0 < min(steps) and max(steps) < 0.5
    return exit_code(rules)


def file_joined(folder):
    clip = material.small_clip("clip-long-key", coding=("--key-interval", str(FILE_KEY_S)))
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, [clip.layered, "--loop"])
        stage.serve()
        time.sleep(0.7) # in the middle of a group: the clip has one key picture in three seconds
        player = stage.play("--frames", "150")
        rules = {"exit code 0": player.process.wait(40) == 0}
    report = material.scenario.read_json(stage.report, player)
    steps = [b[1] - a[1] for a, b in zip(shown(report), shown(report)[1:])]
    print(f"file joined after {report['startup_ms']:.0f} ms, {report['startup']}, "
          f"steps {min(steps):.3f} to {max(steps):.3f} s")
    rules["before its next key picture"] = report["startup_ms"] < 1500 # it is 2.3 s away
    rules["without a gap"] = 0 < min(steps) and max(steps) < 0.5
    return exit_code(rules)


def main():
    folder = material.folder("shift")
    return material.together([lambda: time_shift(os.path.join(folder, "live")),
                              lambda: file_joined(os.path.join(folder, "file"))])


if __name__ == "__main__":
    sys.exit(main())
