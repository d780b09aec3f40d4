#!/usr/bin/env python3
"""network.py - the virtual networks as processes, without guests: raw datagram sockets, taps and veths
are the nodes. Isolation by capture, inheritance while it changes, bad input, no privilege.

Times are checked on the side where a slow machine cannot break them: late is possible, early is not."""
import ctypes
import hashlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import frames  # noqa: E402
from frames import frame  # noqa: E402

BUILD = sys.argv[2] if len(sys.argv) > 2 else "build"
EXAMPLE = os.path.join(BUILD, "vmm-shim", "vlink", "drop-every.so")
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def check(what, good, *evidence):
    print("ok  " if good else "FAIL", what, *([] if good else evidence), flush=True)
    if not good:
        sys.exit(1)


def wait_for(what, true, seconds=20):
    end = time.monotonic() + seconds
    while not (value := true()):
        if time.monotonic() >= end:
            check(what, False, f"not within {seconds} s")
        time.sleep(0.01)
    if what:
        check(what, True)
    return value


def pair(v, link, **settings):
    v.do("add", link=link, **settings)
    return v.port(link, "a"), v.port(link, "b")


def cross(a, b, payload=b"x"):
    """One frame each way; the seconds the first took."""
    began = time.monotonic()
    a.send(frame(b, a, payload, 60))
    got = b.receive()
    took = time.monotonic() - began
    check("a frame crosses", got and payload in got, got)
    b.send(frame(a, b, payload, 60))
    check("and one comes back", payload in (a.receive() or b""))
    return took


# ---- slices beside each other ----

def coexistence():
    """Two slices and two children of a third, all sending to everybody: what each port captured."""
    with frames.Vlink(BUILD) as one, frames.Vlink(BUILD) as two, frames.Vlink(BUILD) as carrier, \
            frames.Vlink(BUILD) as kid, frames.Vlink(BUILD) as other:
        ports = {}
        ports["one"] = pair(one, "lan") + (one.port("lan", "c"),)
        ports["two"] = pair(two, "lan")
        ports["carrier"] = pair(carrier, "wan", both={"rate": "50mbit"}, tenants=carrier.door("wan"))
        for name, v in ("kid", kid), ("other", other):
            ports[name] = pair(v, "lan", parent={"socket": carrier.door("wan"), "slice": name})
        for number in range(40):
            for name, members in ports.items():
                for i, p in enumerate(members):
                    to = None if number % 2 else members[i - 1]
                    wait_for(None, lambda p=p, to=to, name=name: p.send(
                        frame(to, p, f"[{name}]".encode(), 200)))
            time.sleep(0.002)
        captured = {name: [] for name in ports}
        wait_for("everything arrives", lambda: all(
            len(captured[name].extend(g for p in members for g in p.drain()) or captured[name])
            >= 40 * len(members) for name, members in ports.items()))
        time.sleep(0.1)
        for name, members in ports.items():
            captured[name] += [g for p in members for g in p.drain()]
            strangers = [g for g in captured[name] if f"[{name}]".encode() not in g]
            check(f"{name}: {len(captured[name])} frames captured, all its own", not strangers,
                  strangers[:2])
        tenants = [t["slice"] for t in carrier.stats("wan")["tenants"]]
        check("the carrier sees its tenants", tenants == [None, "kid", "other"], tenants)
        carrier.do("remove", link="wan", tenant="kid")
        kid.close()
        wait_for("a tenant is gone with its process",
                 lambda: [t["slice"] for t in carrier.stats("wan")["tenants"]] == [None, "other"])


# ---- a slice in a slice in a slice ----

def flood(a, b, seconds):
    """Bits a second that came through, as many offered as there is room for."""
    got, began = 0, time.monotonic()
    data = frame(b, a, b"", 1514)
    while time.monotonic() < began + seconds:
        for _ in range(30):
            if not a.send(data):
                break
        got += sum(map(len, b.drain()))
        time.sleep(0.0005)
    return got * 8 / (time.monotonic() - began)


