"""verdict.py - how a run compares with the stored reference: ok, improved, regressed, inconclusive.

The same seeds were run then and now, so that the differences of each seed are looked at: their mean,
and the interval that resampling them (bootstrap, percentile method, 99 %: sixty are looked at) gives.
"""
import random

OK, IMPROVED, REGRESSED, INCONCLUSIVE = "ok", "improved", "regressed", "inconclusive"
ORDER = (REGRESSED, INCONCLUSIVE, IMPROVED, OK)  # which of several names the whole
DRAWS = 4000

# key of a run's result: (what it is, sign of better, the smallest difference that matters)
METRICS = {
    "ssim_db": ("mean SSIM, dB", +1, 0.15),
    "ssim_p5": ("5th percentile of SSIM", +1, 0.01),
    "base_lost": ("base-layer pictures lost", -1, 1.0),
    "frozen_ms": ("frozen time, ms", -1, 150.0),
    "delay_p95_ms": ("95th percentile of delay, ms", -1, 20.0),
    "startup_ms": ("start-up, ms", -1, 50.0),
}


def interval(differences, seed=1):
    """Of their mean: (low, high)."""
    draw = random.Random(seed)
    n = len(differences)
    means = sorted(sum(draw.choice(differences) for _ in range(n)) / n for _ in range(DRAWS))
    return means[int(0.005 * DRAWS)], means[int(0.995 * DRAWS) - 1]


def of_metric(key, before, now):
    """before, now: {seed: value}. {verdict, before, now, low, high}, differences signed so that
    more is better; None: nothing to compare."""
    what, sign, matters = METRICS[key]
    seeds = sorted(set(before) & set(now))
    if not seeds:
        return None
    differences = [sign * (now[s] - before[s]) for s in seeds]
    low, high = interval(differences)
    mean = sum(differences) / len(differences)
    if low > -matters and high < matters:
        verdict = OK
    elif high < 0 and mean <= -matters:
        verdict = REGRESSED
    elif low > 0 and mean >= matters:
        verdict = IMPROVED
    else:
        verdict = INCONCLUSIVE
    return {"verdict": verdict, "what": what, "before": sum(before[s] for s in seeds) / len(seeds),
            "now": sum(now[s] for s in seeds) / len(seeds), "low": low, "high": high}


def of_scenario(before, now):
    """before, now: {metric: {seed: value}}. (verdict, {metric: of_metric})."""
    rows = {key: of_metric(key, before.get(key, {}), now.get(key, {})) for key in METRICS}
    rows = {key: row for key, row in rows.items() if row}
    verdicts = [row["verdict"] for row in rows.values()]
    return next((v for v in ORDER if v in verdicts), "new"), rows


def sentence(key, row):
    return (f"{row['what']} {row['before']:.4g} -> {row['now']:.4g} "
            f"(better by {row['low']:.3g}..{row['high']:.3g})")
