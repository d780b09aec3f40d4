"""chosen.py - the selector against every fixed choice: rows of `cc choose` beside `cc table`'s.

The oracle is, for each path and objective, the fixed controller that did best on it.
"""
import csv
import io

OBJECTIVES = ("throughput", "delay", "video")
SETS = {
    "heldout": lambda r: r["heldout"],
    "heldout_as_recorded": lambda r: r["heldout"] and not r["variant"],
    "made_up": lambda r: not r["group"],
}


def read(texts):
    rows = []
    for text in texts:
        for row in csv.DictReader(io.StringIO(text), delimiter="\t"):
            row["whole"], row["heldout"] = row["whole"] == "1", row["heldout"] == "1"
            for key in ("swaps", "swaps_later", "seconds", "share", "queue_ms") + OBJECTIVES:
                row[key] = float(row[key])
            rows.append(row)
    return rows


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def judge(chosen, fixed, objective):
    """Figures of one objective over one set of paths. fixed: path -> controller -> score."""
    score = {r["path"]: r[objective] for r in chosen}
    fixed = {path: fixed[path] for path in score}
    best = {path: max(fixed[path].values()) for path in score}
    useful = [path for path in score if best[path] > 0]
    names = sorted(next(iter(fixed.values())))
    means = {n: mean(fixed[path][n] for path in score) for n in names}
    top = max(means, key=means.get)
    selector = mean(score.values())
    minutes = sum(r["seconds"] for r in chosen) / 60
    return {
        "paths": len(score),
        "oracle_share": round(mean(score[p] / best[p] for p in useful), 4),
        "oracle_share_of_means": round(selector / mean(best.values()), 4),
        "mean": round(selector, 4),
        "oracle_mean": round(mean(best.values()), 4),
        "regret": round(mean(best[p] - score[p] for p in score), 4),
        "best_fixed": top,
        "best_fixed_mean": round(means[top], 4),
        "best_fixed_share": round(mean(fixed[p][top] / best[p] for p in useful), 4),
        "gain_over_best_fixed": round(selector / means[top], 4),
        "swaps_per_minute": round(sum(r["swaps"] for r in chosen) / minutes, 2),
        "swaps_later_per_minute": round(sum(r["swaps_later"] for r in chosen) / minutes, 2),
        "fixed_means": {n: round(means[n], 4) for n in names},
        "fixed_shares": {n: round(mean(fixed[p][n] / best[p] for p in useful), 4) for n in names},
    }


def report(chosen, table):
    """{objective: {set: figures}} and the keys of cc.json that come of it."""
    result = {}
    for objective in OBJECTIVES:
        fixed = {}
        for row in table:
            fixed.setdefault(row["path"], {})[row["cc"]] = row[objective]
        result[objective] = {}
        for name, belongs in SETS.items():
            rows = [r for r in chosen if r["objective"] == objective and belongs(r)]
            if rows:
                result[objective][name] = judge(rows, fixed, objective)
    kind = "heldout" if "heldout" in result[OBJECTIVES[0]] else "made_up"
    worst = min((result[o][kind] for o in OBJECTIVES), key=lambda f: f["oracle_share"])
    keys = {
        "oracle_share": worst["oracle_share"],
        "best_fixed_share": worst["best_fixed_share"],
        "gain_over_best_fixed": min(result[o][kind]["gain_over_best_fixed"] for o in OBJECTIVES),
        "swaps_per_minute": max(result[o][kind]["swaps_per_minute"] for o in OBJECTIVES),
        "chosen_set": kind,
        "heldout_groups": sorted({r["group"] for r in chosen if r["heldout"]}),
    }
    return result, keys


def show(result):
    print("\nthe selector: share of the per-path best, mean and the best single controller's, swaps a minute\n")
    for objective, sets in result.items():
        for name, f in sets.items():
            print(f"{objective:11}{name:20}{f['paths']:4} paths  share {f['oracle_share']:.3f} "
                  f"(best fixed {f['best_fixed_share']:.3f})  mean {f['mean']:.3f} "
                  f"({f['best_fixed']} {f['best_fixed_mean']:.3f})  swaps/min {f['swaps_per_minute']:.2f}, "
                  f"after 5 s {f['swaps_later_per_minute']:.2f}")
