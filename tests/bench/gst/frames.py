#!/usr/bin/python3
"""
frames.py - the same pictures, live, through the same two lossy links: srtsink, ristsink and webrtcbin as their
documentation shows them, and the same pipeline with svcav1enc and tvlsink. How many pictures come out of the
receiver's decoder within the latency that all were given, and a margin for the codec?

Sender and receiver run in one process, so one clock times both. A picture is known by the number drawn into it.
Each gets the same rate for its encoder, the same latency, the same seeds; SRT and WebRTC know one path and get the
better one; RIST bonds two (broadcast, its default). In the case `fading` the better link narrows to less than
the stream for 2.5 s, and the other is dead for 3 s later. The first WARM seconds, in which all connect, do not count.

usage: frames.py ROOT BUILD [--quick] [--only NAME] [--case CASE] [--seeds N]      last line: JSON
"""
import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time

import numpy

import common
from common import FPS, HEIGHT, WIDTH, Gst

import gi

gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GstSdp, GstWebRTC  # noqa: E402

LATENCY_MS = 300
MARGIN_MS = 150  # encoder, decoder, converters
WARM_S = 4
TAIL = 15  # pictures after the last that counts: parsers and decoders hold some back
KBPS = 2000
# name, keys. The better one can carry all of the stream and its repair by itself.
LINKS = [("a", "rate=4mbit,delay=20ms,jitter=2ms,ge=0.01:0.3:0:0.5"),
         ("b", "rate=3mbit,delay=40ms,jitter=4ms,ge=0.01:0.25:0:0.5")]
# What happens to the links meanwhile: the keys of `lossy` have no suffix.
CASES = {"lossy": [], "fading": [("6s", "a", "rate=800kbit"), ("8500ms", "a", "rate=4mbit"),
                                 ("14s", "b", "down"), ("17s", "b", "up")]}
SOURCE = (f"appsrc name=in is-live=true format=time do-timestamp=true "
          f"caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1 ! queue ")
SHOWN = (f"videoconvert ! videoscale ! video/x-raw,format=I420,width={WIDTH},height={HEIGHT} ! "
         "appsink name=out sync=false emit-signals=true max-buffers=0")
X264 = f"x264enc tune=zerolatency speed-preset=veryfast bitrate={KBPS} key-int-max={2 * FPS} ! h264parse ! "
TS_IN = f"tsdemux ! h264parse ! avdec_h264 ! {SHOWN}"


