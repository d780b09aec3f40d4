#!/usr/bin/python3
"""gstreamer.py ROOT BUILD - GStreamer's elements and the programs, each as the other end: tvlsink to
svc-player, svc-server to tvlsrc and tvlsink to tvlsrc over two links, one of which dies; a sender that
is killed and comes back, also one that calls, a relay likewise; gst-launch-1.0, decodebin3 and playbin3. Every picture that is shown is one
that the decoder shows beside the encoder, bit by bit, and comes in order.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zlib

import material
import analysis
from clip import program_path
from live_report import exit_code
from programs import Programs, free_udp_ports, wait_for_udp

PATIENCE_S = 30
WIDTH, HEIGHT = 320, 180
LAYERS = 2          # of the test picture, spatial
PLUGIN = os.path.join(material.BUILD, "gst")
WATCH = os.path.join(material.BUILD, "tests", "e2e", "gst_watch")
TOLD = {"GST_DEBUG": "*:WARNING", "GST_DEBUG_NO_COLOR": "1"}


def with_env(**more):
    """What goes before a command that is to have these variables: the environment here is all stories'."""
    return [shutil.which("env"), *(f"{name}={value}" for name, value in more.items())]


def warnings(log):
    """What was warned of in a run under TOLD. GStreamer's resampler says so of some rates, and goes on."""
    with open(log, encoding="utf-8") as f:
        return [line.strip() for line in f
                if any(word in line for word in (" WARN ", " ERROR ", "CRITICAL", "WARNING"))
                and " audio-resampler " not in line]


class Watch:
    """gst_watch with one pipeline: what it said so far."""

    def __init__(self, programs, name, pipeline, **more):
        self.program = programs.start(name, [*with_env(**more), WATCH, pipeline])

    def lines(self):
        rows = []
        with open(self.program.log, encoding="utf-8") as f:
            for line in f:
                try:
                    rows.append(json.loads(line))
                except ValueError:
                    pass  # stderr, or being written
        return rows

    def pictures(self, sink="v"):
        return [r for r in self.lines() if r.get("sink") == sink]

    def said(self, kind):
        return [r for r in self.lines() if kind in r]

    def wait_for(self, what, holds):
        until = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > until:
                raise self.program.failed(f"not within {PATIENCE_S} s: {what}")
            self.program.check_alive()
            time.sleep(0.1)

    def end(self):
        self.program.process.send_signal(signal.SIGTERM)
        self.program.wait(10)


class Links:
    """Two links to `port`, as programs know them and as tvlsrc's property."""

    def __init__(self, programs, folder, port, rate_bps):
        self.names = ["wifi", "lte"]
        self.ports = free_udp_ports(2)
        self.stats = os.path.join(folder, "links.jsonl")
        links = [material.scenario.Link(name, rate_bps, delay)
                 for name, delay in zip(self.names, (10, 30))]
        self.vlink = programs.start("vlink", [
            program_path("vlink"), "--control", "--stats", self.stats + ":100ms",
            *(w for link, p in zip(links, self.ports) for w in ("--link", link.spec(p, port)))],
            stdin=subprocess.PIPE)
        for p in self.ports:
            wait_for_udp(self.vlink, p)
        self.specs = [f"local=127.0.0.1,to=127.0.0.1:{p},name={name}"
                      for name, p in zip(self.names, self.ports)]
        self.uri = f"moqt://127.0.0.1:{self.ports[0]}/{material.scenario.NAMESPACE}"

    def both_carried(self):
        rows = material.scenario.read_lines(self.stats)
        carried = {n: analysis.link_total(rows, n)["bytes"] for n in self.names}
        print(f"bytes {carried}")
        return all(carried.values())


def source(uri, paths, latency_ms=400):
    ca = material.pki()["ca.pem"]
    return f'tvlsrc uri={uri} paths="{";".join(paths)}" tls-ca={ca} latency={latency_ms}'


def certificate():
    pki = material.pki()
    return f"tls-certificate={pki['server.pem']} tls-key={pki['server.key']}"


def listening(port):
    return f"mode=listener uri=moqt://127.0.0.1:{port}/{material.scenario.NAMESPACE} {certificate()}"


def calling(links):
    return f'uri={links.uri} paths="{";".join(links.specs)}" tls-ca={material.pki()["ca.pem"]}'


