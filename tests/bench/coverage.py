#!/usr/bin/python3
"""coverage.py - how much of libtvl/core the unit tests, the simulator and the corpus reach by lines.

Builds build-coverage with gcc's counters, runs the quick suites, asks gcovr. Writes
build/reports/coverage.json (the share, then each file's); prints the figure as bench/run.py wants
it. The tests that compare times or sizes with the real build are left out.

usage: coverage.py [--html]      --html: build-coverage/html/index.html shows each line
"""
import glob
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build-coverage")
REPORT = os.path.join(ROOT, "build", "reports", "coverage.json")
SUITES = ["libtvl", "unit", "sim", "fuzz"]
QUIET = {"stdout": sys.stderr}


def build():
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["meson", "setup", BUILD, ROOT, "-Db_coverage=true", "-Dbuildtype=debug",
                        "-Doptimization=1"], check=True, **QUIET)
    subprocess.run(["ninja", "-C", BUILD], check=True, **QUIET)
    for old in glob.glob(os.path.join(BUILD, "**", "*.gcda"), recursive=True):
        os.remove(old)


def run_tests():
    command = ["meson", "test", "-C", BUILD, "--no-rebuild", "--timeout-multiplier", "5"]
    for suite in SUITES:
        command += ["--suite", suite]
    done = subprocess.run(command, check=False, **QUIET)
    if done.returncode != 0:
        print("coverage: some tests failed; what they reached counts all the same", file=sys.stderr)


def measure(html):
    command = ["gcovr", "--root", ROOT, "--filter", "libtvl/core/", "--object-directory", BUILD,
               "--json-summary", "--gcov-ignore-parse-errors", BUILD]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if html:
        os.makedirs(os.path.join(BUILD, "html"), exist_ok=True)
        subprocess.run(["gcovr", "--root", ROOT, "--filter", "libtvl/core/", "--html-details",
                        os.path.join(BUILD, "html", "index.html"), "--gcov-ignore-parse-errors",
                        BUILD], check=True, **QUIET)
    return json.loads(text)


def main():
    build()
    run_tests()
    found = measure("--html" in sys.argv)
    report = {"core_line_coverage": round(found["line_covered"] / found["line_total"], 4)}
    os.makedirs(os.path.dirname(REPORT), exist_ok=True)
    with open(REPORT, "w", encoding="utf-8") as f:
        files = {item["filename"]: round(item["line_covered"] / max(item["line_total"], 1), 4)
                 for item in found["files"]}
        json.dump(report | files, f, indent=1)
        f.write("\n")
    for name, share in sorted(files.items(), key=lambda item: item[1]):
        print(f"{share:7.1%}  {name}")
    print(json.dumps(report))


main()