def number_of(luma):
    """The number drawn into a picture (media/testclip_number.h), or None."""
    strip = HEIGHT // 24
    rows = luma[HEIGHT - strip + strip // 4:HEIGHT - strip // 4]
    bits = 0
    for i in range(24):
        block = rows[:, WIDTH * (4 * i + 1) // 96:WIDTH * (4 * i + 3) // 96]
        bits = bits << 1 | int(block.mean() > 126)
    number, crc = bits >> 8, 0xA5
    for byte in (number >> 8, number & 255):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 7) & 255 if crc & 128 else crc << 1
    return number if crc == bits & 255 else None


class Run:
    """Pipelines of one sender and one receiver, and what came out."""

    def __init__(self, build, folder, seed, case):
        self.build, self.folder, self.seed, self.changes = build, folder, seed, CASES[case]
        self.pipelines, self.links, self.shown = [], None, []

    def add(self, description):
        pipeline = Gst.parse_launch(description)
        if not isinstance(pipeline, Gst.Pipeline):  # one element only
            alone, pipeline = pipeline, Gst.Pipeline()
            pipeline.add(alone)
        self.pipelines.append(pipeline)
        self.hear(pipeline.get_by_name("out"))
        return pipeline

    def hear(self, sink):
        if sink:
            sink.connect("new-sample", self.on_sample)

    def on_sample(self, sink):
        now = time.monotonic()
        buffer = sink.emit("pull-sample").get_buffer()
        self.shown.append((now, buffer.extract_dup(0, WIDTH * HEIGHT)))
        return Gst.FlowReturn.OK

    def start_links(self, targets):
        """targets: (link's index, name, listen, to)"""
        changes = [f"{when}:{n}.{what}" for when, link, what in self.changes for i, n, _, _ in targets
                   if LINKS[i][0] == link]
        self.links = common.Links(self.build, self.seed, [(n, listen, to, LINKS[i][1]) for i, n, listen, to in targets],
                                  changes)

    def play(self):
        for p in reversed(self.pipelines):  # receiver, added last, first
            p.set_state(Gst.State.PLAYING)

    def close(self):
        for p in self.pipelines:
            p.set_state(Gst.State.NULL)
        if self.links:
            self.links.close()


def ours(run):
    pem, key = common.certificate(run.folder)
    port = common.free_ports(3)
    run.start_links([(i, LINKS[i][0], f"127.0.0.1:{port + 1 + i}", f"127.0.0.1:{port}") for i in range(2)])
    paths = ";".join(f"to=127.0.0.1:{port + 1 + i},name={LINKS[i][0]}" for i in range(2))
    sender = run.add(f"{SOURCE} ! svcav1enc layers=L3T2 speed=10 bitrate={KBPS} ! "
                     f"tvlsink mode=listener uri=moqt://127.0.0.1:{port}/live latency={LATENCY_MS} "
                     f"tls-certificate={pem} tls-key={key}")
    run.add(f"tvlsrc uri=moqt://127.0.0.1:{port}/live paths=\"{paths}\" latency={LATENCY_MS} tls-ca={pem} ! "
            f"svcav1dec ! {SHOWN}")
    sender.set_state(Gst.State.PLAYING)
    run.play()
    return sender


def srt(run):
    port = common.free_ports(2)
    run.start_links([(0, "a", f"127.0.0.1:{port + 1}", f"127.0.0.1:{port}")])
    sender = run.add(f"{SOURCE} ! {X264} mpegtsmux alignment=7 ! srtsink uri=srt://127.0.0.1:{port + 1} "
                     f"latency={LATENCY_MS} wait-for-connection=false")
    run.add(f"srtsrc uri=srt://127.0.0.1:{port}?mode=listener latency={LATENCY_MS} ! {TS_IN}")
    run.play()
    return sender


def rist(run):
    port = common.free_ports(8)
    targets = []
    for i in range(2):
        for rtcp in range(2):
            targets.append((i, f"{LINKS[i][0]}{rtcp}", f"127.0.0.1:{port + 4 + 2 * i + rtcp}",
                            f"127.0.0.1:{port + 2 * i + rtcp}"))
    run.start_links(targets)
    to = ",".join(f"127.0.0.1:{port + 4 + 2 * i}" for i in range(2))
    at = ",".join(f"127.0.0.1:{port + 2 * i}" for i in range(2))
    sender = run.add(f"{SOURCE} ! {X264} mpegtsmux alignment=7 ! rtpmp2tpay ! "
                     f"ristsink bonding-addresses=\"{to}\" sender-buffer={4 * LATENCY_MS}")
    run.add(f"ristsrc bonding-addresses=\"{at}\" receiver-buffer={LATENCY_MS} ! rtpmp2tdepay ! {TS_IN}")
    run.play()
    return sender


class Signalling:
    """Offer and answer between two webrtcbins of this process; the link stands in the answerer's candidate."""

    def __init__(self, run, sender, receiver):
        self.run, self.caller, self.answerer = run, sender.get_by_name("w"), receiver.get_by_name("w")
        self.receiver, self.lock, self.waiting = receiver, threading.Lock(), []
        self.known = False
        self.caller.connect("on-negotiation-needed", self.on_needed)
        self.answerer.connect("on-ice-candidate", self.on_candidate)
        self.answerer.connect("pad-added", self.on_pad)

    def on_needed(self, caller):
        caller.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer))

    def on_offer(self, promise):
        reply = promise.get_reply()  # owns the description
        offer = reply.get_value("offer")
        self.caller.emit("set-local-description", offer, Gst.Promise.new())
        # after the remote description: transceivers exist
        self.answerer.emit("set-remote-description", offer, Gst.Promise.new_with_change_func(self.on_remote))

    def on_remote(self, _promise):
        self.answerer.emit("create-answer", None, Gst.Promise.new_with_change_func(self.on_answer))

    def on_answer(self, promise):
        reply = promise.get_reply()
        answer = reply.get_value("answer")
        self.answerer.emit("set-local-description", answer, Gst.Promise.new())
        self.caller.emit("set-remote-description", answer, Gst.Promise.new())

    def on_candidate(self, _answerer, line, text):
        part = text.split()
        if self.known or part[2].upper() != "UDP" or ":" in part[4] or part[7] != "host":
            return
        self.known = True
        port = common.free_ports(1)
        self.run.start_links([(0, "a", f"{part[4]}:{port}", f"{part[4]}:{part[5]}")])
        part[5] = str(port)
        self.caller.emit("add-ice-candidate", line, " ".join(part))

    def on_pad(self, _answerer, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        tail = Gst.parse_bin_from_description(f"rtph264depay ! h264parse ! avdec_h264 ! {SHOWN}", True)
        self.run.hear(tail.get_by_name("out"))
        self.receiver.add(tail)
        tail.sync_state_with_parent()
        pad.link(tail.get_static_pad("sink"))


def webrtc(run):
    # as upstream's webrtc-unidirectional-h264, whose encoder is then the others'
    sender = run.add(f"{SOURCE} ! {X264} rtph264pay config-interval=-1 aggregate-mode=zero-latency ! "
                     "application/x-rtp,media=video,encoding-name=H264,payload=96 ! "
                     f"webrtcbin name=w bundle-policy=max-bundle latency={LATENCY_MS}")
    receiver = run.add(f"webrtcbin name=w bundle-policy=max-bundle latency={LATENCY_MS}")
    run.signalling = Signalling(run, sender, receiver)
    sender.get_by_name("w").emit("get-transceiver", 0).set_property("do-nack", True)
    receiver.get_by_name("w").connect("on-new-transceiver", lambda _w, t: t.set_property("do-nack", True))
    run.play()
    return sender


RIVALS = {"ours": ours, "srt": srt, "rist": rist, "webrtc": webrtc}


def judge(run, pictures, handed):
    """Of the pictures that count: share in time, mean PSNR of these, median lateness."""
    first, end = WARM_S * FPS, len(handed) - TAIL
    seen = {}
    for when, data in run.shown:
        luma = numpy.frombuffer(data, dtype=numpy.uint8).reshape(HEIGHT, WIDTH)
        number = number_of(luma)
        if number is not None and first <= number < end and number not in seen:
            seen[number] = ((when - handed[number]) * 1000, luma)
    in_time = {n: v for n, v in seen.items() if v[0] <= LATENCY_MS + MARGIN_MS}
    psnr = []
    for n, (_, luma) in in_time.items():
        source = numpy.frombuffer(pictures[n], dtype=numpy.uint8, count=WIDTH * HEIGHT).reshape(HEIGHT, WIDTH)
        error = ((source.astype(numpy.int32) - luma) ** 2).mean()
        psnr.append(10 * numpy.log10(255 ** 2 / max(error, 0.01)))
    after = sorted(v[0] for v in seen.values())
    return {"in_time": len(in_time) / (end - first),
            "clean": sum(p >= 25 for p in psnr) / (end - first),
            "psnr": float(numpy.mean(psnr)) if psnr else None,
            "delay_ms": after[len(after) // 2] if after else None}


def once(name, build, folder, seed, case, pictures):
    run = Run(build, folder, seed, case)
    try:
        sender = RIVALS[name](run)
        handed = common.push_live(sender.get_by_name("in"), pictures, time.monotonic())
        time.sleep((LATENCY_MS + 2 * MARGIN_MS) / 1000)
        errors = common.said(run.pipelines)
    finally:
        run.close()
    result = judge(run, pictures, handed)
    if errors:
        result["errors"] = errors
    return result


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    args.add_argument("root")
    args.add_argument("build")
    args.add_argument("--quick", action="store_true", help="one seed, 6 s: before the link that dies does")
    args.add_argument("--only", choices=sorted(RIVALS), action="append")
    args.add_argument("--case", choices=sorted(CASES), action="append")
    args.add_argument("--seeds", type=int, default=5)
    args = args.parse_args()
    common.start(args.build)
    seeds = 1 if args.quick else args.seeds
    seconds = WARM_S + (6 if args.quick else 20)
    cases = args.case or list(CASES)
    rivals = args.only or list(RIVALS)
    table = {(case, name): [] for case in cases for name in rivals}
    with tempfile.TemporaryDirectory() as folder:
        pictures = common.clip(args.build, folder, seconds)
        for seed in range(1, seeds + 1):
            for (case, name), results in table.items():
                results.append(once(name, args.build, folder, seed, case, pictures))
                print(f"{case} {name:8} seed {seed}: {results[-1]}", flush=True)
    report = {}
    print(f"\n{'':15} in time (least .. most)     clean  PSNR dB   median ms")
    for (case, name), results in table.items():
        key = name if case == "lossy" else f"{name}_{case}"
        share = [r["in_time"] for r in results]
        report[f"frames_in_time_{key}"] = round(statistics.mean(share), 4)
        report[f"frames_in_time_{key}_spread"] = [round(min(share), 4), round(max(share), 4)]
        for what in ("clean", "psnr", "delay_ms"):
            known = [r[what] for r in results if r[what] is not None]
            report[f"frames_{what}_{key}"] = round(statistics.mean(known), 4) if known else None
        print(f"{case:6} {name:8} {statistics.mean(share):.3f} ({min(share):.3f} .. {max(share):.3f})     "
              f"{report[f'frames_clean_{key}']}  {report[f'frames_psnr_{key}']}  {report[f'frames_delay_ms_{key}']}")
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
