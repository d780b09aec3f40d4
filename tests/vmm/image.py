"""image.py - kernels are fetched once; what is in an image arrives in the guest, and its agent obeys."""
import base64
import os
import shutil
import subprocess
import tempfile
import time

import lib
import guest

TOPOLOGY = """
name: image
nodes:
  a:
    system: cloud
    disk: true
    files:
      - {from: /usr/bin/cat, to: /bin/cat}
      - {from: /usr/bin/ls, to: /usr/bin/ls}
      - {from: /usr/bin/sleep, to: /bin/sleep}
      - {from: /usr/bin/date, to: /bin/date}
      - {from: /bin/dash, to: /bin/sh}
      - {from: SOURCE, to: /opt/tree}
  b: {system: cloud}
links:
  first: {between: [b, a], rate: 10mbit}
  second: {between: [a, b], rate: 10mbit}
"""
SUM = 0  # as vmm_topology_mac() has it
for letter in "image":
    SUM = (SUM * 31 + ord(letter)) & 255
MACS = (f"52:54:00:01:01:{SUM:02x}", f"52:54:00:00:02:{SUM:02x}")  # the second link's first


def without_network(words, **environment):
    """None where the host does not let us be without one."""
    flags = ["-n"] if os.geteuid() == 0 else ["-rn"]
    if subprocess.run(["unshare", *flags, "true"], capture_output=True, check=False).returncode != 0:
        return None
    return subprocess.run(["unshare", *flags, *words], capture_output=True, text=True, check=False,
                          timeout=240, env={**os.environ, **environment})


def fetched_once():
    built = lib.run("image", "build", "cloud")
    lib.check(built.returncode == 0, "image build cloud", built.stderr)
    row = built.stdout.splitlines()[1].split()
    lib.check(row[0] == "cloud" and row[1] == "amd64" and float(row[3]) > 10, "a row of sizes", built.stdout)
    again = without_network([lib.SHIM, "image", "build", "cloud"])
    if again is None:
        print("not tried: being without a network needs namespaces")
        return
    lib.check(again.stdout == built.stdout and not again.stderr, "the second time without a network", again.stderr)
    empty = tempfile.mkdtemp(prefix="vmm", dir="/tmp")
    offline = without_network([lib.SHIM, "image", "build", "cloud"], VMM_SHIM_CACHE=empty)
    lib.check(offline.returncode == 1 and offline.stderr.count("\n") == 2
              and "cannot be fetched" in offline.stderr and "is there a network" in offline.stderr,
              "the first time without a network: what is done and one line why not", offline.stderr)
    left = [n for n in os.listdir(empty) if n.startswith(".new") or n.startswith("cloud")]
    lib.check(not left, "and nothing half made is left", left)
    shutil.rmtree(empty)
    wrong = lib.run("image", "build", "hurd")
    lib.check(wrong.returncode == 1 and "there are: cloud, rt, arm64, metal" in wrong.stderr,
              "an unknown system", wrong.stderr)


def what_is_inside(g):
    lib.check(g.hello["hello"] == 1 and g.hello["node"] == "a" and "cloud" in g.hello["kernel"], "hello", g.hello)
    lib.check(g.run("cat", "/opt/tree/sub/file") == "contents\n", "a file of a folder, from the disk")
    hosts = g.run("cat", "/etc/hosts")
    lib.check("10.77.0.2 a\n" in hosts and "10.77.0.1 b\n" in hosts, "/etc/hosts", hosts)
    lib.check(g.run("cat", "/proc/sys/kernel/hostname") == "a\n", "host name")
    nics = {n["link"]: n for n in g.ask(do="stats")[-1]["ok"]["nics"]}
    lib.check(nics["first"]["address"] == "10.77.0.2" and nics["second"]["address"] == "10.77.1.1"
              and nics["first"]["interface"] == "eth1", "NICs by MAC address", nics)
    for nic in nics.values():
        flags = int(g.run("cat", f"/sys/class/net/{nic['interface']}/flags"), 16)
        lib.check(flags & 1, f"{nic['interface']} is up")
    lib.check("vda /disk iso9660 ro" in g.run("cat", "/proc/mounts"), "the disk is read-only")
    lib.check("agent: module" not in g.serial(), "no module complains", g.serial())


