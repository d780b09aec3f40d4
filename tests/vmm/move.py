#!/usr/bin/python3
"""move.py ROOT BUILD - a player that plays is moved into another QEMU, once by each mode: the session lives,
bytes that were promised arrive, the source plays on where a move is refused or fails. The times are printed;
`./run bench-vmm` measures them.
"""
import os
import subprocess
import sys

import lib
import moving

NAMESPACE = "vmm-move-test"
MODES = ("shared", "postcopy", "stop-and-copy")


def echo(stage):
    """Bytes over streams to the server and back, while the guest moves; its end says whether all came."""
    stage.exec("server", "true")
    server = subprocess.Popen([lib.SHIM, "exec", "--slice", stage.name, "server", "--", "tvl-echo", "serve", "--cert",
                               "/etc/slice/cert.pem", "--key", "/etc/slice/key.pem", "--listen",
                               f"0.0.0.0:{moving.ECHO_PORT}"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = subprocess.Popen([lib.SHIM, "exec", "--slice", stage.name, "player", "--", "tvl-echo", "send",
                               f"server:{moving.ECHO_PORT}", "--ca", "/etc/slice/ca.pem", "--bytes", "600k", "--pings",
                               "0", "--limit", "90s", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    return server, client


def refused(stage):
    """What must not be moved is not, and plays on."""
    pid = stage.node("player")["pid"]
    done = stage.shim("migrate", "player", "--mode", "precopy")
    lib.check(done.returncode == 1 and "precopy needs KVM" in done.stderr, "precopy is refused under TCG", done.stderr)

    other = os.path.join(lib.folder(), "other.yaml")
    with open(other, "w", encoding="utf-8") as f:
        f.write(f"name: {stage.name}\n" + moving.topology(1).replace(
            f"memory: {moving.MEMORY_MIB}M", f"memory: {moving.MEMORY_MIB + 32}M\n    vcpus: 2"))
    done = stage.shim("migrate", "player", "--with", other)
    os.unlink(other)
    lib.check(done.returncode == 1 and f"{moving.MEMORY_MIB} MiB of memory here, {moving.MEMORY_MIB + 32} MiB of memory there" in done.stderr and
              "1 vCPU here, 2 vCPUs there" in done.stderr and "goes on where it is" in done.stderr,
              "another configuration is refused", done.stderr)

    for mode in ("shared", "stop-and-copy"):
        done = stage.shim("migrate", "player", "--mode", mode, "--patience", "0.001")
        lib.check(done.returncode == 1 and "agent's answer from the destination: not within" in done.stderr and
                  "goes on where it was" in done.stderr, f"{mode}: no answer from there, back to the source", done.stderr)
        seen = len(stage.rows.rows)
        lib.wait_for(lambda: len(stage.rows.rows) > seen + 8, "the source plays on")
    lib.check(stage.node("player")["pid"] == pid, "by the same QEMU")


def confined(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    return status["NoNewPrivs"] == "1" and status["Seccomp"] == "2" and \
        (os.geteuid() != 0 or (status["Uid"].split()[1] == "65534" and status["CapEff"] == "0" * 16))


def open_files(pid):
    """What a QEMU has open that is neither its own nor in its folder."""
    return [where for where in (os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
            if where.startswith("/") and not where.startswith((lib.folder(), "/dev/null", "/dev/userfaultfd", "/memfd:"))
            and "vmm-shim/" not in where]


def move_all(stage):
    modes = MODES if os.geteuid() == 0 else ("shared", "stop-and-copy")
    for mode in modes:
        pid = stage.node("player")["pid"]
        figures = stage.migrate(mode)
        lib.check(figures, f"{mode}: moved, and pictures go on", stage.why)
        print(f"    no picture for {figures['picture_gap_ms']:.0f} ms, down for {figures['down_ms']:.0f} ms")
        now = stage.node("player")["pid"]
        lib.check(now != pid and confined(now), "another QEMU, as confined as the first")
        if os.geteuid() == 0:
            lib.check(not open_files(now), "with no file of others open", *open_files(now))


def to_namespace(stage):
    if os.geteuid() != 0:
        print("SKIP: another network namespace needs root")
        return
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    try:
        lib.check(stage.migrate("postcopy", "--to", NAMESPACE), "into another namespace", stage.why)
        lib.check(os.stat(f"/proc/{stage.node('player')['pid']}/ns/net").st_ino ==
                  os.stat(f"/run/netns/{NAMESPACE}").st_ino, "it is there")
        lib.check(stage.migrate("stop-and-copy", "--to", "none"), "and on from there", stage.why)
    finally:
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=True)


def to_other_addresses(stage):
    """The player's connection follows its NICs to other addresses."""
    before = [a["address"] for a in stage.node("player")["addresses"]]
    lib.check(stage.migrate("shared", "--new-addresses"), "with other addresses", stage.why)
    after = [a["address"] for a in stage.node("player")["addresses"]]
    lib.check(before == ["10.77.0.2", "10.77.1.2"] and after == ["10.77.0.102", "10.77.1.102"], f"they are {after}")


def without_an_operating_system():
    """The state of a machine is what it is, whatever runs on it."""
    if not os.path.exists(os.path.join(lib.BUILD, "vmm-shim", "libexec", "amd64", "metal.elf")):
        print("SKIP: metal is not built")
        return
    topology = """
nodes:
  bare:
    system: metal
    memory: 32M
    run: program:tvl-echo serve --cert /etc/slice/cert.pem --key /etc/slice/key.pem
"""
    with lib.Slice("move-bare", topology) as stage:
        for mode in MODES if os.geteuid() == 0 else ("shared", "stop-and-copy"):
            done = stage.shim("migrate", "bare", "--mode", mode)
            lib.check(done.returncode == 0, f"metal: {mode}", done.stderr)
        lib.check(stage.node("bare")["state"] == "running", "and it runs")


def main():
    lib.need_program("qemu-system-x86_64")
    with moving.Stage("move", 300) as stage:
        stage.wait_playing(15)
        server, client = echo(stage)
        refused(stage)
        move_all(stage)
        to_namespace(stage)
        out, err = client.communicate(timeout=90)
        lib.check(client.returncode == 0, f"every byte came back: {out.strip()[:200]}", err)
        server.terminate()
        server.wait()
        to_other_addresses(stage)
        lib.check(stage.node("player")["state"] == "running" and not stage.rows.said,
                  "the session was never lost", *stage.rows.said)
        print(f"{len(stage.rows.rows)} pictures shown")
    without_an_operating_system()
    return 0


if __name__ == "__main__":
    sys.exit(main())