def inheritance():
    with frames.Vlink(BUILD) as top, frames.Vlink(BUILD) as kid, frames.Vlink(BUILD) as grandkid:
        top.do("add", link="wan", both={"rate": "8mbit", "delay": "30ms"}, tenants=top.door("wan"))
        parent = {"socket": top.door("wan"), "slice": "kid"}
        for settings, word in ({"rate": "9mbit"}, "rate"), ({"delay": "29ms"}, "delay"), \
                ({"rate": "unlimited"}, "unlimited"):
            why = kid.refused("add", link="lan", down=settings, parent=parent)
            check(f"wider is refused: {why}", word in why and "down" in why)
        check("and leaves nothing", kid.do("stats")["links"] == [])
        a, b = pair(kid, "lan", both={"delay": "50ms"}, parent=parent, tenants=kid.door("lan"))
        check("a delay is the whole delay", 0.050 <= cross(a, b) < 0.080 + 5)
        deep = pair(grandkid, "lan", parent={"socket": kid.door("lan"), "slice": "grandkid"})
        check("inherited twice", cross(*deep) >= 0.050)
        top.do("set", link="wan", both={"delay": "120ms"})
        wait_for("the change reaches the grandchild",
                 lambda: grandkid.stats("lan")["up"]["delay_ms"] == 120)
        check("a later change at the parent wins", cross(a, b) >= 0.120 and cross(*deep) >= 0.120)
        why = kid.refused("set", link="lan", up={"delay": "100ms"})
        check("and is the new bound", "delay" in why, why)
        kid.do("set", link="lan", both={"delay": "130ms"})
        kid.do("set", link="lan", both={"delay": "inherit"})
        check("and can be inherited again", kid.stats("lan")["up"]["delay_ms"] == 120)
        kid.do("set", link="lan", up={"rate": "1mbit", "loss": "1%"})
        kid.do("set", link="lan", up={"rate": "inherit", "loss": "inherit"})
        now = kid.stats("lan")["up"]
        check("so can rate and loss", (now["rate_bps"], now["loss"]) == (8000000, 0), now)
        top.do("set", link="wan", both={"delay": "1ms"})
        for rate in 4, 2:
            top.do("set", link="wan", up={"rate": f"{rate}mbit"})
            got = flood(*deep, 1.0)
            check(f"a child never exceeds its parent's {rate} Mbit/s", got <= 1.01 * rate * 1e6, got)
            wait_for("the queue empties", lambda: not top.stats("wan")["up"]["queue_packets"]
                     and not grandkid.stats("lan")["up"]["queue_packets"])
            deep[1].drain()
        top.do("down", link="wan", way="up")
        wait_for("down reaches the grandchild", lambda: grandkid.stats("lan")["up"]["down"])
        deep[0].send(frame(deep[1], deep[0], b"lost", 60))
        check("a link that is down carries nothing", deep[1].receive(0.2) is None)
        top.do("up", link="wan")
        wait_for("up again", lambda: not grandkid.stats("lan")["up"]["down"])
        cross(*deep)
        return_of_the_parent(top, kid, deep)


def return_of_the_parent(top, kid, deep):
    door = top.door("wan")
    top.kill()
    wait_for("a parent that died takes its children down",
             lambda: kid.stats("lan")["up"]["down"] and not kid.stats("lan")["parent"]["connected"])
    with frames.Vlink(BUILD) as again:
        again.do("add", link="wan", both={"rate": "1mbit"}, tenants=door)
        wait_for("they attach to the one that comes after it",
                 lambda: kid.stats("lan")["parent"]["connected"])
        wait_for("and have its rate", lambda: kid.stats("lan")["up"]["rate_bps"] == 1000000)
        wait_for("down to the grandchild", lambda: not deep[1].drain() and deep[0].send(
            frame(deep[1], deep[0], b"back", 60)) and b"back" in (deep[1].receive(0.5) or b""))


# ---- a node that moves ----

def moving():
    with frames.Vlink(BUILD) as v:
        a, b = pair(v, "lan")
        cross(a, b)
        later = v.port("lan", "b-2", side="down")
        later.mac = b.mac
        later.send(frame(None, later, b"announce", 60))
        check("the announcement arrives", b"announce" in (a.receive() or b""))
        check("also where the node was", b"announce" in (b.receive() or b""))
        a.send(frame(b, a, b"follow", 60))
        check("frames follow at once", b"follow" in (later.receive() or b""))
        check("and only there", b.receive(0.1) is None)
        v.do("remove", link="lan", port="b")
        cross(a, later)


# ---- programs, settings, bad input ----

