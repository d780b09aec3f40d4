#!/usr/bin/python3
"""accel.py ROOT BUILD - what `probe` says, and the third stage of the judgement on KVM: a guest that fails with it is
started again without, one line says so, and the next one does not try. Where KVM works there is nothing to fail.
"""
import json
import os
import platform
import subprocess
import sys

import lib

TOPOLOGY = """
nodes:
  a: {memory: 128M}
"""


def verdict(word):
    """As a probe would have kept it that was deceived."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        boot = f"{f.read().strip()} {platform.release()}"
    with open(os.path.join(lib.folder(), "accel.json"), "w", encoding="utf-8") as f:
        json.dump({"boot": boot, "verdict": word, "stage": 2, "why": "it was said to work"}, f)


def probe():
    done = lib.run("probe", "--json")
    facts = json.loads(done.stdout)
    lib.check(done.returncode == 0 and facts["qemu"]["works"] and facts["sandbox"]["works"], "probe finds QEMU",
              done.stderr)
    lib.check(all(f["seen"] and f["works"] != ("means" in f) for f in facts.values()),
              "what is missing has a consequence, what works has none")
    if os.geteuid() == 0:
        lib.check(facts["fifo"]["works"] and facts["tap"]["works"], "root has its rights")
        nobody = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", lib.SHIM, "probe",
                                 "--json"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if nobody.returncode == 0: # the build tree may be where nobody cannot go
            lib.check(not json.loads(nobody.stdout)["fifo"]["works"], "nobody has not")
    return facts["kvm"]


def main():
    lib.need_program("qemu-system-x86_64")
    lib.folder()
    kvm = probe()
    if kvm["works"] or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        lib.skip("a KVM that fails is not here: " + kvm["seen"])
    lib.check(json.load(open(os.path.join(lib.folder(), "accel.json"), encoding="utf-8"))["verdict"] != "works",
              "the verdict is kept")

    verdict("works")
    with lib.Slice("accel", TOPOLOGY) as s:
        lib.check(s.node("a")["accel"] == "tcg" and s.node("a")["state"] == "ready", "the guest runs after all, translated")
        with open(os.path.join(lib.folder(), "accel", "keeper.log"), encoding="utf-8") as f:
            said = f.read()
        lib.check(said.count("a: with KVM ") == 1 and "from now on guests are translated (TCG)" in said,
                  "one line says why", said)
    again = lib.run("probe", "--json")
    lib.check("a guest failed with it" in json.loads(again.stdout)["kvm"]["seen"], "and the next one does not try",
              again.stdout)
    file = os.path.join(lib.folder(), "kvm.yaml")
    with open(file, "w", encoding="utf-8") as f:
        f.write("name: kvm\n" + TOPOLOGY)
    done = lib.run("up", "--accel", "kvm", file)
    lib.check(done.returncode != 0 and "KVM does not work here" in done.stderr, "--accel kvm does not translate",
              done.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
