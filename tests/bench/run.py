#!/usr/bin/python3
"""run.py - runs the benchmarks one after the other and merges what they say.

A benchmark is a command whose last line on stdout is one flat JSON object; everything before is
for people. BENCHES lists them: add an entry to add one. The merged keys go to
build/reports/transport.json, a table of them to stdout. A benchmark that is absent or fails leaves
its keys null and makes the exit status 1.

usage: run.py BUILD-DIR [NAME...]      all, or only the named; others keep what the report had
"""
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REPORT = os.path.join(ROOT, "build", "reports", "transport.json")
PYTHON = "/usr/bin/python3"

# name, command ({build} and {root} are filled in), seconds it may take, the report's keys it gives
BENCHES = [
    ("speed", [PYTHON, "{root}/tests/bench/speed.py", "{build}"], 900,
     ["cpu_s_per_gb_send", "cpu_s_per_gb_recv", "cpu_ratio_to_limit"]),
    ("cost", [PYTHON, "{root}/tests/bench/cost.py", "{build}"], 600, ["cost_share"]),
    ("idle", ["{build}/tests/bench/idle"], 600, ["kib_per_idle_connection"]),
    ("flood", ["{build}/tests/bench/flood"], 300,
     ["flood_rss_growth_kib", "flood_limit_kib", "flood_established_alive"]),
    ("bonding", ["{build}/tests/bench/bonding"], 1800,
     ["bonding_share", "bonding_share_loss1", "below_best_single", "evacuation_p99_ms"]),
    ("repair", ["{build}/tests/bench/repair"], 900,
     ["units_in_time_none", "units_in_time_duplicate", "units_in_time_repair",
      "units_in_time_none_bursts", "units_in_time_duplicate_bursts", "units_in_time_repair_bursts",
      "units_overhead_duplicate", "units_overhead_repair"]),
    ("worlds", ["/bin/sh", "-c", "'{root}/run' worlds 2000 && cat '{root}/build/reports/worlds.json'"],
     3600, ["worlds_run", "worlds_violations"]),
    ("coverage", [PYTHON, "{root}/tests/bench/coverage.py"], 3600, ["core_line_coverage"]),
]
KEYS = [key for bench in BENCHES for key in bench[3]]


def last_object(text):
    """The JSON object on the last line that holds one, or None."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                return json.loads(line)
            except ValueError:
                return None
    return None


def run_one(name, command, limit):
    """(object or None, what went wrong)"""
    program = command[1] if command[0] == PYTHON else command[0]
    if not os.path.exists(program):
        return None, "absent: " + os.path.relpath(program, ROOT)
    print(f"== {name}: {' '.join(command)}", flush=True)
    began = time.monotonic()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return None, f"not over after {limit} s"
    said = last_object(done.stdout)
    for line in done.stdout.splitlines():
        if not line.startswith("{"):
            print("   " + line)
    print(f"   {time.monotonic() - began:.1f} s", flush=True)
    if said is None:
        return None, f"exit status {done.returncode}, no JSON object on its last line"
    if done.returncode != 0:
        return said, f"exit status {done.returncode}"
    return said, None


def old_report():
    try:
        with open(REPORT, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def main():
    build = os.path.abspath(sys.argv[1])
    only = sys.argv[2:]
    known = [bench[0] for bench in BENCHES]
    for name in only:
        if name not in known:
            sys.exit(f"run.py: no benchmark '{name}'; there are {', '.join(known)}")
    report = {key: None for key in KEYS}
    report.update(old_report() if only else {})
    problems = []
    for name, command, limit, keys in BENCHES:
        if only and name not in only:
            continue
        filled = [part.format(build=build, root=ROOT) for part in command]
        said, problem = run_one(name, filled, limit)
        if name == "worlds" and said: # a report of its own, with more than belongs here
            said = {key: said.get(key) for key in keys}
        report.update(said or {key: None for key in keys})
        missing = [key for key in keys if report.get(key) is None]
        if problem or missing:
            problems.append(f"{name}: {problem or 'did not say ' + ', '.join(missing)}")
    os.makedirs(os.path.dirname(REPORT), exist_ok=True)
    with open(REPORT, "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    print(f"\n{'key':32} value")
    for key in sorted(report, key=lambda k: (KEYS.index(k) if k in KEYS else len(KEYS), k)):
        print(f"{key:32} {report[key]}")
    for problem in problems:
        print(f"MISSING {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
