#!/usr/bin/python3
"""gstreamer_validate.py ROOT BUILD [CASE...] - gst-validate-1.0 plays, pauses, seeks and stops pipelines of our
elements, and looks on at every pad: no issue, whatever its level.

Its scenarios are gst-validate/*.scenario here, and some of those that come with it. Debian 12 has no package of it:
docs/gstreamer.md says how it is built. It is looked for as SVC_GST_VALIDATE says, else in PATH; where there is none
the test is skipped.
"""
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import material
from gstreamer import PLUGIN, Watch, serve
from live_report import exit_code
from programs import Programs, free_udp_ports, wait_for_udp

SCENARIOS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gst-validate")
SECONDS = 30
AT_ONCE = 6 # they wait far more than they work
LIVE = "videotestsrc is-live=true ! video/x-raw,width=192,height=108,framerate=30/1 ! "
ENCODED = LIVE + "svcav1enc layers=L2T2 speed=10 threads=1 ! "
FILE = "filesrc location={raw} ! matroskademux ! "
SINK = "tvlsink mode=listener uri=moqt://127.0.0.1:{free}/live tls-certificate={cert} tls-key={key}"
SOURCE = "tvlsrc name=s uri={uri} tls-ca={ca} paths=127.0.0.1 "
PLAYBIN = 'playbin3 uri={uri} video-sink="fakesink sync=true" audio-sink="fakesink sync=true"'  # CA: SSL_CERT_FILE
CODEC = "svcav1enc layers=L2T2 speed=10 threads=1 ! svcav1dec ! fakesink sync=true"

# (case, scenarios, pipeline). A pad that comes late is linked by gst-launch's syntax only once, so that what has some
# is started anew within playbin3 alone. {uri} is what another process publishes.
CASES = [
    ("codec", ["pause_resume", "restart", "change_state_intensive", "keys", "fewer_layers"], LIVE + CODEC),
    ("codec, sizes", ["sizes"], "videotestsrc is-live=true ! videoscale ! videorate ! capsfilter name=size "
     "caps=video/x-raw,width=256,height=144,framerate=30/1 ! " + CODEC),
    ("codec, file", ["seeks", "scrub_forward_seeking"], FILE + CODEC),
    ("parser", ["pause_resume", "restart"], ENCODED + "svcav1parse ! av1dec ! fakesink sync=true"),
    ("parser, file", ["seeks"], FILE + "svcav1enc speed=10 threads=1 ! svcav1parse ! av1dec ! fakesink sync=true"),
    ("sink without a server", ["pause_resume", "restart"], ENCODED + "tvlsink uri=moqt://127.0.0.1:1/live"),
    ("sink, listening", ["pause_resume", "restart", "change_state_intensive", "keys"], ENCODED + SINK),
    ("sink, file", ["seeks"], FILE + "svcav1enc speed=10 threads=1 ! " + SINK + " sync=true"),
    ("sink with sound", ["pause_resume", "restart"], ENCODED + "t.svc_0 audiotestsrc is-live=true ! audioconvert ! "
     "audio/x-raw,rate=48000 ! opusenc ! t.audio_0 " + SINK + " name=t"),
    ("source", ["pause_resume", "layers"], SOURCE + "latency=300 s.svc_0 ! svcav1dec ! fakesink sync=true"),
    ("source with sound", ["pause_resume"],
     SOURCE + "s.svc_0 ! svcav1dec ! fakesink sync=true s.audio_0 ! opusdec ! fakesink sync=true"),
    ("source, recorded", ["pause_resume"], SOURCE + "s.svc_0 ! svcav1parse ! matroskamux name=m ! fakesink "
     "sync=true s.audio_0 ! m."),
    ("source without a server", ["away"], "tvlsrc uri=moqt://127.0.0.1:1/live"),
    ("decodebin3", ["pause_resume"], SOURCE + "! decodebin3 ! fakesink sync=true"),
    ("source, to the end", ["to_the_end"], SOURCE.replace("{uri}", "{clip}") + "latency=300 s.svc_0 ! svcav1dec ! fakesink "
     "sync=true"),
    ("playbin3", ["pause_resume", "restart", "change_state_intensive", "tracks"], PLAYBIN),
]

# What GStreamer's own elements do: (summary, pads).
OTHERS = [
    # parsebin pushes sticky events by itself while its pad is blocked, past who looks on.
    ("buffer was received before a segment", r"typefind\d*:src"),
    # A capsfilter that is started anew in a hurry says its caps twice, to stock encoders, too; a tee likewise.
    ("received the same caps twice", r"(svcav1enc\d*|audiotee):sink"),
    # A stream that comes back within decodebin3.
    ("Buffer didn't have expected DISCONT flag", r"multiqueue\d+:src_\d+|opusdec\d+:sink"),
    # Layers of other rates, or sizes that are not the best layer's, make the same pictures: their caps end there.
    ("a serialized event received should be pushed in the same 'time' as it was received", r"svcav1dec\d*:src"),
]