def sender(sink, seconds=60):
    """A test picture published by such a `sink`, and beside it what decoders show of it with all its layers
    and with fewer."""
    only = " ".join(f"t. ! queue ! svcav1dec name=only{k} ! fakesink name=v{k} sync=false async=false"
                    for k in range(LAYERS))
    return (f"videotestsrc is-live=true pattern=ball num-buffers={seconds * 30} ! "
            f"video/x-raw,width={WIDTH},height={HEIGHT},framerate=30/1,format=I420 ! "
            f"timeoverlay ! svcav1enc layers=L{LAYERS}T2 speed=10 threads=1 pace=never "
            f"layer-bitrates=\"<150,400>\" ! tee name=t  t. ! queue ! tvlsink latency=400 {sink}  {only}")


def sent_order(watch):
    """{crc: [places at which the sender showed it]} over what all its decoders showed."""
    order = {}
    for k in range(LAYERS):
        for place, row in enumerate(watch.pictures(f"v{k}")):
            order.setdefault(row["crc"], []).append(place)
    return order


def judge(crcs, order):
    """(how many are none that was sent, how many come out of order)."""
    foreign, back, last = 0, 0, -1
    for crc in crcs:
        later = [p for p in order.get(crc, []) if p > last]
        if later:
            last = later[0]
        elif crc in order:
            back += 1
        else:
            foreign += 1
    return foreign, back


def cut(watch, links, frames):
    """wifi dies when there are `frames` pictures; until there are twice as many."""
    watch.wait_for(f"{frames} pictures", lambda: len(watch.pictures()) >= frames)
    links.vlink.tell("wifi.down")
    watch.wait_for("the other path alone", lambda: len(watch.pictures()) >= 2 * frames)
    watch.wait_for("path-down", lambda: any(r["signal"] == "path-down" for r in watch.said("signal")))


def messages(watch, name):
    return [r["path"] for r in watch.said("message") if r["message"] == name]


def sink_to_player(folder):
    (port,) = free_udp_ports(1)
    report = os.path.join(folder, "player.json")
    with Programs(folder) as running:
        sending = Watch(running, "sender", sender(listening(port)))
        wait_for_udp(sending.program, port)
        links = Links(running, folder, port, 1.5e6)
        player = running.start("svc-player", [
            program_path("svc-player"), "--ca", material.pki()["ca.pem"], "--headless", "--json", report,
            "--duration", "4", *(w for s in links.specs for w in ("--path", s)), links.uri])
        time.sleep(2.5)
        player.check_alive()
        links.vlink.tell("wifi.down")
        player.wait(PATIENCE_S)
        sending.end()
    rows = material.scenario.read_json(report, player)["shown"]
    foreign, back = judge([row[4] for row in rows], sent_order(sending))
    print(f"tvlsink to svc-player: {len(rows)} shown, {foreign} foreign, {back} out of order")
    callers = [r["message"] for r in sending.said("message")]
    return exit_code({"the player shows what was sent": len(rows) > 60 and foreign == 0 and back == 0,
                      "tvlsink tells of its caller": "tvl-caller-added" in callers
                      and "tvl-caller-removed" in callers,
                      "no error": not sending.said("error"),
                      "both links carried": links.both_carried()})


def serve(running, *options):
    """The clip, from its beginning for who comes first."""
    (port,) = free_udp_ports(1)
    pki = material.pki()
    server = running.start("svc-server", [
        program_path("svc-server"), "--cert", pki["server.pem"], "--key", pki["server.key"], "--listen",
        f"127.0.0.1:{port}", "--namespace", material.scenario.NAMESPACE, "--start-on-viewer", *options,
        material.small_clip().layered])
    wait_for_udp(server, port)
    return port


def server_to_source(folder):
    clip = material.small_clip()
    with Programs(folder) as running:
        links = Links(running, folder, serve(running, "--loop"), clip.peak_bps + 200e3)
        seeing = Watch(running, "receiver", source(links.uri, links.specs) +
                       " ! svcav1dec ! fakesink name=v sync=true")
        cut(seeing, links, 60)
        seeing.end()
    known = {crc: picture for (picture, _), (crc, _) in clip.reference.items()}
    seen = [known.get(r["crc"]) for r in seeing.pictures()]
    print(f"svc-server to tvlsrc: {len(seen)} shown, {seen.count(None)} foreign")
    times = [r["pts"] for r in seeing.pictures()]
    return exit_code({"tvlsrc shows what the commands show": None not in seen,
                      "in order": times == sorted(times),
                      "both paths are told": set(messages(seeing, "tvl-path-up")) == set(links.names),
                      "so is the dead one": messages(seeing, "tvl-path-down") == ["wifi"],
                      "no error": not seeing.said("error"),
                      "statistics name the paths": all(n in seeing.said("stats")[0]["stats"]
                                                       for n in links.names),
                      "both links carried": links.both_carried()})


