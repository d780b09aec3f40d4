#!/usr/bin/python3
"""quality.py - `./run quality`: what is seen of a layered clip, scenario by scenario.

Every scenario is played by the product and by its rivals (each link alone, other schedulers, one
layer on the best link, an oracle), with several seeds, on virtual time (tests/quality/lab). Prints a
table; writes build/reports/quality.json, quality.xml (JUnit) and quality.html. Against the stored
reference (tests/quality/reference.json) each scenario is ok, improved, regressed or inconclusive;
a regression is exit code 1.

usage: quality.py BUILD [--full] [--small] [--update-reference] [--seeds N] [--jobs N]
                        [--only NAME] [--harm base|ranks] [--no-shared] [--no-real]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
os.environ.setdefault("SVC_BUILD", os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "")
from scenarios import LATENCY_MS  # noqa: E402

SCHEDULERS = ("layered", "minrtt", "roundrobin", "redundant")
ONE_LAYER_LOAD = 0.8    # of the best link's mean rate goes to a single layer
BELOW_DB, BELOW_MS = 0.1, 100  # worse by more than that is below the best single path


def options():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("build")
    p.add_argument("--full", action="store_true", help="all recorded groups, four clips more")
    p.add_argument("--small", action="store_true", help="the part in ./run test")
    p.add_argument("--update-reference", action="store_true")
    p.add_argument("--seeds", type=int)
    p.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--only", help="scenarios with this in their name")
    p.add_argument("--harm", choices=("base", "ranks"),
                   help="take the base layer's protection away, or all ranks: to see it caught")
    p.add_argument("--no-shared", action="store_true", help="the project's own clip and links only")
    p.add_argument("--no-real", action="store_true", help="without the check against real time")
    p.add_argument("--reports", default=os.path.join(ROOT, "build", "reports"))
    o = p.parse_args()
    o.build = os.path.abspath(o.build)
    o.work = os.path.join(o.build, "quality")
    o.seeds = o.seeds or (4 if o.small else 12)
    o.rivals = min(o.seeds, 2 if o.small else 5)
    return o


# ---- runs: the product with all seeds, its rivals with the first few ----

class Lab:
    def __init__(self, o):
        self.program = os.path.join(o.build, "tests", "quality", "lab")
        self.harm = o.harm

    def arguments(self, scenario, clip, config, seed, zero_ms):
        coded, more = clip.layered, []
        links, changes = scenario.arguments(clip.bps, seed)
        if config == "one-layer":
            best, rate = scenario.best_mean(clip.bps)
            coded, more = clip.one_layer(rate * ONE_LAYER_LOAD), ["--paths", best]
        elif config.startswith("alone-"):
            more = ["--paths", config[len("alone-"):]]
        elif config == "oracle":
            more = ["--oracle", "--zero", f"{zero_ms:.3f}"]
        elif config in SCHEDULERS:
            more = ["--sched", config]
        elif self.harm:
            more = ["--harm", self.harm]
        return [self.program, *coded.arguments(), "--seconds", str(scenario.seconds), "--latency",
                str(LATENCY_MS), "--seed", str(seed), *more,
                *(word for link in links for word in ("--link", link)),
                *(word for change in changes for word in ("--at", change))]

    def run(self, scenario, clip, config, seed, zero_ms=0):
        """The result, or {"error": line}."""
        command = self.arguments(scenario, clip, config, seed, zero_ms)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return json.loads(done.stdout)
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return {"error": lines[-1]}


def configurations(scenario, small):
    alone = [f"alone-{name}" for name in scenario.names()]
    return alone if small else [*alone, *SCHEDULERS, "one-layer"]


def play(o, scenarios, clips, seeds_of):
    """{(scenario, clip, config): {seed: result}}."""
    lab = Lab(o)
    results = {}

    def one(job):
        scenario, clip, config, seed, zero_ms = job
        return job, lab.run(scenario, clip, config, seed, zero_ms)

    def all_of(pool, jobs):
        for (scenario, clip, config, seed, _), result in pool.map(one, jobs):
            results.setdefault((scenario.name, clip.name, config), {})[seed] = result
            if "error" in result and not config.startswith("alone-"):
                print(f"  {scenario.name}, {clip.name}, {config}, seed {seed}: {result['error']}")

    pairs = [(s, c, seed) for s in scenarios for c in clips for seed in seeds_of(s, c)]
    few = [pair for pair in pairs if pair[2] <= o.rivals]
    with ThreadPoolExecutor(o.jobs) as pool:
        # one run a clip by itself: it makes the pixels that all others look at
        for clip in clips:
            all_of(pool, [(scenarios[0], clip, "product", 1, 0)])
        all_of(pool, [(s, c, "product", seed, 0) for s, c, seed in pairs])
        all_of(pool, [(s, c, config, seed, 0) for s, c, seed in few
                      for config in configurations(s, o.small)])
        all_of(pool, [(s, c, "oracle", seed, results[s.name, c.name, "product"][seed].get(
            "source_zero_ms", 250)) for s, c, seed in few])
    return results


# ---- what they mean ----

def mean_of(runs, key, missing):
    values = [r.get(key, missing) if "error" not in r else missing for r in runs.values()]
    return statistics.fmean(values)


WORST_CASE = {"ssim_db": 0.0, "ssim_p5": 0.0, "frozen_ms": 60000.0, "base_lost": 1000.0,
              "delay_p95_ms": 60000.0, "startup_ms": 60000.0}


# What else the report has of every configuration, means over the seeds that came to something.
ALSO = ("psnr_mean", "psnr_p5", "freezes", "longest_freeze_ms", "delay_p50_ms", "delay_p99_ms",
        "carried_p50_ms", "carried_p95_ms", "carried_p99_ms", "held_p50_ms", "held_p95_ms",
        "held_p99_ms", "switches", "rebuffers", "demand_changes",
        "audio_lost", "cpu_s", "memory_peak_kib")


def summary_of(runs):
    row = {key: mean_of(runs, key, missing) for key, missing in WORST_CASE.items()}
    good = [r for r in runs.values() if "error" not in r]
    for key in ALSO:
        values = [r[key] for r in good if key in r]
        if values:
            row[key] = statistics.fmean(values)
    if good:
        row["residency"] = [statistics.fmean(shares) for shares in
                            zip(*(r["residency"] for r in good))]
    if good and "transport" in good[0]:
        for key in ("resent_share", "repair_share", "overhead_share"):
            row[key] = statistics.fmean(r["transport"][key] for r in good)
        row["link_bytes"] = {name: statistics.fmean(r["links"][name]["sent_bytes"] for r in good)
                             for name in good[0]["links"]}
        row["queue_p95_ms"] = {name: statistics.fmean(r["links"][name]["queue_p95_ms"]
                                                      for r in good) for name in good[0]["links"]}
    return row


def sum_up(scenario, clip, results):
    """One row: the product, its rivals and the goals."""
    played = {config: runs for (s, c, config), runs in results.items()
              if (s, c) == (scenario.name, clip.name)}
    # the product has more seeds than its rivals, for the verdict; here the same count
    configs = {config: summary_of({seed: runs[seed] for seed in played["oracle"]})
               for config, runs in played.items()}
    alone = {config: row for config, row in configs.items() if config.startswith("alone-")}
    best = max(alone, key=lambda config: alone[config]["ssim_db"])
    ours, single, oracle = configs["product"], alone[best], configs["oracle"]
    return {
        "scenario": scenario.name, "what": scenario.what, "clip": clip.name,
        "recorded": scenario.recorded,
        "configurations": configs, "best_single": best,
        "oracle_ssim_share": ours["ssim_db"] / oracle["ssim_db"] if oracle["ssim_db"] else 0,
        "base_lost": ours["base_lost"],
        "base_lost_oracle": oracle["base_lost"],
        "below_best_single": ours["ssim_db"] < single["ssim_db"] - BELOW_DB
        or ours["frozen_ms"] > single["frozen_ms"] + BELOW_MS,
        "frozen_ms": ours["frozen_ms"], "frozen_single_ms": single["frozen_ms"],
        "p5_higher": ours["ssim_p5"] >= single["ssim_p5"] - 1e-6,
        "delay_not_higher": ours["delay_p95_ms"] <= single["delay_p95_ms"] + 1,
    }


def per_seed(runs):
    """{metric: {seed: value}} as reference.json keeps it."""
    from verdict import METRICS
    return {key: {str(seed): round(r.get(key, WORST_CASE[key]), 4) if "error" not in r
                  else WORST_CASE[key] for seed, r in sorted(runs.items())} for key in METRICS}


def reference_path(o):
    return os.path.join(HERE, "reference-small.json" if o.small else "reference.json")


def stored(o):
    """{scenario: {metric: {seed: value}}}."""
    try:
        with open(reference_path(o), encoding="utf-8") as f:
            return json.load(f)["scenarios"]
    except OSError:
        return {}


def compare(o, scenarios, clip, results):
    """{scenario: {verdict, metrics}} of the made-up links on the own clip."""
    from verdict import of_scenario
    reference, verdicts = stored(o), {}
    for s in scenarios:
        now = per_seed(results[s.name, clip.name, "product"])
        verdict, metrics = of_scenario(reference.get(s.name, {}), now)
        verdicts[s.name] = {"verdict": verdict, "metrics": metrics}
    return verdicts


def store_reference(o, scenarios, clip, results):
    """Those that were played; others stay as they were, and forgotten ones go."""
    import scenarios as links
    known = {s.name for s in links.MADE_UP}
    table = {name: row for name, row in stored(o).items() if name in known}
    table.update({s.name: per_seed(results[s.name, clip.name, "product"]) for s in scenarios})
    with open(reference_path(o), "w", encoding="utf-8") as f:
        json.dump({"clip": clip.name, "scenarios": table}, f, indent=1, sort_keys=True)
        f.write("\n")
    print(f"stored in {os.path.relpath(reference_path(o), ROOT)}")


def broken(results):
    """Runs of the product or the oracle that came to nothing; a lone link may be dead."""
    return [(key, seed) for key, runs in results.items() for seed, r in runs.items()
            if "error" in r and key[2] in ("product", "oracle")]


def without_cost(result):
    return {key: value for key, value in result.items()
            if key not in ("cpu_s", "memory_peak_kib", "broken")}


def check_decoding(o, scenario, clip, results):
    """A run that decodes every picture must show the same, and none other than expected."""
    lab = Lab(o)
    command = lab.arguments(scenario, clip, "product", 1, 0) + ["--decode"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    decoded = json.loads(done.stdout) if done.returncode == 0 else {"broken": -1}
    same = without_cost(decoded) == without_cost(results[scenario.name, clip.name, "product"][1])
    if decoded["broken"] == 0 and same:
        return True
    print(f"decoded, {scenario.name} is not the same: {decoded['broken']} pictures are other than "
          f"expected {done.stderr.strip()}")
    return False


# ---- reports ----

def totals(rows, verdicts):
    ours, single = (sum(r[key] for r in rows) for key in ("frozen_ms", "frozen_single_ms"))
    made_up = [r for r in rows if not r["recorded"]]
    recorded = [r for r in rows if r["recorded"]]
    return {
        "oracle_ssim_share": statistics.fmean(r["oracle_ssim_share"] for r in rows),
        "oracle_ssim_share_least": min(r["oracle_ssim_share"] for r in rows),
        "base_layer_lost": sum(r["base_lost"] for r in made_up),
        "base_layer_lost_recorded": sum(r["base_lost"] for r in recorded) if recorded else None,
        "base_layer_lost_oracle": sum(r["base_lost_oracle"] for r in rows),
        "below_best_single": sum(r["below_best_single"] for r in rows),
        "frozen_ms": ours, "frozen_single_ms": single,
        "frozen_reduction": 1.0 if ours == 0 else 1 - ours / single if single else None,
        "p5_higher": sum(r["p5_higher"] for r in rows),
        "delay_not_higher": sum(r["delay_not_higher"] for r in rows),
        "rows": len(rows),
        "verdicts": {name: v["verdict"] for name, v in verdicts.items()},
    }


def print_table(rows):
    print(f"{'scenario':<20}{'clip':<11}{'SSIM dB':>8}{'single':>8}{'oracle':>8}{'p5':>7}"
          f"{'single':>8}{'frozen ms':>11}{'single':>8}{'base lost':>10}{'p95 ms':>8}{'single':>8}")
    for r in rows:
        ours, single = r["configurations"]["product"], r["configurations"][r["best_single"]]
        print(f"{r['scenario']:<20}{r['clip']:<11}{ours['ssim_db']:>8.2f}{single['ssim_db']:>8.2f}"
              f"{r['configurations']['oracle']['ssim_db']:>8.2f}{ours['ssim_p5']:>7.3f}"
              f"{single['ssim_p5']:>8.3f}{ours['frozen_ms']:>11.0f}{single['frozen_ms']:>8.0f}"
              f"{ours['base_lost']:>10.1f}{ours['delay_p95_ms']:>8.0f}"
              f"{single['delay_p95_ms']:>8.0f}{'  BELOW' if r['below_best_single'] else ''}")


def print_rivals(rows):
    names = ["product", "best single", *SCHEDULERS, "one-layer", "oracle"]
    print("\n" + f"{'mean of all':<14}{'SSIM dB':>8}{'p5':>7}{'frozen ms':>11}{'base lost':>11}"
          f"{'p95 ms':>8}")
    for name in names:
        found = [r["configurations"].get(r["best_single"] if name == "best single" else name)
                 for r in rows]
        found = [c for c in found if c]
        if found:
            m = {key: statistics.fmean(c[key] for c in found) for key in WORST_CASE}
            print(f"{name:<14}{m['ssim_db']:>8.2f}{m['ssim_p5']:>7.3f}{m['frozen_ms']:>11.0f}"
                  f"{m['base_lost']:>11.1f}{m['delay_p95_ms']:>8.0f}")


def print_verdicts(verdicts):
    from verdict import OK, sentence
    print()
    for name, v in verdicts.items():
        told = [sentence(key, row) for key, row in v["metrics"].items() if row["verdict"] != OK]
        print(f"{name:<20}{v['verdict']}" + (": " + "; ".join(told) if told else ""))


def main():
    import clips
    import page
    import real
    import scenarios as links
    o = options()
    os.makedirs(o.work, exist_ok=True)
    os.makedirs(o.reports, exist_ok=True)
    shared = os.path.join(os.path.dirname(ROOT), "shared")
    own = clips.own(o.work, clips.SMALL, clips.SMALL_KBPS) if o.small else clips.own(o.work)
    chosen = [s for s in links.MADE_UP if not o.small or s.name in links.SMALL]
    chosen = [s for s in chosen if not o.only or o.only in s.name]
    results = play(o, chosen, [own], lambda s, c: range(1, o.seeds + 1)) if chosen else {}
    rows = [sum_up(s, own, results) for s in chosen]
    more, groups = [], []
    if not (o.no_shared or o.small):
        groups = [g for g in links.recorded(os.path.join(shared, "traces"),
                                            os.path.join(o.work, "traces"))
                  if not o.only or o.only in g.name]
        more = clips.shared(o.work, os.path.join(shared, "media"), 4 if o.full else 1)
        if not groups or not more:
            print("skipped: no recorded links or no clips in ../shared; only the project's own")
    if groups and more:
        wider = play(o, groups, more, lambda s, c: range(1, (3 if o.full else 1) + 1))
        results.update(wider)
        rows += [sum_up(s, c, wider) for s in groups for c in more]
    if not rows:
        sys.exit("quality.py: no such scenario")
    print_table(rows)
    print_rivals(rows)
    if o.update_reference:
        store_reference(o, chosen, own, results)
    verdicts = compare(o, chosen, own, results)
    print_verdicts(verdicts)
    report = totals(rows, verdicts)
    if not (o.small or o.no_real or o.harm):
        report["real"] = real.check(o, own)
    report["decoded_the_same"] = check_decoding(o, chosen[0], own, results) if chosen else None
    report["table"] = rows
    page.write(o, report, verdicts, rows, results, {c.name: c for c in [own, *more]})
    print("\n" + json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in
                             report.items() if k not in ("table", "verdicts", "real")}))
    return 1 if "regressed" in report["verdicts"].values() or broken(results) \
        or report["decoded_the_same"] is False else 0


if __name__ == "__main__":
    sys.exit(main())
