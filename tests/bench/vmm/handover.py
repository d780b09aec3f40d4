#!/usr/bin/python3
"""handover.py ROOT BUILD [TIMES] - a viewer's session is handed from player to player TIMES times [20], over two
paths of 20 Mbit/s and 10 ms, live: how long there is no new picture for the viewer, by the rows that the
players write as they show pictures (--dump-timing), and not by what they think of it. One JSON object:
handover_gap_ms (median), handover_gap_ms_max, handover_took_ms (median, from the wish to the end of the old one),
handovers_tried, handovers_failed.
"""
import csv
import json
import os
import statistics
import sys

TIMES = int(sys.argv[3]) if len(sys.argv) > 3 else 20
ROOT = os.path.abspath(sys.argv[1])
sys.argv = sys.argv[:3]
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import material  # noqa: E402
import programs  # noqa: E402
from hand_over import PATIENCE_S, Pair  # noqa: E402
from resume import Stage  # noqa: E402

LIVE = ["--live", "test:640x360@30", "--layers", "L2T2", "--bitrate", "300,900", "--key-interval", "5"]
PATHS = ["wifi", "lte"]


def shown(path):
    """[(media time, us; when it was shown, us)]"""
    with open(path, encoding="ascii") as f:
        return [(int(row["pts_us"]), int(row["shown_us"])) for row in csv.DictReader(f)]


def gap_ms(old, new):
    """From the last picture of the old one to the first of the new one that is newer."""
    media, last = old[-1]
    return next((at - last) / 1e3 for pts, at in new if pts > media and at > last)


def hand_over(pair, number):
    """One more of them: (rows of the old one, of the new one, the old one's report); None: it failed."""
    (program, pair.socket, report), old_rows = pair.holder
    rows = os.path.join(pair.folder, f"timing-{number}.csv")
    status, said = pair.hand(pair.wait("--dump-timing", rows, paths=PATHS))
    if status != 0:
        print(said, file=sys.stderr)
        pair.new_control.ask("quit")
        return None
    pair.holder = ((pair.new, pair.new_socket, pair.new_report), rows)
    program.process.wait(PATIENCE_S)
    pair.new_control.wait(lambda: pair.new_control.get("frames-shown") > 45, 10)
    return old_rows, rows, report


def took_ms(report):
    with open(report, encoding="utf-8") as f:
        return json.load(f)["handed_over_to"]["took_ms"]


def main():
    folder = material.folder("bench-handover")
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, LIVE)
        stage.serve()
        stage.link(PATHS)
        pair = Pair(stage, folder)
        rows = os.path.join(folder, "timing-0.csv")
        c = pair.play("--dump-timing", rows, paths=PATHS)
        c.wait(lambda: c.get("frames-shown") > 60)
        pair.holder = ((pair.old, pair.socket, pair.old_report), rows)
        tried = [hand_over(pair, i + 1) for i in range(TIMES)]
        last = pair.holder[0]
        pair.socket = last[1]
        last[0].process.terminate()
        last[0].process.wait(PATIENCE_S)
    worked = [t for t in tried if t]
    gaps = [gap_ms(shown(old), shown(new)) for old, new, _ in worked]
    took = [took_ms(report) for _, _, report in worked]
    print(json.dumps({"handover_gap_ms": round(statistics.median(gaps), 1) if gaps else None,
                      "handover_gap_ms_max": round(max(gaps), 1) if gaps else None,
                      "handover_took_ms": round(statistics.median(took), 1) if took else None,
                      "handovers_tried": len(tried), "handovers_failed": len(tried) - len(worked)}))
    return 0 if len(worked) == len(tried) else 1


if __name__ == "__main__":
    sys.exit(main())
