#!/usr/bin/python3
"""gstreamer_examples.py ROOT BUILD [--all | STORY...] - the blocks that README.md and docs/gstreamer.md show, run as they
stand: pictures arrive, files decode. Only these things are put in place of others: ports, names of other machines,
interfaces (two links of vlink), windows and loudspeakers (a sum of each picture, nothing), ./run build (is done).

A block is one that follows a line <!-- run: NAME -->; each one must be known here. Without --all only QUICK.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import material
import gstreamer
from clip import program_path
from live_report import exit_code
from programs import ProgramFailed, Programs, free_udp_ports, wait_for_udp

TEXTS = ("README.md", os.path.join("docs", "gstreamer.md"))
PATIENCE_S = 40
SOUGHT = 40         # pictures that shall arrive
BLOCK = re.compile(r"^<!-- run: ([\w-]+) -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```sh$", re.MULTILINE)
WINDOW = "video/x-raw,format=I420 ! checksumsink"
RTMP_PACKAGES = ("nginx", "libnginx-mod-rtmp")


def blocks():
    """{name: text}; every block of these texts that is to be run."""
    found = {}
    for name in TEXTS:
        with open(os.path.join(material.ROOT, name), encoding="utf-8") as f:
            text = f.read()
        here = BLOCK.findall(text)
        assert here, f"{name}: no block to run"
        assert len(here) == len(FENCE.findall(text)), f"{name}: a sh block without a name to run it by"
        for key, body in here:
            assert key not in found, f"two blocks {key}"
            found[key] = body
    return found


class Story:
    """Blocks running side by side in a folder, at a port of their own."""

    def __init__(self, name, running, texts):
        self.name, self.running, self.texts = name, running, texts
        self.folder = os.path.join(running.logs, "files")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        for room in ("client", "server", "gst"):
            os.symlink(os.path.join(material.BUILD, room), os.path.join(self.folder, room))
        for file in ("server.pem", "server.key"):
            shutil.copy(os.path.join(certificate(texts), file), self.folder)
        (self.port,) = free_udp_ports(1)
        self.also = []  # (what, instead of which) more

    def text(self, name, *more):
        text = self.texts[name]
        for old, new in [(":4433/", f":{self.port}/"), ("0.0.0.0:4433", f"0.0.0.0:{self.port}"),
                         ("autovideosink", WINDOW), ("autoaudiosink", "fakesink sync=true"),
                         *self.also, *more]:
            text = text.replace(old, new)
        assert ".example" not in text and "wlan0" not in text, text
        return text

    def start(self, name, *more):
        """The block; its last command is the process itself, which then gets the signals."""
        before, gap, last = self.text(name, *more).replace("\\\n", " ").rstrip().rpartition("\n")
        last = re.sub(r"^((?:\w+=\S+ )*)(?=\S)", r"\1exec ", last)
        script = f"cd {self.folder} && set -e\n{before}{gap}{last}"
        return self.running.start(f"{self.name}-{name}", ["/bin/sh", "-c", script])

    def file(self, name):
        return os.path.join(self.folder, name)

    def until(self, program, what, holds):
        """Until `holds()`; `program` must live."""
        until = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > until:
                raise program.failed(f"not within {PATIENCE_S} s: {what}")
            program.check_alive()
            time.sleep(0.1)

    def pictures(self, program):
        """Sums of what a window would have shown."""
        with open(program.log, encoding="utf-8", errors="replace") as f:
            return re.findall(r"^\d+:\d\d:\d\d\.\d+ ([0-9a-f]{40})$", f.read(), re.MULTILINE)

    def see(self, program):
        self.until(program, f"{SOUGHT} pictures", lambda: len(self.pictures(program)) >= SOUGHT)
        seen = self.pictures(program)
        return len(set(seen)) > len(seen) * 0.9  # the picture moves

    def serve(self, name="relay"):
        server = self.start(name)
        wait_for_udp(server, self.port)
        return server

    def send(self, name, *more):
        sending = self.start(name, *more)
        if "mode=listener" in self.texts[name]:
            wait_for_udp(sending, self.port)
        return sending

    def watch_through_player(self, name="player"):
        """The player's report, of a headless one. Who asks a relay for what is not there yet is refused: again."""
        report = self.file("player.json")
        until = time.monotonic() + PATIENCE_S
        while True:
            player = self.start(name, ("svc-player", f"svc-player --headless --json {report} --duration 2"))
            try:
                player.wait(PATIENCE_S)
                break
            except ProgramFailed:
                if time.monotonic() > until:
                    raise
                time.sleep(0.3)
        with open(report, encoding="utf-8") as f:
            told = json.load(f)
        print(f"{self.name}: {told['frames_shown']} shown, {told['frames_skipped']} skipped, "
              f"{told['audio_packets']} of sound, {told['audio_lost']} lost")
        return told


