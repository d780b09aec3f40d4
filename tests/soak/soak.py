#!/usr/bin/python3
"""soak.py BUILD [MINUTES] - a live broadcast for a long time, while its paths come and go and viewers
join and leave: what grows, and whether sound and picture stay together.

One player with a window and a sound device (SDL's dummies, which keep time) watches over two links
of user space; every few seconds one of them dies for a moment, every few minutes both. Twenty more
viewers come and go beside it. Memory, descriptors, the delay from capture to display and the skew
of sound are compared between the time after warm-up and the end: build/reports/soak.json.
"""
import argparse
import csv
import glob
import json
import os
import random
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "demo"))
LIVE = ["--live", "test:320x180@30", "--layers", "L3T2", "--bitrate", "60,150,400"]
NAMESPACE = "live"
SAMPLE_S = 2
SEED = 7
GROUPS = 10          # the run in so many parts: the second is compared with the last
VIEWERS, CHURN = 20, 2
ALONE_S = (4, 9)     # from one death to the next,
DOWN_S = (0.5, 3)    # and how long each lasts
BOTH_EVERY = 25      # every so many times both die
MAY_GROW = 0.05      # of memory, before this exits 1
MAY_GROW_FDS = 2
MAY_GROW_MS = 50
SKEW_MS = 40


def anonymous_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Watched:
    """A program's memory and descriptors over time; its children count with it."""

    def __init__(self, program):
        self.program, self.rows = program, []

    def sample(self, at_s):
        pid = self.program.process.pid
        try:
            family = [pid] + children(pid)
            self.rows.append((at_s, sum(anonymous_kib(p) for p in family),
                              sum(descriptors(p) for p in family)))
        except (OSError, StopIteration):
            pass # a child has just ended

    def growth(self, duration_s):
        """Of memory, as a share, and of descriptors; and the memory after warm-up, KiB."""
        early = part(self.rows, duration_s, 1)
        late = part(self.rows, duration_s, GROUPS - 1)
        kib = statistics.median(row[1] for row in early)
        fds = statistics.median(row[2] for row in late) - statistics.median(row[2] for row in early)
        return statistics.median(row[1] for row in late) / kib - 1, fds, kib


def part(rows, duration_s, number):
    """Of rows that begin with their time, those of one tenth."""
    low, high = (duration_s * k / GROUPS for k in (number, number + 1))
    chosen = [row for row in rows if low <= row[0] < high]
    if not chosen:
        raise SystemExit(f"soak: nothing was measured from {low:.0f} to {high:.0f} s")
    return chosen


class Weather:
    """Which links die when."""

    def __init__(self, vlink, names):
        self.vlink, self.names = vlink, names
        self.draw = random.Random(SEED)
        self.count, self.next_s, self.up = 0, self.draw.uniform(*ALONE_S), []

    def pass_by(self, at_s):
        for when, name in list(self.up):
            if at_s >= when:
                self.vlink.tell(f"{name}.up")
                self.up.remove((when, name))
        if at_s < self.next_s:
            return
        self.count += 1
        both = self.count % BOTH_EVERY == 0
        until = at_s + self.draw.uniform(*DOWN_S)
        for name in self.names if both else [self.draw.choice(self.names)]:
            self.vlink.tell(f"{name}.down")
            self.up.append((until, name))
        self.next_s = until + self.draw.uniform(*ALONE_S)


def begin(programs, folder, pki):
    """Server, links, player, the crowd."""
    from clip import program_path
    from programs import free_udp_ports, wait_for_udp
    from scenario import Link
    port, *ports = free_udp_ports(3)
    server = programs.start("svc-server", [
        program_path("svc-server"), "--cert", pki["server.pem"], "--key", pki["server.key"],
        "--listen", f"127.0.0.1:{port}", "--namespace", NAMESPACE, "--log", "info", *LIVE])
    wait_for_udp(server, port)
    links = [Link("wifi", 3e6, 10), Link("lte", 2e6, 30)]
    vlink = programs.start("vlink", [
        program_path("vlink"), "--control",
        *(word for link, at in zip(links, ports) for word in ("--link", link.spec(at, port)))],
        stdin=subprocess.PIPE)
    for at in ports:
        wait_for_udp(vlink, at)
    timing = os.path.join(folder, "timing.csv")
    player = programs.start("svc-player", [
        program_path("svc-player"), "--ca", pki["ca.pem"], "--log", "info", "--dump-timing", timing,
        *(word for link, at in zip(links, ports)
          for word in ("--path", f"local=127.0.0.1,to=127.0.0.1:{at},name={link.name}")),
        f"moqt://127.0.0.1:{ports[0]}/{NAMESPACE}"])
    crowd = programs.start("svc-load", [
        program_path("svc-load"), "-n", str(VIEWERS), "--churn", str(CHURN), "--ca", pki["ca.pem"],
        "--duration", "1000000", "-q", f"moqt://127.0.0.1:{port}/{NAMESPACE}"])
    return server, player, crowd, Weather(vlink, [link.name for link in links]), timing


