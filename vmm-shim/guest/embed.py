#!/usr/bin/env python3
"""embed.py SOURCE HEADER COMPILER...: the shared object that SOURCE becomes, as bytes in HEADER."""
import subprocess
import sys

source, header, *compiler = sys.argv[1:]
module = header + ".so"
subprocess.run([*compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", module, source, "-ldl"],
               check=True)
with open(module, "rb") as f:
    data = f.read()
with open(header, "w", encoding="ascii") as f:
    f.write("static const unsigned char userfault_module[] = {\n")
    for i in range(0, len(data), 24):
        f.write(",".join(map(str, data[i:i + 24])) + ",\n")
    f.write("};\n")
