#!/usr/bin/python3
"""
leaks.py - objects of ours that are alive after start/stop cycles of all four elements.

One process builds svcav1enc ! tvlsink and tvlsrc ! svcav1dec, plays until a picture is out, stops and forgets them,
over and over. GStreamer's leaks tracer then lists what is alive: objects, buffers, events, caps. `leaks` is how many
more there are than after WARM cycles (what is made once and kept is no leak). The resident memory at both
moments is told too (`leaks_growth_kib_per_cycle`): what malloc alone would show.

usage: leaks.py ROOT BUILD [--quick]      last line: JSON
       leaks.py ROOT BUILD --cycles N     of itself
"""
import argparse
import ctypes
import gc
import json
import os
import re
import subprocess
import sys
import tempfile

import common
from common import Gst

WARM, CYCLES = 5, 100
PLAYED_WITHIN = 10 * Gst.SECOND


def rss_kib():
    """Resident memory, without what the allocator only keeps for later."""
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def cycle(folder):
    port = common.free_ports(1)
    sender = Gst.parse_launch(
        "videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=30/1 ! "
        "svcav1enc layers=L2T2 speed=10 ! "
        f"tvlsink mode=listener uri=moqt://127.0.0.1:{port}/live tls-certificate={folder}/server.pem "
        f"tls-key={folder}/server.key")
    receiver = Gst.parse_launch(
        f"tvlsrc uri=moqt://127.0.0.1:{port}/live paths=127.0.0.1 tls-ca={folder}/server.pem latency=100 ! svcav1dec ! "
        "appsink name=out sync=false max-buffers=2 drop=true")
    sender.set_state(Gst.State.PLAYING)
    receiver.set_state(Gst.State.PLAYING)
    sample = receiver.get_by_name("out").emit("try-pull-sample", PLAYED_WITHIN)
    for p in (receiver, sender):
        p.set_state(Gst.State.NULL)
    return sample is not None


def cycles(n):
    """Runs them; prints how many showed a picture, and the memory."""
    with tempfile.TemporaryDirectory() as folder:
        common.certificate(folder)
        shown, begun = 0, 0
        for i in range(n):
            shown += cycle(folder)
            gc.collect()
            if i == WARM - 1:
                begun = rss_kib()
        print(json.dumps({"shown": shown, "kib": rss_kib() - begun}), flush=True)
    Gst.deinit()


def alive(root, build, n, traced=True):
    """(objects that the tracer lists after n cycles, what the process said)"""
    env = {**os.environ, "GST_DEBUG_NO_COLOR": "1"}
    if traced:
        env.update({"GST_TRACERS": "leaks", "GST_DEBUG": "GST_TRACER:7"})
    done = subprocess.run([sys.executable, os.path.abspath(__file__), root, build, "--cycles", str(n)], env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=900)
    if done.returncode:
        raise RuntimeError(f"{n} cycles: exit status {done.returncode}\n{done.stderr[-2000:]}")
    kinds = re.findall(r"object-alive, type-name=\(string\)([\w:]+)", done.stderr)
    return kinds, json.loads(done.stdout.strip().splitlines()[-1])


def main():
    args = argparse.ArgumentParser()
    args.add_argument("root")
    args.add_argument("build")
    args.add_argument("--quick", action="store_true", help="10 cycles")
    args.add_argument("--cycles", type=int)
    args = args.parse_args()
    common.start(args.build)
    if args.cycles:
        cycles(args.cycles)
        return 0
    n = 10 if args.quick else CYCLES
    before, _ = alive(args.root, args.build, WARM)
    after, said = alive(args.root, args.build, WARM + n)
    _, untraced = alive(args.root, args.build, WARM + n, traced=False)  # the tracer needs memory itself
    more = {k: after.count(k) - before.count(k) for k in set(after) if after.count(k) > before.count(k)}
    for kind, count in sorted(more.items()):
        print(f"alive: {count} {kind}")
    print(f"{said['shown']} of {WARM + n} cycles showed a picture")
    print(json.dumps({"leaks": sum(more.values()), "leaks_cycles": n,
                      "leaks_growth_kib_per_cycle": round(untraced["kib"] / n, 1)}))
    return 0 if said["shown"] == WARM + n else 1


if __name__ == "__main__":
    sys.exit(main())