def programs():
    with frames.Vlink(BUILD) as v:
        a, b = pair(v, "lan", program=EXAMPLE, argument="5")
        got = []
        for number in range(20):
            a.send(frame(b, a, bytes([number]), 1200))
            a.send(frame(b, a, b"small", 60))  # follows in any case
            while (g := b.receive()) and b"small" not in g:
                got.append(g[frames.HEADER])
        check("every 5th large frame is dropped", got == [n for n in range(20) if n % 5 != 4], got)
        for path, word in ("/nowhere.so", "nowhere"), (EXAMPLE + "x", "drop-every"), \
                (shutil.which("true"), "true"), ("drop-every.so", "path"):
            why = v.refused("program", link="lan", path=path)
            check(f"not a program: {why}", word in why)
        check("the link is as it was", v.stats("lan")["program"] == EXAMPLE)
        why = v.refused("add", link="other", program="/nowhere.so")
        check("and no other link is left", len(v.do("stats")["links"]) == 1)
        v.do("program", link="lan", path=None)
        for _ in range(10):
            a.send(frame(b, a, b"", 1200))
        check("without a program all pass", all(b.receive() for _ in range(10)))


def settings(folder):
    trace = os.path.join(folder, "trace")
    with open(trace, "w", encoding="ascii") as f:
        f.write("100\n")
    with frames.Vlink(BUILD) as v:
        a, b = pair(v, "lan")
        v.do("set", link="lan", up={"trace": trace})
        check("a trace from now on", v.stats("lan")["up"]["rate_bps"] == 120000)
        a.send(frame(b, a, b"", 1500))
        check("its opportunity carries a frame", b.receive())
        began = time.monotonic()
        a.send(frame(b, a, b"", 1500))
        a.send(frame(b, a, b"", 1500))
        check("and one later", b.receive() and b.receive() and time.monotonic() - began >= 0.1)
        check("no such trace", "nowhere" in v.refused("set", link="lan", up={"trace": "/nowhere"}))
        check("the old one stays", v.stats("lan")["up"]["trace"] == trace)
        v.do("set", link="lan", up={"rate": "1mbit"})
        check("a rate takes its place", v.stats("lan")["up"]["rate_bps"] == 1000000
              and "trace" not in v.stats("lan")["up"])
        check("half a request changes nothing", "loss" in v.refused(
            "set", link="lan", up={"rate": "7mbit", "loss": "lots"})
              and v.stats("lan")["up"]["rate_bps"] == 1000000)
        v.do("set", link="lan", both={"loss": "100%"})
        a.send(frame(b, a, b"", 60))
        wait_for("all are lost", lambda: v.stats("lan")["up"]["drop_loss"] == 1)
        check("and none comes", b.receive(0.1) is None)
        for size in 9216, 14:
            v.do("set", link="lan", both={"loss": "0"})
            a.send(frame(b, a, b"", size))
            check(f"a frame of {size} bytes passes", len(b.receive() or b"") == size)
        a.send(frame(b, a, b"", 9217))
        a.send(b"short")
        check("larger and shorter ones do not", b.receive(0.1) is None)
        check("and are counted", v.stats("lan")["ports"][0]["oversize"] == 1)


def bad_input():
    with frames.Vlink(BUILD) as v:
        a, b = pair(v, "lan")
        rude = socket.socket(socket.AF_UNIX)
        rude.connect(v.control)
        answers = rude.makefile("r", encoding="utf-8")
        for line in b"", b"{", b"\xff\xfe\x00", b"[]", b'{"id":1}', b'{"do":"set","link":"\\ud800"}', \
                b'{"id":"a","do":"stats"}', b"x" * 100000, b'{"do":' * 5000, \
                b'{"do":"add","link":"l","both":' + json.dumps({f"k{i}": 1 for i in range(99)}).encode() \
                + b"}":
            rude.sendall(line + b"\n")
            if line:
                answer = json.loads(answers.readline())
                check(f"{line[:40]!r} is refused", answer["error"] and "\n" not in answer["error"])
        rude.sendall(b'{"id":9,"do":"st')
        time.sleep(0.05)
        rude.sendall(b'ats"}\n{"id":10,"do":"stats"}\n')
        check("a line may come in parts, and two at once",
              [json.loads(answers.readline())["id"] for _ in range(2)] == [9, 10])
        crowd = []
        for _ in range(20):
            crowd.append(socket.socket(socket.AF_UNIX))
            crowd[-1].connect(v.control)
        last = crowd[-1].makefile().readline()
        check("one client too many is told so", "16 clients" in last, last)
        deaf = crowd[0]  # asks and does not read
        deaf.setblocking(False)
        try:
            while True:
                deaf.send(b'{"do":"stats"}\n' * 200)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
        cross(a, b)
        for s in crowd:
            s.close()
        knock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        v.do("add", link="wan", tenants=v.door("wan"))
        for junk in b"\x01", b"\x04\0\0" + b"x" * 60, os.urandom(300), b"\x01\x01\0\0\0" + b"\xff" * 68:
            knock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            knock.connect(v.door("wan"))
            knock.send(junk)
            knock.settimeout(5)
            reply = knock.recv(1000)
            check("nonsense at a door ends there", reply == b"" or reply[0] == 2, reply)
        for path in v.control, v.door("wan"), os.path.join(v.folder, "lan.a.shim"):
            why = v.refused("add", link="third", tenants=path)
            check(f"a socket in use stays: {why}", "uses" in why)
        check("own links are no parents", "same slice" in v.refused(
            "attach", link="lan", parent={"socket": v.door("wan"), "slice": "me"}))
        cross(a, b)
        check("ended as asked", v.close() == 0)
        check("no socket is left", v.left == [], v.left)


