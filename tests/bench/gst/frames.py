#!/usr/bin/python3
"""
frames.py - the same pictures, live, through the same two lossy links: srtsink, ristsink and webrtcbin as their
documentation shows them, and the same pipeline with svcav1enc and tvlsink (rivals.py). How many pictures come out of
the receiver's decoder within the latency that all were given, and a margin for the codec? How good are they
(judge.py), and what did it cost on the links?

Each run is a process, whose one clock times sender and receiver; two run at a time, on machines with two cores or
more, all rivals of a case and seed one after the other. All get the same rate for their encoder, the same latency,
the same seeds of loss. The first WARM seconds, in which all connect, do not count.

    lossy    random and bursty loss, 2 to 3 % of the packets
    fading   both links swing between 0.4 and 6 Mbit/s as radio does (a model, by seed), 1 % loss
    dying    after a third of the time the better link is dead for good
    tight    neither link carries the stream, both together just do, 0.5 % loss

usage: frames.py ROOT BUILD [--quick] [--only NAME] [--case CASE] [--seeds N]      last line: JSON
       frames.py ROOT BUILD --run NAME CASE SEED SECONDS                            of itself: one run
"""
import argparse
import concurrent.futures
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

import common
from common import FPS
from judge import judge
from rivals import KBPS, LATENCY_MS, RIVALS, Run

MARGIN_MS = 150  # encoder, decoder, converters
WARM_S, COUNTED_S = 3, 9
TAIL = 15  # pictures after the last that counts: parsers and decoders hold some back
DEATH_MS = (WARM_S + COUNTED_S / 3) * 1000
LOSSY = [("a", "rate=4mbit,delay=20ms,jitter=2ms,loss=0.01,ge=0.01:0.3:0:0.5"),
         ("b", "rate=3mbit,delay=40ms,jitter=4ms,loss=0.01,ge=0.01:0.25:0:0.5")]
# (name, keys of vlink) of both, and what happens to them meanwhile
CASES = {
    "lossy": (LOSSY, []),
    "fading": ([("a", "trace={a},delay=20ms,jitter=2ms,loss=0.01"), ("b", "trace={b},delay=40ms,jitter=4ms,loss=0.01")],
               []),
    "dying": (LOSSY, [(f"{DEATH_MS:.0f}ms", "a", "down")]),
    "tight": ([("a", "rate=1500kbit,delay=20ms,jitter=2ms,loss=0.005"),
               ("b", "rate=1200kbit,delay=40ms,jitter=4ms,loss=0.005")], []),
}
QUICK = ["lossy", "dying"]


def trace(path, seed, mean_bps):
    """A link that fades: its rate's logarithm wanders around the mean, slowly and quickly, in steps of 20 ms."""
    rng, slow, quick, due, lines = random.Random(seed), 0.0, 0.0, 0.0, []
    for start in range(0, 30000, 20):
        slow += -0.02 * slow + 0.12 * rng.gauss(0, 1)
        quick += -0.3 * quick + 0.15 * rng.gauss(0, 1)
        per_ms = min(6e6, max(0.4e6, mean_bps * math.exp(slow + quick))) / 1000 / 12000
        for ms in range(start, start + 20):
            due += per_ms
            while due >= 1:
                lines.append(ms + 1)
                due -= 1
    with open(path, "w", encoding="ascii") as f:
        f.write("".join(f"{ms}\n" for ms in lines))
    return path


def links_of(case, seed, folder):
    links, changes = CASES[case]
    if case == "fading":
        files = {name: trace(os.path.join(folder, name + ".mm"), f"{name}{seed}", bps)
                 for name, bps in (("a", 2.5e6), ("b", 2e6))}
        links = [(name, keys.format(**files)) for name, keys in links]
    return links, changes


def once(name, case, seed, build, seconds):
    with tempfile.TemporaryDirectory() as folder:
        pictures = common.clip(build, folder, seconds)
        run = Run(build, folder, seed, *links_of(case, seed, folder))
        try:
            sender = RIVALS[name](run)
            handed = common.push_live(sender.get_by_name("in"), pictures, time.monotonic())
            time.sleep((LATENCY_MS + 2 * MARGIN_MS) / 1000)
            errors = common.said(run.pipelines)
            encoder = sender.get_by_name("enc")
            paced = encoder.get_property("stats")["pace-downs"] if encoder else 0
        finally:
            wire = run.close()
        result = judge(run.shown, pictures, handed, WARM_S * FPS, len(handed) - TAIL, (LATENCY_MS + MARGIN_MS) / 1000)
    useful = max(run.bytes["dec"], 1)
    result["wire"] = {link: round(wire.get(link, 0) / useful, 3) for link in ("a", "b")}
    result["coded_kbps"] = round(run.bytes["coded"] * 8 / 1000 / seconds)
    if paced:  # the machine has not kept up: this is no measurement of the network
        result["paced"] = paced
    if errors:
        result["errors"] = errors
    return result


