#!/usr/bin/python3
"""headers.py - every public header compiles alone, as C11 and as C++17, without a warning.

    headers.py ROOT        the compilers are $CC [cc] and $CXX [c++]

First a planted header that leans on another's include has to be refused.
"""
import glob
import os
import shlex
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(sys.argv[1])
COMMON = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
MODES = [
    ("C11", shlex.split(os.environ.get("CC") or "cc") + ["-std=c11", "-xc"]),
    ("C++17", shlex.split(os.environ.get("CXX") or "c++") + ["-std=c++17", "-xc++"]),
]


def compile_alone(command, header, include_dirs):
    flags = [f"-I{d}" for d in include_dirs]
    done = subprocess.run(command + COMMON + flags + ["-"], input=f"#include <{header}>\n",
                          capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


def self_test():
    plants = {"lean.h": "uint32_t lean(void);\n", "c_only.h": "int f(int class);\n",
              "fine.h": "#include <stdint.h>\nuint32_t fine(void);\n"}
    expected = {("lean.h", "C11"): False, ("lean.h", "C++17"): False,
                ("c_only.h", "C11"): True, ("c_only.h", "C++17"): False,
                ("fine.h", "C11"): True, ("fine.h", "C++17"): True}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in plants.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(text)
        for name in plants:
            for mode, command in MODES:
                if compile_alone(command, name, [folder])[0] != expected[name, mode]:
                    print(f"self-test: {name} as {mode} is judged wrongly")
                    return False
    return True


def main():
    if not self_test():
        return 1
    include_dirs = sorted(glob.glob(os.path.join(ROOT, "*", "include")))
    headers = [os.path.relpath(h, d) for d in include_dirs
               for h in sorted(glob.glob(os.path.join(d, "*", "*.h")))]
    if not headers:
        print("no public header found")
        return 1
    status = 0
    for header in headers:
        for mode, command in MODES:
            good, why = compile_alone(command, header, include_dirs)
            if not good:
                print(f"<{header}> alone as {mode}:\n{why}")
                status = 1
    print(f"headers: {len(headers)} compiled alone as C11 and C++17")
    return status


if __name__ == "__main__":
    sys.exit(main())
