"""rivals.py - the pipelines that frames.py compares: those of upstream's documentation, and ours.

    ours         svcav1enc ! tvlsink                        tvlsrc ! svcav1dec                 both links
    srt          x264enc ! mpegtsmux ! srtsink              srtsrc ! tsdemux ! avdec_h264      link a
    rist         x264enc ! mpegtsmux ! rtpmp2tpay ! ristsink bonding-method=broadcast          both links
    rist-robin   the same with bonding-method=round-robin                                      both links
    webrtc       x264enc ! rtph264pay ! webrtcbin, NACK on  webrtcbin ! rtph264depay ...       link a

srtsink of GStreamer 1.22 has no bonding (libsrt's socket groups are not offered), and ICE chooses one pair of
candidates: both get the link that is better on the whole. Names: `in` takes pictures, `out` shows them, `coded`
lets coded video through before the transport, `dec` decodes.
"""
import threading
import time

import common
from common import FPS, HEIGHT, WIDTH, Gst

import gi

gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GstSdp, GstWebRTC  # noqa: E402,F401

LATENCY_MS = 300
KBPS = 2000
LAYERS = "layers=L3T2 layer-bitrates=\"<150,350,1500>\""  # KBPS together
SOURCE = (f"appsrc name=in is-live=true format=time do-timestamp=true "
          f"caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1 ! queue ")
SHOWN = (f"videoconvert ! videoscale ! video/x-raw,format=I420,width={WIDTH},height={HEIGHT} ! "
         "appsink name=out sync=false emit-signals=true max-buffers=0")
X264 = (f"x264enc tune=zerolatency speed-preset=veryfast bitrate={KBPS} key-int-max={2 * FPS} ! h264parse ! "
        "identity name=coded ! ")
TS_IN = f"tsdemux ! h264parse ! avdec_h264 name=dec ! {SHOWN}"


class Run:
    """Pipelines of one sender and one receiver over links (name, keys of vlink), and what came out."""

    def __init__(self, build, folder, seed, links, changes):
        self.build, self.folder, self.seed, self.link_keys, self.changes = build, folder, seed, links, changes
        self.pipelines, self.links, self.shown = [], None, []
        self.bytes = {"coded": 0, "dec": 0}
        self.signalling = None

    def add(self, description):
        pipeline = Gst.parse_launch(description)
        if not isinstance(pipeline, Gst.Pipeline):  # one element only
            alone, pipeline = pipeline, Gst.Pipeline()
            pipeline.add(alone)
        self.pipelines.append(pipeline)
        self.hear(pipeline)
        return pipeline

    def hear(self, bin_):
        """Pictures and coded bytes of whatever of it has such."""
        out = bin_.get_by_name("out")
        if out:
            out.connect("new-sample", self.on_sample)
        for name in self.bytes:
            element = bin_.get_by_name(name)
            if element:
                element.get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, self.on_buffer, name)

    def on_buffer(self, _pad, info, name):
        self.bytes[name] += info.get_buffer().get_size()
        return Gst.PadProbeReturn.OK

    def on_sample(self, sink):
        now = time.monotonic()
        buffer = sink.emit("pull-sample").get_buffer()
        self.shown.append((now, buffer.extract_dup(0, WIDTH * HEIGHT)))
        return Gst.FlowReturn.OK

    def start_links(self, targets):
        """targets: (link's index, suffix of its name, listen, to). Several of one link have its rate each: RIST's
        RTCP has ports of its own."""
        changes = [f"{when}:{link}{suffix}.{what}" for when, link, what in self.changes
                   for i, suffix, _, _ in targets if self.link_keys[i][0] == link]
        self.links = common.Links(self.build, self.seed, [
            (self.link_keys[i][0] + suffix, listen, to, self.link_keys[i][1]) for i, suffix, listen, to in targets],
            changes, self.folder)

    def play(self):
        for p in reversed(self.pipelines):  # receiver, added last, first
            p.set_state(Gst.State.PLAYING)

    def close(self):
        """Bytes that went into each link, both directions, IP and UDP headers counted."""
        for p in self.pipelines:
            p.set_state(Gst.State.NULL)
        return self.links.close() if self.links else {}