made = {}


def certificate(texts):
    """The folder in which the first block has made one; it leads to our plug-in as well."""
    if "at" not in made:
        assert texts["begin"] == texts["certificate"], "two ways to begin"
        folder = material.folder("gstreamer_examples/begin")
        shutil.rmtree(folder)
        os.makedirs(os.path.join(folder, "build"))
        os.symlink(os.path.join(material.BUILD, "gst"), os.path.join(folder, "build", "gst"))
        script = texts["begin"].replace("./run build", "true") + 'echo "$GST_PLUGIN_PATH"; gst-inspect-1.0 tvl'
        with tempfile.NamedTemporaryFile() as registry:
            env = {k: v for k, v in os.environ.items() if k != "GST_PLUGIN_PATH"}
            done = subprocess.run(["/bin/sh", "-ec", script], cwd=folder, capture_output=True, text=True, check=False,
                                  env=dict(env, GST_REGISTRY=registry.name + ".bin"))
            os.remove(registry.name + ".bin")
        assert done.returncode == 0 and "svcav1parse" in done.stdout, done.stderr
        made["at"] = os.path.join(folder, "build")
    return made["at"]


def probe(path, *words):
    done = subprocess.run(["ffprobe", "-v", "error", "-of", "json", *words, path], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0 and not done.stderr, (path, done.stderr)
    return json.loads(done.stdout)


def decodes(path, video, audio):
    """Every packet of it, of these codecs, without a word."""
    streams = {s["codec_name"]: (int(s["nb_read_packets"]), int(s["nb_read_frames"])) for s in probe(
        path, "-count_packets", "-count_frames", "-show_entries",
        "stream=codec_name,nb_read_packets,nb_read_frames")["streams"]}
    print(f"{os.path.basename(path)}: {streams}")
    packets, frames = streams.get(video, (0, 0))
    wrong = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-f", "null", "-"], capture_output=True, text=True,
                           check=False).stderr
    if wrong:
        print(wrong)
    return packets == frames >= SOUGHT and (audio is None or streams.get(audio, (0, 0))[1] > SOUGHT) and not wrong


def size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


def end(program):
    """As Ctrl-C does it, with -e: to the end of the file."""
    program.process.send_signal(signal.SIGINT)
    program.wait(PATIENCE_S)


# ---- the stories ----

def first(story):
    """What README.md shows, and the player of it."""
    story.send("readme-send")
    told = story.watch_through_player("readme-player")
    watch = story.start("readme-watch")
    return {"the player shows it": told["frames_shown"] > SOUGHT, "and hears it": told["audio_packets"] > SOUGHT,
            "whole": not told["audio_lost"] and not told["base_layer_lost"],
            "so do the elements": story.see(watch)}


def watched(story):
    story.send("send")
    told = story.watch_through_player()
    rules = {"player": told["frames_shown"] > SOUGHT and told["audio_packets"] > SOUGHT}
    for name in ("watch", "decodebin3"):
        program = story.start(name)
        rules[name] = story.see(program)
        program.stop()
    window = f'playbin3 video-sink="videoconvert ! {WINDOW}" audio-sink="fakesink sync=true"'
    rules["playbin3"] = story.see(story.start("playbin3", ("playbin3", window)))
    return rules


