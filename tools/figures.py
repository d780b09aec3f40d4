#!/usr/bin/python3
"""figures.py - the house figures: sizes of files and functions of the project's own C code.

Prints them and writes build/reports/house.json. Function lengths come from universal-ctags
(line of the name to line of the closing brace). Code under tests/ is counted apart: tables of
cases are long by nature.
"""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOMS = ["libtvl", "moq", "svc", "server", "peer", "client", "load", "gst", "vmm-shim", "media"]


def c_files(rooms):
    found = []
    for room in rooms:
        for folder, _, names in os.walk(os.path.join(ROOT, room)):
            found += [os.path.join(folder, n) for n in names if n.endswith((".c", ".h"))]
    return sorted(found)


def percentile(values, share):
    """Nearest rank; 0 for an empty list."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)] if ordered else 0


def functions(files):
    """(length in lines, number of parameters, file, name) of every function."""
    if not files:
        return []
    out = subprocess.run(
        ["ctags", "--output-format=json", "--languages=C", "--langmap=C:.c.h", "--kinds-C=f",
         "--fields=+neS", "-f", "-", "-L", "-"],
        input="\n".join(files), capture_output=True, text=True, check=True).stdout
    rows = []
    for line in out.splitlines():
        tag = json.loads(line)
        if "end" not in tag:
            continue
        signature = tag.get("signature", "(void)").strip("()").strip()
        n_parameters = 0 if signature in ("", "void") else signature.count(",") + 1
        rows.append((tag["end"] - tag["line"] + 1, n_parameters,
                     os.path.relpath(tag["path"], ROOT), tag["name"]))
    return rows


def n_lines(path):
    with open(path, encoding="utf-8") as f:
        return sum(1 for _ in f)


def main():
    files, test_files = c_files(ROOMS), c_files(["tests"])
    sizes = sorted(((n_lines(f), os.path.relpath(f, ROOT)) for f in files), reverse=True)
    rows = functions(files)
    lengths = [r[0] for r in rows]
    report = {
        "files": len(files),
        "lines": sum(s for s, _ in sizes),
        "test_files": len(test_files),
        "test_lines": sum(n_lines(f) for f in test_files),
        "largest_file": sizes[0][1] if sizes else "",
        "largest_file_lines": sizes[0][0] if sizes else 0,
        "functions": len(rows),
        "function_lines_p50": percentile(lengths, 50),
        "function_lines_p95": percentile(lengths, 95),
        "function_lines_max": max(lengths, default=0),
        "functions_over_100_lines": sum(1 for n in lengths if n > 100),
        "parameters_p95": percentile([r[1] for r in rows], 95),
    }
    for key, value in report.items():
        print(f"{key:26} {value}")
    print("longest functions:")
    for length, _, path, name in sorted(rows, reverse=True)[:5]:
        print(f"  {length:4} lines  {name} ({path})")
    print("largest files:")
    for size, path in sizes[:5]:
        print(f"  {size:4} lines  {path}")
    os.makedirs(os.path.join(ROOT, "build", "reports"), exist_ok=True)
    with open(os.path.join(ROOT, "build", "reports", "house.json"), "w", encoding="utf-8") as f:
        json.dump(report, f, indent=2)
        f.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
