#!/usr/bin/python3
"""installed.py ROOT BUILD - libtvl as a stranger finds it: installed, through pkg-config, alone.

Installs into a folder of its own, compiles the guide's example against that, and fetches ten
million bytes with it over two paths. The shared libraries show the names of the headers and no
others; the guide's text of the example's heart is what the example says. Where the build has
sanitizers the example is compiled with them too: a library that has them runs in no other program.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys

import material

ROOT, BUILD = sys.argv[1:3]
BYTES = 10_000_000


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        sys.exit(f"FAILED: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def install(folder):
    """The library's environment: where pkg-config and the loader find it."""
    shutil.rmtree(folder, ignore_errors=True)
    run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", folder])
    found = glob.glob(folder + "/**/tvl-ev.pc", recursive=True)
    if not found:
        sys.exit("FAILED: no tvl-ev.pc was installed")
    lib = os.path.dirname(os.path.dirname(found[0]))
    return dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(found[0]),
                PKG_CONFIG_SYSROOT_DIR=folder, LD_LIBRARY_PATH=lib), lib


def check_names(lib):
    """Exactly what the headers declare is exported."""
    include = os.path.join(ROOT, "libtvl", "include", "tvl")
    for so, headers in (("libtvl.so", ("tvl.h", "cc.h", "sched.h", "select.h", "trace.h")),
                        ("libtvl-ev.so", ("ev.h", "qlog.h", "workers.h"))):
        text = "".join(open(os.path.join(include, h), encoding="utf-8").read() for h in headers)
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        declared = set(re.findall(r"\b(tvl_\w+)\s*\((?!\*)|\b(tvl_\w+)\[\];", text))
        declared = {a or b for a, b in declared}
        shown = {line.split()[-1].split("@")[0]
                 for line in run(["nm", "-D", "--defined-only", os.path.join(lib, so)]).splitlines()}
        shown.discard("TVL_0")
        if declared != shown:
            sys.exit(f"FAILED: {so}: only declared {declared - shown}, only shown {shown - declared}")
        soname = run(["readelf", "-d", os.path.join(lib, so)])
        if f"[{so}.0]" not in soname:
            sys.exit(f"FAILED: {so} has no SONAME {so}.0")


def sanitizers():
    """The compiler's option for what the build has of them."""
    with open(os.path.join(BUILD, "meson-info", "intro-buildoptions.json"), encoding="utf-8") as f:
        chosen = [o["value"] for o in json.load(f) if o["name"] == "b_sanitize"]
    names = [n for n in chosen if n and n != "none"]
    return ["-fsanitize=" + ",".join(names)] if names else []


def build_example(folder, env):
    out = os.path.join(folder, "two_paths")
    flags = run(["pkg-config", "--cflags", "--libs", "tvl-ev"], env=env).split() + sanitizers()
    source = os.path.join(ROOT, "docs", "examples", "two_paths.c")
    run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", source, *flags, "-lev", "-o", out])
    return out


def main():
    folder = material.folder("installed")
    env, lib = install(os.path.join(folder, "root"))
    check_names(lib)
    program = build_example(folder, env)
    pki = material.pki()
    server = subprocess.Popen([program, "serve", "127.0.0.1:0", pki["server.pem"],
                               pki["server.key"]], env=env, stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().split()[-1]
        said = run([program, "fetch", f"127.0.0.1:{port}", pki["ca.pem"], str(BYTES), "127.0.0.1",
                    "127.0.0.2"], env=env, timeout=60)
    finally:
        server.terminate()
        server.wait()
    print(said)
    if not said.startswith(f"{BYTES} bytes, path 0: ") or ", path 1: " not in said:
        sys.exit("FAILED: not all came, or not over two paths")


main()
