#!/usr/bin/python3
"""metal.py - the guest without an operating system, booted by itself.

    a ══ link 0, link 1 (unix datagrams) ══ b ── link 2 ── this program, frame by frame
                                            b ── taps in a namespace ── tvl-echo of the host (root)

Two of them exchange data over one and two paths, refuse who is not who he says, and outlive
frames that nobody should send. Everything is asked for through the agent's port. Needs no right but
for the taps; that part is left out, and says so, where one is not root.
"""
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time

import lib
from lib import check

METAL = os.path.join(lib.BUILD, "vmm-shim", "libexec", "amd64", "metal.elf")
ECHO = os.path.join(lib.BUILD, "echo", "tvl-echo")
QEMU = "qemu-system-x86_64"
RESIDENT_MOST = 64 << 20  # bytes of QEMU
SERVE = ["tvl-echo", "serve", "--cert", "/etc/slice/cert.pem", "--key", "/etc/slice/key.pem"]
NAMESPACE = f"vmmetal{os.getpid()}"


def tsc_khz():
    """As the host says; None: the guest measures it."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        for line in f:
            if line.startswith("cpu MHz"):
                return int(float(line.split(":")[1]) * 1000)
    return None


def newc(files):
    """An archive of {name: bytes} as the kernel's initramfs has it."""
    out = b""
    for i, (name, data) in enumerate([*files.items(), ("TRAILER!!!", b"")]):
        name = name.encode() + b"\0"
        fields = (i, 0o100600 if data else 0, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        entry = b"070701" + b"".join(b"%08x" % v for v in fields) + name
        entry += b"\0" * (-len(entry) % 4) + data
        out += entry + b"\0" * (-len(entry) % 4)
    return out


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def certificates(folder):
    """An authority, a certificate for the two guests, and an authority that nobody knows."""
    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem", "-days", "2",
                "-subj", f"/CN={name}")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
            f"{folder}/key.pem", "-out", f"{folder}/csr", "-subj", "/CN=b")
    with open(f"{folder}/extensions", "w", encoding="ascii") as f:
        f.write("subjectAltName=DNS:b," + ",".join(f"IP:10.77.{i}.2" for i in range(5)) + "\n")
    openssl("x509", "-req", "-in", f"{folder}/csr", "-CA", f"{folder}/ca.pem", "-CAkey",
            f"{folder}/ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{folder}/extensions",
            "-out", f"{folder}/cert.pem")


def mac(link, node):
    return bytes((0x52, 0x54, 0, link, node, 7))


class Guest:
    """One machine: `cards` are (link, arguments of -netdev behind the id)."""

    def __init__(self, folder, name, number, cards, run=None, files=None, machine=(), cpu="max"):
        self.folder, self.name = folder, name
        nics = [{"mac": mac(link, number).hex(":"), "address": f"10.77.{link}.{number}", "prefix": 24,
                 "mtu": 1500} for link, _ in cards]
        config = {"node": name, "nics": nics, "hosts": {"b": "10.77.0.2"}, "run": run or []}
        content = {"etc/slice/guest.json": json.dumps(config).encode()} if files is None else files
        for pem in ("ca", "other", "cert", "key") if files is None else ():
            with open(f"{folder}/{pem}.pem", "rb") as f:
                content[f"etc/slice/{pem}.pem"] = f.read()
        with open(f"{folder}/{name}.cpio", "wb") as f:
            f.write(newc(content))
        khz = tsc_khz()
        line = [QEMU, "-M", "microvm,memory-backend=ram", "-object",
                "memory-backend-memfd,id=ram,size=32M,share=on", "-accel", "tcg,tb-size=8", "-cpu", cpu, "-m", "32",
                "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial",
                f"file:{folder}/{name}.log", "-kernel", METAL, "-initrd", f"{folder}/{name}.cpio",
                "-append", f"tsc_early_khz={khz}" if khz else "quiet"]
        line += machine or ("-global", "virtio-mmio.force-legacy=false")
        for i, (link, netdev) in enumerate(cards):
            kind, _, rest = netdev.partition(",")
            line += ["-netdev", f"{kind},id=n{i},{rest}", "-device",
                     f"virtio-net-device,netdev=n{i},mac={mac(link, number).hex(':')}"]
        if run is None:  # else it runs that by itself
            line += ["-device", "virtio-serial-device", "-chardev",
                     f"socket,id=agent,path={folder}/{name}.agent,server=on,wait=off", "-device",
                     "virtserialport,chardev=agent,name=svc.agent"]
        inside = ["ip", "netns", "exec", NAMESPACE] if any("tap" in c[1] for c in cards) else []
        self.began = time.monotonic()
        self.process = subprocess.Popen(inside + line, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.stream, self.next_id = None, 1

    def log(self):
        try:
            with open(f"{self.folder}/{self.name}.log", encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def wait_ready(self):
        """Seconds until it said so."""
        lib.wait_for(lambda: "metal: ready" in self.log() or self.process.poll() is not None,
                     f"{self.name} is ready", 60, 0.005)
        took = time.monotonic() - self.began
        check("metal: ready" in self.log(), f"{self.name} is ready", self.log())
        return took

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(60)
        s.connect(f"{self.folder}/{self.name}.agent")
        self.stream = s.makefile("rw", encoding="utf-8")
        return json.loads(self.stream.readline())

    def ask(self, **request):
        """All lines of the answer."""
        request = {"id": self.next_id, **request}
        self.next_id += 1
        self.stream.write(json.dumps(request) + "\n")
        self.stream.flush()
        lines = []
        while not lines or not {"ok", "exit", "signal", "error"} & set(lines[-1]):
            lines.append(json.loads(self.stream.readline()))
        return lines

    def send(self, *args, server="10.77.0.2:4433", ca="ca"):
        """tvl-echo send in the guest: its exit status and JSON."""
        lines = self.ask(do="exec", argv=["tvl-echo", "send", server, "--json", "--ca",
                                          f"/etc/slice/{ca}.pem", *args])
        text = "".join(line.get("out", "") for line in lines)
        return lines[-1].get("exit"), json.loads(text) if text.startswith("{") else {"error": str(lines)}

    def status(self, key):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) << 10 for line in f if line.startswith(key + ":"))

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def unix(folder, mine, theirs):
    return (f"dgram,local.type=unix,local.path={folder}/{mine},"
            f"remote.type=unix,remote.path={folder}/{theirs}")


