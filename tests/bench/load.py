#!/usr/bin/python3
"""load.py - how many viewers one core of svc-server holds: `./run bench-load`.

A layered file of the test clip, with sound, at 600 kbit/s and at 2.5 Mbit/s; svc-server with one
worker on one core, svc-load on all others, over loopback. Viewers per core is the most for which
the 99th percentile of lateness stays under LATE_MS, no object is missing and every viewer gets all layers,
found by trying. Where
it cannot be tried, as svc-load or other work on the machine is what fills up first, it is worked
out from the CPU time that a viewer costs, and the report says so (`_by_cpu`: always worked out so).

Then svc-player, headless, against a live test picture: its first picture, and what delay from capture
to display it measures.

usage: load.py BUILD-DIR [--quick]     keys go to build/reports/load.json
"""
import json
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "demo"))
import programs  # noqa: E402

REPORT = os.path.join(ROOT, "build", "reports", "load.json")
LATE_MS = 100
SECONDS, SETTLE_S, RAMP_PER_S = 10, 4, 200
QUICK_SECONDS = 5
FIRST_VIEWERS = {"600k": 300, "2500k": 100}  # the first try, for the cost of one
TRIES = 5        # at most, after the first
NEAR = 1.06      # good and bad this near are near enough
OTHERS_MAX = 0.1  # of the server's core and of svc-load's that others may use
WHOLE = 0.93  # of the file's bytes, its container's too, that a viewer gets
CLIP_S = 12
IDLE_S = 2       # until the server's memory without viewers is what it stays
PLAYS, PLAY_S = 5, 4
# name: picture size, svc-encode's options. Sound of 60 ms a packet: 17 objects a second, not 50.
MEDIA = {"600k": ("640x360", ["--layers", "L1T2", "--bitrate", "552", "--sound-packet", "60"]),
         "2500k": ("960x540", ["--layers", "L3T2", "--bitrate", "300,700,1450", "--sound-packet", "60"])}


class Busy:
    """CPU seconds of the whole machine, by /proc/stat."""

    def __init__(self):
        self.at, self.used = time.monotonic(), self.now()

    @staticmethod
    def now():
        with open("/proc/stat", encoding="ascii") as file:
            fields = [int(x) for x in file.readline().split()[1:9]]
        return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")

    def since(self):
        return self.now() - self.used, time.monotonic() - self.at