def sink_to_source(folder):
    """The receiver is there first; the sender is killed and comes back."""
    (port,) = free_udp_ports(1)
    with Programs(folder) as running:
        links = Links(running, folder, port, 1.5e6)
        seeing = Watch(running, "receiver", source(links.uri, links.specs) +
                       " ! svcav1dec ! fakesink name=v sync=true")
        time.sleep(0.5)
        sending = Watch(running, "sender", sender(listening(port)))
        seeing.wait_for("30 pictures", lambda: len(seeing.pictures()) >= 30)
        sending.program.process.kill()
        before = len(seeing.pictures())
        sending.program.process.wait(10)
        again = Watch(running, "sender-again", sender(listening(port)))
        seeing.wait_for("the sender is back", lambda: len(seeing.pictures()) >= before + 60)
        seeing.end()
        again.end()
    orders = [sent_order(w) for w in (sending, again)]
    seen = seeing.pictures()
    foreign = sum(not any(r["crc"] in order for order in orders) for r in seen)
    times = [r["pts"] for r in seen]
    print(f"tvlsink to tvlsrc: {before} and {len(seen) - before} shown, {foreign} foreign")
    # What was on its way when the sender was killed was shown there, too, but not always told.
    return exit_code({"tvlsrc shows what was sent": foreign <= 1,
                      "in order": times == sorted(times),
                      "it tells of the break": any(r["message"] == "tvl-interrupted"
                                                   for r in seeing.said("message")),
                      "which is no error": not seeing.said("error")})


def launch(folder, name, pipeline, **more):
    """gst-launch-1.0 as a user calls it; (exit code, what it wrote to stderr)."""
    log = os.path.join(folder, name + ".log")
    with open(log, "w", encoding="utf-8") as out:
        done = subprocess.run(["gst-launch-1.0", "-q", *pipeline], env=dict(os.environ, **more),
                              stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE_S + 10, check=False)
    return done.returncode, done.stderr.strip()


def planes_crcs(path):
    """Of each picture of the largest size in a file of raw I420."""
    size = WIDTH * HEIGHT * 3 // 2
    with open(path, "rb") as f:
        raw = f.read()
    return [zlib.crc32(raw[at:at + size]) for at in range(0, len(raw), size)]


def to_file(folder):
    """The whole clip over two paths, to its end, and not a word of warning."""
    clip = material.small_clip()
    raw = os.path.join(folder, "pictures.i420")
    with Programs(folder) as running:
        port = serve(running)
        paths = [f"local=127.0.0.1,to=127.0.0.1:{port},name={n}" for n in ("one", "two")]
        uri = f"moqt://127.0.0.1:{port}/{material.scenario.NAMESPACE}"
        status, said = launch(folder, "to-file", [
            "tvlsrc", f"uri={uri}", "paths=" + ";".join(paths), "audio=false",
            "tls-ca=" + material.pki()["ca.pem"], "latency=1000", "!", "svcav1dec", "!", "filesink",
            "location=" + raw], **TOLD)
    top = max(s for _, s in clip.reference)
    order = [crc for (_, s), (crc, _) in sorted(clip.reference.items()) if s == top]
    seen = planes_crcs(raw)
    print(f"gst-launch-1.0 to a file: {len(seen)} pictures of {len(order)}; {said or 'no warning'}")
    return exit_code({"it ends with the broadcast": status == 0, "silently": not said,
                      "frame by frame the same": seen == order})


def by_itself(folder):
    """decodebin3 and playbin3 find all they need: pictures and sound, to the end."""
    trust = material.pki()["ca.pem"]
    rules = {}
    with Programs(folder) as running:
        port = serve(running)
        uri = f"moqt://127.0.0.1:{port}/{material.scenario.NAMESPACE}"
        seeing = Watch(running, "decodebin3", f"tvlsrc uri={uri} tls-ca={trust} paths=127.0.0.1 name=s "
                       "decodebin3 name=d s.svc_0 ! d. d. ! video/x-raw ! fakesink name=v sync=true", **TOLD)
        seeing.program.wait(PATIENCE_S)
        rules["decodebin3 warns of nothing"] = not warnings(seeing.program.log)
        rules["decodebin3 shows pictures"] = len(seeing.pictures()) > 30
        rules["and ends"] = bool(seeing.said("eos")) and not seeing.said("error")
    with Programs(folder) as running:
        port = serve(running)
        uri = f"moqt://127.0.0.1:{port}/{material.scenario.NAMESPACE}"
        seeing = Watch(running, "playbin3", f'playbin3 uri={uri} video-sink="fakesink name=v sync=true" '
                       'audio-sink="fakesink name=a sync=true"',
                       SSL_CERT_FILE=trust, **TOLD)  # playbin3 has no property for the authority
        seeing.program.wait(PATIENCE_S)
        rules["playbin3 warns of nothing"] = not warnings(seeing.program.log)
        rules["playbin3 shows pictures"] = len(seeing.pictures()) > 30
        rules["and ends, too"] = bool(seeing.said("eos")) and not seeing.said("error")
    return exit_code(rules)


