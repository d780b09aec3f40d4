"""frames.py - vlink --frames without guests: network processes, and raw unix datagram ports.

    with frames.Vlink(BUILD) as v:
        v.do("add", link="lan", both={"rate": "5mbit"})
        a, b = v.port("lan", "a"), v.port("lan", "b")
        a.send(frames.frame(b, a, b"hello"))
        assert b.receive().endswith(b"hello")
"""
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile

HEADER = 14  # bytes of an Ethernet header


class Refused(Exception):
    """An answer with "error"."""


class Port:
    """Our end of a unix port; its `mac` is made of a number that no other port has."""
    count = 0

    def __init__(self, folder, link, name):
        Port.count += 1
        self.name = name
        self.mac = b"\x02\0\0\0" + Port.count.to_bytes(2, "big")
        self.place = {"local": f"{folder}/{link}.{name}.shim", "remote": f"{folder}/{link}.{name}.nic"}
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.place["remote"])
        for option in socket.SO_RCVBUF, socket.SO_SNDBUF:
            self.socket.setsockopt(socket.SOL_SOCKET, option, 4 << 20)

    def plug(self):
        self.socket.connect(self.place["local"])

    def send(self, data):
        """False: the kernel has no room just now."""
        try:
            self.socket.send(data, socket.MSG_DONTWAIT)
            return True
        except BlockingIOError:
            return False

    def receive(self, timeout=5.0):
        """The next frame, or None."""
        if not select.select([self.socket], [], [], timeout)[0]:
            return None
        return self.socket.recv(65536)

    def drain(self):
        """All frames that are there."""
        got = []
        try:
            while True:
                got.append(self.socket.recv(65536, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return got

    def close(self):
        self.socket.close()


def frame(to, source, payload=b"", size=0):
    """`to`: a Port, or None for everybody. Filled up to `size` bytes."""
    mac = to.mac if to else b"\xff" * 6
    return (mac + source.mac + b"\x88\xb5" + payload).ljust(size, b"\0")


class Vlink:
    """A network process with a folder of its own, in `base` or a new temporary one."""

    def __init__(self, build, base=None, options=(), **popen):
        self.folder = tempfile.mkdtemp(prefix="net", dir=base)
        self.control = os.path.join(self.folder, "control")
        self.ports = []
        self.process = subprocess.Popen(
            [os.path.join(build, "vmm-shim", "vlink", "vlink"), "--frames", "--control-socket",
             self.control, *options], stdout=subprocess.PIPE, text=True, **popen)
        line = self.process.stdout.readline()
        assert line == "vlink: ready\n", line
        self.client = socket.socket(socket.AF_UNIX)
        self.client.connect(self.control)
        self.lines = self.client.makefile("rw")
        self.id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def do(self, what, **members):
        """A request; its "ok", or Refused."""
        self.id += 1
        self.lines.write(json.dumps({"id": self.id, "do": what, **members}) + "\n")
        self.lines.flush()
        answer = json.loads(self.lines.readline())
        assert answer["id"] == self.id, answer
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["ok"]

    def refused(self, what, **members):
        """The error of a request that must fail."""
        try:
            self.do(what, **members)
        except Refused as error:
            return str(error)
        raise AssertionError(f"{what} {members} was not refused")

    def port(self, link, name, **members):
        p = Port(self.folder, link, name)
        self.do("add", link=link, port=name, unix=p.place, **members)
        p.plug()
        self.ports.append(p)
        return p

    def door(self, link):
        """Path of the socket where children of `link` attach."""
        return os.path.join(self.folder, link + ".tenant")

    def stats(self, link):
        return self.do("stats", link=link)["links"][0]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        """Ends it; its exit code. What it left in its folder: `left`."""
        if self.process.stdout.closed:
            return self.process.returncode
        for p in self.ports:
            p.close()
        self.lines.close()
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(timeout=10)
        self.process.stdout.close()
        ours = {os.path.basename(p.place["remote"]) for p in self.ports}
        self.left = sorted(set(os.listdir(self.folder)) - ours)
        shutil.rmtree(self.folder, ignore_errors=True)
        return code
