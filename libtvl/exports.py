#!/usr/bin/python3
"""exports.py core|driver OUT HEADER... - the linker's version script: what the headers declare, and
nothing else, is visible of the shared library."""
import re
import sys

CORE = {"tvl.h", "cc.h", "sched.h", "select.h", "trace.h"}


def names(path):
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    return re.findall(r"\b(tvl_\w+)\s*\((?!\*)", text) + re.findall(r"\b(tvl_\w+)\[\];", text)


def main(part, out, *headers):
    wanted = [h for h in headers if (h.split("/")[-1] in CORE) == (part == "core")]
    found = sorted({n for h in wanted for n in names(h)})
    with open(out, "w", encoding="utf-8") as f:
        f.write("TVL_0 {\nglobal:\n" + "".join(f"    {n};\n" for n in found) + "local:\n    *;\n};\n")


main(*sys.argv[1:])
