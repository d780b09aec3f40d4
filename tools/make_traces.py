#!/usr/bin/python3
"""make_traces.py [--check] - the made-up links of configs/traces, in Mahimahi's format, from a seed.

    lte-fading     slow fading (a random walk of the logarithm around its mean) under a quick one
    wifi-dropouts  steady, with gaps of 0.2 to 1.2 s, Poisson, as behind a wall

One millisecond a line, each an opportunity to deliver 1500 bytes. --check: the files are what this makes.
"""
import math
import os
import random
import sys

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "configs", "traces")
LENGTH_MS = 30000
STEP_MS = 20
PACKET_BITS = 1500 * 8


def gauss(rng):
    """Standard normal out of uniforms: the same in every version of Python."""
    return sum(rng.random() for _ in range(12)) - 6


def lte_fading(rng):
    slow = quick = 0.0
    while True:
        slow += -0.01 * slow + 0.12 * gauss(rng)
        quick += -0.3 * quick + 0.15 * gauss(rng)
        yield min(3e6, max(60e3, 800e3 * math.exp(slow + quick)))


def wifi_dropouts(rng):
    gap = 0
    while True:
        if gap == 0 and rng.random() < STEP_MS / 5000:
            gap = int(rng.uniform(200, 1200) / STEP_MS)
        gap = max(0, gap - 1)
        yield 0 if gap else 1.1e6 * (1 + 0.1 * gauss(rng))


def opportunities(rates):
    """Milliseconds at which a whole packet has become due; the last is the length."""
    lines, due = [], 0.0
    for start in range(0, LENGTH_MS, STEP_MS):
        per_ms = next(rates) / 1000 / PACKET_BITS
        for ms in range(start, start + STEP_MS):
            due += per_ms
            while due >= 1:
                lines.append(ms + 1)
                due -= 1
    if lines[-1] != LENGTH_MS:
        lines.append(LENGTH_MS)
    return "".join(f"{ms}\n" for ms in lines)


def main():
    wrong = 0
    for name, rates, seed in (("lte-fading", lte_fading, 2), ("wifi-dropouts", wifi_dropouts, 7)):
        path = os.path.join(FOLDER, name + ".mm")
        text = opportunities(rates(random.Random(seed)))
        if sys.argv[1:] == ["--check"]:
            with open(path, encoding="ascii") as f:
                if f.read() != text:
                    print(f"WRONG: {path} is not what tools/make_traces.py makes")
                    wrong = 1
            continue
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
