#!/usr/bin/python3
"""
cpu.py - CPU time per delivered megabyte, tvlsink -> tvlsrc against srtsink -> srtsrc, over loopback, at three rates.

Sender and receiver are processes of their own, one core each where there are two. Both senders push the same
buffers (layer units, coded beforehand and filled up to the rate) at the same times out of memory; both receivers
write what comes to a file of which the size is what was delivered. Counted is getrusage of each process from the
first buffer, when they are connected, to the end, less what the same sender uses that pushes into a fakesink
(`harness`): the interpreter is no part of either. SRT runs with a passphrase and AES-128, as our transport always
encrypts, and at one rate without (`plain`). Runs alternate; a ratio is of neighbours, the median of the pairs counts,
and of the rates the worst.

usage: cpu.py ROOT BUILD [--quick]      last line: JSON
       cpu.py --side send|receive ours|srt|plain|harness ...      (of itself)
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import common
from common import FPS, Gst

MBPS = [2, 10, 50]
PLAIN_MBPS = 10
LATENCY_MS = 300
SRT_KEY = "passphrase=0123456789abcdef pbkeylen=16"


def used():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def coded(seconds, mbps):
    """(caps, buffers) of layered AV1, each buffer as much longer as the rate asks for."""
    p = Gst.parse_launch(f"videotestsrc num-buffers={seconds * FPS} ! video/x-raw,width=320,height=180,"
                         f"framerate={FPS}/1 ! svcav1enc layers=L3T2 speed=10 bitrate=400 ! "
                         "video/x-svc ! appsink name=out sync=false")
    out = p.get_by_name("out")
    p.set_state(Gst.State.PLAYING)
    caps, buffers = None, []
    while True:
        sample = out.emit("pull-sample")
        if sample is None:
            break
        caps = sample.get_caps()
        buffers.append(sample.get_buffer())
    p.set_state(Gst.State.NULL)
    scale = mbps * 1e6 * seconds / 8 / sum(b.get_size() for b in buffers)
    filling, filled = os.urandom(1 << 20), []
    for buffer in buffers:
        length = max(1, min(len(filling), int(buffer.get_size() * scale)))
        longer = Gst.Buffer.new_wrapped(filling[:length])
        flags = Gst.BufferCopyFlags
        if not longer.copy_into(buffer, flags.FLAGS | flags.TIMESTAMPS | flags.META, 0, 2 ** 64 - 1):
            raise RuntimeError("a buffer cannot be filled up")
        filled.append(longer)
    return caps, filled


def send(kind, folder, port, seconds, mbps):
    caps, buffers = coded(seconds, mbps)
    if kind == "ours":
        tail = (f"tvlsink name=t mode=listener uri=moqt://127.0.0.1:{port}/live latency={LATENCY_MS} "
                f"tls-certificate={folder}/server.pem tls-key={folder}/server.key")
        p = Gst.parse_launch(f"appsrc name=in is-live=true format=time ! {tail}")
    elif kind == "harness":
        p = Gst.parse_launch("appsrc name=in is-live=true format=time ! fakesink sync=false async=false")
    else:
        p = Gst.parse_launch(f"appsrc name=in is-live=true format=time ! srtsink mode=listener localport={port} "
                             f"uri=srt://:{port} latency={LATENCY_MS} {SRT_KEY if kind == 'srt' else ''}")
    source = p.get_by_name("in")
    source.set_property("caps", caps)
    p.set_state(Gst.State.PLAYING)
    print("ready", flush=True)
    sys.stdin.readline()  # the receiver is there
    first, clock = buffers[0].pts, p.get_clock()
    base = clock.get_time() - p.get_base_time()
    before, began = used(), time.monotonic()
    for buffer in buffers:
        at = (buffer.pts - first) / Gst.SECOND
        wait = began + at - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        copy = buffer.copy()
        copy.pts = base + buffer.pts - first
        copy.dts = Gst.CLOCK_TIME_NONE
        source.emit("push-buffer", copy)
    time.sleep(2 * LATENCY_MS / 1000)
    print(json.dumps({"cpu_s": used() - before, "offered": sum(b.get_size() for b in buffers),
                      "errors": common.said([p])}), flush=True)
    sys.stdin.readline()
    p.set_state(Gst.State.NULL)


def receive(kind, folder, port):
    file = os.path.join(folder, "received")
    end = f"filesink name=out location={file} sync=false async=false"
    if kind == "ours":
        p = Gst.parse_launch(f"tvlsrc uri=moqt://127.0.0.1:{port}/live paths=127.0.0.1 latency={LATENCY_MS} "
                             f"tls-ca={folder}/server.pem ! {end}")
    else:
        p = Gst.parse_launch(f"srtsrc uri=srt://127.0.0.1:{port} latency={LATENCY_MS} "
                             f"{SRT_KEY if kind == 'srt' else ''} ! {end}")
    p.set_state(Gst.State.PLAYING)
    print("ready", flush=True)
    sys.stdin.readline()  # it begins
    before = used()
    sys.stdin.readline()  # all is sent
    cpu = used() - before
    errors = common.said([p])
    p.set_state(Gst.State.NULL)
    print(json.dumps({"cpu_s": cpu, "delivered": os.path.getsize(file), "errors": errors}), flush=True)


def side(root, build, core, *rest):
    command = [sys.executable, os.path.abspath(__file__), root, build, "--side", *map(str, rest)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                            preexec_fn=lambda: os.sched_setaffinity(0, {core % os.cpu_count()}))


def line(process):
    text = process.stdout.readline()
    if not text:
        raise RuntimeError("a side ended early")
    return text


def once(args, kind, folder, seconds, mbps, harness_s=0):
    """CPU seconds per megabyte delivered, of sender and receiver together, and what they said."""
    port = common.free_ports(1)
    sender = side(args.root, args.build, 0, "send", kind, folder, port, seconds, mbps)
    receiver, got = None, {"cpu_s": 0, "delivered": 0, "errors": []}
    try:
        line(sender)
        if kind != "harness":
            receiver = side(args.root, args.build, 1, "receive", kind, folder, port, seconds, mbps)
            line(receiver)
            time.sleep(1)  # connected
        for p in (receiver, sender):
            if p:
                p.stdin.write("go\n")
        sent = json.loads(line(sender))
        if receiver:
            receiver.stdin.write("done\n")
            got = json.loads(line(receiver))
    finally:
        for p in (sender, receiver):
            if p:
                p.stdin.close()
                try:
                    p.wait(10)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()
    megabytes = got["delivered"] / 1e6
    return {"per_mb": (sent["cpu_s"] + got["cpu_s"] - harness_s) / megabytes if megabytes else None,
            "send_s": round(sent["cpu_s"], 3), "receive_s": round(got["cpu_s"], 3),
            "share": round(got["delivered"] / sent["offered"], 4), "errors": sent["errors"] + got["errors"]}


def measure(args, folder, mbps, rounds, seconds):
    """{kind: results} at one rate, in alternation."""
    harness = once(args, "harness", folder, seconds, mbps)["send_s"]
    print(f"{mbps} Mbit/s: harness {harness} s", flush=True)
    results = {kind: [] for kind in ("ours", "srt") + (("plain",) if mbps == PLAIN_MBPS else ())}
    for _ in range(rounds):
        for kind, list_ in results.items():
            list_.append(once(args, kind, folder, seconds, mbps, harness))
            print(f"{mbps} Mbit/s {kind:6} {list_[-1]}", flush=True)
    return results


def tell(table):
    """Prints the table; the report's keys, or {}."""
    report, worst = {}, None
    if not all(r["per_mb"] for results in table.values() for rs in results.values() for r in rs):
        return {}
    print(f"\n{'':12}{'ms per MB: ours':>18}{'srt':>10}{'ratio (least .. most of the pairs)':>38}")
    for mbps, results in table.items():
        middle = {kind: statistics.median(r["per_mb"] for r in rs) for kind, rs in results.items()}
        for kind in list(results)[1:]:
            key = f"cpu_ratio_to_srt_{'plain' if kind == 'plain' else f'{mbps}mbit'}"
            ratios = [a["per_mb"] / b["per_mb"] for a, b in zip(results["ours"], results[kind])]
            ends = [round(min(ratios), 3), round(max(ratios), 3)]
            report[key], report[key + "_spread"] = round(statistics.median(ratios), 3), ends
            print(f"{mbps} Mbit/s{'' if kind == 'srt' else ', no AES':9}{middle['ours'] * 1000:>12.2f}"
                  f"{middle[kind] * 1000:>10.2f}{f'{report[key]} ({ends[0]} .. {ends[1]})':>38}")
            if kind == "srt" and (worst is None or report[key] > report[worst]):
                worst = key
        for kind, rs in results.items():
            report[f"cpu_s_per_mb_{kind}_{mbps}mbit"] = round(middle[kind], 5)
            report[f"delivered_share_{kind}_{mbps}mbit"] = min(r["share"] for r in rs)
    report["cpu_ratio_to_srt"], report["cpu_ratio_to_srt_spread"] = report[worst], report[worst + "_spread"]
    return report


def main():
    args = argparse.ArgumentParser()
    args.add_argument("root")
    args.add_argument("build")
    args.add_argument("--quick", action="store_true", help="one pair a rate, 4 s")
    args.add_argument("--rate", type=int, choices=MBPS, action="append")
    args.add_argument("--rounds", type=int, default=4)
    args.add_argument("--side", nargs=6)
    args = args.parse_args()
    common.start(args.build)
    if args.side:
        what, kind, folder, port, seconds, mbps = args.side
        if what == "send":
            send(kind, folder, port, int(seconds), int(mbps))
        else:
            receive(kind, folder, port)
        return 0
    rounds, seconds = (1, 4) if args.quick else (args.rounds, 6)
    with tempfile.TemporaryDirectory() as folder:
        common.certificate(folder)
        table = {mbps: measure(args, folder, mbps, rounds, seconds) for mbps in args.rate or MBPS}
    report = tell(table)
    print(json.dumps(report))
    return 0 if report else 1


if __name__ == "__main__":
    sys.exit(main())
