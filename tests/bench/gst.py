#!/usr/bin/python3
"""gst.py - the GStreamer elements beside upstream's srt, rist and webrtc, measured: `./run bench-gst`.

Runs tests/bench/gst/PART.py ROOT BUILD, one after the other, on a machine that should do nothing else. The last
line that a part prints is one flat JSON object; what it prints before is for people. All keys go to
build/reports/gst.json (CONTRIBUTING.md says what they mean). A part that fails leaves its keys null and makes the
exit status 1.

usage: gst.py ROOT BUILD [--quick] [PART...]     only those named; the others' keys stay what the report had
"""
import argparse
import json
import os
import subprocess
import sys

# part, seconds it may take, the keys it must give (it may give more)
PARTS = [
    ("frames", 1800, ["frames_in_time_ours", "frames_in_time_srt", "frames_in_time_rist", "frames_in_time_webrtc"]),
    ("cpu", 900, ["cpu_ratio_to_srt"]),
    ("leaks", 1200, ["leaks"]),
]


def run(root, build, part, seconds, quick):
    """What the part measured ({}: nothing), whether all is well."""
    print(f"--- {part}", flush=True)
    command = [sys.executable, os.path.join(root, "tests", "bench", "gst", part + ".py"), root, build]
    if quick:
        command.append("--quick")
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=False,
                              timeout=seconds)
    except subprocess.TimeoutExpired:
        print(f"{part}: not done within {seconds} s")
        return {}, False
    lines = done.stdout.strip().splitlines()
    try:
        measured = json.loads(lines[-1])
    except (IndexError, ValueError):
        measured = None
    print("\n".join(lines[:-1] if isinstance(measured, dict) else lines))
    if done.returncode != 0:
        print(f"{part}: exit status {done.returncode}")
    return measured if isinstance(measured, dict) else {}, done.returncode == 0


def main():
    args = argparse.ArgumentParser()
    args.add_argument("root", type=os.path.abspath)
    args.add_argument("build", type=os.path.abspath)
    args.add_argument("--quick", action="store_true", help="seconds in place of minutes; figures that say little")
    args.add_argument("part", nargs="*", help=" ".join(p[0] for p in PARTS))
    args = args.parse_intermixed_args()
    wanted = args.part or [p[0] for p in PARTS]
    unknown = set(wanted) - {p[0] for p in PARTS}
    if unknown:
        sys.exit(f"gst.py: no part {', '.join(sorted(unknown))}; there are: " + " ".join(p[0] for p in PARTS))
    path = os.path.join(args.root, "build", "reports", "gst.json")
    report = dict.fromkeys(k for p in PARTS for k in p[2])
    if len(wanted) < len(PARTS) and os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            report.update(json.load(f))
    good = True
    for part, seconds, keys in PARTS:
        if part not in wanted:
            continue
        measured, well = run(args.root, args.build, part, seconds, args.quick)
        missing = [k for k in keys if measured.get(k) is None]
        if missing:
            print(f"{part}: does not say {', '.join(missing)}")
        report.update({**dict.fromkeys(keys), **measured})
        good = good and well and not missing
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=2)
        f.write("\n")
    for key, value in report.items():
        print(f"{key:32} {'not measured' if value is None else value}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