RELAY = """
listen: 127.0.0.1:{port}
cert: {cert}
key: {key}
sources:
  - {{namespace: live, kind: publish}}
access:
  token_key: {token_key}
  token_algorithm: HS256
  anonymous:
    - {{namespace: live, subscribe: true}}
"""


def relay_config(folder, port):
    """(configuration, token of who may publish)."""
    def tool(*words):
        return subprocess.run([program_path("svc-token"), *words], capture_output=True, text=True,
                              check=True).stdout
    secret, token, config = (os.path.join(folder, n) for n in ("secret", "token", "relay.yaml"))
    if not os.path.exists(secret):
        tool("--new-key", secret, "--algorithm", "HS256")
    pki = material.pki()
    for name, text in ((token, tool("--key", secret, "--publish", "live", "--ttl", "1h")),
                       (config, RELAY.format(port=port, cert=pki["server.pem"], key=pki["server.key"],
                                             token_key=secret))):
        with open(name, "w", encoding="utf-8") as f:
            f.write(text)
    return config, token


def relay(running, port, config):
    server = running.start("svc-server", [program_path("svc-server"), "--config", config])
    wait_for_udp(server, port)
    return server


def published(folder):
    """gst-launch-1.0 publishes two videos and two sounds to a server that comes later, which goes and comes
    back; a receiver that was there before all sees and hears them from there, and a player the first of each."""
    (port,) = free_udp_ports(1)
    trust, uri = material.pki()["ca.pem"], f"moqt://127.0.0.1:{port}/{material.scenario.NAMESPACE}"
    config, token = relay_config(folder, port)
    with Programs(folder) as running:
        publish = [
            *with_env(**TOLD), "gst-launch-1.0", "-q", "-e", "videotestsrc", "is-live=true", "!",
            f"video/x-raw,width={WIDTH},height={HEIGHT},framerate=30/1", "!", "svcav1enc", "layers=L2T2", "pace=never",
            "speed=10", "threads=1", "!", "s.svc_0", "audiotestsrc", "is-live=true", "!", "audioconvert",
            "!", "opusenc", "!", "s.audio_0",
            "videotestsrc", "is-live=true", "!", "video/x-raw,width=160,height=90,framerate=10/1", "!", "svcav1enc",
            "layers=L1T1", "pace=never", "speed=10", "threads=1", "!", "s.svc_1",
            "audiotestsrc", "is-live=true", "!", "audioconvert", "!", "opusenc", "!", "s.audio_1", "tvlsink", "name=s", "uri=" + uri, "tls-ca=" + trust,
            "auth-token=" + token, "paths=local=127.0.0.1,name=one;local=127.0.0.1,name=two"]
        sending = running.start("gst-launch", publish)
        seeing = Watch(running, "receiver", source(uri, ["127.0.0.1"]) + " name=s  s.svc_0 ! svcav1dec ! "
                       "fakesink name=v sync=true  s.audio_0 ! opusdec ! fakesink sync=true  "
                       "s.svc_1 ! svcav1dec ! fakesink name=v1 sync=true  s.audio_1 ! opusdec ! fakesink sync=true")
        time.sleep(1)
        server = relay(running, port, config)
        seeing.wait_for("30 pictures", lambda: len(seeing.pictures()) >= 30)
        server.process.kill()
        server.process.wait(10)
        before = len(seeing.pictures())
        relay(running, port, config)
        seeing.wait_for("30 more", lambda: len(seeing.pictures()) >= before + 30)
        report = os.path.join(folder, "player.json")
        player = running.start("svc-player", [program_path("svc-player"), "--ca", trust, "--headless", "--json",
                                              report, "--duration", "1", uri])
        player.wait(PATIENCE_S)
        sending.process.kill()
        sending.process.wait(10)
        sending, later = running.start("gst-launch-again", publish), len(seeing.pictures())
        seeing.wait_for("30 of another", lambda: len(seeing.pictures()) >= later + 30)
        sending.process.send_signal(signal.SIGINT)
        sending.wait(10)
        seeing.program.wait(PATIENCE_S)
    warned = warnings(sending.log)
    heights = {h for h in (r["height"] for r in seeing.pictures("v1"))}
    shown = material.scenario.read_json(report, player)["shown"]
    print(f"published with gst-launch-1.0: {before} and {len(seeing.pictures()) - before} shown; "
          f"{warned or 'no warning'}")
    return exit_code({"the receiver ends with the sender": bool(seeing.said("eos")),
                      "no error": not seeing.said("error"),
                      "sound came": "audio" in seeing.said("stats")[0]["stats"],
                      "the other video came, too": len(seeing.pictures("v1")) >= 20 and heights == {90},
                      "the player shows the first": len(shown) >= 15,
                      "no warning of the sender": not warned})