def recorded(story):
    story.send("send")
    mkv, mp4 = story.start("mkv"), story.start("mp4")
    for program, name in ((mkv, "live.mkv"), (mp4, "live.mp4")):
        story.until(program, name, lambda name=name: size(story.file(name)) > 100e3)
        end(program)
    rules = {"mkv": decodes(story.file("live.mkv"), "av1", "opus"), "mp4": decodes(story.file("live.mp4"), "av1", "opus")}
    for name in ("live.mkv", "live.mp4"):
        told = subprocess.run([program_path("svc-info"), story.file(name)], capture_output=True, text=True, check=False)
        rules[f"svc-server could serve {name}"] = told.returncode == 0 and ", L3T2" in told.stdout
    hls = story.start("hls")
    story.until(hls, "two segments", lambda: size(story.file("00002.ts")) > 0)
    end(hls)
    with open(story.file("live.m3u8"), encoding="ascii") as f:
        playlist = f.read()
    rules["a playlist that has ended"] = playlist.startswith("#EXTM3U") and "#EXT-X-ENDLIST" in playlist
    rules["hls"] = decodes(story.file("live.m3u8"), "h264", "aac")
    return rules


def over_two_links(story):
    links = gstreamer.Links(story.running, story.folder, story.port, 4e6)
    story.also.append(("wlan0;wwan0", ";".join(links.specs)))
    return links


def relayed(story):
    story.serve()
    links = over_two_links(story)
    story.send("publish")
    told = story.watch_through_player()
    return {"the player shows it": told["frames_shown"] > SOUGHT, "both links carried": links.both_carried()}


def called(story):
    """The receiver is a listener, to which the sender of the relay's example calls."""
    receiver = story.send("receive")
    links = over_two_links(story)
    story.send("publish")
    return {"pictures": story.see(receiver), "both links carried": links.both_carried()}


def missing_packets(log):
    """Opus packets for which there is no sound: what came by SRT has holes at times, of which GStreamer's resampler tells."""
    with open(log, encoding="utf-8") as f:
        holes = re.findall(r"timestamp discontinuity of \d+ samples = \d+:\d+:(\d+\.\d+)", f.read())
    return sum(int(float(s) / 0.02) + 1 for s in holes)


def from_source(story, name, *more):
    """Another protocol's stream, through a relay to the player."""
    sending = story.send(name, *more)
    told = story.watch_through_player()
    return {"the player shows it": told["frames_shown"] > SOUGHT, "and hears it": told["audio_packets"] > SOUGHT,
            "no sound is lost": told["audio_lost"] <= 2 + missing_packets(sending.log)}


def rtsp(story):
    """A server of gst-rtsp-server as a camera."""
    try:
        import gi
        gi.require_version("GstRtspServer", "1.0")
    except (ImportError, ValueError) as why:
        return print(f"SKIP rtsp: {why} (gir1.2-gst-rtsp-server-1.0)")
    port = free_tcp_port()
    camera = story.running.start("camera", [sys.executable, os.path.join(
        material.ROOT, "tests", "e2e", "rtsp_camera.py"), str(port)])
    story.until(camera, "the camera is ready", lambda: size(camera.log) > 0)
    story.serve()
    links = over_two_links(story)
    rules = from_source(story, "rtsp", ("camera.example:554", f"127.0.0.1:{port}"))
    return dict(rules, **{"both links carried": links.both_carried()})


def free_tcp_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


SENT = ("videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=30/1 ! x264enc "
        "tune=zerolatency speed-preset=ultrafast key-int-max=30 ! h264parse ! m.  audiotestsrc is-live=true ! "
        "audioconvert ! audio/x-raw,channels=2 ! avenc_aac ! aacparse ! m. ")


def srt(story):
    (port,) = free_udp_ports(1)
    story.serve()
    source = [shutil.which("gst-launch-1.0"), *f"{SENT} mpegtsmux name=m alignment=7 ! srtsink uri=srt://127.0.0.1:{port}".split()]
    story.running.start("source", source)
    return from_source(story, "srt", (":7001", f":{port}"))


def rtmp_server(folder):
    """(nginx, its module for RTMP): installed ones, else unpacked into `folder`. A service that an installation would
    start has no business here."""
    places = [("/usr/sbin/nginx", "/usr/lib/nginx/modules/ngx_rtmp_module.so")]
    places.append(tuple(folder + p for p in places[0]))
    if not any(all(map(os.path.exists, p)) for p in places) and os.environ.get("SVC_NO_SETUP") != "1":
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["apt-get", "-qq", "download", *RTMP_PACKAGES], cwd=folder, stderr=subprocess.DEVNULL, check=False)
        for name in sorted(n for n in os.listdir(folder) if n.endswith(".deb")):
            subprocess.run(["dpkg-deb", "-x", name, "."], cwd=folder, check=False)
    return next((p for p in places if all(map(os.path.exists, p))), None)