def what_it_obeys(g):
    now = time.time()
    g.ask(do="time", ns=int(now * 1e9))
    lib.check(abs(float(g.run("date", "+%s.%N")) - time.time()) < 5, "the clock is the host's")
    said = g.ask(do="exec", argv=["sh", "-c", "echo \"$X\"; echo bad >&2; exit 3"], env={"X": "h\u00e4"})
    lib.check([l for l in said if "out" in l][0]["out"] == "h\u00e4\n"
              and [l for l in said if "err" in l][0]["err"] == "bad\n" and said[-1] == {"id": g.number, "exit": 3},
              "streams, environment, exit code", said)
    said = g.ask(do="exec", argv=["sh", "-c", r"printf '\377\000'; kill -9 $$"])
    lib.check(base64.b64decode(said[0]["out64"]) == b"\xff\0" and said[-1]["signal"] == 9,
              "what is no text, and a signal", said)
    said = g.ask(do="exec", argv=["nothing-like-it"])
    lib.check("No such file" in said[-1]["error"], "no such program", said)
    many = g.run("sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done")
    lib.check(many == "0123456789\n" * 20000, "220 kB come whole and in order")
    said = g.ask(do="exec", argv=["sleep", "100"], name="s", detach=True, sched="fifo", priority=7)
    pid = said[-1]["ok"]["pid"]
    stat = g.run("cat", f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    lib.check(stat[38] == "1" and stat[37] == "7", "SCHED_FIFO, priority 7", stat)
    lib.check(g.ask(do="kill", name="s")[-1] == {"id": g.number, "ok": {}}, "kill by name")
    lib.check("no command" in g.ask(do="kill", name="t")[-1]["error"], "kill of nobody")
    lib.check(g.ask(do="announce")[-1].get("ok") == {}, "announce")


def held_and_gone_on(g):
    g.number += 1
    one = g.number
    g.send(id=one, do="exec", argv=["sh", "-c", "sleep 0.2; echo late"], name="slow")
    lib.check(g.ask(do="hold", name="slow")[-1].get("ok") == {}, "hold by name")
    lib.check(g.run("sh", "-c", "sleep 0.6; echo other") == "other\n", "others go on meanwhile")
    g.socket.settimeout(1)
    g.send(id=one + 100, do="ping")
    said = g.read()
    lib.check(said["id"] == one + 100, "and the one that is held says nothing", said)
    g.socket.settimeout(120)
    g.send(id=one + 101, do="go-on", of=one)
    said = [g.read() for _ in range(3)]
    lib.check({"id": one, "out": "late\n"} in said and {"id": one, "exit": 0} in said,
              "until it is let go on: nothing is lost, its end comes last", said)


def after(g, first):
    """Two lines, in any order: `first` and the one that is returned."""
    said = [g.read(), g.read()]
    lib.check(first in said, "how much input was taken", said)
    said.remove(first)
    return said[0]


def across_a_reconnection(g):
    g.number += 1
    number = g.number
    g.send(id=number, do="exec", argv=["cat"], stdin=True)
    g.send(id=number, **{"in": "before\n"})
    said = after(g, {"id": number, "taken": 7})
    lib.check(said == {"id": number, "out": "before\n"}, "input and output", said)
    g.lines.close()
    g.socket.close()
    time.sleep(0.2)
    lib.check(g.connect()["node"] == "a", "a hello at a new connection")
    g.send(id=number, **{"in": "after\n"})
    said = after(g, {"id": number, "taken": 6})
    lib.check(said == {"id": number, "out": "after\n"}, "the command lives on, with its id", said)
    g.send(id=number, eof=True)
    lib.check(g.rest(number)[-1] == {"id": number, "exit": 0}, "and ends")
    g.socket.sendall(b"no JSON\n" + b"x" * 300000 + b"\n")
    lib.check("no JSON" in g.read()["error"] and "longer than" in g.read()["error"], "bad lines are told")
    lib.check(g.ask(do="ping")[-1]["ok"]["node"] == "a", "and harm nothing")


def main():
    lib.need_program("qemu-system-x86_64")
    fetched_once()
    source = tempfile.mkdtemp(prefix="vmm", dir="/tmp")
    os.mkdir(os.path.join(source, "sub"))
    with open(os.path.join(source, "sub", "file"), "w", encoding="ascii") as f:
        f.write("contents\n")
    g = guest.Guest("cloud", TOPOLOGY.replace("SOURCE", source), "a", MACS)
    try:
        what_is_inside(g)
        what_it_obeys(g)
        held_and_gone_on(g)
        across_a_reconnection(g)
        g.ask(do="poweroff")
        lib.check(g.process.wait(20) == 0, "poweroff ends the machine")
    finally:
        g.end()
        shutil.rmtree(source)


main()
