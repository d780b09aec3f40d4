#!/usr/bin/python3
"""knowledge.py - `./run knowledge`: builds configs/knowledge, what every congestion controller makes
of paths like many others.

Runs `cc learn` (learn.c) on all cores and virtual time, over paths drawn from the seed (grid.c) and,
where ../shared/traces is, over the recorded links that are not held out (paths.c). The same
command, seed and recordings give the same file, byte for byte.

usage: knowledge.py BUILD-DIR [--seed N] [--no-traces] [--out FILE]
"""
import argparse
import os
import re
import sys
import time

import cc

OUT = os.path.join(cc.ROOT, "configs", "knowledge")


def groups_of(program, traces):
    """Names of the recorded groups that are used and of those that are held out."""
    rows = cc.rows_of(cc.run_all([[program, "paths", "--traces", traces]])[0])
    used = sorted({r["group"] for r in rows if r["group"] and r["heldout"] == "0"})
    return used, sorted({r["group"] for r in rows if r["heldout"] == "1"})


def grid_version():
    with open(os.path.join(cc.ROOT, "tests", "bench", "paths.h"), encoding="utf-8") as f:
        return re.search(r"define GRID_VERSION (\d+)", f.read()).group(1)


def wrap(words):
    """Comment lines of at most 100 columns."""
    lines, line = [], "#    "
    for word in words:
        if len(line) + len(word) > 98:
            lines.append(line)
            line = "#    "
        line += " " + word
    return lines + [line]


def head(args, used, heldout):
    traces = " --no-traces" if not used else ""
    lines = [f"# knowledge - what each congestion controller made of many paths; libtvl/cc/knowledge.c has the form.",
             f"# Made by: ./run knowledge --seed {args.seed}{traces}",
             f"# Made-up paths: version {grid_version()} of tests/bench/grid.c"]
    if used:
        lines += ["# Recorded links used, each as it is, with losses, far away and with a shallow buffer:"]
        lines += wrap(used) + ["# Recorded links held out, to judge by:"] + wrap(heldout)
    return "\n".join(lines) + "\nknowledge 1\n"


def main():
    parser = argparse.ArgumentParser(prog="./run knowledge")
    parser.add_argument("build")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-traces", action="store_true", help="made-up paths only")
    parser.add_argument("--out", default=OUT)
    args = parser.parse_args()
    program = os.path.join(args.build, "tests", "bench", "cc")
    began = time.monotonic()
    traces = not args.no_traces and os.path.isfile(os.path.join(cc.TRACES, "index.json"))
    if not traces and not args.no_traces:
        print("knowledge: ../shared/traces is not there: made-up paths only")
    used, heldout = groups_of(program, cc.TRACES) if traces else ([], [])
    parts = 16 * (os.cpu_count() or 1)
    options = ["--seed", str(args.seed)] + (["--traces", cc.TRACES] if traces else [])
    texts = cc.run_all([[program, "learn", "--part", f"{k}/{parts}"] + options for k in range(parts)])
    # part K has paths K, K + parts, ...; each path begins with its name in a comment
    lots = [["# " + text for text in lot.split("# ")[1:]] for lot in texts]
    paths = [lot[i] for i in range(max(map(len, lots))) for lot in lots if i < len(lot)]
    text = head(args, used, heldout) + "".join(paths)
    with open(args.out, "w", encoding="utf-8") as f:
        f.write(text)
    print(f"knowledge: {len(paths)} paths, {len(text) // 1024} KiB, {time.monotonic() - began:.0f} s: {args.out}")
    sys.exit(0 if paths else 1)


if __name__ == "__main__":
    main()
