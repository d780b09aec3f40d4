#!/usr/bin/python3
"""net.py - virtual links, measured: what is configured against what comes, and what a flood next door does.

    net.py ROOT BUILD [PART...]    parts: rate delay loss child weights flood

Ports are raw datagram sockets, so that no guest's own slowness is measured. What is compared (alone
and flooded, both orders of weights) is measured in turns, so that a machine that changes changes
both. As root the slices whose delay counts have SCHED_FIFO, as `real_time` gives it; the same
without is in keys with _plain.
"""
import json
import math
import os
import select
import signal
import statistics
import struct
import sys
import tempfile
import time

ROOT, BUILD = (os.path.abspath(p) for p in sys.argv[1:3])
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "vmm"))
import frames  # noqa: E402
from frames import frame  # noqa: E402

FRAME = 1514  # bytes, as they count on a link
FIFO = 50
RATES = [1, 5, 20, 100, 200]  # Mbit/s
DELAYS = [1, 5, 20, 100]  # ms
STREAM_PERIOD = 0.004  # s: 1200 bytes each are 2.4 Mbit/s
STREAM_SIZE = 1200
ROUNDS = 8  # alone and flooded, in turns
ROUND = 1.5  # s
LINK = {"rate": "20mbit", "delay": "10ms"}  # that the stream and the flood share


def real_time(pid=0):
    """True: it has the priority now."""
    try:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(FIFO))
        return True
    except PermissionError:
        return False


def usual(pid=0):
    os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))


