"""live_speed.py - the part `speed` of `./run bench-svc`: how fast live encoding and decoding are.

`encode`: tests/bench/live_speed does what the live server does for every picture, as fast as it can,
clip by clip; `live`: svc-server --live itself, in real time, with one viewer, its CPU time counted;
`decode`: a layered 1080p file with one thread, by CPU time. Figures are medians of RUNS runs, of the slowest clip where
nothing else is said; the spread is in the table. A machine that others use as well gives lower ones.
"""
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "demo"))
import programs  # noqa: E402

RUNS = 3
PICTURES = 150
FPS = 30  # what shares of the machine are for
LIVE_S = 8
SIZES = {"540p": "960x540", "720p": "1280x720"}
CLIPS = {"540p": ("dashcam_540p25_9s.mp4", "flower_540p30_5s.mp4", "cups_720p30_10s.mp4",
                  "bbb_forest_720p30_16s.mp4"),
         "720p": ("cups_720p30_10s.mp4", "dog_720p30_10s.mp4", "candle_720p30_10s.mp4",
                  "bbb_forest_720p30_16s.mp4"),
         "1080p": ("bbb_1080p60_10s.mp4", "street_1080p30_2s.264")}
RATES_1080P = "500,1500,4000"  # kbit/s per layer


class Speed:
    def __init__(self, build, media):
        self.build, self.media = os.path.abspath(build), media
        self.work = os.path.join(self.build, "live_speed")
        os.makedirs(self.work, exist_ok=True)

    def program(self, *names):
        return os.path.join(self.build, *names)

    def clips(self, which):
        """Those that are there; else the project's own."""
        found = [os.path.join(self.media, c) for c in CLIPS[which]
                 if os.path.exists(os.path.join(self.media, c))]
        if found:
            return found
        own = os.path.join(self.work, which + ".mkv")
        size = SIZES.get(which, "1920x1080")
        subprocess.run([self.program("media", "svc-testclip"), "--size", size, "--duration", "5",
                        own], check=True)
        return [own]

    def runs(self, *args):
        """RUNS results of live_speed."""
        results = []
        for _ in range(RUNS):
            done = subprocess.run([self.program("tests", "bench", "live_speed"), *args],
                                  stdout=subprocess.PIPE, text=True, check=True)
            results.append(json.loads(done.stdout.splitlines()[-1]))
        return results

    def row(self, what, clip, results):
        fps = sorted(r["fps"] for r in results)
        cpu = statistics.median(r["cpu_ms"] for r in results)
        row = {"what": what, "clip": os.path.basename(clip), "fps": statistics.median(fps),
               "fps_spread": [fps[0], fps[-1]], "cpu_ms": cpu,
               "cpu_share": cpu * FPS / 1e3 / os.cpu_count(),
               "took_p95_ms": statistics.median(r["took_p95_ms"] for r in results),
               "copies": sum(r["copies"] for r in results)}
        print(f"{what:14}{row['clip'][:30]:32}{row['fps']:8.1f}{fps[0]:8.1f}{fps[-1]:8.1f}"
              f"{cpu:9.2f}{row['cpu_share']:9.1%}")
        return row

    def encode(self, which):
        return [self.row("encode " + which, clip,
                         self.runs("encode", "--size", SIZES[which], "--pictures", str(PICTURES),
                                   clip)) for clip in self.clips(which)]

    def decode(self):
        rows = []
        for clip in self.clips("1080p"):
            layered = os.path.join(self.work, os.path.basename(clip) + ".layered.mkv")
            if not os.path.exists(layered):
                subprocess.run([self.program("svc", "svc-encode"), "--quiet", "--fps", str(FPS),
                                "--duration", "5", "--bitrate", RATES_1080P, clip, layered],
                               check=True)
            rows.append(self.row("decode 1080p", clip, self.runs("decode", layered)))
        return rows

    def live(self, which):
        """The server itself for LIVE_S seconds: (share of the machine, encoder's last report)."""
        pki = programs.make_pki(os.path.join(self.work, "pki"))
        report = os.path.join(self.work, which + ".jsonl")
        port = programs.free_udp_ports(1)[0]
        clip = self.clips(which)[-1]
        server = subprocess.Popen(
            [self.program("server", "svc-server"), "--cert", pki["server.pem"], "--key",
             pki["server.key"], "--listen", f"127.0.0.1:{port}", "--live", clip, "--size",
             SIZES[which], "--fps", str(FPS), "--loop", "--json", report], stdout=subprocess.PIPE,
            text=True)
        server.stdout.readline()
        began = time.monotonic()
        subprocess.run([self.program("client", "svc-player"), "--ca", pki["ca.pem"], "--headless",
                        "--duration", str(LIVE_S), "--path", "local=127.0.0.1",
                        f"moqt://127.0.0.1:{port}/demo"], check=True)
        server.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(server.pid, 0)
        server.returncode = os.waitstatus_to_exitcode(status)
        if server.returncode != 0:
            raise SystemExit(f"live_speed.py: svc-server ended with {server.returncode}")
        with open(report, encoding="utf-8") as file:
            said = json.loads(file.read().splitlines()[-1])["encoder"]
        share = (usage.ru_utime + usage.ru_stime) / (time.monotonic() - began) / os.cpu_count()
        print(f"{'live ' + which:14}{os.path.basename(clip)[:30]:32}{share:9.1%} of the machine; "
              f"{said['pictures']} pictures, {said['left_out_late']} left out, {said['pace_downs']} "
              f"times down, load {said['load']:.2f}")
        return share, said


def busy_s():
    """CPU seconds of the whole machine, and of the programs run from here that have ended."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(word) for word in file.readline().split()[1:9]]
    idle = fields[3] + fields[4]
    ours = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK"), ours.ru_utime + ours.ru_stime


def measure(build, media):
    """Keys of build/reports/svc.json."""
    speed = Speed(build, media)
    report, table = {}, []
    began, before = time.monotonic(), busy_s()
    print(f"\n{'':14}{'clip':32}{'fps':>8}{'least':>8}{'most':>8}{'CPU ms':>9}{'at ' + str(FPS):>9}")
    for which in SIZES:
        rows = speed.encode(which)
        table += rows
        report["encode_fps_" + which] = round(min(r["fps"] for r in rows), 1)
        report[f"encode_fps_{which}_mean"] = round(statistics.fmean(r["fps"] for r in rows), 1)
        report["encode_cpu_share_" + which] = round(max(r["cpu_share"] for r in rows), 3)
        share, said = speed.live(which)
        report["live_cpu_share_" + which] = round(share, 3)
        report["live_left_out_" + which] = said["left_out_late"] + said["left_out_pace"]
        report["live_pace_downs_" + which] = said["pace_downs"]
    rows = speed.decode()
    table += rows
    # one thread and nothing to wait for: its CPU time is what one core takes
    report["decode_fps_1080p"] = round(1e3 / max(r["cpu_ms"] for r in rows), 1)
    report["decode_fps_1080p_wall"] = round(min(r["fps"] for r in rows), 1)
    after, span = busy_s(), (time.monotonic() - began) * os.cpu_count()
    report["speed_others_share"] = round(
        max(0, after[0] - before[0] - (after[1] - before[1])) / span, 3)
    print(f"others used {report['speed_others_share']:.0%} of the machine meanwhile")
    report["picture_copies"] = sum(r["copies"] for r in table)
    report["speed_table"] = table
    return report