def run(programs, folder, pki, duration_s):
    server, player, crowd, weather, timing = begin(programs, folder, pki)
    watched = {"svc-server": Watched(server), "svc-player": Watched(player)}
    began, next_sample, next_word = time.monotonic(), 0, 60
    wall = time.time()
    while (at_s := time.monotonic() - began) < duration_s:
        weather.pass_by(at_s)
        if at_s >= next_sample:
            for program in (server, player, crowd):
                program.check_alive()
            for what in watched.values():
                what.sample(at_s)
            next_sample += SAMPLE_S
        if at_s >= next_word:
            print(f"{at_s / 60:4.0f} min  " + "  ".join(
                f"{name} {what.rows[-1][1]} KiB, {what.rows[-1][2]} descriptors"
                for name, what in watched.items()) + f"  {weather.count} deaths", flush=True)
            next_word += 60
        time.sleep(0.05)
    player.stop()
    return watched, pictures(timing, wall), weather.count


def pictures(timing, wall):
    """[(s since the beginning, delay in ms, skew in ms or None)] of each shown picture."""
    rows = []
    with open(timing, encoding="ascii") as file:
        for row in csv.DictReader(file):
            shown, captured = int(row["shown_us"]), int(row["captured_us"])
            if captured:
                skew = row["av_skew_ms"]
                rows.append((shown / 1e6 - wall, (shown - captured) / 1e3,
                             float(skew) if skew else None))
    return rows


def report(watched, shown, deaths, duration_s):
    growth = {name: what.growth(duration_s) for name, what in watched.items()}
    early, late = (part(shown, duration_s, n) for n in (1, GROUPS - 1))
    delay = [statistics.median(row[1] for row in rows) for rows in (early, late)]
    skews = sorted(abs(row[2]) for row in shown if row[2] is not None
                   and row[0] > duration_s / GROUPS)
    if not skews:
        raise SystemExit("soak: no skew of sound was measured")
    return {
        "minutes": duration_s / 60,
        "rss_growth": max(g[0] for g in growth.values()),
        "fd_growth": max(g[1] for g in growth.values()),
        "delay_growth_ms": delay[1] - delay[0],
        "av_skew_ms_max": skews[-1],
        "av_skew_ms_p99": skews[len(skews) * 99 // 100],
        "delay_ms": delay[0],
        "pictures": len(shown),
        "deaths": deaths,
        "programs": {name: {"rss_growth": g[0], "fd_growth": g[1], "kib": g[2]}
                     for name, g in growth.items()},
    }


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    args.add_argument("build")
    args.add_argument("minutes", nargs="?", type=float, default=60)
    args = args.parse_args()
    if args.minutes <= 0:
        raise SystemExit("soak: it takes a number of minutes above 0")
    os.environ["SVC_BUILD"] = os.path.abspath(args.build)
    os.environ["SDL_VIDEODRIVER"] = os.environ["SDL_AUDIODRIVER"] = "dummy"
    import programs
    folder = os.path.join(args.build, "soak")
    os.makedirs(folder, exist_ok=True)
    for old in glob.glob(os.path.join(folder, "*.csv")):
        os.remove(old)
    duration_s = args.minutes * 60
    with programs.Programs(folder) as running:
        watched, shown, deaths = run(running, folder, programs.make_pki(folder), duration_s)
    said = report(watched, shown, deaths, duration_s)
    os.makedirs(os.path.join(args.build, "reports"), exist_ok=True)
    with open(os.path.join(args.build, "reports", "soak.json"), "w", encoding="ascii") as file:
        json.dump(said, file, indent=2)
        file.write("\n")
    print(json.dumps(said, indent=2))
    good = (said["rss_growth"] <= MAY_GROW and said["fd_growth"] <= MAY_GROW_FDS
            and said["delay_growth_ms"] <= MAY_GROW_MS and said["av_skew_ms_p99"] <= SKEW_MS)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
