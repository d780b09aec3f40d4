#!/usr/bin/python3
"""migrate.py ROOT BUILD [TIMES] - a player that plays is moved into another QEMU TIMES times [20] by each mode that
TCG allows, one slice a mode. One JSON object: migrations_tried, migrations_failed, picture_gap_ms_median,
picture_gap_ms_max over all modes and with _shared, _postcopy, _stop_and_copy; down_ms_median_MODE (no guest ran, as
the keeper saw it); picture_gap_ms_unmoved (longest in as long a time without a move); sessions_lost,
reliable_bytes_lost (streams of tvl-echo that ran meanwhile and on which not every byte came back), mismatches_refused.
"""
import json
import os
import statistics
import subprocess
import sys
import time

TIMES = int(sys.argv[3]) if len(sys.argv) > 3 else 20
ROOT = os.path.abspath(sys.argv[1])
sys.argv = sys.argv[:3]
sys.path.insert(0, os.path.join(ROOT, "tests", "vmm"))
import lib  # noqa: E402
import moving  # noqa: E402

MODES = ("shared", "postcopy", "stop-and-copy")
BETWEEN_S = 1.0  # pictures as they should be, before the next move
ECHO_PINGS = 60  # over one stream, ten a second: a connection lives through several moves


def exec_args(stage, node, *words):
    return [lib.SHIM, "exec", "--slice", stage.name, node, "--", *words]


def echo_server(stage):
    return subprocess.Popen(exec_args(stage, "server", "tvl-echo", "serve", "--cert", "/etc/slice/cert.pem", "--key",
                                      "/etc/slice/key.pem", "--listen", f"0.0.0.0:{moving.ECHO_PORT}"),
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def echo(stage):
    """A little of it, so that the player has the guest to itself otherwise."""
    return subprocess.Popen(exec_args(stage, "player", "tvl-echo", "send", f"server:{moving.ECHO_PORT}", "--ca",
                                      "/etc/slice/ca.pem", "--pings", str(ECHO_PINGS), "--interval", "100ms",
                                      "--limit", "120s"),
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def mismatch_refused(stage):
    other = os.path.join(lib.folder(), "other.yaml")
    with open(other, "w", encoding="utf-8") as f:
        f.write(f"name: {stage.name}\n" + moving.topology(1).replace(
            f"memory: {moving.MEMORY_MIB}M", f"memory: {moving.MEMORY_MIB + 32}M"))
    done = stage.shim("migrate", "player", "--with", other)
    os.unlink(other)
    seen = len(stage.rows.rows)
    lib.wait_for(lambda: len(stage.rows.rows) > seen + 10, "the source plays on")
    return done.returncode != 0 and f"{moving.MEMORY_MIB + 32} MiB of memory there" in done.stderr


def measure(mode):
    figures = {"tried": 0, "failed": 0, "gaps": [], "downs": [], "bytes_lost": 0}
    with moving.Stage("mv-" + mode[:4], 100000) as stage:
        stage.wait_playing()
        server = echo_server(stage)
        time.sleep(1)
        stage.wait_smooth(BETWEEN_S)
        began = time.monotonic()
        time.sleep(3)
        figures["unmoved"] = 1e3 * stage.rows.gap(began, time.monotonic())
        figures["refused"] = mismatch_refused(stage)
        client = None
        for number in range(TIMES):
            if client is None or client.poll() is not None:
                figures["bytes_lost"] += client.returncode != 0 if client else 0
                client = echo(stage)
                time.sleep(1.5)
            stage.wait_smooth(BETWEEN_S)
            moved = stage.migrate(mode)
            figures["tried"] += 1
            if moved:
                figures["gaps"].append(moved["picture_gap_ms"])
                figures["downs"].append(moved["down_ms"])
            else:
                figures["failed"] += 1
                print(f"{mode} {number}: {stage.why}", file=sys.stderr)
        figures["bytes_lost"] += client.wait(120) != 0
        figures["lost"] = stage.node("player")["state"] != "running" or bool(stage.rows.said)
        server.terminate()
        server.wait()
    return figures


def main():
    lib.need_root("postcopy")
    out, sys.stdout = sys.stdout, sys.stderr # the last line is the result
    all_ = {mode: measure(mode) for mode in MODES}
    gaps = [g for f in all_.values() for g in f["gaps"]]
    result = {"migrations_tried": sum(f["tried"] for f in all_.values()),
              "migrations_failed": sum(f["failed"] for f in all_.values()),
              "picture_gap_ms_median": round(statistics.median(gaps), 1) if gaps else None,
              "picture_gap_ms_max": round(max(gaps), 1) if gaps else None,
              "picture_gap_ms_unmoved": round(max(f["unmoved"] for f in all_.values()), 1),
              "sessions_lost": sum(f["lost"] for f in all_.values()),
              "reliable_bytes_lost": sum(f["bytes_lost"] for f in all_.values()),
              "mismatches_refused": sum(f["refused"] for f in all_.values())}
    for mode, f in all_.items():
        name = mode.replace("-", "_")
        if f["gaps"]:
            result[f"picture_gap_ms_median_{name}"] = round(statistics.median(f["gaps"]), 1)
            result[f"picture_gap_ms_max_{name}"] = round(max(f["gaps"]), 1)
            result[f"down_ms_median_{name}"] = round(statistics.median(f["downs"]), 1)
    print(json.dumps(result), file=out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
