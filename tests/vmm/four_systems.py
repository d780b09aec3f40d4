#!/usr/bin/python3
"""four_systems.py ROOT BUILD - four systems on one switch, each in talk with another over libtvl.

    configs/four-systems.yaml as it is:  rt ──► metal ◄── arm64,  cloud ──► metal
    and then:                            metal ──► cloud,  cloud ──► rt,  rt ──► arm64

Three kernels of Debian, one of them for another processor, and a guest with none: the same endpoint
(tvl-echo) in all of them, certificates of the slice verified each time, every byte compared.
"""
import json
import os
import subprocess
import sys

import lib
from lib import check

SYSTEMS = ("cloud", "rt", "arm64", "metal")
SERVE = ["tvl-echo", "serve", "--cert", "/etc/slice/cert.pem", "--key", "/etc/slice/key.pem"]
BYTES = 65536


def need_programs():
    """Of guests: those that this build could not make are a reason to skip."""
    libexec = os.path.join(lib.BUILD, "vmm-shim", "libexec")
    lib.need_program("qemu-system-x86_64")
    lib.need_program("qemu-system-aarch64")
    if not os.path.exists(os.path.join(libexec, "arm64", "tvl-echo")):
        lib.skip("programs of arm64 guests were not built: no cross compiler, or no libraries "
                 "(tools/arm64_sysroot.py says why)")
    if not os.path.exists(os.path.join(libexec, "amd64", "metal.elf")):
        lib.skip("metal.elf was not built: no static libssl, or a build with sanitizers")


def result(text, what):
    """The JSON object in what tvl-echo said; everything came back."""
    line = next((l for l in text.splitlines() if l.startswith("{")), "{}")
    r = json.loads(line)
    check(r.get("ok") and r["bytes_returned"] == BYTES, what, text)
    return r


class Serving:
    """tvl-echo serve in a node, as long as the block lasts."""

    def __init__(self, s, node):
        self.process = subprocess.Popen(
            [lib.SHIM, "exec", "-n", "--slice", s.name, node, "--", *SERVE], stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL, text=True)

    def __enter__(self):
        line = self.process.stdout.readline()
        check("ready on port" in line, "it serves", line)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)


def main():
    need_programs()
    with open(os.path.join(lib.ROOT, "configs", "four-systems.yaml"), encoding="utf-8") as f:
        text = f.read()
    with lib.Slice("four", text) as s:
        kernels = {n: s.node(n)["kernel"] for n in SYSTEMS}
        check(kernels["metal"].startswith("metal ") and "-rt-" in kernels["rt"]
              and kernels["arm64"].endswith("arm64") and "cloud" in kernels["cloud"],
              f"four systems at once: {kernels}")
        for node in ("rt", "arm64", "cloud"):
            lib.wait_for(lambda n=node: s.node(n)["state"].startswith(("done", "failed")),
                         f"{node} has sent", 120, 0.2)
            r = result(s.shim("logs", node).stdout, f"{node} to metal: all came back")
            print(f"   round trip p50 {r['round_trip_ms_p50']} ms")
        for sender, server in (("metal", "cloud"), ("cloud", "rt"), ("rt", "arm64")):
            with Serving(s, server):
                done = s.exec(sender, "tvl-echo", "send", f"{server}:4433", "--ca",
                              "/etc/slice/ca.pem", "--bytes", BYTES, "--json")
                result(done.stdout, f"{sender} to {server}: all came back")
        done = s.exec("metal", "ls")
        check(done.returncode == 127 and "one program" in done.stderr,
              "metal says what it cannot do", done.returncode, done.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
