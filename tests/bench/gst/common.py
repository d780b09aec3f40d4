"""common.py - what the parts of the GStreamer benchmark share: pipelines, certificate, ports, clip, links."""
import json
import os
import random
import socket
import subprocess
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

WIDTH, HEIGHT, FPS = 640, 360, 30


def start(build):
    """Registers the build's plug-in."""
    os.environ["GST_PLUGIN_PATH"] = os.path.join(build, "gst")
    Gst.init(None)


def certificate(folder):
    """Paths of a certificate for 127.0.0.1 that is its own authority, and of its key."""
    pem, key = os.path.join(folder, "server.pem"), os.path.join(folder, "server.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                    "-keyout", key, "-out", pem], check=True, capture_output=True)
    return pem, key


def free_ports(n):
    """The first of `n` adjacent free UDP ports, even (RIST takes pairs)."""
    for _ in range(200):
        first = random.randrange(20000, 60000, 2)
        held = []
        try:
            for i in range(n):
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                held.append(s)
                s.bind(("0.0.0.0", first + i))
            return first
        except OSError:
            continue
        finally:
            for s in held:
                s.close()
    raise RuntimeError("no free UDP ports")


def clip(build, folder, seconds, seed=1):
    """The test clip's pictures, I420, as bytes."""
    path = os.path.join(folder, f"clip{seed}.y4m")
    if not os.path.exists(path):
        subprocess.run([os.path.join(build, "media", "svc-testclip"), "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS),
                        "-d", str(seconds), "--seed", str(seed), path], check=True, stdout=subprocess.DEVNULL)
    size = WIDTH * HEIGHT * 3 // 2
    pictures = []
    with open(path, "rb") as f:
        f.readline()
        while f.readline():
            pictures.append(f.read(size))
    return pictures


class Links:
    """A vlink process with one link per (name, listen port, target, keys), and changes of --at."""

    HEADERS = 28  # bytes of IPv4 and UDP, of each packet

    def __init__(self, build, seed, links, changes, folder):
        self.stats = os.path.join(folder, f"links{links[0][0]}.jsonl")
        command = [os.path.join(build, "vmm-shim", "vlink", "vlink"), "--seed", str(seed), "--stats", self.stats]
        for name, listen, to, keys in links:
            command += ["--link", f"name={name},listen={listen},to={to},{keys}"]
        for change in changes:
            command += ["--at", change]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if not self.process.stdout.readline():
            raise RuntimeError("vlink did not start: " + " ".join(command))

    def close(self):
        """Bytes into each link, both directions; NAME-SUFFIX counts as NAME."""
        self.process.terminate()
        self.process.wait()
        total = {}
        with open(self.stats, encoding="utf-8") as f:
            for line in map(json.loads, f):
                if line.get("final"):
                    name = line["link"].split("-")[0]
                    total[name] = (total.get(name, 0) + line["bytes_in"] + self.HEADERS * line["packets_in"])
        return total


def said(pipelines):
    """The errors on the buses so far."""
    errors = []
    for p in pipelines:
        bus = p.get_bus()
        while True:
            m = bus.pop_filtered(Gst.MessageType.ERROR)
            if not m:
                break
            errors.append(f"{m.src.get_name()}: {m.parse_error()[0].message}")
    return errors


def push_live(source, pictures, began):
    """Pushes pictures at their time; returns when each was handed over (monotonic seconds)."""
    handed = []
    for i, data in enumerate(pictures):
        wait = began + i / FPS - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.duration = Gst.SECOND // FPS
        handed.append(time.monotonic())
        source.emit("push-buffer", buffer)
    return handed
