#!/usr/bin/python3
"""two_path.py ROOT BUILD - configs/two-path.yaml, only shorter: one command, a stream over two paths
between two guests, the player's report, and nothing left when it is down.

Says what holds at any speed of the machine: pictures are shown, none broken, both paths carried them,
and the network counted what the player got. How long it takes is printed.
"""
import json
import os
import subprocess
import sys
import time

import lib

FILE = os.path.join(lib.ROOT, "configs", "two-path.yaml")


def main():
    lib.need_program("qemu-system-x86_64")
    lib.folder()
    more = ["--set", "MEMORY=512M"] if lib.sanitized() else []
    began = time.monotonic()
    with subprocess.Popen([lib.SHIM, "up", "--name", "twopath", "--set", "DURATION=8", *more, FILE], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as up:
        out, said = up.communicate(timeout=lib.UP_S)
    seconds = time.monotonic() - began
    print(said.strip())
    lib.check(up.returncode == 0, "up exits as the player does", up.returncode)
    report = json.loads(out)
    print(f"{seconds:.1f} s from start to the player's report; {report['frames_shown']} pictures shown, "
          f"first after {report['startup_ms']:.0f} ms")
    lib.check(report["frames_shown"] > 0, "pictures were shown")
    paths = {p["name"]: p["packets_received"] for p in report["paths"]}
    lib.check(set(paths) == {"lte", "wifi"} and min(paths.values()) > 20, f"over both paths: {paths}")
    links = {k["name"]: k for k in json.loads(lib.run("stats", "--json").stdout)["links"]}
    for name, received in paths.items():
        lib.check(links[name]["up"]["packets_out"] >= received,
                  f"the network counted them on {name}: {links[name]['up']['packets_out']} frames")
    nodes = {n["node"]: n for n in json.loads(lib.run("ps", "twopath", "--json").stdout)["nodes"]}
    lib.check(nodes["server"]["state"] == "running" and nodes["player"]["state"] == "done",
              "the server goes on")
    lib.check(lib.run("down").returncode == 0, "down")
    left = lib.left_behind("twopath")
    lib.check(not left, "nothing is left behind", *left)
    return 0


if __name__ == "__main__":
    sys.exit(main())
