"""lab.py - where one case of the interop matrix happens: files, certificates, ports, a link.

A case has a folder of its own with the files to be served (root/), what came back (saved/), what
was sent up (uploads/) and the logs of every program.
"""
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "demo"))
import programs as demo_programs  # noqa: E402
from programs import ProgramFailed, Programs, free_udp_ports, openssl  # noqa: E402

SMALL = 1000  # bytes of a small file
TIMEOUT_S = 60


class NotOffered(Exception):
    """The peer cannot do what the case needs; the reason, for a person."""


class Failed(Exception):
    """The case failed; one line."""


def make_pki(folder):
    """The demo's authority and server, and a client certificate of the same authority."""
    at = demo_programs.make_pki(folder)
    for name in ("client.pem", "client.key", "client.csr"):
        at[name] = os.path.join(folder, name)
    newer = os.path.exists(at["client.pem"]) and \
        os.path.getmtime(at["client.pem"]) >= os.path.getmtime(at["ca.pem"])
    if not newer:
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                "/CN=interop client", "-keyout", at["client.key"], "-out", at["client.csr"])
        openssl("x509", "-req", "-in", at["client.csr"], "-CA", at["ca.pem"], "-CAkey",
                at["ca.key"], "-CAcreateserial", "-days", "30", "-out", at["client.pem"])
    return at


class Rebinder(threading.Thread):
    """A NAT between client and server: forwards datagrams, and changes the port it shows to the
    server each time `every` datagrams of the client have passed, `times` times in all."""

    def __init__(self, listen_port, server_port, every=60, times=2):
        super().__init__(daemon=True)
        self.inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.inside.bind(("127.0.0.1", listen_port))
        self.inside.settimeout(0.02)
        self.server = ("127.0.0.1", server_port)
        self.every, self.left = every, times
        self.rebound = 0
        self.stopping = False
        self.outside = []
        self.open_outside()

    def open_outside(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        self.outside.append(sock)  # the old ones are heard no more, as behind a NAT

    def run(self):
        import select
        client, passed = None, 0
        while not self.stopping:
            ready, _, _ = select.select([self.inside, self.outside[-1]], [], [], 0.05)
            for sock in ready:
                try:
                    data, source = sock.recvfrom(65536)
                except OSError:
                    continue
                if sock is not self.inside:
                    if client:
                        self.inside.sendto(data, client)
                    continue
                client = source
                passed += 1
                if self.left and passed % self.every == 0:
                    self.left -= 1
                    self.rebound += 1
                    self.open_outside()
                self.outside[-1].sendto(data, self.server)

    def stop(self):
        self.stopping = True
        self.join(2)
        for sock in self.outside + [self.inside]:
            sock.close()


class Lab:
    """One case: use as a context manager."""

    def __init__(self, folder, build, pki, case, client):
        self.folder, self.build, self.pki, self.case = folder, build, pki, case
        self.client = client
        shutil.rmtree(folder, ignore_errors=True)
        self.root, self.saved, self.uploads = (self.make(n) for n in ("root", "saved", "uploads"))
        self.upload = os.path.join(folder, "up.bin")
        self.ipv6 = case.ipv6
        self.host = "[::1]" if self.ipv6 else "127.0.0.1"
        self.port, self.link_port, self.nat_port = free_udp_ports(3)
        self.running = Programs(folder)
        self.nat = None
        dice = random.Random(case.name)
        self.write("index.html", b"hello\n")
        self.write("small.bin", dice.randbytes(SMALL))
        if case.down:
            self.write("big.bin", dice.randbytes(case.size))
        for i in range(case.many):
            self.write(f"f{i}.bin", dice.randbytes(SMALL))
        with open(self.upload, "wb") as f:
            f.write(client.fill * case.size if client.fill else dice.randbytes(case.size))

    def make(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(path, exist_ok=True)
        return path

    def write(self, name, data):
        with open(os.path.join(self.root, name), "wb") as f:
            f.write(data)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.nat:
            self.nat.stop()
        self.running.__exit__(kind)

    # ---- what the case moves ----

    @property
    def downloads(self):
        return (["big.bin"] if self.case.down else []) + \
            [f"f{i}.bin" for i in range(self.case.many)] or ["small.bin"]

    def check_downloads(self):
        for name in self.downloads:
            self.same(os.path.join(self.root, name), os.path.join(self.saved, name))

    def check_upload(self, file):
        self.same(self.upload, file)

    @staticmethod
    def same(a, b):
        if not os.path.exists(b):
            raise Failed(f"{os.path.basename(b)} did not arrive")
        with open(a, "rb") as x, open(b, "rb") as y:
            if x.read() != y.read():
                raise Failed(f"{os.path.basename(b)} differs: {os.path.getsize(b)} bytes of "
                             f"{os.path.getsize(a)}")

    # ---- programs ----

    def tool(self, name):
        return os.path.join(self.build, "tests", "interop", name)

    def start_server(self, name, command, tcp=False):
        server = self.running.start(name, command)
        self.wait_for_port(server, tcp)
        return server

    def wait_for_port(self, server, tcp):
        demo_programs.wait_for_udp(server, self.port)
        until = time.monotonic() + 10
        while tcp:
            try:
                socket.create_connection((self.host.strip("[]"), self.port), 1).close()
                return
            except OSError:
                server.check_alive()
                if time.monotonic() > until:
                    raise server.failed("does not listen") from None
                time.sleep(0.05)

    def run_client(self, name, command, **more):
        """To its end; the program. Its exit code must be 0."""
        client = self.running.start(name, command, **more)
        client.wait(TIMEOUT_S)
        return client

    def begin_link(self):
        """Whatever lies between the two; afterwards clients go to the port `connect_port`."""
        target = self.port
        if self.case.rebind:
            target = self.nat_port if self.case.link else self.link_port
            self.nat = Rebinder(target, self.port)
            self.nat.start()
        links = self.case.links or ([self.case.link] if self.case.link else [])
        if not links:
            return
        command = [os.path.join(self.build, "vmm-shim", "vlink", "vlink"), "--seed", "7",
                   "--start-on-traffic"]
        for name, host, keys in zip("ab", (self.host, self.second_host), links):
            command += ["--link", f"name={name},listen={host}:{self.link_port},"
                        f"to={self.host}:{target},{keys}"]
        for change in self.case.at:
            command += ["--at", change]
        vlink = self.running.start("vlink", command)
        demo_programs.wait_for_udp(vlink, self.link_port)

    @property
    def connect_port(self):
        between = self.case.link or self.case.links or self.case.rebind
        return self.link_port if between else self.port

    second_host = "127.0.0.2"  # where path 1 leads when each path has a link of its own


def text_of(program):
    with open(program.log, encoding="utf-8", errors="replace") as f:
        return f.read()


def events_of(program):
    """What our client or server said: its JSON lines."""
    return [json.loads(line) for line in text_of(program).splitlines() if line.startswith("{")]


def connections_of(events):
    """The last statistics of each connection, by rising number."""
    last = {}
    for e in events:
        if "connection" in e:
            last[e["connection"]["id"]] = e["connection"]
    return [last[k] for k in sorted(last)]


def version_of(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True,
                          text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