def ours(run):
    pem, key = common.certificate(run.folder)
    port = common.free_ports(3)
    run.start_links([(i, "", f"127.0.0.1:{port + 1 + i}", f"127.0.0.1:{port}") for i in range(2)])
    paths = ";".join(f"to=127.0.0.1:{port + 1 + i},name={run.link_keys[i][0]}" for i in range(2))
    sender = run.add(f"{SOURCE} ! svcav1enc name=enc {LAYERS} ! identity name=coded ! "
                     f"tvlsink mode=listener uri=moqt://127.0.0.1:{port}/live latency={LATENCY_MS} "
                     f"tls-certificate={pem} tls-key={key}")
    run.add(f"tvlsrc uri=moqt://127.0.0.1:{port}/live paths=\"{paths}\" latency={LATENCY_MS} tls-ca={pem} ! "
            f"svcav1dec name=dec ! {SHOWN}")
    sender.set_state(Gst.State.PLAYING)
    run.play()
    return sender


def srt(run):
    port = common.free_ports(2)
    run.start_links([(0, "", f"127.0.0.1:{port + 1}", f"127.0.0.1:{port}")])
    sender = run.add(f"{SOURCE} ! {X264} mpegtsmux alignment=7 ! srtsink uri=srt://127.0.0.1:{port + 1} "
                     f"latency={LATENCY_MS} wait-for-connection=false")
    run.add(f"srtsrc uri=srt://127.0.0.1:{port}?mode=listener latency={LATENCY_MS} ! {TS_IN}")
    run.play()
    return sender


def rist(run, method="broadcast"):
    port = common.free_ports(8)
    targets = []
    for i in range(2):
        for rtcp in range(2):
            targets.append((i, "-rtcp" if rtcp else "", f"127.0.0.1:{port + 4 + 2 * i + rtcp}",
                            f"127.0.0.1:{port + 2 * i + rtcp}"))
    run.start_links(targets)
    to = ",".join(f"127.0.0.1:{port + 4 + 2 * i}" for i in range(2))
    at = ",".join(f"127.0.0.1:{port + 2 * i}" for i in range(2))
    sender = run.add(f"{SOURCE} ! {X264} mpegtsmux alignment=7 ! rtpmp2tpay ! "
                     f"ristsink bonding-addresses=\"{to}\" bonding-method={method} sender-buffer={4 * LATENCY_MS}")
    run.add(f"ristsrc bonding-addresses=\"{at}\" receiver-buffer={LATENCY_MS} ! rtpmp2tdepay ! {TS_IN}")
    run.play()
    return sender


def rist_robin(run):
    return rist(run, "round-robin")


class Signalling:
    """Offer and answer between two webrtcbins of this process; the link stands in the answerer's candidate."""

    def __init__(self, run, sender, receiver):
        self.run, self.caller, self.answerer = run, sender.get_by_name("w"), receiver.get_by_name("w")
        self.receiver, self.lock, self.known = receiver, threading.Lock(), False
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
        with self.lock:
            if self.known or part[2].upper() != "UDP" or ":" in part[4] or part[7] != "host":
                return
            self.known = True
        port = common.free_ports(1)
        self.run.start_links([(0, "", f"{part[4]}:{port}", f"{part[4]}:{part[5]}")])
        part[5] = str(port)
        self.caller.emit("add-ice-candidate", line, " ".join(part))

    def on_pad(self, _answerer, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        tail = Gst.parse_bin_from_description(f"rtph264depay ! h264parse ! avdec_h264 name=dec ! {SHOWN}", True)
        self.run.hear(tail)
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


RIVALS = {"ours": ours, "srt": srt, "rist": rist, "rist-robin": rist_robin, "webrtc": webrtc}
