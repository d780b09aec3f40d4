#!/usr/bin/python3
"""topology_docs.py TOPOLOGY_MAN ROOT [--write] - vmm-topology(5) is what the tables of keys say; --write renews it.
groff and man find nothing wrong with it where they are installed."""
import os
import shutil
import subprocess
import sys

PROGRAM, ROOT = sys.argv[1:3]
MAN = os.path.join(ROOT, "docs", "man", "vmm-topology.5")

made = subprocess.run([PROGRAM], capture_output=True, text=True, check=True).stdout
if sys.argv[3:] == ["--write"]:
    with open(MAN, "w", encoding="utf-8") as f:
        f.write(made)
with open(MAN, encoding="utf-8") as f:
    if f.read() != made:
        sys.exit(f"WRONG: {MAN} is not what the tables say; renew it: topology_docs.py {PROGRAM} {ROOT} --write")
if made.count(".TP\n") < 50:
    sys.exit("WRONG: there are hardly any keys")
if shutil.which("groff"):
    said = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8", MAN], capture_output=True, text=True, check=False)
    if said.returncode or said.stderr:
        sys.exit("WRONG: " + said.stderr)