def source_waits(folder):
    """tvlsrc listens; tvlsink calls it over both links, is killed, and calls again."""
    (port,) = free_udp_ports(1)
    with Programs(folder) as running:
        seeing = Watch(running, "receiver", f"tvlsrc {listening(port)} latency=400 ! svcav1dec ! "
                       "fakesink name=v sync=true")
        wait_for_udp(seeing.program, port)
        links = Links(running, folder, port, 1.5e6)
        sending = Watch(running, "sender", sender(calling(links)))
        seeing.wait_for("30 pictures", lambda: len(seeing.pictures()) >= 30)
        sending.program.process.kill()
        sending.program.process.wait(10)
        before = len(seeing.pictures())
        again = Watch(running, "sender-again", sender(calling(links)))
        seeing.wait_for("the sender is back", lambda: len(seeing.pictures()) >= before + 30)
        again.end()
        seeing.program.wait(PATIENCE_S)
    orders = [sent_order(w) for w in (sending, again)]
    seen = seeing.pictures()
    foreign = sum(not any(r["crc"] in order for order in orders) for r in seen)
    times = [r["pts"] for r in seen]
    callers = [r["message"] for r in seeing.said("message") if "caller" in r["message"]]
    print(f"tvlsink to a waiting tvlsrc: {before} and {len(seen) - before} shown, {foreign} foreign")
    return exit_code({"tvlsrc shows what was sent": foreign <= 1, # as above
                      "in order": times == sorted(times),
                      "it tells of its callers": callers[:3] == ["tvl-caller-added", "tvl-caller-removed",
                                                                 "tvl-caller-added"],
                      "and of their paths": len(messages(seeing, "tvl-path-up")) == 4,
                      "it ends with the sender": bool(seeing.said("eos")) and not seeing.said("error"),
                      "both links carried": links.both_carried()})


def refused(folder):
    """A token that another key has signed ends it, with the relay's reason, and without another try."""
    (port,) = free_udp_ports(1)
    config, _ = relay_config(folder, port)
    _, foreign = relay_config(material.folder("gstreamer/refused/foreign"), port)
    uri = f"moqt://127.0.0.1:{port}/{material.scenario.NAMESPACE}"
    with Programs(folder) as running:
        relay(running, port, config)
        status, said = launch(folder, "refused", [
            "videotestsrc", "is-live=true", "!", "video/x-raw,width=64,height=64", "!", "svcav1enc", "layers=L1T1",
            "!", "tvlsink", "uri=" + uri, "tls-ca=" + material.pki()["ca.pem"], "auth-token=" + foreign])
    print("a foreign token: " + next((line for line in said.splitlines() if "ERROR" in line), said))
    return exit_code({"it ends": status == 1, "says why": "token is not signed" in said})


STORIES = [published, refused, sink_to_player, server_to_source, sink_to_source,
           source_waits, to_file, by_itself]


def main():
    if not shutil.which("gst-launch-1.0"):
        print("SKIP: no gst-launch-1.0 (gstreamer1.0-tools)")
        return 77
    folder = material.folder("gstreamer")
    os.environ.update(GST_PLUGIN_PATH=PLUGIN, GST_REGISTRY=os.path.join(folder, "registry"))
    subprocess.run(["gst-inspect-1.0", "tvl"], stdout=subprocess.DEVNULL, check=True) # one writes the registry
    os.environ["G_DEBUG"] = "fatal-warnings"
    material.small_clip()
    chosen = [s for s in STORIES if len(sys.argv) < 4 or s.__name__ in sys.argv[3:]]
    return material.together([lambda s=s: s(material.folder("gstreamer/" + s.__name__)) for s in chosen])


if __name__ == "__main__":
    sys.exit(main())
