#!/usr/bin/python3
"""embed.py OUT FILE... - the dashboard's files as one C file, for server/web.h. index.html is "/"."""
import hashlib
import os
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8"}
PER_LINE = 20


def main(out, names):
    arrays, rows = [], []
    for number, name in enumerate(names):
        with open(name, "rb") as file:
            data = file.read()
        base = os.path.basename(name)
        lines = [",".join(map(str, data[i:i + PER_LINE])) for i in range(0, len(data), PER_LINE)]
        arrays.append("static const unsigned char file_%d[] = {\n%s\n};" % (number, ",\n".join(lines)))
        rows.append('    { "%s", "%s", "\\"%s\\"", file_%d, sizeof file_%d },' % (
            "/" if base == "index.html" else "/" + base, TYPES[os.path.splitext(base)[1]],
            hashlib.sha256(data).hexdigest()[:16], number, number))
    with open(out, "w", encoding="utf-8") as file:
        file.write("/* made by embed.py */\n#include \"web.h\"\n\n%s\n\n"
                   "const struct web_file web_files[] = {\n%s\n    { 0 },\n};\n" % (
                       "\n\n".join(arrays), "\n".join(rows)))


main(sys.argv[1], sys.argv[2:])
