#!/usr/bin/python3
"""vmm.py - what vmm-shim keeps of its promises, measured: `./run bench-vmm`.

Runs tests/bench/vmm/PART.py ROOT BUILD, one after the other, on a machine that should do nothing
else. The last line that a part prints is one flat JSON object; what it prints before is for people.
All keys go to build/reports/vmm.json (CONTRIBUTING.md says what they mean). A part that fails leaves
its keys null and makes the exit status 1; a part that lacks a right exits with 77 and leaves them
null.

usage: vmm.py ROOT BUILD [PART...]     only those named; the others' keys stay what the report had
"""
import json
import os
import subprocess
import sys
import time

# part, seconds it may take, the keys it must give (it may give more)
PARTS = [
    ("boot", 600, ["boot_cpu_s"]),
    ("systems", 600, ["metal_boot_s", "metal_resident_bytes", "metal_round_trip_ms", "metal_wake_ms_p99"]),
    ("net", 900, ["flood_p95_ratio", "weight_ratio", "link_rate_error", "link_delay_error_ms"]),
    ("rt", 900, ["deadline_misses_rt", "deadline_misses_plain"]),
    ("migrate", 1800, ["migrations_tried", "migrations_failed", "picture_gap_ms_median",
                       "picture_gap_ms_max"]),
    ("handover", 600, ["handover_gap_ms", "handover_gap_ms_max", "handovers_tried", "handovers_failed"]),
]
SKIP = 77


def run(root, build, part, seconds, keys):
    """(keys and values, whether all is well)"""
    print(f"--- {part}", flush=True)
    nothing = dict.fromkeys(keys)
    script = os.path.join(root, "tests", "bench", "vmm", part + ".py")
    try:
        done = subprocess.run(["/usr/bin/python3", script, root, build], stdout=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        print(f"{part}: not done within {seconds} s")
        return nothing, False
    lines = done.stdout.strip().splitlines()
    if done.returncode == SKIP:
        print("\n".join(lines))
        return nothing, True
    try:
        measured = json.loads(lines[-1])
    except (IndexError, ValueError):
        measured = None
    print("\n".join(lines[:-1] if isinstance(measured, dict) else lines))
    if not isinstance(measured, dict) or done.returncode != 0:
        print(f"{part}: exit status {done.returncode}")
        return {**nothing, **(measured or {})}, False
    missing = [k for k in keys if k not in measured]
    if missing:
        print(f"{part}: does not say {', '.join(missing)}")
    return {**nothing, **measured}, not missing


def main():
    root, build = (os.path.abspath(p) for p in sys.argv[1:3])
    wanted = sys.argv[3:] or [p[0] for p in PARTS]
    unknown = set(wanted) - {p[0] for p in PARTS}
    if unknown:
        sys.exit(f"vmm.py: no part {', '.join(sorted(unknown))}; there are: "
                 + " ".join(p[0] for p in PARTS))
    path = os.path.join(root, "build", "reports", "vmm.json")
    report = dict.fromkeys(k for p in PARTS for k in p[2])
    if len(wanted) < len(PARTS) and os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            report.update(json.load(f))
    good = True
    for part, seconds, keys in PARTS:
        if part not in wanted:
            continue
        began = time.monotonic()
        measured, well = run(root, build, part, seconds, keys)
        report.update(measured)
        good = good and well
        print(f"    {time.monotonic() - began:.0f} s", flush=True)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=2)
        f.write("\n")
    for key, value in report.items():
        if not isinstance(value, (dict, list)):
            print(f"{key:32} {'not measured' if value is None else value}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
