#!/usr/bin/python3
"""cc.py - `./run bench-cc`: congestion controllers over paths, as table, JSON and two pictures.

Runs the program `cc` (cc.c) on all cores, over the made-up paths and, where ../shared/traces is,
over the recorded ones. Writes build/reports/cc.json, cc.png (goodput and queueing delay of every
controller by kind of path) and cc-window.png (each one's window on 20 Mbit/s, 80 ms).

usage: cc.py BUILD-DIR [--no-traces] [--cc NAME] [--path NAME]
"""
import argparse
import csv
import io
import json
import os
import subprocess
import sys
import time

import chosen

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REPORTS = os.path.join(ROOT, "build", "reports")
TRACES = os.path.join(os.path.dirname(ROOT), "shared", "traces")
WINDOW_PATH = "20mbit-80ms"
# What the report promises; null until something fills it in.
KEYS = ["oracle_share", "best_fixed_share", "swap_dip", "swaps_per_minute", "formula_ratio_min",
        "formula_ratio_max", "layered_oracle_share", "base_in_time_share", "coupled_share",
        "uncoupled_share"]
KNOWLEDGE = os.path.join(ROOT, "configs", "knowledge")
NUMBERS = chosen.OBJECTIVES + ("rtt_ms", "in_time", "goodput_bps", "capacity_bps", "queue_mean_ms", "queue_p95_ms", "loss", "marked")


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def run_all(commands, good=(0, 1)):
    """Standard output of each, as many at once as there are cores."""
    cores = os.cpu_count() or 1
    running, done = [], {}
    waiting = list(enumerate(commands))
    while waiting or running:
        while waiting and len(running) < cores:
            i, command = waiting.pop(0)
            running.append((i, subprocess.Popen(command, stdout=subprocess.PIPE, text=True)))
        i, process = running.pop(0)
        done[i] = process.communicate()[0]
        if process.returncode not in good:
            sys.exit(f"cc.py: {' '.join(commands[i])}: exit status {process.returncode}")
    return [done[i] for i in range(len(commands))]


def measure_table(program, options):
    """A list of dicts, one per path and controller, in the program's order of paths."""
    parts = 8 * (os.cpu_count() or 1)
    texts = run_all([[program, "table", "--part", f"{k}/{parts}"] + options for k in range(parts)])
    lots = [rows_of(text) for text in texts]
    rows = []
    for i in range(len(lots[0])):  # part K has rows K, K + parts, ...
        for row in (lot[i] for lot in lots if i < len(lot)):
            row.update({key: float(row[key]) for key in row
                        if key in NUMBERS or key.startswith(("model_", "predicted_"))})
            row["heldout"], row["whole"] = row["heldout"] == "1", row["whole"] == "1"
            row["utilisation"] = row["goodput_bps"] / row["capacity_bps"] if row["capacity_bps"] else 0
            rows.append(row)
    return rows


def measure_chosen(program, options):
    """Rows of `cc choose` over the made-up paths and those held out."""
    parts = 8 * (os.cpu_count() or 1)
    kinds = ["made-up"] + (["heldout"] if "--traces" in options else [])
    texts = run_all([[program, "choose", "--knowledge", KNOWLEDGE, "--path", kind, "--part",
                      f"{k}/{parts}"] + options for kind in kinds for k in range(parts)])
    return chosen.read(texts)


def show_table(rows):
    paths = list(dict.fromkeys(r["path"] for r in rows if not r["variant"]))
    names = sorted({r["cc"] for r in rows})
    by = {(r["path"], r["cc"]): r for r in rows}
    print("goodput as a share of the capacity / 95th-percentile queueing delay in ms\n")
    print(f"{'path':28}" + "".join(f"{n:>12}" for n in names))
    for path in paths:
        cells = []
        for n in names:
            r = by.get((path, n))
            cells.append("-" if r is None else f"{r['utilisation']:.2f}/{r['queue_p95_ms']:.0f}"
                         + ("" if r["whole"] else "!"))
        print(f"{path[:27]:28}" + "".join(f"{c:>12}" for c in cells))


def by_kind(rows, names, kinds, key):
    """Mean of `key` per controller and kind."""
    grid = []
    for n in names:
        line = []
        for kind in kinds:
            values = [r[key] for r in rows if r["cc"] == n and r["kind"] == kind]
            line.append(sum(values) / len(values) if values else float("nan"))
        grid.append(line)
    return grid