# ---- interfaces ----

def namespace_process(flags):
    """A process that only holds new namespaces; (its pid, what ends it)."""
    ready, done = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(ready[1], b"%d" % (libc.unshare(flags) == 0))
        os.close(done[1])
        os.read(done[0], 1)
        os._exit(0)
    os.close(done[0])
    works = os.read(ready[0], 1) == b"1"
    os.close(ready[0])
    os.close(ready[1])

    def end():
        os.write(done[1], b"x")  # others may hold the pipe, too
        os.close(done[1])
        os.waitpid(pid, 0)
    check("a namespace is made", works)
    return pid, end


def inside(pid, function, *args, user=False):
    """Runs function(*args) in the network namespace of `pid`, in a process; its result by a pipe."""
    r, w = os.pipe()
    child = os.fork()
    if child == 0:
        result = None
        try:
            net = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            if user:
                assert libc.setns(os.open(f"/proc/{pid}/ns/user", os.O_RDONLY), CLONE_NEWUSER) == 0
            assert libc.setns(net, CLONE_NEWNET) == 0
            result = function(*args)
        except Exception as e:  # the parent says it
            result = repr(e)
        os.write(w, json.dumps(result).encode())
        os._exit(0)
    os.close(w)

    def join():
        with os.fdopen(r, "rb") as f:
            text = f.read()
        os.waitpid(child, 0)
        return json.loads(text)
    return join


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def ping(address, n=3):
    """Round trips, s, by real echo requests."""
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    s.settimeout(10)
    trips = []
    for i in range(n):
        body = struct.pack("!HH", os.getpid() & 0xffff, i) + b"twelve bytes"
        packet = b"\x08\0" + struct.pack("!H", checksum(b"\x08\0\0\0" + body)) + body
        began = time.monotonic()
        s.sendto(packet, (address, 0))
        while not (got := s.recv(2000)).endswith(body) or got[20] != 0:
            pass
        trips.append(time.monotonic() - began)
    return trips