class Bench:
    def __init__(self, build, quick):
        self.build = os.path.abspath(build)
        self.seconds = QUICK_SECONDS if quick else SECONDS
        self.tries = 1 if quick else TRIES
        self.work = os.path.join(self.build, "load")
        os.makedirs(self.work, exist_ok=True)
        self.pki = programs.make_pki(os.path.join(self.work, "pki"))
        cores = sorted(os.sched_getaffinity(0))
        self.server_core, self.load_cores = cores[0], cores[1:] or cores
        self.others = []

    def program(self, *names):
        return os.path.join(self.build, *names)

    def media(self, name):
        """The layered file, made once."""
        size, options = MEDIA[name]
        clip, out = (os.path.join(self.work, n) for n in (size + ".mkv", name + ".mkv"))
        if not os.path.exists(out):
            quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            subprocess.run([self.program("media", "svc-testclip"), "--size", size, "--duration", str(CLIP_S), clip],
                           **quiet)
            subprocess.run([self.program("svc", "svc-encode"), "--quiet", *options, clip, out + ".new.mkv"],
                           **quiet)
            os.rename(out + ".new.mkv", out)
        return out

    def server(self, source, core=None):
        """(process, port), after its memory has settled."""
        [port] = programs.free_udp_ports(1)
        pin = ["taskset", "-c", str(core)] if core is not None else []
        command = pin + [self.program("server", "svc-server"), "--cert", self.pki["server.pem"], "--key",
                         self.pki["server.key"], "--listen", f"127.0.0.1:{port}", "--workers", "1",
                         "--max-viewers", "20000", "--user", "root", *source]
        if os.geteuid() != 0:
            del command[command.index("--user"):command.index("--user") + 2]
        process = programs.Program("server", command[:0] + ["/usr/bin/env"] + command, self.work)
        programs.wait_for_udp(process, port)
        time.sleep(IDLE_S)
        return process, port

    def run(self, name, viewers):
        """What svc-load says of so many."""
        process, port = self.server(["--loop", self.media(name)], self.server_core)
        busy = Busy()
        try:
            done = subprocess.run(
                ["taskset", "-c", ",".join(map(str, self.load_cores)), self.program("load", "svc-load"),
                 "--quiet", "--json", "-", "--ca", self.pki["ca.pem"], "--server-pid",
                 str(process.process.pid), "--subscribers", str(viewers), "--rate", str(RAMP_PER_S),
                 "--settle", str(SETTLE_S), "--duration", str(self.seconds), "--threads",
                 str(len(self.load_cores)), f"moqt://127.0.0.1:{port}/demo"],
                stdout=subprocess.PIPE, text=True, check=False)
            said = json.loads(done.stdout)
            used, wall = busy.since()
        finally:
            process.stop()
        said["server_share"] = said["server_cpu_s"] / said["seconds"]
        said["load_share"] = said["own_cpu_s"] / said["seconds"] / len(self.load_cores)
        ours = (said["server_cpu_s"] + said["own_cpu_s"]) / said["seconds"]
        said["others"] = max(0.0, used / wall - ours)  # cores; the ramp needs less than the rest
        self.others.append(said["others"])
        wanted = os.path.getsize(self.media(name)) * 8 / CLIP_S * viewers
        said["whole"] = said["rate_bps"] / wanted
        said["good"] = (said["failed"] == 0 and said["missing"] == 0 and said["whole"] >= WHOLE
                        and said["late_ms"]["p99"] <= LATE_MS)
        print(f"  {name} {viewers:6} viewers: {'good' if said['good'] else 'bad '} "
              f"{100 * said['whole']:.0f} % of the media, late {said['late_ms']['p99']:.1f} ms, "
              f"{said['missing']} missing, {said['failed']} failed, "
              f"server {said['server_share']:.2f} of a core, svc-load {said['load_share']:.2f}, "
              f"others {said['others']:.2f}, {said['server_kib_per_viewer']:.1f} KiB a viewer", flush=True)
        return said

    def capacity(self, name):
        """(viewers per core, by CPU time, tried, the best run)."""
        best = self.run(name, FIRST_VIEWERS[name])
        low, high = (FIRST_VIEWERS[name], None) if best["good"] else (0, FIRST_VIEWERS[name])
        for _ in range(self.tries):
            estimate = int(1 / best["server_cpu_s_per_viewer_s"])
            viewers = min(int(0.9 * estimate), 4 * max(low, 50)) if high is None else (low + high) // 2
            viewers = max(viewers, int(1.1 * low)) if high is None else viewers
            said = self.run(name, viewers)
            if said["good"]:
                low, best = viewers, said
                continue
            if said["load_share"] > 0.9 or said["others"] > OTHERS_MAX:
                break  # not the server was what could not
            high = viewers
            if high <= NEAR * max(low, 1):
                break
        by_cpu = int(1 / best["server_cpu_s_per_viewer_s"])
        tried = high is not None and low > 0 and high <= 1.5 * low
        return (low if tried else by_cpu), by_cpu, tried, best

    def plays(self):
        """Median of the first picture's time, and of the delay where the player measures it."""
        first, delay = [], []
        process, port = self.server(["--live", "test:960x540@30"])
        out = os.path.join(self.work, "player.json")
        try:
            for _ in range(PLAYS):
                subprocess.run([self.program("client", "svc-player"), "--latency", "low", "--ca",
                                self.pki["ca.pem"], "--path", "127.0.0.1", "--duration", str(PLAY_S), "--json", out,
                                f"moqt://127.0.0.1:{port}/demo"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
                               env=dict(os.environ, SDL_VIDEODRIVER="dummy", SDL_AUDIODRIVER="dummy"))
                with open(out, encoding="utf-8") as file:
                    said = json.load(file)
                first.append(said["startup_ms"])
                delay.append(said.get("capture_to_display_p95_ms"))
        finally:
            process.stop()
        delay = [d for d in delay if d is not None]
        return statistics.median(first), statistics.median(delay) if delay else None


def main():
    bench = Bench(sys.argv[1], "--quick" in sys.argv[2:])
    report = {}
    for name in MEDIA:
        viewers, by_cpu, tried, best = bench.capacity(name)
        report.update({f"viewers_per_core_{name}": viewers, f"viewers_per_core_{name}_by_cpu": by_cpu,
                       f"viewers_per_core_{name}_tried": tried})
        if name == "600k":
            report.update({"kib_per_viewer": round(best["server_kib_per_viewer"], 1),
                           "lateness_p99_ms": best["late_ms"]["p99"], "lateness_viewers": best["subscribers"],
                           "rate_bps_per_viewer": round(best["rate_bps"] / best["watching"]),
                           "udp_overflows": best["udp_overflows"]})
        report[f"kib_per_viewer_{name}"] = round(best["server_kib_per_viewer"], 1)
        report[f"lateness_p99_ms_{name}"] = best["late_ms"]["p99"]
    report["first_picture_ms"], report["capture_to_display_p95_ms"] = bench.plays()
    report["others_cores"] = round(max(bench.others), 2)
    os.makedirs(os.path.dirname(REPORT), exist_ok=True)
    with open(REPORT, "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    for key, value in report.items():
        print(f"{key:36} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
