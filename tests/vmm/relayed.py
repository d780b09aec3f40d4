#!/usr/bin/python3
"""relayed.py ROOT BUILD - configs/relayed.yaml, only shorter: a stream by way of the guest without an
operating system, over the player's two paths and the server's one; and that guest moves meanwhile.

Says what holds at any speed of the machine: pictures are shown, both paths carried them.
"""
import json
import os
import subprocess
import sys

import lib

FILE = os.path.join(lib.ROOT, "configs", "relayed.yaml")


def running(node):
    done = lib.run("ps", "relayed", "--json")
    nodes = json.loads(done.stdout)["nodes"] if done.returncode == 0 else []
    return any(n["node"] == node and n["state"] == "running" for n in nodes)


def main():
    lib.need_program("qemu-system-x86_64")
    if not os.path.exists(os.path.join(lib.BUILD, "vmm-shim", "libexec", "amd64", "metal.elf")):
        lib.skip("metal.elf was not built: no static libssl, or a build with sanitizers")
    lib.folder()
    with subprocess.Popen([lib.SHIM, "up", "--set", "DURATION=4", FILE], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as up:
        lib.wait_for(lambda: running("player") or up.poll() is not None, "the player runs", lib.UP_S, 0.1)
        moved = lib.run("migrate", "relay")
        out, said = up.communicate(timeout=lib.UP_S)
    print(said.strip())
    lib.check(up.returncode == 0, "up exits as the player does", up.returncode)
    lib.check(moved.returncode == 0, "the relay moved meanwhile: " + moved.stdout.strip(), moved.stderr)
    report = json.loads(out)
    print(f"{report['frames_shown']} pictures shown, first after {report['startup_ms']:.0f} ms")
    lib.check(report["frames_shown"] > 0, "pictures were shown")
    paths = {p["name"]: p["packets_received"] for p in report["paths"]}
    lib.check(len(paths) == 2 and min(paths.values()) > 20, f"over both paths: {paths}")
    lib.check(running("relay"), "the relay goes on")
    lib.check(lib.run("down").returncode == 0, "down")
    left = lib.left_behind("relayed")
    lib.check(not left, "nothing is left behind", *left)
    return 0


if __name__ == "__main__":
    sys.exit(main())
