#!/usr/bin/python3
"""
leaks.py - what is left of start/stop cycles of all elements.

tests/unit/gst/test_cycles.c, built with AddressSanitizer, starts and stops each element and whole pipelines, with a
peer, with none, and in the middle of a handshake. `leaks` is the number of blocks of memory that LeakSanitizer finds lost
with code of ours among their callers, of objects that GStreamer's leaks tracer finds alive after gst_deinit(), of
elements that nobody let go, and of descriptors. `leaks_growth_kib_per_cycle` is how the resident memory of a process grows
that does a sender and a receiver over and over, without either, in the benchmark's build: what is found again and kept.

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
OURS = r"in (\S+ \S*(?:gst|gst-libs|peer|svc|moq|libtvl|tests)/\S+\.c:\d+)"


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


def growth(root, build, n):
    """KiB per cycle; None: not every cycle showed a picture."""
    done = subprocess.run([sys.executable, os.path.abspath(__file__), root, build, "--cycles", str(WARM + n)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=900)
    if done.returncode:
        raise RuntimeError(f"{n} cycles: exit status {done.returncode}\n{done.stderr[-2000:]}")
    said = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"{said['shown']} of {WARM + n} cycles showed a picture")
    return round(said["kib"] / n, 1) if said["shown"] == WARM + n else None


def lost_blocks(report):
    """(blocks of ours, blocks of others') that LeakSanitizer reports, with the first of our frames told of each."""
    ours, others = 0, 0
    for kind, count, stack in re.findall(r"^(Direct|Indirect) leak of \d+ byte\(s\) in (\d+) object\(s\).*\n((?: +#.*\n)*)",
                                         report, re.MULTILINE):
        frames = re.findall(OURS, stack)
        print(f"{kind.lower()} leak of {count}: " + (frames or re.findall(r"in (\S+)", stack) or ["?"])[0])
        if frames:
            ours += int(count)
        else:
            others += int(count)
    return ours, others


def sanitized(root, n):
    """What test_gst_cycles leaves behind in n cycles: (a number, how it ended)."""
    program = os.path.join(root, "build-asan", "tests", "unit", "gst", "test_gst_cycles")
    env = {**os.environ, "GST_DEBUG": "GST_TRACER:7", "GST_DEBUG_NO_COLOR": "1",
           "ASAN_OPTIONS": "detect_leaks=1:exitcode=23",
           "LSAN_OPTIONS": f"suppressions={root}/tools/lsan.supp:print_suppressions=0"}
    done = subprocess.run([program, str(n)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, timeout=900, errors="replace")
    objects = re.findall(r"object-alive, type-name=\(string\)([\w:]+)", done.stderr)
    for kind in sorted(set(objects)):
        print(f"alive: {objects.count(kind)} {kind}")
    ours, others = lost_blocks(done.stderr)
    said = json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else {}
    if not said:
        print(done.stderr[-2000:])
    left = ours + len(objects) + said.get("elements_alive", 0) + max(said.get("descriptors_more", 0), 0)
    print(f"{n} cycles of each scene: {left} left of ours, {others} blocks of others'; exit status {done.returncode}")
    return left, bool(said) and (done.returncode == 0 or left > 0 or others > 0)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("root")
    args.add_argument("build")
    args.add_argument("--quick", action="store_true", help="10 cycles")
    args.add_argument("--cycles", type=int)
    args = args.parse_args()
    if args.cycles:
        common.start(args.build)
        cycles(args.cycles)
        return 0
    n = 10 if args.quick else CYCLES
    leaks, well = sanitized(args.root, n)
    kib = growth(args.root, args.build, n)
    print(json.dumps({"leaks": leaks if well else None, "leaks_cycles": n, "leaks_growth_kib_per_cycle": kib}))
    return 0 if well and kib is not None else 1


if __name__ == "__main__":
    sys.exit(main())
