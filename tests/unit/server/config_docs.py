#!/usr/bin/python3
"""config_docs.py CONFIG_MAN ROOT [--write] - every key is in the manual and in the example, which are good.

svc-server.yaml(5) is what the table of keys says; --write renews it. Each example loads as it is. In
svc-server.yaml what is switched off stands as "#key: value" (comments have a space there): with all
of it switched on it is read too, and every key is there.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

PROGRAM, ROOT = sys.argv[1:3]
MAN = os.path.join(ROOT, "docs", "man", "svc-server.yaml.5")


def run(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, check=False)


def text_of(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def key_paths(text):
    """The dotted keys of a YAML text that has one key a line."""
    stack, found = [], set()
    for line in text.splitlines():
        match = re.match(r"( *)(- +)?([a-z_]+):", line)
        if match:
            indent = len(match[1]) + len(match[2] or "")
            stack = [(i, k) for i, k in stack if i < indent] + [(indent, match[3])]
            found.add(".".join(k for _, k in stack))
    return found


def wrongs():
    man = run("--man").stdout
    if sys.argv[3:] == ["--write"]:
        with open(MAN, "w", encoding="utf-8") as f:
            f.write(man)
    if text_of(MAN) != man:
        yield f"{MAN} is not what the table says; renew it: config_docs.py {PROGRAM} {ROOT} --write"
    for path in sorted(glob.glob(os.path.join(ROOT, "configs", "*.yaml"))):
        if re.search(r"^(nodes|links|systems):", text_of(path), re.M):
            continue  # vmm-shim's
        said = run("--load", path)
        if said.returncode:
            yield f"{path}: {said.stdout}"
    whole = text_of(os.path.join(ROOT, "configs", "svc-server.yaml"))
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        on = re.sub(r"^( *)#(?=[^ \n])", r"\1", whole, flags=re.M)
        f.write(on)
        f.flush()
        said = run("--parse", f.name)
        if said.returncode:
            yield f"svc-server.yaml with everything on: {said.stdout}"
    wanted = set(run("--keys").stdout.split())
    if len(wanted) < 50:
        yield "the table has hardly any keys"
    for key in sorted(wanted ^ key_paths(on)):
        yield f"svc-server.yaml: {key} is only {'in the table' if key in wanted else 'there'}"


found_wrong = list(wrongs())
for wrong in found_wrong:
    print("WRONG:", wrong)
sys.exit(1 if found_wrong else 0)
