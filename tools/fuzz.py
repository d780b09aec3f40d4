#!/usr/bin/python3
"""fuzz.py - runs every libFuzzer program of a build for a while, one a core.

    fuzz.py [SECONDS [NAME...]]        seconds each [20]; NAME as in tests/fuzz, all when none
    fuzz.py merge [NAME...]            what was found so far joins tests/fuzz/corpus, as far as it
                                       reaches something new, the smallest first, CORPUS_BYTES each

Reads tests/fuzz/corpus/NAME, grows build-fuzz/corpus/NAME, leaves what it finds in build-fuzz/finds
and build/reports/fuzz.json. Exit code 1 when something was found.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-fuzz"
CORPUS_BYTES = 32000  # of a program in the repository; the suite replays all of it


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


def merge(name):
    given = ROOT / "tests/fuzz/corpus" / name
    room = CORPUS_BYTES - sum(p.stat().st_size for p in given.iterdir())
    added = 0
    with tempfile.TemporaryDirectory() as kept:
        for known in given.iterdir():
            (pathlib.Path(kept) / known.name).write_bytes(known.read_bytes())
        subprocess.run([BUILD / "tests/fuzz" / f"fuzz_{name}", "-merge=1", "-use_counters=0",
                        "-verbosity=0", kept,
                        BUILD / "corpus" / name], check=True, stderr=subprocess.DEVNULL)
        for p in sorted(pathlib.Path(kept).iterdir(), key=lambda p: p.stat().st_size):
            bytes_ = p.read_bytes()
            room -= len(bytes_) if not (given / p.name).exists() else 0
            if room < 0:
                break
            if not (given / p.name).exists():
                (given / hashlib.sha1(bytes_).hexdigest()[:12]).write_bytes(bytes_)
                added += 1
    print(f"{name}: {added} more, {len(list(given.iterdir()))} in all", flush=True)


def main():
    merging = sys.argv[1:2] == ["merge"]
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 and not merging else 20
    names = sys.argv[2:] or sorted(p.name[5:] for p in (BUILD / "tests/fuzz").glob("fuzz_*")
                                   if p.is_file() and os.access(p, os.X_OK))
    if merging:
        for name in names:
            merge(name)
        return
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
