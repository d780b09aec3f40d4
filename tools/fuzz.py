#!/usr/bin/python3
"""fuzz.py - runs every libFuzzer program of a build for a while, one a core.

    fuzz.py [SECONDS [NAME...]]        seconds each [20]; NAME as in tests/fuzz, all when none

Reads tests/fuzz/corpus/NAME, grows build-fuzz/corpus/NAME, leaves what it finds in build-fuzz/finds
and build/reports/fuzz.json. Exit code 1 when something was found.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-fuzz"


def run(name, seconds):
    """Result: executions, or None when it has found something."""
    corpus, finds = BUILD / "corpus" / name, BUILD / "finds"
    corpus.mkdir(parents=True, exist_ok=True)
    finds.mkdir(exist_ok=True)
    given = ROOT / "tests/fuzz/corpus" / name
    command = [BUILD / "tests/fuzz" / f"fuzz_{name}", f"-max_total_time={seconds}", "-timeout=20",
               "-rss_limit_mb=3000", "-entropic=0", "-print_final_stats=1", "-verbosity=0",
               f"-artifact_prefix={finds}/{name}-", corpus]
    done = subprocess.run(command + ([given] if given.is_dir() else []), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    count = re.search(r"number_of_executed_units: (\d+)", done.stdout)
    if done.returncode != 0:
        print("\n".join(done.stdout.splitlines()[-40:]), file=sys.stderr)
    print(f"{name}: {count[1] if count else 'no'} executions"
          f"{'' if done.returncode == 0 else ', and a find in ' + str(finds)}", flush=True)
    return int(count[1]) if count and done.returncode == 0 else None


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    names = sys.argv[2:] or sorted(p.name[5:] for p in (BUILD / "tests/fuzz").glob("fuzz_*")
                                   if p.is_file() and os.access(p, os.X_OK))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = dict(zip(names, pool.map(lambda n: run(n, seconds), names)))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    finds = sum(r is None for r in results.values())
    report = {"seconds": seconds * len(names), "cpu_s": round(used.ru_utime + used.ru_stime, 1),
              "targets": len(names), "finds": finds}
    report |= {f"{n}_executions": r for n, r in results.items() if r is not None}
    (ROOT / "build/reports").mkdir(parents=True, exist_ok=True)
    (ROOT / "build/reports/fuzz.json").write_text(json.dumps(report) + "\n")
    sys.exit(1 if finds else 0)


main()
