#!/usr/bin/python3
"""coding.py - `./run bench-svc`: what layers cost, clip by clip, as table, JSON and a picture.

For every clip and structure four points of rate and quality (tests/bench/coding); between them the
bits at equal SSIM are interpolated, as extra bits over one layer (L1T1) of the same codec. L3T2 is
also coded to targets, by our rate control and by the library's. Simulcast is the same layers coded
each by itself, without temporal layers and (T2) with two of them, as L3T2 has. The part `recovery`
(tests/bench/recovery) loses 5 % of the units above the base layer and lets the encoder go on 100 ms
later, by long-term reference and by key picture. The part `wrong_frames` (tests/bench/wrong) sends
every codec and structure through losses and late units and counts wrong pictures and decoder errors.

The part `speed` is live_speed.py.

usage: coding.py BUILD-DIR [recovery|wrong_frames|speed] [--quick] [--clips DIR] [--size WxH] [--pictures N]
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import live_speed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REPORT = os.path.join(ROOT, "build", "reports", "svc.json")
MEDIA = os.path.join(os.path.dirname(ROOT), "shared", "media")
QUANTIZERS = (30, 38, 46, 54) # of the top layer; lower ones are coarser:
PICTURES_MIN = 130
COARSER = 6                   # quantizer steps per spatial layer
STRUCTURES = ("L2T1", "L3T1", "L3T2", "L3T3")
SEEDS = (1, 2, 3)              # of losses
CLIPS = ("bbb_forest_720p30_16s.mp4", "cups_720p30_10s.mp4", "dashcam_540p25_9s.mp4",
         "dog_720p30_10s.mp4", "sintel_rooftop_480p25_26s.mp4", "walk_gopro_480p30_10s.mp4",
         "flower_540p30_5s.mp4")


def size_text(size, halvings):
    """Sides divided by 2^halvings, even."""
    return "x".join(str((side >> halvings) + (side >> halvings) % 2) for side in size)


def cascade(quantizer, layers):
    return ",".join(str(min(63, quantizer + COARSER * (layers - 1 - s))) for s in range(layers))


class Bench:
    def __init__(self, options):
        self.program = os.path.join(os.path.abspath(options.build), "tests", "bench", "coding")
        self.size = tuple(int(side) for side in options.size.split("x"))
        self.pictures = options.pictures

    def run(self, clip, *args, halvings=0):
        done = subprocess.run([self.program, "--size", size_text(self.size, halvings), "--pictures",
                               str(self.pictures), "--key", "0", *args, clip],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"coding.py: {clip} {args}: {done.stderr.strip()}")
        return json.loads(done.stdout.splitlines()[-1])

    def curve(self, clip, structure):
        """[(ssim dB, kbit/s)] and the runs."""
        layers = int(structure[1])
        runs = [self.run(clip, "--structure", structure, "--quantizer", cascade(q, layers))
                for q in QUANTIZERS]
        return [(r["ssim_db"], sum(r["kbps"])) for r in runs], runs

    def simulcast(self, clip, layers, top, structure):
        """The layers of `top` (a curve of `structure`), those below coded by themselves."""
        points = []
        for (quality, rate), q in zip(top, QUANTIZERS):
            below = sum(self.run(clip, "--structure", structure, "--quantizer",
                                 str(min(63, q + COARSER * h)), halvings=h)["kbps"][0]
                        for h in range(1, layers))
            points.append((quality, rate + below))
        return points

    def to_targets(self, clip, runs, *more):
        """The L3T2 of `runs` again, to the rates they had. The points, and errors in windows."""
        again = [self.run(clip, "--structure", "L3T2", "--bitrate",
                          ",".join(str(max(8, round(k))) for k in r["kbps"]), *more) for r in runs]
        return ([(r["ssim_db"], sum(r["kbps"])) for r in again],
                [e for r in again for e in r["error_median"]],
                [e for r in again for e in r["error_p95"]])


def rate_at(curve, quality):
    """log of the rate, linear between points."""
    curve = sorted(curve)
    quality = min(max(quality, curve[0][0]), curve[-1][0])
    for (q0, r0), (q1, r1) in zip(curve, curve[1:]):
        if q0 <= quality <= q1:
            part = (quality - q0) / (q1 - q0) if q1 > q0 else 0
            return math.log(r0) + part * (math.log(r1) - math.log(r0))
    raise ValueError("a curve of no points")


def extra_bits(curve, reference, steps=20):
    """Mean share of bits more than `reference` at equal quality, where both have values."""
    low = max(min(q for q, _ in curve), min(q for q, _ in reference))
    high = min(max(q for q, _ in curve), max(q for q, _ in reference))
    gaps = [rate_at(curve, low + (high - low) * i / steps) -
            rate_at(reference, low + (high - low) * i / steps) for i in range(steps + 1)] \
        if high > low else []
    return math.exp(statistics.fmean(gaps)) - 1 if gaps else None


def measure(bench, clip):
    single, _ = bench.curve(clip, "L1T1")
    curves, runs = {"L1T1": single}, {}
    for structure in STRUCTURES:
        curves[structure], runs[structure] = bench.curve(clip, structure)
    for layers in (2, 3):
        curves[f"simulcast{layers}"] = bench.simulcast(clip, layers, single, "L1T1")
    curves["simulcast3 T2"] = bench.simulcast(clip, 3, bench.curve(clip, "L1T2")[0], "L1T2")
    curves["L3T2 to targets"], medians, p95s = bench.to_targets(clip, runs["L3T2"])
    curves["L3T2 library's rate"], _, _ = bench.to_targets(clip, runs["L3T2"], "--library-rate")
    return {"clip": os.path.basename(clip), "curves": curves,
            "extra": {name: round(extra_bits(c, single), 4) for name, c in curves.items()
                      if name != "L1T1" and extra_bits(c, single) is not None},
            "rate_error_median": statistics.median(medians),
            "rate_error_p95": statistics.median(p95s)}


def draw(rows, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    columns = min(3, len(rows))
    lines = math.ceil(len(rows) / columns)
    figure, axes = plt.subplots(lines, columns, figsize=(5 * columns, 3.6 * lines), squeeze=False,
                                dpi=100)
    for axis, row in zip(axes.flat, rows):
        for name, curve in row["curves"].items():
            curve = sorted(curve)
            axis.plot([r for _, r in curve], [q for q, _ in curve], marker=".", label=name,
                      linestyle="--" if "simulcast" in name else "-")
        axis.set_xscale("log")
        axis.set_title(row["clip"], fontsize=9)
        axis.set_xlabel("kbit/s", fontsize=8)
        axis.set_ylabel("SSIM (dB)", fontsize=8)
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(rows):]:
        axis.set_visible(False)
    axes.flat[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path)


def show(rows):
    names = list(dict.fromkeys(name for row in rows for name in row["extra"]))
    print("extra bits over L1T1 at equal SSIM; error of rates in windows of two seconds\n")
    print(f"{'clip':32}" + "".join(f"{n[:19]:>21}" for n in names) + f"{'error':>9}{'p95':>8}")
    for row in rows:
        print(f"{row['clip'][:31]:32}" + "".join(
            f"{row['extra'][n]:+21.1%}" if n in row["extra"] else f"{'-':>21}" for n in names) +
            f"{row['rate_error_median']:9.1%}{row['rate_error_p95']:8.1%}")
    means = {n: statistics.fmean(r["extra"][n] for r in rows if n in r["extra"]) for n in names}
    print(f"{'mean':32}" + "".join(f"{means[n]:+21.1%}" for n in names))
    return means


def recover(bench, clip):
    """Per way to go on: share of bits more than without loss, and PSNR lost; means of the seeds."""
    program = os.path.join(os.path.dirname(bench.program), "recovery")
    ways = {}
    for seed in SEEDS:
        done = subprocess.run([program, "--size", size_text(bench.size, 0), "--pictures",
                               str(bench.pictures), "--seed", str(seed), clip],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"coding.py: {clip}: {done.stderr.strip()}")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        for r in rows[1:]:
            ways.setdefault(r["way"], []).append(
                (r["kbps"] / rows[0]["kbps"] - 1, rows[0]["psnr"] - r["psnr"], r["whole_psnr_lost"],
                 r["incomplete"] / r["pictures"], r["recoveries"]))
    return {"clip": os.path.basename(clip),
            "ways": {way: [round(statistics.fmean(v), 4) for v in zip(*runs)]
                     for way, runs in ways.items()}}


def recovery(bench, pool, clips):
    """The keys of the part, and its table."""
    rows = list(pool.map(lambda clip: recover(bench, clip), clips))
    print("\n5 % of the units above the base layer lost: bits more, dB of PSNR lost, of the pictures "
          "shown whole, share not whole")
    for r in rows:
        print(f"{r['clip'][:31]:32}" + "".join(
            f"  {way} {v[0]:+6.1%} {v[1]:5.2f} {v[2]:5.2f} {v[3]:5.1%}" for way, v in r["ways"].items()))

    def mean(way, at):
        return round(statistics.fmean(r["ways"][way][at] for r in rows), 4)
    return {"recovery_extra_bits": mean("long_term", 0), "recovery_psnr_lost": mean("long_term", 1),
            "recovery_whole_psnr_lost": mean("long_term", 2), "recovery_key_extra_bits": mean("key", 0),
            "recovery_key_psnr_lost": mean("key", 1), "recovery_table": rows}


def wrong_frames(build, quick):
    """What tests/bench/wrong counts over all codecs and structures, and its table."""
    done = subprocess.run([os.path.join(os.path.abspath(build), "tests", "bench", "wrong"),
                           *(["--pictures", "100", "--seeds", "5"] if quick else [])],
                          stdout=subprocess.PIPE, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    print(f"\n{'stream':14}{'units':>9}{'lost':>8}{'late':>8}{'shown':>8}{'wrong':>7}{'errors':>8}")
    for r in rows:
        print(f"{r['codec'] + ' ' + r['structure']:14}{r['units']:9}{r['lost']:8}{r['late']:8}"
              f"{r['shown']:8}{r['wrong_frames']:7}{r['decoder_errors']:8}")
    return {"wrong_frames": rows[-1]["wrong_frames"], "decoder_errors": rows[-1]["decoder_errors"],
            "frames_judged": rows[-1]["shown"], "wrong_frames_table": rows[:-1]}


def save(update):
    os.makedirs(os.path.dirname(REPORT), exist_ok=True)
    report = {}
    if os.path.exists(REPORT):
        with open(REPORT, encoding="utf-8") as file:
            report = json.load(file)
    report.update(update)
    with open(REPORT, "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    return report


def clips_of(options):
    clips = [os.path.join(options.clips, c) for c in CLIPS
             if os.path.exists(os.path.join(options.clips, c))]
    if not clips:
        print(f"SKIPPED: no clips in {options.clips}; the project's own test picture instead")
        clips = [os.path.join(os.path.abspath(options.build), "testclip.y4m")]
        with open(clips[0], "wb") as out:
            subprocess.run([os.path.join(os.path.abspath(options.build), "media", "svc-testclip"),
                            "--size", options.size, "--duration", "6", "-"], stdout=out, check=True)
    return clips[:3] if options.quick else clips


def summary(rows):
    """Keys of the report of how well is coded; `_spread` are the least and the most of the clips."""
    means = show(rows)
    ours = "L3T2 to targets"

    def spread(name):
        return [f([r["extra"][name] for r in rows if name in r["extra"]]) for f in (min, max)]

    def better(name, of=ours):
        return sum(r["extra"][of] < r["extra"][name] for r in rows if of in r["extra"])
    return {"l3t2_extra_bits": round(means[ours], 4), "l3t2_extra_bits_spread": spread(ours),
            "l3t2_fixed_extra_bits": round(means["L3T2"], 4),
            "simulcast_extra_bits": round(means["simulcast3"], 4),
            "simulcast_extra_bits_spread": spread("simulcast3"),
            "library_extra_bits": round(means["L3T2 library's rate"], 4)
            if "L3T2 library's rate" in means else None,
            "simulcast_t2_extra_bits": round(means["simulcast3 T2"], 4),
            "better_than_simulcast": better("simulcast3"),
            "better_than_simulcast_t2": better("simulcast3 T2"),
            "fixed_better_than_simulcast_t2": better("simulcast3 T2", "L3T2"), "clips": len(rows),
            "rate_error_median": round(statistics.fmean(r["rate_error_median"] for r in rows), 4),
            "rate_error_p95": round(statistics.fmean(r["rate_error_p95"] for r in rows), 4),
            "table": rows}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("part", nargs="?", choices=["recovery", "wrong_frames", "speed"])
    parser.add_argument("--quick", action="store_true", help="three clips, fewer of everything else")
    parser.add_argument("--clips", default=MEDIA)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--pictures", type=int, default=150)
    options = parser.parse_args()
    if options.pictures < PICTURES_MIN:
        parser.error(f"--pictures: at least {PICTURES_MIN}, for windows of two seconds after the first two")
    if options.part == "speed":
        save(live_speed.measure(options.build, options.clips))
        return
    if options.part == "wrong_frames":
        save(wrong_frames(options.build, options.quick))
        return
    clips, bench = clips_of(options), Bench(options)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        if options.part == "recovery":
            save(recovery(bench, pool, clips))
            return
        rows = list(pool.map(lambda clip: measure(bench, clip), clips))
        recovered = recovery(bench, pool, clips)
    report = save({**summary(rows), **recovered, **wrong_frames(options.build, options.quick),
                   **live_speed.measure(options.build, options.clips)})
    draw(rows, os.path.join(os.path.dirname(REPORT), "svc-rd.png"))
    print(json.dumps({k: v for k, v in report.items() if not k.endswith("table")}))


if __name__ == "__main__":
    main()
