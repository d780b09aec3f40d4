#!/usr/bin/python3
"""cost.py - what the choice of paths and rates costs: the share of a sender's CPU time that goes to
controllers, path model, selector and scheduler, by sampling (perf) a bulk transfer over four paths
of loopback. All of libm counts to them: nothing else calls it. Pacing and the measuring of rates
are shown, but are any transport's.

The last line is a JSON object. Where the kernel lets nobody sample, it says so and fails.

usage: cost.py BUILD-DIR [MEGABYTES]
"""
import json
import os
import re
import subprocess
import sys
import tempfile

MEGABYTES = 1000
PATHS = 4
HZ = 5000
PARTS = { # by source file of libtvl, the innermost where functions are inlined
    "controller": ("cc", "sbd.c coupling.c libm"),
    "selector": ("", "model.c select.c choice.c knowledge.c predict.c"),
    "scheduler": ("sched", "route.c surety.c copies.c"),
    "pacing": ("", "pacer.c rate.c"),
}
COUNTED = ("controller", "selector", "scheduler")
RUNS = [ # controller, scheduler, objective
    ("cubic", "ecf", "none"), ("cubic", "ecf", "throughput"), ("bbr", "ecf", "none"),
    ("copa", "minrtt", "none"), ("scream", "layered", "none"), ("cubic", "layered", "video"),
]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def parts_of_files():
    """source file -> part"""
    known = {}
    for part, (folder, others) in PARTS.items():
        known.update({name: part for name in others.split()})
        if folder:
            known.update({name: part for name in os.listdir(os.path.join(ROOT, "libtvl", folder))
                          if name.endswith((".c", ".h")) and name not in known})
    return known


def samples(build, megabytes, cc, sched, objective):
    """[(share of the sender's samples, source file or library)]"""
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "data")
        done = subprocess.run(
            ["perf", "record", "-e", "cpu-clock", "-F", str(HZ), "-o", data,
             os.path.join(build, "tests", "bench", "speed"), "--cc", cc, "--sched", sched,
             "--objective", objective, str(PATHS), str(megabytes)],
            capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"cost.py: perf: {done.stderr.strip() or done.stdout.strip()}")
        report = ["perf", "report", "-i", data, "--stdio", "-t", ";", "-q"]
        pids = subprocess.run(report + ["--sort", "pid"], capture_output=True, text=True, check=True)
        sender = min(int(n) for n in re.findall(r";\s*(\d+):", pids.stdout))  # it is the parent
        lines = subprocess.run(report + ["--sort", "pid,dso,srcfile"], capture_output=True,
                               text=True, check=True).stdout.splitlines()
    rows = []
    for line in lines:
        cells = [cell.strip() for cell in line.split(";")]
        if len(cells) == 4 and cells[1].split(":")[0] == str(sender):
            rows.append((float(cells[0].rstrip("%")),
                         "libm" if cells[2].startswith("libm") else cells[3]))
    total = sum(share for share, _ in rows)
    return [(share / total, name) for share, name in rows]


def main():
    build = os.path.abspath(sys.argv[1])
    megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else MEGABYTES
    part_of = parts_of_files()
    report = {"cost_runs": {}, "cost_share": 0}
    print(f"{'share of the CPU':32}" + "".join(f"{part:>12}" for part in PARTS) + f"{'counted':>12}")
    for run in RUNS:
        shares = dict.fromkeys(PARTS, 0.0)
        rows = samples(build, megabytes, *run)
        if not any(name.endswith("send.c") for _, name in rows):
            sys.exit("cost.py: no source files in the samples: build with debug information")
        for share, name in rows:
            if name in part_of:
                shares[part_of[name]] += share
        whole = sum(shares[part] for part in COUNTED)
        name = " ".join(run)
        report["cost_runs"][name] = {part: round(share, 4) for part, share in shares.items()}
        report["cost_share"] = round(max(report["cost_share"], whole), 4)
        print(f"{name:32}" + "".join(f"{s:12.4f}" for s in shares.values()) + f"{whole:12.4f}",
              flush=True)
    print(json.dumps(report))
    sys.exit(0 if report["cost_share"] < 0.05 else 1)


main()
