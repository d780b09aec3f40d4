#!/usr/bin/python3
"""test_verdict.py - what verdict.py says of differences by seed: a table."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import verdict  # noqa: E402

TABLE = (
    # metric, before, now by seed, verdict
    ("ssim_db", (12, 12.5, 11.8, 12.1, 12.3), (12, 12.5, 11.8, 12.1, 12.3), "ok"),
    ("ssim_db", (12, 12.5, 11.8, 12.1, 12.3), (12.1, 12.4, 11.9, 12.0, 12.4), "ok"),
    ("ssim_db", (12, 12.5, 11.8, 12.1, 12.3), (11, 11.4, 10.9, 11.0, 11.2), "regressed"),
    ("ssim_db", (11, 11.4, 10.9, 11.0, 11.2), (12, 12.5, 11.8, 12.1, 12.3), "improved"),
    ("ssim_db", (12, 12.5, 11.8, 12.1, 12.3), (13, 11.5, 12.8, 11.1, 12.4), "inconclusive"),
    ("base_lost", (0, 0, 0, 0, 0), (12, 9, 14, 8, 11), "regressed"),
    ("base_lost", (0, 0, 0, 0, 0), (0, 0, 0, 0, 1), "ok"),
    ("frozen_ms", (900, 800, 1000, 950, 850), (0, 0, 50, 0, 0), "improved"),
    ("delay_p95_ms", (440, 441, 440, 442, 440), (480, 479, 490, 470, 485), "regressed"),
)


def main():
    bad = 0
    for key, before, now, expected in TABLE:
        row = verdict.of_metric(key, dict(enumerate(before)), dict(enumerate(now)))
        if row["verdict"] != expected:
            bad += 1
            print(f"{key} {before} -> {now}: {row['verdict']}, not {expected}")
    whole, rows = verdict.of_scenario({"ssim_db": {"1": 12.0}, "base_lost": {"1": 0}},
                                      {"ssim_db": {"1": 12.0}, "base_lost": {"1": 40}})
    if whole != "regressed" or "base-layer pictures lost 0 -> 40" not in verdict.sentence(
            "base_lost", rows["base_lost"]):
        bad += 1
        print(f"a lost base layer is {whole}: {rows}")
    if verdict.of_scenario({}, {"ssim_db": {"1": 12.0}})[0] != "new":
        bad += 1
        print("a scenario without a reference is not new")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