def apart(args, name, case, seed, seconds):
    """`once` in a process of its own."""
    done = subprocess.run([sys.executable, os.path.abspath(__file__), args.root, args.build, "--run", name, case,
                           str(seed), str(seconds)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"{name}, {case}, seed {seed}: exit status {done.returncode}")
    result = json.loads(done.stdout.splitlines()[-1])
    print(f"{case} {name:10} seed {seed}: " + ", ".join(
        f"{k} {v if isinstance(v, (dict, list, int)) or v is None else round(v, 3)}" for k, v in result.items()
        if k != "curve"), flush=True)
    return result


def spread(values, digits=3):
    known = [v for v in values if v is not None]
    if not known:
        return None, [None, None]
    return round(statistics.median(known), digits), [round(min(known), digits), round(max(known), digits)]


def draw(table, cases, rivals, path):
    """What is seen over time, of the first seed."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(len(cases), 1, figsize=(8, 2.1 * len(cases)), squeeze=False, sharex=True, dpi=90)
    for axis, case in zip(axes.flat, cases):
        for rival in rivals:
            curve = table[case, rival][0]["curve"]
            axis.plot([WARM_S + i / FPS for i in range(len(curve))], curve, label=rival,
                      linewidth=1.8 if rival == "ours" else 0.9, zorder=3 if rival == "ours" else 2)
        axis.set_title(case, fontsize=9, loc="left")
        axis.set_ylabel("PSNR, dB", fontsize=8)
        axis.set_ylim(5, 50)
        axis.grid(alpha=0.3)
        if case == "dying":
            axis.axvline(DEATH_MS / 1000, color="black", linestyle=":", linewidth=1)
    axes.flat[-1].set_xlabel("seconds", fontsize=8)
    lines, names = axes.flat[0].get_legend_handles_labels()
    figure.legend(lines, names, fontsize=8, ncol=len(rivals), loc="upper center", frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.18 / len(cases)))
    figure.savefig(path)


def tell(table, seeds):
    """Prints the table; the report's keys."""
    report = {"frames_seeds": seeds}
    print(f"\nmedian of {seeds} seeds (least .. most); latency {LATENCY_MS} ms, {KBPS} kbit/s, {FPS} pictures a second\n"
          f"{'':18}{'in time':>24}{'PSNR dB seen':>25}{'SSIM seen':>24}{'freezes':>10}{'frozen ms':>10}"
          f"{'delay ms':>9}{'wire a':>8}{'wire b':>8}")
    for (case, name), results in table.items():
        key = name.replace("-", "_") + ("" if case == "lossy" else f"_{case}")
        cells = ""
        for what, digits, wide in (("in_time", 3, 24), ("psnr", 2, 25), ("ssim", 3, 24)):
            middle, ends = spread([r[what] for r in results], digits)
            report[f"frames_{what}_{key}"], report[f"frames_{what}_{key}_spread"] = middle, ends
            cells += f"{f'{middle} ({ends[0]} .. {ends[1]})':>{wide}}"
        for what, wide in (("freezes", 10), ("frozen_ms", 10), ("delay_ms", 9)):
            report[f"frames_{what}_{key}"] = spread([r[what] for r in results], 1)[0]
            cells += f"{str(report[f'frames_{what}_{key}']):>{wide}}"
        for link in ("a", "b"):
            report[f"frames_wire_{link}_{key}"] = spread([r["wire"][link] for r in results])[0]
            cells += f"{report[f'frames_wire_{link}_{key}']:>8}"
        print(f"{case:7} {name:10}{cells}")
    paced = sum("paced" in r for results in table.values() for r in results)
    report["frames_runs_paced"] = paced
    if paced:
        print(f"in {paced} runs svcav1enc had to leave layers out: this machine was too busy")
    print("wire: bytes into the link, both directions with IP and UDP headers, over bytes of video that reached the "
          "decoder.\nsrt, webrtc: link a alone (srtsink of 1.22 has no bonding, ICE takes one pair).")
    return report


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    args.add_argument("root")
    args.add_argument("build")
    args.add_argument("--quick", action="store_true", help="one seed, the cases " + ", ".join(QUICK))
    args.add_argument("--only", choices=sorted(RIVALS), action="append")
    args.add_argument("--case", choices=sorted(CASES), action="append")
    args.add_argument("--seeds", type=int, default=3)
    args.add_argument("--run", nargs=4)
    args = args.parse_args()
    if args.run:
        common.start(args.build)
        name, case, seed, seconds = args.run
        print(json.dumps(once(name, case, int(seed), args.build, int(seconds))))
        return 0
    seeds = 1 if args.quick else args.seeds
    cases = args.case or (QUICK if args.quick else list(CASES))
    rivals = args.only or list(RIVALS)
    jobs = [(case, name, seed) for seed in range(1, seeds + 1) for case in cases for name in rivals]
    with concurrent.futures.ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        done = {job: pool.submit(apart, args, job[1], job[0], job[2], WARM_S + COUNTED_S) for job in jobs}
        table = {(case, name): [done[case, name, seed].result() for seed in range(1, seeds + 1)]
                 for case in cases for name in rivals}
    reports = os.path.join(args.root, "build", "reports")
    os.makedirs(reports, exist_ok=True)
    draw(table, cases, rivals, os.path.join(reports, "gst-frames.png"))
    report = tell(table, seeds)
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
