#!/usr/bin/python3
"""
cpu.py - CPU time per delivered megabyte, tvlsink -> tvlsrc against srtsink -> srtsrc, over loopback.

Sender and receiver are processes of their own, one core each where there are two. Both senders push the same coded
buffers (layer units, coded beforehand) at the same times out of memory; both receivers write what comes to a file of
which the size is what was delivered. Counted is getrusage of each process from the first buffer (of the receiver:
from its start, less what it used until the first byte) to the end. SRT runs with a passphrase and AES-128, as our
transport always encrypts, and without (`_plain`). Runs alternate; the ratio is that of the medians of neighbours.

usage: cpu.py ROOT BUILD [--quick]      last line: JSON
       cpu.py --side send|receive ours|srt|plain ...      (of itself)
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

KBPS = 8000
LATENCY_MS = 300
SRT_KEY = "passphrase=0123456789abcdef pbkeylen=16"


def used():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def coded(seconds):
    """(caps, buffers) of layered AV1 at KBPS."""
    p = Gst.parse_launch(f"videotestsrc pattern=snow num-buffers={seconds * FPS} ! video/x-raw,width=640,height=360,"
                         f"framerate={FPS}/1 ! svcav1enc layers=L3T2 speed=10 bitrate={KBPS} ! "
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
    return caps, buffers


def send(kind, folder, port, seconds):
    caps, buffers = coded(seconds)
    if kind == "ours":
        tail = (f"tvlsink name=t mode=listener uri=moqt://127.0.0.1:{port}/live latency={LATENCY_MS} "
                f"tls-certificate={folder}/server.pem tls-key={folder}/server.key")
        p = Gst.parse_launch(f"appsrc name=in is-live=true format=time ! {tail}")
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
    before = used()
    p.set_state(Gst.State.PLAYING)
    print("ready", flush=True)
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


def once(args, kind, folder, seconds):
    """CPU seconds per megabyte delivered, of sender and receiver together, and what they said."""
    port = common.free_ports(1)
    sender = side(args.root, args.build, 0, "send", kind, folder, port, seconds)
    receiver = None
    try:
        line(sender)
        receiver = side(args.root, args.build, 1, "receive", kind, folder, port, seconds)
        line(receiver)
        time.sleep(1)  # connected
        sender.stdin.write("go\n")
        sent = json.loads(line(sender))
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
    return {"per_mb": (sent["cpu_s"] + got["cpu_s"]) / megabytes if megabytes else None,
            "send_s": round(sent["cpu_s"], 3), "receive_s": round(got["cpu_s"], 3),
            "share": round(got["delivered"] / sent["offered"], 4), "errors": sent["errors"] + got["errors"]}


def main():
    args = argparse.ArgumentParser()
    args.add_argument("root")
    args.add_argument("build")
    args.add_argument("--quick", action="store_true", help="one pair, 5 s")
    args.add_argument("--side", nargs=5)
    args = args.parse_args()
    common.start(args.build)
    if args.side:
        what, kind, folder, port, seconds = args.side
        if what == "send":
            send(kind, folder, port, int(seconds))
        else:
            receive(kind, folder, port)
        return 0
    rounds, seconds = (1, 5) if args.quick else (5, 10)
    results = {"ours": [], "srt": [], "plain": []}
    with tempfile.TemporaryDirectory() as folder:
        common.certificate(folder)
        for _ in range(rounds):
            for kind, list_ in results.items():
                list_.append(once(args, kind, folder, seconds))
                print(f"{kind:6} {list_[-1]}", flush=True)
    report = {}
    if all(r["per_mb"] for rs in results.values() for r in rs):
        for kind, key in (("srt", "cpu_ratio_to_srt"), ("plain", "cpu_ratio_to_srt_plain")):
            ratios = [a["per_mb"] / b["per_mb"] for a, b in zip(results["ours"], results[kind])]
            report[key] = round(statistics.median(ratios), 3)
            report[key + "_spread"] = [round(min(ratios), 3), round(max(ratios), 3)]
        for kind, rs in results.items():
            report[f"cpu_s_per_mb_{kind}"] = round(statistics.median(r["per_mb"] for r in rs), 5)
            report[f"delivered_share_{kind}"] = min(r["share"] for r in rs)
    print(json.dumps(report))
    return 0 if report else 1


if __name__ == "__main__":
    sys.exit(main())