def draw_table(rows, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np
    from matplotlib.colors import LogNorm
    names = sorted({r["cc"] for r in rows})
    kinds = list(dict.fromkeys(r["kind"] for r in rows))
    figure, axes = plt.subplots(2, 1, figsize=(1.0 + 0.85 * len(kinds), 9), dpi=110)
    for axis, key, title, colours, norm, form in (
            (axes[0], "utilisation", "goodput as a share of the capacity", "YlGn", None, "{:.2f}"),
            (axes[1], "queue_p95_ms", "95th percentile of the queueing delay (ms)", "OrRd",
             LogNorm(1, 2000), "{:.0f}")):
        grid = np.array(by_kind(rows, names, kinds, key))
        shown = np.clip(grid, 1, None) if norm else grid
        axis.imshow(shown, aspect="auto", cmap=colours, norm=norm,
                    **({} if norm else {"vmin": 0, "vmax": 1.15}))
        for y in range(len(names)):
            for x in range(len(kinds)):
                dark = grid[y][x] > 250 if norm else grid[y][x] > 0.85
                axis.text(x, y, form.format(grid[y][x]), ha="center", va="center", fontsize=8,
                          color="white" if dark else "#22272e")
        axis.set_xticks(range(len(kinds)), kinds, rotation=25, ha="right", fontsize=8)
        axis.set_yticks(range(len(names)), names, fontsize=9)
        axis.set_title(title, loc="left", fontsize=11)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def draw_windows(program, names, path):
    """Each controller's window, and the queue it makes, on one standard path."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    bdp_kib = 20e6 * 0.08 / 8 / 1024
    texts = run_all([[program, "window", "--cc", n, "--path", WINDOW_PATH] for n in names])
    figure, axes = plt.subplots(len(names), 1, figsize=(11, 1.45 * len(names)), dpi=110, sharex=True)
    for axis, name, text in zip(axes, names, texts):
        rows = rows_of(text)
        t = [float(r["t_s"]) for r in rows]
        axis.plot(t, [int(r["cwnd"]) / 1024 for r in rows], color="#2f6fb7", lw=1, label="window")
        axis.axhline(bdp_kib, color="#8b949e", lw=0.8, ls="--")
        axis.axhline(2 * bdp_kib, color="#8b949e", lw=0.8, ls=":")
        axis.set_ylim(0, 3 * bdp_kib)
        axis.set_ylabel(f"{name}\n(KiB)", fontsize=9)
        other = axis.twinx()
        other.fill_between(t, [float(r["queue_ms"]) for r in rows], color="#e08b3a", alpha=0.35, lw=0)
        other.set_ylim(0, 160)
        other.set_yticks([0, 80], ["0", "80 ms"], fontsize=7, color="#b5651d")
        axis.tick_params(labelsize=7)
        axis.set_xlim(0, 30)
    axes[0].set_title("window (blue) and queueing delay (orange) on 20 Mbit/s, 80 ms, a buffer of 80 ms; "
                      "dashed: the path's product, dotted: with a full buffer", loc="left", fontsize=9)
    axes[-1].set_xlabel("seconds", fontsize=9)
    figure.subplots_adjust(left=0.08, right=0.94, top=0.965, bottom=0.05, hspace=0.12)
    figure.savefig(path)
    plt.close(figure)


def measure_response(program):
    """Rows of `cc response`: simulated over published windows."""
    rows = rows_of(run_all([[program, "response"]])[0])
    return [{**{k: float(v) for k, v in row.items() if k != "cc"}, "cc": row["cc"]} for row in rows]


def predicted_within(rows, share):
    """Share of the runs whose goodput is within `share` of the formula's on the path's own model."""
    ratios = [r["goodput_bps"] / r["predicted_bps"] for r in rows if r["predicted_bps"] > 0]
    near = [x for x in ratios if 1 / (1 + share) <= x <= 1 + share]
    return round(len(near) / len(ratios), 3) if ratios else None


def measure_swaps(program):
    """The largest share of throughput lost in the two round trips after one of ten swaps."""
    rows = rows_of(run_all([[program, "swap"]])[0])
    return max(0.0, max(float(row["dip"]) for row in rows))


def show_response(rows):
    print("\nsimulated window over the published response, least and most by controller\n")
    for name in sorted({r["cc"] for r in rows}):
        ratios = [r["ratio"] for r in rows if r["cc"] == name]
        print(f"{name:12} {min(ratios):.2f} .. {max(ratios):.2f}   of {len(ratios)}")


def measure_fairness(build):
    """What bench/fairness says: coupled_share, uncoupled_share."""
    text = run_all([[os.path.join(build, "tests", "bench", "fairness"), "--verbose"]])[0]
    lines = text.splitlines()
    print("\ntwo paths beside one, and on bottlenecks of their own\n\n" + "\n".join(lines[:-1]))
    return json.loads(lines[-1])


def measure_layered(build, traces):
    """What bench/layered says of path schedulers over recorded links, and without them."""
    rows = os.path.join(REPORTS, "layered.csv")
    text = run_all([[os.path.join(build, "tests", "bench", "layered"), "--traces", traces, "--rows", rows]],
                   (0, 77))[0]
    lines = text.splitlines()
    print("\nlayered video by path scheduler\n\n" + "\n".join(lines[:-1]))
    said = {"base_in_time_share": None, "layered_oracle_share": None, "layered": None,
            "layered_skipped": "no recorded links", **json.loads(lines[-1])}
    if "layered_groups" in said:
        said["layered_skipped"] = None
        with open(rows, encoding="utf-8") as file:
            fields = ("group", "scheduler", "base_in_time", "upper_of_oracle", "sent_again")
            said["layered"] = [{k: v if k in fields[:2] else float(v) for k, v in row.items()}
                               for row in csv.DictReader(file, fieldnames=fields)]
    return said


def old_report(file):
    try:
        with open(file, encoding="utf-8") as f:
            return json.load(f)
    except (OSError, ValueError):
        return {}


def main():
    parser = argparse.ArgumentParser(prog="./run bench-cc")
    parser.add_argument("build")
    parser.add_argument("--no-traces", action="store_true", help="made-up paths only")
    parser.add_argument("--cc", help="this controller only")
    parser.add_argument("--path", help="this path only")
    args = parser.parse_args()
    program = os.path.join(args.build, "tests", "bench", "cc")
    os.makedirs(REPORTS, exist_ok=True)
    began = time.monotonic()
    options = [x for key in ("cc", "path") if getattr(args, key) for x in ("--" + key, getattr(args, key))]
    traces = not args.no_traces and os.path.isfile(os.path.join(TRACES, "index.json"))
    if traces:
        options += ["--traces", TRACES]
    elif not args.no_traces:
        print("bench-cc: ../shared/traces is not there: no recorded links, made-up ones only")
    rows = measure_table(program, options)
    show_table(rows)
    if args.cc or args.path:
        return
    names = sorted({r["cc"] for r in rows})
    draw_table([r for r in rows if not r["variant"]], os.path.join(REPORTS, "cc.png"))
    draw_windows(program, names, os.path.join(REPORTS, "cc-window.png"))
    choices = measure_chosen(program, options)
    selector, chosen_keys = chosen.report(choices, rows)
    chosen.show(selector)
    response = measure_response(program)
    show_response(response)
    file = os.path.join(REPORTS, "cc.json")
    report = dict.fromkeys(KEYS)
    report.update({k: v for k, v in old_report(file).items() if k in KEYS})
    report.update(formula_ratio_min=min(r["ratio"] for r in response),
                  formula_ratio_max=max(r["ratio"] for r in response),
                  swap_dip=measure_swaps(program), **chosen_keys, **measure_fairness(args.build),
                  **measure_layered(args.build, TRACES if traces else "no-traces"))
    broken = sum(not r["whole"] for r in rows + choices)
    report.update(predicted_within_25=predicted_within([r for r in rows if not r["variant"]], 0.25),
                  traces=traces, runs=len(rows) + len(choices), runs_broken=broken,
                  seconds=round(time.monotonic() - began, 1), selector=selector, table=rows,
                  chosen=choices, response=response)
    with open(file, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)
        f.write("\n")
    print()
    for key in report:
        if key not in ("table", "response", "selector", "chosen", "heldout_groups", "layered"):
            print(f"{key:24} {report[key]}")
    sys.exit(1 if report["runs_broken"] else 0)


if __name__ == "__main__":
    main()