def tcp_send(address, n):
    with socket.create_connection((address, 5000), timeout=20) as s:
        s.sendall(hashlib.sha256(b"seed").digest() * (n // 32))
        s.shutdown(socket.SHUT_WR)
        return s.recv(100).decode()


def tcp_serve(address):
    with socket.create_server((address, 5000)) as server:
        server.settimeout(20)
        s, _ = server.accept()
        h = hashlib.sha256()
        while data := s.recv(65536):
            h.update(data)
        s.sendall(h.hexdigest().encode())
        s.close()
    return True


def udp_count(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, 5001))
    s.settimeout(3)
    times = []
    try:
        while len(times) < 300 and s.recv(2000) != b"end":
            times.append(time.monotonic())
    except TimeoutError:
        pass
    return [len(times), times[-1] if times else 0]


def udp_send(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    time.sleep(0.2)
    began = time.monotonic()
    for _ in range(200):
        s.sendto(b"x" * 1300, (address, 5001))
    time.sleep(0.5)
    s.sendto(b"end", (address, 5001))
    return began


def interfaces(v, first, second, n=400000, **how):
    """Real packets between two namespaces over a link of 10 Mbit/s and 5 ms."""
    trips = inside(first, ping, "10.77.0.2", **how)()
    check("echo requests are answered", isinstance(trips, list) and min(trips) >= 0.010, trips)
    expect = hashlib.sha256(hashlib.sha256(b"seed").digest() * (n // 32)).hexdigest()
    for to, address, other in (second, "10.77.0.2", first), (first, "10.77.0.1", second):
        serving = inside(to, tcp_serve, address, **how)
        time.sleep(0.2)
        check("TCP arrives whole", inside(other, tcp_send, address, n, **how)() == expect)
        serving()
    counting = inside(second, udp_count, "10.77.0.2", **how)
    began = inside(first, udp_send, "10.77.0.2", **how)()
    came, last = counting()
    # 1342 bytes each at 10 Mbit/s; the queue takes 200 ms of a burst. The last is there no sooner.
    check("UDP at the link's rate", came >= 150 and last - began >= came * 1342 * 8 / 10e6,
          came, last - began)
    counts = v.stats("lan")["ports"]
    check("ports count", all(p["packets_in"] > 100 and p["packets_out"] > 100 for p in counts))


def names_inside(pid, **how):
    return inside(pid, lambda: [name for _, name in socket.if_nameindex()], **how)()


def tap_and_veth():
    if os.geteuid() != 0:
        print("left out: taps and veths into others' namespaces need root")
        return
    first, end_first = namespace_process(CLONE_NEWNET)
    second, end_second = namespace_process(CLONE_NEWNET)
    before = socket.if_nameindex()
    with frames.Vlink(BUILD) as v:
        v.do("add", link="lan", both={"rate": "10mbit", "delay": "5ms"})
        v.do("add", link="lan", port="a", tap={"namespace": f"/proc/{first}/ns/net",
             "interface": "eth0", "address": "10.77.0.1/24", "mac": "52:54:00:00:00:01"})
        v.do("add", link="lan", port="b", veth={"namespace": f"/proc/{second}/ns/net",
             "interface": "eth0", "address": "10.77.0.2/24", "mtu": 1400})
        for kind in "tap", "veth":
            why = v.refused("add", link="lan", port="c", **{kind: {
                "namespace": f"/proc/{second}/ns/net", "interface": "eth0"}})
            check(f"taken: {why}", "exists" in why)
            why = v.refused("add", link="lan", port="c", **{kind: {
                "namespace": "no-such-namespace", "interface": "eth0"}})
            check(f"not there: {why}", "no-such-namespace" in why)
        interfaces(v, first, second)
        check("our own namespace is as it was", socket.if_nameindex() == before)
        v.do("remove", link="lan", port="b")
        wait_for("a veth goes with its port", lambda: "eth0" not in names_inside(second))
        v.do("add", link="lan", port="b", veth={"namespace": f"/proc/{second}/ns/net",
                                                "interface": "eth0"})
        v.kill()
        wait_for("interfaces go with a process that was killed",
                 lambda: "eth0" not in names_inside(first) + names_inside(second))
    end_first()
    end_second()


# ---- without any privilege ----

def as_nobody():
    """This test again as user nobody, with a copy of what it needs; only what needs no right."""
    if os.geteuid() != 0:
        without_privilege()
        return
    with tempfile.TemporaryDirectory(prefix="net") as folder:
        os.chmod(folder, 0o755)
        for name in "network.py", "frames.py":
            shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), folder)
        place = os.path.join(folder, "vmm-shim", "vlink")
        os.makedirs(place)
        shutil.copy(os.path.join(BUILD, "vmm-shim", "vlink", "vlink"), place)
        done = subprocess.run(["/usr/bin/python3", os.path.join(folder, "network.py"), "rootless", folder],
                              user="nobody", group="nogroup", extra_groups=[], cwd="/", check=False)
        check("all of it as nobody", done.returncode == 0, done.returncode)


def without_privilege():
    with frames.Vlink(BUILD) as v:
        cross(*pair(v, "plain"))
        holder, end = namespace_process(CLONE_NEWUSER | CLONE_NEWNET)
        second, end_second = namespace_process(CLONE_NEWUSER | CLONE_NEWNET)
        v.do("add", link="lan", both={"rate": "10mbit", "delay": "5ms"})
        for name, pid in ("a", holder), ("b", second):
            number = 1 + (name == "b")
            v.do("add", link="lan", port=name, veth={
                "namespace": f"/proc/{pid}/ns/net", "interface": "eth0",
                "address": f"10.77.0.{number}/24"})
        interfaces(v, holder, second, user=True)
        why = v.refused("add", link="lan", port="c", tap={"interface": "x"})
        check(f"a tap is refused with the way out: {why}", "veth" in why)
        why = v.refused("add", link="lan", port="c", veth={"namespace": "/proc/1/ns/net",
                                                           "interface": "x"})
        check(f"so is a namespace of others: {why}", "namespace" in why)
        end()
        end_second()


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "rootless":
        without_privilege()
        return
    with tempfile.TemporaryDirectory(prefix="net") as folder:
        settings(folder)
    coexistence()
    inheritance()
    moving()
    programs()
    bad_input()
    tap_and_veth()
    as_nobody()


main()