NGINX = """daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr error;
load_module {module};
events {{ worker_connections 64; }}
rtmp {{ access_log off; server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}
"""


def rtmp(story):
    server = rtmp_server(material.folder("gstreamer_examples/nginx"))
    if not server:
        return print("SKIP rtmp: no nginx with its RTMP module (apt-get download " + " ".join(RTMP_PACKAGES) + ")")
    port = free_tcp_port()
    config = story.file("nginx.conf")
    with open(config, "w", encoding="utf-8") as f:
        f.write(NGINX.format(folder=story.folder, module=server[1], port=port))
    story.running.start("nginx", [server[0], "-e", "stderr", "-p", story.folder, "-c", config])
    source = [shutil.which("gst-launch-1.0"), *f"{SENT} flvmux name=m streamable=true ! rtmp2sink "
              f"location=rtmp://127.0.0.1:{port}/live/cam".split()]
    time.sleep(0.5)
    camera = story.running.start("source", source)
    story.serve()
    time.sleep(1)
    camera.check_alive()
    return from_source(story, "rtmp", ("server.example:1935", f"127.0.0.1:{port}"))


def local(story):
    """Without a network."""
    rules = {}
    recording = story.start("stock-file")
    for name in ("layers", "stock-decoder"):
        program = story.start(name)
        rules[name] = story.see(program)
        program.stop()
    recording.wait(PATIENCE_S)
    rules["stock-file"] = decodes(story.file("layers.mkv"), "av1", None)
    return rules


# Warnings of stock elements, of their own affairs: a muxer that asks for the latency before all its pads are linked; the
# files of hlssink2; a stream of MPEG-TS that is joined in its middle; what came of a foreign camera's times; x264enc's say.
OTHERS = ["aggregator .*Latency query failed", "gio_base_sink .*ignored SEGMENT", "srtsrc .*discont detected",
          "mpegtspacketizer .*Not enough information", "x264enc .*forced frame type", "audioencoder .*<avenc_",
          "videodecoder .*<avdec_h264.*decreasing timestamp", "audioresample .*timestamp discontinuity"]

STORIES = [recorded, watched, rtsp, srt, rtmp, relayed, called, local, first]
QUICK = [first]


def warnings(log):
    """What was warned of, but for what stock elements say of themselves."""
    return [line for line in gstreamer.warnings(log) if not re.search("|".join(OTHERS), line)]


def run(story_of, texts):
    folder = material.folder("gstreamer_examples/" + story_of.__name__)
    try:
        with Programs(folder) as running:
            rules = story_of(Story(story_of.__name__, running, texts))
    except ProgramFailed as why:
        rules = {str(why): False}
    if rules is None:
        return 0
    for program in running.running:
        if not program.name.startswith(story_of.__name__ + "-"):
            continue  # what is only there for it
        warned = warnings(program.log)
        for line in warned[:5]:
            print(f"{program.name} warns: {line}")
        rules[f"{program.name} warns of nothing"] = not warned
    result = exit_code(rules)
    print(f"{story_of.__name__}: {'ok' if result == 0 else 'NOT as it is shown'}")
    return result


def all_known(texts):
    with open(__file__, encoding="utf-8") as f:
        own = f.read()
    unknown = [name for name in texts if f'"{name}"' not in own]
    assert not unknown, f"nobody runs {unknown}"


def main():
    if not shutil.which("gst-launch-1.0"):
        print("SKIP: no gst-launch-1.0 (gstreamer1.0-tools)")
        return 77
    texts = blocks()
    all_known(texts)
    folder = material.folder("gstreamer_examples")
    certificate(texts)
    os.environ.update(GST_PLUGIN_PATH=os.path.join(material.BUILD, "gst"),
                      GST_REGISTRY=os.path.join(folder, "registry"))
    subprocess.run(["gst-inspect-1.0", "tvl"], stdout=subprocess.DEVNULL, check=True)  # one writes the registry
    os.environ.update(gstreamer.TOLD, G_DEBUG="fatal-warnings")
    wanted = sys.argv[3:]
    chosen = STORIES if "--all" in wanted else [s for s in STORIES if s.__name__ in wanted] or QUICK
    return material.together([lambda s=s: run(s, texts) for s in chosen], 2)


if __name__ == "__main__":
    sys.exit(main())
