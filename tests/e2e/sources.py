#!/usr/bin/python3
"""sources.py ROOT BUILD - what comes in its own time is served: a stream of the network that goes
away and comes back with another size and rate while its viewer goes on; a pipeline of GStreamer
with its sound. What cannot be opened is said in one line.
"""
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import material
from clip import program_path
from live_report import newest, exit_code
from programs import Programs, free_udp_ports, wait_for_udp

PATIENCE_S = 60
FORM = ["--layers", "L2T2", "--bitrate", "80,200", "--size", "320x180"]
PIPELINE = "gst:videotestsrc is-live=true ! video/x-raw,framerate=20/1"
TONE = "gst:audiotestsrc is-live=true"


def serve(programs, pki, folder, name, *live):
    """The server's process, its port and its report."""
    report = os.path.join(folder, name + ".jsonl")
    if os.path.exists(report):
        os.remove(report)
    port = free_udp_ports(1)[0]
    server = programs.start("svc-server-" + name, [
        program_path("svc-server"), "--cert", pki["server.pem"], "--key", pki["server.key"],
        "--listen", f"127.0.0.1:{port}", "--json", report, "--live", *live, *FORM])
    wait_for_udp(server, port)
    return server, port, report


def play(programs, pki, folder, name, port):
    return programs.start("svc-player-" + name, [
        program_path("svc-player"), "--ca", pki["ca.pem"], "--headless", "--duration", "600",
        "--json", os.path.join(folder, name + "-player.json"), f"moqt://127.0.0.1:{port}/demo"])


def send(programs, name, port, size, rate):
    return programs.start("sender-" + name, [
        shutil.which("ffmpeg") or "ffmpeg", "-nostdin", "-loglevel", "quiet", "-re", "-f", "lavfi", "-i",
        f"testsrc2=size={size}:rate={rate}", "-f", "lavfi", "-i", "sine=440", "-c:v", "mpeg2video",
        "-b:v", "800k", "-c:a", "mp2", "-f", "mpegts", f"udp://127.0.0.1:{port}"])


def wait_for(what, holds, report, *programs):
    until = time.monotonic() + PATIENCE_S
    while not holds(newest(report).get("encoder", {}).get("capture", {})):
        for program in programs:
            program.check_alive()
        if time.monotonic() > until:
            raise SystemExit(f"WRONG: not within {PATIENCE_S} s: {what}; {newest(report)}")
        time.sleep(0.1)
    print(what)


def pictures(report):
    return newest(report).get("encoder", {}).get("pictures", 0)


def stream(pki, folder):
    """A sender that comes, goes and comes back; the server's last words and the player's."""
    with Programs(folder) as programs:
        into = free_udp_ports(1)[0]
        server, port, report = serve(programs, pki, folder, "stream", f"udp://127.0.0.1:{into}")
        player = play(programs, pki, folder, "stream", port)
        wait_for("no signal", lambda c: c.get("signal") is False, report, server, player)
        sender = send(programs, "first", into, "320x240", 25)
        wait_for("signal", lambda c: c.get("signal"), report, server, player, sender)
        sender.stop()
        wait_for("lost", lambda c: c.get("signal") is False, report, server, player)
        at = pictures(report)
        second = send(programs, "second", into, "480x200", 30)
        wait_for("signal again", lambda c: c.get("signal"), report, server, player, second)
        while pictures(report) < at + 30:
            player.check_alive()
            time.sleep(0.1)
        player.stop()
        server.stop()
    return newest(report)["encoder"], newest(os.path.join(folder, "stream-player.json"))


def pipeline(pki, folder):
    with Programs(folder) as programs:
        server, port, report = serve(programs, pki, folder, "pipeline", PIPELINE, "--sound", TONE)
        player = play(programs, pki, folder, "pipeline", port)
        while pictures(report) < 90: # a viewer may wait a second for its key picture
            server.check_alive()
            player.check_alive()
            time.sleep(0.1)
        player.stop()
        server.stop()
    return newest(report)["encoder"], newest(os.path.join(folder, "pipeline-player.json"))


def refused(pki, *live):
    """Its exit code is 1 and its last line names the source (ALSA speaks for itself)."""
    got = subprocess.run([program_path("svc-server"), "--cert", pki["server.pem"], "--key",
                          pki["server.key"], "--listen", "127.0.0.1:0", "--live", *live],
                         capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    print(got.stderr, end="")
    return got.returncode == 1 and live[-1][:20] in got.stderr.splitlines()[-1]


def main():
    folder, pki = material.folder("sources"), material.pki()
    with ThreadPoolExecutor() as pool:
        streamed, played = pool.submit(stream, pki, folder), pool.submit(pipeline, pki, folder)
        (coded, seen), (piped, heard) = streamed.result(), played.result()
    print(coded, seen["frames_shown"], piped, heard["frames_shown"], heard["audio_packets"])
    rules = {
        "the viewer went on through the loss": seen["frames_shown"] > 60 and seen["units_refused"] == 0,
        "sound came": seen["audio_packets"] > 30 and heard["audio_packets"] > 15,
        "the encoder lived": coded["restarts"] == 0 and coded["errors"] == 0,
        "the pipeline was seen": heard["frames_shown"] > 20 and piped["capture"]["signal"],
        "no such element": refused(pki, "gst:nosuchelement"),
        "no such display": refused(pki, "x11::99999"),
        "no such camera": refused(pki, "v4l2:/dev/no-such-camera"),
        "no such sound": refused(pki, PIPELINE, "--sound", "alsa:nosuchcard"),
    }
    return exit_code(rules)


if __name__ == "__main__":
    sys.exit(main())
