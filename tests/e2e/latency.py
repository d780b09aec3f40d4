#!/usr/bin/python3
"""latency.py ROOT BUILD [SIZE SECONDS] - from the capture of the test picture to its display.

The live server's test picture carries its number as black and white blocks; svc-player reads them back
from the surface that is shown, and both programs stamp with this machine's clock. Every shown picture
must be the one whose stamps it has; what the delay is depends on the machine: it is printed, and what
the player holds back must only be less than it would on purpose without --latency low.
"""
import csv
import os
import sys

import material
from clip import program_path
from live_report import exit_code
from programs import Programs, free_udp_ports, wait_for_udp

FPS, CODES = 30, 65536
HELD_BACK_MS = 400  # by default
STAMPS = ["captured_us", "arrived_us", "decode_began_us", "decoded_us", "due_us", "shown_us"]


def rows_of(path):
    with open(path, encoding="ascii") as f:
        return [{k: float(v) if v else None for k, v in row.items()} for row in csv.DictReader(f)]


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def measure(folder, size, seconds):
    """(rows of --dump-timing, the player's report)."""
    pki, port = material.pki(), free_udp_ports(1)[0]
    timing, report = (os.path.join(folder, name) for name in ("timing.csv", "player.json"))
    os.environ.update(SDL_VIDEODRIVER="dummy", SDL_AUDIODRIVER="dummy")
    with Programs(folder) as programs:
        server = programs.start("svc-server", [
            program_path("svc-server"), "--live", f"test:{size}@{FPS}", "--layers", "L3T2",
            "--bitrate", "200,500,1300", "--listen", f"127.0.0.1:{port}", "--namespace", "live",
            "--cert", pki["server.pem"], "--key", pki["server.key"]])
        wait_for_udp(server, port)
        player = programs.start("svc-player", [
            program_path("svc-player"), "--ca", pki["ca.pem"], "--latency", "low",
            "--path", f"local=127.0.0.1,to=127.0.0.1:{port}", "--duration", str(seconds),
            "--size", size, "--dump-timing", timing, "--json", report,
            f"moqt://127.0.0.1:{port}/live"])
        player.wait(seconds + 30)
    return rows_of(timing), material.scenario.read_json(report, player)


def main():
    size, seconds = (sys.argv[3], float(sys.argv[4])) if len(sys.argv) > 4 else ("320x180", 4)
    rows, report = measure(material.folder("latency"), size, seconds)
    all_took = [(r["shown_us"] - r["captured_us"]) / 1e3 for r in rows]
    took = all_took[FPS // 2:]
    skews = [r["av_skew_ms"] for r in rows if r["av_skew_ms"] is not None]
    print(f"{len(rows)} pictures of {size}, capture to display: median {percentile(took, .5):.1f} ms, "
          f"95 % {percentile(took, .95):.1f} ms; sound behind by {min(skews, default=0)} to "
          f"{max(skews, default=0)} ms; {report['delay']}")
    parts = report["delay"]
    named = [parts[k] for k in ("encode_ms", "queue_ms", "network_ms", "buffer_ms", "decode_ms",
                                "display_ms")]
    rules = {
        "pictures are shown": len(rows) > 15,
        "each is the one that was captured then": all(
            r["time_code"] == round(r["pts_us"] * FPS / 1e6) % CODES for r in rows),
        "time goes one way": all(r[a] <= r[b] for r in rows for a, b in zip(STAMPS, STAMPS[1:])),
        "the parts sum to the whole": abs(sum(named) - parts["total_ms"]) < 1,
        "no clock differs from itself": parts["clock_ms"] == 0,
        "the report says the same": abs(report["capture_to_display_p50_ms"]
                                        - percentile(all_took, .5)) < 2,
        "nothing is held back for long": parts["buffer_ms"] < HELD_BACK_MS,
    }
    return exit_code(rules)


if __name__ == "__main__":
    sys.exit(main())