def tool():
    return os.environ.get("SVC_GST_VALIDATE") or shutil.which("gst-validate-1.0")


def environment(folder):
    """What gst-validate-1.0 needs: our plug-in, our scenarios, its own library."""
    prefix = os.path.dirname(os.path.dirname(os.path.realpath(tool())))
    libraries = [os.path.join(prefix, "lib"), os.path.join(prefix, "lib", "x86_64-linux-gnu"),
                 os.environ.get("LD_LIBRARY_PATH", "")]
    return dict(os.environ, GST_PLUGIN_PATH=PLUGIN, GST_REGISTRY=os.path.join(folder, "registry"),
                LD_LIBRARY_PATH=":".join(x for x in libraries if x), GST_VALIDATE_SCENARIOS_PATH=SCENARIOS,
                SSL_CERT_FILE=material.pki()["ca.pem"])


def issues(report):
    """[(summary, [pads or elements])] of what it found."""
    found = []
    for line in report.splitlines():
        begun = re.match(r" +(?:issue|warning|critical) : (.*)", line)
        where = re.match(r" +Detected on <(.*)>", line)
        if begun:
            found.append((begun[1], []))
        elif where and found:
            found[-1][1].extend(where[1].split(", "))
    return found


def are_others(summary, where):
    return any(summary == s and where and all(re.fullmatch(pads, w) for w in where) for s, pads in OTHERS)


def validate(folder, env, case, scenario, pipeline):
    """What is wrong, a line each."""
    log = os.path.join(folder, re.sub(r"\W+", "-", case) + "." + scenario + ".log")
    with open(log, "w", encoding="utf-8") as out:
        try:
            done = subprocess.run([tool(), "--set-scenario", scenario, pipeline], env=env, stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=subprocess.STDOUT, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return [f"not done within {SECONDS} s"]
    with open(log, encoding="utf-8", errors="replace") as f:
        report = f.read()
    wrong = [f"{summary}: {', '.join(where)}" for summary, where in issues(report) if not are_others(summary, where)]
    if "Issues found: " not in report:
        wrong.append("it came to no verdict")
    if done.returncode != 0:
        wrong.append(f"exit status {done.returncode}")
    return wrong


def raw_file(folder, env):
    """Raw pictures that can be sought in."""
    path = os.path.join(folder, "raw.mkv")
    subprocess.run(["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=90", "!",
                    "video/x-raw,format=I420,width=192,height=108,framerate=30/1", "!", "matroskamux", "!",
                    "filesink", "location=" + path], env=env, check=True, stdin=subprocess.DEVNULL)
    return path


def main():
    if not tool() or not shutil.which("gst-launch-1.0"):
        print("SKIP: no gst-validate-1.0 in PATH, nor named by SVC_GST_VALIDATE; docs/gstreamer.md says how it is built")
        return 77
    folder, pki = material.folder("gst-validate"), material.pki()
    env = environment(folder)
    os.environ.update({k: env[k] for k in ("GST_PLUGIN_PATH", "GST_REGISTRY")})
    names = sys.argv[3:] or [c[0] for c in CASES]
    runs = [(case, s, pipeline) for case, scenarios, pipeline in CASES if case in names for s in scenarios]
    ports = free_udp_ports(1 + len(runs))
    shared = {"raw": raw_file(folder, env), "uri": f"moqt://127.0.0.1:{ports[0]}/live", "ca": pki["ca.pem"],
              "cert": pki["server.pem"], "key": pki["server.key"]}
    with Programs(folder) as running, ThreadPoolExecutor(AT_ONCE) as pool:
        publisher = Watch(running, "publisher", (ENCODED + "t.svc_0 audiotestsrc is-live=true ! audioconvert ! "
                          "audio/x-raw,rate=48000 ! opusenc ! t.audio_0 " + SINK + " name=t").format(
                              free=ports[0], **shared))
        wait_for_udp(publisher.program, ports[0])
        shared["clip"] = f"moqt://127.0.0.1:{serve(running)}/{material.scenario.NAMESPACE}"
        wrong = list(pool.map(lambda run, port: validate(folder, env, *run[:2], run[2].format(free=port, **shared)),
                              runs, ports[1:]))
        publisher.end()
    for (case, scenario, _), lines in zip(runs, wrong):
        print(f"{case}: {scenario}: {'; '.join(lines) or 'well'}")
    return exit_code({f"{case}: {scenario}": not lines for (case, scenario, _), lines in zip(runs, wrong)})


if __name__ == "__main__":
    sys.exit(main())
