#!/usr/bin/python3
"""coverage.py - how much of libtvl/core the unit tests, the simulator and the corpus reach by lines.

Builds build-cov with gcc's counters, runs libtvl's tests (those of allocation failures and of the
hostile peer among them), the simulator's and the corpus; asks gcovr. Writes
build/reports/coverage.json; the last line printed is the figure as bench/run.py wants it. Exit code
1 when it is below 90 %.

usage: coverage.py [--html]      --html: build-cov/html/index.html shows each line
"""
import glob
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build-cov")
REPORT = os.path.join(ROOT, "build", "reports", "coverage.json")
SUITES = ["libtvl", "sim", "fuzz"]
LEAST = 0.90
WORST_SHOWN = 12
QUIET = {"stdout": sys.stderr}


def introspect(what):
    return json.loads(subprocess.run(["meson", "introspect", BUILD, what], check=True,
                                     capture_output=True, text=True).stdout)


def targets():
    """What the tests of the suites need."""
    wanted = {target for test in introspect("--tests") for target in test["depends"]
              if any(suite.split(":")[-1] in SUITES for suite in test["suite"])}
    return [os.path.relpath(name, BUILD) for target in introspect("--targets")
            if target["id"] in wanted for name in target["filename"]]


def build():
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["meson", "setup", BUILD, ROOT, "-Db_coverage=true", "-Dbuildtype=debug",
                        "-Doptimization=1"], check=True, **QUIET)
    subprocess.run(["ninja", "-C", BUILD, *targets()], check=True, **QUIET)
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
    files = {item["filename"]: round(item["line_covered"] / max(item["line_total"], 1), 4)
             for item in found["files"]}
    report = {"core_line_coverage": round(found["line_covered"] / found["line_total"], 4),
              "lines": found["line_total"]}
    os.makedirs(os.path.dirname(REPORT), exist_ok=True)
    with open(REPORT, "w", encoding="utf-8") as f:
        json.dump(report | {"files": files}, f, indent=1)
        f.write("\n")
    for name, share in sorted(files.items(), key=lambda item: item[1])[:WORST_SHOWN]:
        print(f"{share:7.1%}  {name}")
    print(json.dumps(report))
    sys.exit(0 if report["core_line_coverage"] >= LEAST else 1)


main()