# ---- this program's own link ----

class Wire:
    """The far end of link 2: frames as bytes."""
    ADDRESS, MAC = bytes((10, 77, 2, 1)), bytes((2, 0, 0, 0, 0, 1))

    def __init__(self, folder):
        self.to = f"{folder}/2.b"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"{folder}/2.wire")

    def put(self, frame):
        self.socket.sendto(frame, self.to)

    def get(self, wanted, seconds=20):
        """The first frame that `wanted` accepts, or None."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.socket], [], [], 0.2)[0]:
                frame = self.socket.recv(2048)
                if wanted(frame):
                    return frame
        return None


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip_frame(protocol, body, to=bytes((10, 77, 2, 2))):
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, 64, protocol, 0)
    head += Wire.ADDRESS + to
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    return mac(2, 2) + Wire.MAC + b"\x08\x00" + head + body


def echo_request(number):
    body = struct.pack(">BBHHH", 8, 0, 0, 77, number) + bytes(range(48))
    return ip_frame(1, body[:2] + struct.pack(">H", checksum(body)) + body[4:])


def arp_request():
    return (b"\xff" * 6 + Wire.MAC + b"\x08\x06" + bytes((0, 1, 8, 0, 6, 4, 0, 1)) + Wire.MAC +
            Wire.ADDRESS + bytes(6) + bytes((10, 77, 2, 2)))


def garbage(rng):
    """Frames that are wrong each in its own way: noise, and right ones changed, cut or stretched."""
    udp = struct.pack(">HHHH", 9, 4433, 208, 0) + rng.randbytes(200)
    models = [arp_request(), echo_request(1), ip_frame(17, udp), ip_frame(6, udp)]
    while True:
        frame = bytearray(rng.choice(models) if rng.random() < 0.8 else rng.randbytes(rng.randrange(1, 1600)))
        for _ in range(rng.randrange(4)):
            frame[rng.randrange(len(frame))] = rng.randrange(256)
        if rng.random() < 0.3:
            frame = frame[:rng.randrange(1, len(frame) + 1)]
        if rng.random() < 0.1:
            frame += rng.randbytes(rng.randrange(1400))
        yield bytes(frame)


def frames_of_strangers(wire, b):
    wire.put(arp_request())
    answer = wire.get(lambda f: f[12:14] == b"\x08\x06" and f[20:22] == b"\0\2")
    check(answer and answer[22:28] == mac(2, 2) and answer[28:32] == bytes((10, 77, 2, 2)),
          "ARP is answered")
    wire.put(echo_request(1))
    answer = wire.get(lambda f: f[12:14] == b"\x08\x00" and f[23] == 1)
    check(answer and answer[34] == 0 and answer[38:] == echo_request(1)[38:], "ping is answered")
    source = garbage(random.Random(1))
    for i in range(3000):
        wire.put(next(source))
        if i % 100 == 99:  # the socket holds a limited number: keep step
            wire.put(echo_request(i))
            check(wire.get(lambda f, n=i: len(f) >= 42 and f[40:42] == struct.pack(">H", n)
                           and f[34] == 0), f"alive after {i + 1} frames of garbage") \
                if i % 1000 == 999 else wire.get(lambda f, n=i: f[40:42] == struct.pack(">H", n))
    stats = b.ask(do="stats")[-1]["ok"]
    check(stats["damaged"] > 500 and stats["not_ours"] > 100, "they are counted", stats)


# ---- data ----

def exchange(a, b):
    code, r = a.send("--bytes", "1M", "--streams", "4", "--datagrams", "20")
    check(code == 0 and r["bytes_returned"] == 1000000 and r["datagrams_returned"] > 0,
          "1 MB there and back over one path", r)
    code, r = a.send("--path", "eth0", "--path", "dev=eth1,to=10.77.1.2:4433", "--bytes", "1M",
                     "--sched", "roundrobin", server="b:4433")
    check(code == 0 and r["multipath"] and len(r["paths"]) == 2
          and all(p["bytes_sent"] > 100000 for p in r["paths"]), "and over two", r)
    check("ok" in a.ask(do="exec", argv=SERVE, name="s", detach=True)[-1]
          and "ok" in b.ask(do="exec", argv=["tvl-echo", "relay", "10.77.0.1:4433", "--name", "b", "--listen",
                                             "0.0.0.0:5544", "--ca", "/etc/slice/ca.pem", *SERVE[2:]],
                            name="r", detach=True)[-1], "b relays to a")
    code, r = a.send("--bytes", "300k", "--streams", "3", server="b:5544")
    check(code == 0 and r["bytes_returned"] == 300000, "what a sends comes back from a, by way of b", r)
    a.ask(do="kill", name="s")
    b.ask(do="kill", name="r")
    code, r = a.send(ca="other")
    check(code == 1 and "certificate" in r["error"], "a server of an unknown authority is refused", r)
    code, r = a.send("--name", "c")
    check(code == 1 and "mismatch" in r["error"], "and one of another name", r)
    code, r = a.send("--path", "eth7")
    check(code == 1 and "eth7" in r["error"], "an interface that is not there is named", r)
    stats = b.ask(do="stats")[-1]["ok"]
    check(stats["memory_used_bytes"] < 16 << 20, "memory that is in use", stats)


def commands(a):
    check(a.ask(do="exec", argv=["ls"])[-1]["error"].startswith("ls: this system has one program"),
          "another program than its own is refused")
    check(a.ask(do="exec", argv=["/bin/tvl-echo", "send"])[-1] == {"id": a.next_id - 1, "exit": 64},
          "a wrong command line is 64")
    check("error" in a.ask(do="dance")[-1] and "error" in a.ask(do="exec")[-1], "requests are checked")
    lines = a.ask(do="exec", argv=["tvl-echo", "wake", "--count", "20", "--json"])
    check(json.loads(lines[0]["out"])["wake_ups"] == 20, "wake", lines)
    check("ok" in a.ask(do="exec", argv=SERVE, name="s", detach=True)[-1], "detached")
    check("error" in a.ask(do="kill", name="t")[-1] and "ok" in a.ask(do="kill", name="s")[-1], "kill")
    now = 1700000000 * 10**9
    check("ok" in a.ask(do="time", ns=now)[-1] and "ok" in a.ask(do="announce")[-1], "time, announce")
    code, r = a.send()
    check(code == 1 and "not yet valid" in r["error"], "the time that was set is what certificates meet", r)


def idle(b):
    before = b.cpu_s()
    time.sleep(1)
    check(b.cpu_s() - before < 0.5, f"it sleeps while nothing happens ({b.cpu_s() - before:.2f} s of 1)")


def refusals(folder):
    for name, more, said in (
            ("none", {"files": {"x": b"y"}}, "no /etc/slice/guest.json"),
            ("bad", {"files": {"etc/slice/guest.json": b"{"}}, "guest.json:1:"),
            ("old", {"machine": ("-global", "virtio-mmio.force-legacy=true")}, "force-legacy=false")):
        guest = Guest(folder, name, 3, [(0, unix(folder, f"{name}.0", "nobody"))] if name == "old" else [],
                      **more)
        try:
            check(guest.process.wait(60) == 0 and said in guest.log(), f"said: {said}", guest.log())
        finally:
            guest.stop()


def randomness(folder):
    """Without a source it does not begin a handshake; virtio-rng is one where the processor is none."""
    modern = ("-global", "virtio-mmio.force-legacy=false")
    for more, said in (((), "no randomness here"), (("-device", "virtio-rng-device"), "ready on port")):
        guest = Guest(folder, f"r{len(more)}", 3, [], machine=modern + more, cpu="qemu64")
        try:
            guest.wait_ready()
            guest.connect()
            answer = guest.ask(do="exec", argv=SERVE) if not more else []
            if more:  # it serves, and does not end
                guest.stream.write(json.dumps({"id": 1, "do": "exec", "argv": SERVE}) + "\n")
                guest.stream.flush()
                answer = [json.loads(guest.stream.readline())]
            check(said in str(answer), f"an old processor, {more[-1] if more else 'no device'}: {said}", answer)
        finally:
            guest.stop()


def faults():
    """What a program does wrong is said with the place, and the machine ends: nothing is overwritten."""
    for what, said in (("null", "page fault at rip="), ("text", "page fault at rip="), ("xdata", "page fault at rip="),
                       ("stack", "page fault at rip="), ("abort", "killed itself"), ("memory", "refused\nends"),
                       ("-", "ends")):
        done = subprocess.run([QEMU, "-M", "microvm", "-accel", "tcg,tb-size=8", "-cpu", "max", "-m", "16",
                               "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial",
                               "stdio", "-kernel", os.path.join(lib.BUILD, "tests", "vmm", "board_faults"), "-append",
                               f"tsc_early_khz={tsc_khz() or 2000000} do={what}"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        check("begins" in done.stdout and said in done.stdout and ("ends" in said) == ("ends" in done.stdout.split()),
              f"{what}: {said.split()[0]}", done.stdout)


def host_end(folder):
    """tvl-echo of the host through taps."""
    if os.geteuid() != 0:
        print("left out: taps need root")
        return
    def ip(*words):
        subprocess.run(["ip", "-n", NAMESPACE, *words], check=True, capture_output=True)
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    guest = None
    try:
        for link in (3, 4):
            ip("tuntap", "add", f"tap{link}", "mode", "tap")
            ip("addr", "add", f"10.77.{link}.1/24", "dev", f"tap{link}")
            ip("link", "set", f"tap{link}", "up")
        guest = Guest(folder, "h", 2, [(n, f"tap,ifname=tap{n},script=no,downscript=no") for n in (3, 4)], SERVE)
        guest.wait_ready()
        for paths in ((), ("--path", "tap3", "--path", "dev=tap4,to=10.77.4.2:4433")):
            done = subprocess.run(
                ["ip", "netns", "exec", NAMESPACE, ECHO, "send", "10.77.3.2:4433", "--ca",
                 f"{folder}/ca.pem", "--bytes", "1M", "--json", *paths], capture_output=True, text=True,
                timeout=60, check=False)
            check(done.returncode == 0, f"1 MB between Linux and it over {max(1, len(paths) // 2)} path(s)",
                  done.stdout, done.stderr, guest.log())
        print("host:", done.stdout.strip())
    finally:
        if guest:
            guest.stop()
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=False)


def main():
    lib.need_program(QEMU)
    lib.need_program("openssl")
    if not os.path.exists(METAL):
        lib.skip("metal.elf was not built (no static libssl, or a build with sanitizers)")
    with tempfile.TemporaryDirectory(prefix="vmmetal", dir="/tmp") as folder:
        certificates(folder)
        wire, guests = Wire(folder), []
        try:
            b = Guest(folder, "b", 2, [(n, unix(folder, f"{n}.b", f"{n}.{'wire' if n == 2 else 'a'}"))
                                       for n in range(3)])
            guests.append(b)
            took = b.wait_ready()
            guests.append(a := Guest(folder, "a", 1, [(n, unix(folder, f"{n}.a", f"{n}.b"))
                                                      for n in range(2)]))
            a.wait_ready()
            check(b.connect()["kernel"].startswith("metal ") and a.connect()["node"] == "a", "hello")
            check("ok" in b.ask(do="exec", argv=SERVE, detach=True)[-1], "b serves")
            exchange(a, b)
            frames_of_strangers(wire, b)
            code, r = a.send("--pings", "100")
            check(code == 0, "the server outlived that", r)
            commands(a)
            idle(b)
            resident = b.status("VmRSS")
            check(resident < RESIDENT_MOST, f"resident: {resident >> 20} MB", resident)
            print(f"ready {took * 1000:.0f} ms after QEMU's start; round trip p50 "
                  f"{r['round_trip_ms_p50']:.2f} ms, p99 {r['round_trip_ms_p99']:.2f} ms")
            check(b.ask(do="poweroff")[-1].get("ok") == {} and b.process.wait(20) == 0, "poweroff")
        finally:
            for guest in guests:
                guest.stop()
        refusals(folder)
        faults()
        randomness(folder)
        host_end(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