class Worker:
    """A process of ours for as long as the `with` lasts."""

    def __init__(self, function, *args):
        self.pid = os.fork()
        if self.pid == 0:
            try:
                usual()
                function(*args)
            finally:
                os._exit(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def offer(a, b, size=FRAME):
    """Sends for ever, as fast as it is taken."""
    data = frame(b, a, b"flood", size)
    while True:
        a.socket.send(data)


def swallow(p):
    while True:
        p.socket.recv(65536)


def arrivals(p, seconds, warm=0.4):
    """[(time, bytes)] of what comes in `seconds` after a warm-up."""
    got, begin = [], time.monotonic() + warm
    end = begin + seconds
    while (now := time.monotonic()) < end:
        if select.select([p.socket], [], [], end - now)[0]:
            for data in p.drain():
                now = time.monotonic()
                if begin <= now < end:
                    got.append((now, len(data)))
    return got


def rate_of(got):
    """Bits a second between the first arrival and the last."""
    return sum(n for _, n in got[1:]) * 8 / (got[-1][0] - got[0][0])


def pair(v, link, **settings):
    v.do("add", link=link, **settings)
    return v.port(link, "a"), v.port(link, "b")


# ---- configured against measured ----

def made_up_trace(folder):
    """A period of 1 s between 2 and 20 Mbit/s; its path and mean rate."""
    lines, due = [], 0.0
    for ms in range(1, 1001):
        due += (11e6 + 9e6 * math.sin(2 * math.pi * ms / 1000)) / 1000 / 8 / 1500
        lines += [ms] * int(due)
        due -= int(due)
    lines[-1] = 1000
    path = os.path.join(folder, "trace")
    with open(path, "w", encoding="ascii") as f:
        f.writelines(f"{ms}\n" for ms in lines)
    return path, len(lines) * 1500 * 8


def rate(keys):
    errors = {}
    with frames.Vlink(BUILD) as v, tempfile.TemporaryDirectory() as folder:
        a, b = pair(v, "lan")
        path, mean = made_up_trace(folder)
        with Worker(offer, a, b):
            for mbit in RATES:
                v.do("set", link="lan", up={"rate": f"{mbit}mbit"})
                time.sleep(0.3)  # what the rate before has queued
                errors[f"{mbit} Mbit/s"] = rate_of(arrivals(b, 2.0)) / (mbit * 1e6) - 1
            v.do("set", link="lan", up={"trace": path})
            time.sleep(0.3)
            got = arrivals(b, 4.0)
            whole = [g for g in got if g[0] < got[0][0] + 3.0]  # whole periods
            errors["trace"] = sum(n for _, n in whole) * 8 / 3.0 / mean - 1
    for what, error in errors.items():
        print(f"rate {what}: {100 * error:+.3f} %")
    keys["link_rate_error"] = round(max(map(abs, errors.values())), 5)


def delays_of(a, b, n, period, size):
    """Delays, s, of `n` frames, one a period; lost ones are left out."""
    got, sent, next_at = [], 0, time.monotonic()
    end = next_at + n * period + 2.0
    while len(got) < n and (now := time.monotonic()) < end:
        if sent < n and now >= next_at:
            a.send(frame(b, a, struct.pack("d", time.monotonic()), size))
            sent += 1
            next_at += period
        wait = next_at - time.monotonic() if sent < n else 0.3
        if select.select([b.socket], [], [], max(wait, 0))[0]:
            for data in b.drain():
                got.append(time.monotonic() - struct.unpack_from("d", data, frames.HEADER)[0])
        elif sent == n and wait == 0.3 and time.monotonic() > next_at + 1.0:
            break
    return got


def delay(keys):
    worst = 0.0
    with frames.Vlink(BUILD) as v:
        a, b = pair(v, "lan")
        if real_time():
            real_time(v.process.pid)
        for ms in DELAYS:
            v.do("set", link="lan", both={"rate": "100mbit", "delay": f"{ms}ms"})
            expect = ms + 200 * 8 / 100e3
            got = [1e3 * d for d in delays_of(a, b, 300, 0.004, 200)]
            error = statistics.median(got) - expect
            print(f"delay {ms} ms: median {statistics.median(got):.3f}, least {min(got):.3f}, "
                  f"worst {max(got):.3f}")
            worst = max(worst, abs(error))
        usual()
    keys["link_delay_error_ms"] = round(worst, 3)


def loss(keys):
    """How far lost frames are from the expected number, in standard deviations; the worst."""
    worst = 0.0
    for seed, share in (1, 0.005), (2, 0.02), (3, 0.1), (4, 0.3):
        n, got = 20000, 0
        with frames.Vlink(BUILD, options=["--seed", str(seed)]) as v:
            a, b = pair(v, "lan", both={"loss": str(share), "queue": "unlimited"})
            data = frame(b, a, b"", 60)
            sent = 0
            while sent < n:
                if a.send(data):
                    sent += 1
                else:
                    got += len(b.drain())
                    time.sleep(0.0002)
            while select.select([b.socket], [], [], 0.5)[0]:
                got += len(b.drain())
            counted = v.stats("lan")
        lost = n - got
        z = (lost - n * share) / math.sqrt(n * share * (1 - share))
        print(f"loss {share:.3f}: {lost / n:.4f}, {z:+.2f} standard deviations")
        if lost != counted["up"]["drop_loss"]:
            print(f"loss: {lost} missing, {counted['up']['drop_loss']} counted")
            z = math.inf
        worst = max(worst, abs(z))
    keys["link_loss_deviations"] = round(worst, 2)
    keys["link_loss_in_interval"] = worst < 3.3  # 99.9 % of the binomial distribution


def most_in_a_second(got):
    """The most bits that came in any second."""
    best = start = bits = 0
    for i, (at, n) in enumerate(got):
        bits += 8 * n
        while got[start][0] < at - 1.0:
            bits -= 8 * got[start][1]
            start += 1
        if i > 0 and at - got[0][0] >= 1.0:
            best = max(best, bits - 8 * n)
    return best


def child(keys):
    worst = least = None
    with frames.Vlink(BUILD) as top, frames.Vlink(BUILD) as kid:
        top.do("add", link="wan", both={"rate": "20mbit"}, tenants=top.door("wan"))
        a, b = pair(kid, "lan", parent={"socket": top.door("wan"), "slice": "kid"})
        with Worker(offer, a, b):
            for mbit in 20, 8, 2:
                top.do("set", link="wan", both={"rate": f"{mbit}mbit"})
                time.sleep(0.4)
                got = arrivals(b, 3.0)
                share, peak = rate_of(got) / (mbit * 1e6), most_in_a_second(got) / (mbit * 1e6)
                print(f"child of {mbit} Mbit/s: {share:.4f} of it, {peak:.4f} in the busiest second")
                worst = max(worst or 0, share)
                least = min(least or 1, share)
    keys["child_of_parent_most"] = round(worst, 4)
    keys["child_of_parent_least"] = round(least, 4)


# ---- beside each other ----

class Carrier:
    """A slice that is a physical link, and two children with the weights given."""

    def __init__(self, link, weights):
        self.top = frames.Vlink(BUILD)
        self.kids = [frames.Vlink(BUILD) for _ in weights]
        self.top.do("add", link="wan", both=link, tenants=self.top.door("wan"))
        self.pairs = [pair(kid, "lan", parent={"socket": self.top.door("wan"), "slice": f"s{i}",
                                               "weight": weight})
                      for i, (kid, weight) in enumerate(zip(self.kids, weights))]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for v in [*self.kids, self.top]:
            v.close()


def weights(keys):
    ratios = []
    for heavy_first in True, False, True, False:
        with Carrier(LINK, [3, 1] if heavy_first else [1, 3]) as c:
            (a, b), (d, e) = c.pairs
            with Worker(offer, a, b), Worker(offer, d, e):
                begin, got = time.monotonic(), [0, 0]
                while (now := time.monotonic()) < begin + 3.5:
                    select.select([b.socket, e.socket], [], [], 0.1)
                    for i, p in enumerate((b, e)):
                        n = sum(map(len, p.drain()))
                        got[i] += n if now > begin + 0.7 else 0
            ratios.append(got[0] / got[1] if heavy_first else got[1] / got[0])
            print(f"weights 3:1: {ratios[-1]:.3f}")
    keys["weight_ratio"] = round(statistics.median(ratios), 3)
    keys["weight_ratio_least"] = round(min(ratios), 3)
    keys["weight_ratio_most"] = round(max(ratios), 3)


def percentile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def compare(name, stream, flood):
    """95th percentiles, ms, of the stream's delay alone and while the flood lasts."""
    (a, b), (c, d) = stream, flood
    got = {False: [], True: []}
    n = int(ROUND / STREAM_PERIOD)
    delays_of(a, b, 100, STREAM_PERIOD, STREAM_SIZE)
    for number in range(2 * ROUNDS):
        flooded = number % 2 == 1
        if flooded:
            with Worker(offer, c, d), Worker(swallow, d):
                time.sleep(0.3)
                got[True] += delays_of(a, b, n, STREAM_PERIOD, STREAM_SIZE)
        else:
            d.drain()
            time.sleep(0.3)
            got[False] += delays_of(a, b, n, STREAM_PERIOD, STREAM_SIZE)
    alone, beside = (1e3 * percentile(got[f], 0.95) for f in (False, True))
    share = len(got[True]) / (n * ROUNDS)
    print(f"{name}: alone p50 {1e3 * statistics.median(got[False]):.2f} p95 {alone:.2f} ms, beside a "
          f"flood p50 {1e3 * statistics.median(got[True]):.2f} p95 {beside:.2f} ms, ratio "
          f"{beside / alone:.3f}, {100 * share:.2f} % arrived")
    return alone, beside, share


def flood(keys):
    plain_first = [False]
    if real_time():
        usual()
        plain_first = [False, True]
    for with_rt in plain_first:
        suffix = "" if with_rt or len(plain_first) == 1 else "_plain"
        ratios, shares = [], []
        with Carrier(LINK, [1, 1]) as c:
            if with_rt:
                for pid in 0, c.top.process.pid, c.kids[0].process.pid:
                    real_time(pid)
            alone, beside, share = compare(f"one link, two children{suffix}", *c.pairs)
            ratios.append(beside / alone)
            shares.append(share)
            keys["flood_p95_ms_alone" + suffix] = round(alone, 3)
            keys["flood_p95_ms" + suffix] = round(beside, 3)
            usual()
        with frames.Vlink(BUILD) as one, frames.Vlink(BUILD) as two:
            mine, theirs = (pair(v, "lan", both=LINK) for v in (one, two))
            if with_rt:
                for pid in 0, one.process.pid:
                    real_time(pid)
            alone, beside, share = compare(f"two links, unrelated slices{suffix}", mine, theirs)
            ratios.append(beside / alone)
            shares.append(share)
            usual()
        keys["flood_p95_ratio" + suffix] = round(max(ratios), 3)
        keys["flood_arrived_share" + suffix] = round(min(shares), 4)


PARTS = {"rate": rate, "delay": delay, "loss": loss, "child": child, "weights": weights, "flood": flood}


def main():
    keys = {}
    for name in sys.argv[3:] or PARTS:
        PARTS[name](keys)
        sys.stdout.flush()
    print(json.dumps(keys))


main()
