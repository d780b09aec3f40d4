#!/usr/bin/python3
"""match.py - `vmm-shim match`: four needs have four answers with their reasons, a file's nodes likewise; what
cannot be is said in a line. Then one system is measured, in a cache of figures of the test's own."""
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
import lib  # noqa: E402

FOUR = {"wake_latency=1ms": "rt", "boot=500ms": "metal", "arch=arm64": "arm64", "files=true": "cloud"}

cache = tempfile.TemporaryDirectory()
os.environ["VMM_SHIM_CACHE"] = cache.name

for need, system in FOUR.items():
    said = lib.run("match", "--need", need)
    lib.check(said.returncode == 0 and said.stdout.startswith(system + ": ") and said.stdout.count("\n") == 1,
              f"{need} gets {system}", said)
    told = json.loads(lib.run("match", "--need", need, "--json").stdout)
    lib.check(told["chosen"] == system and told["sentence"] + "\n" == said.stdout and len(told["candidates"]) == 4
              and [c["fits"] for c in told["candidates"] if c["system"] == system] == [True],
              f"{need} as JSON", told)

said = lib.run("match", "--need", "wake_latency=1us", "--need", "files=true")
lib.check(said.returncode == 1 and said.stdout == "" and said.stderr.count("\n") == 1
          and "none satisfies; nearest is arm64: wake p99" in said.stderr, "none, and what is nearest", said)

said = lib.run("match", "--need", "boot=500ms", "--program", "svc-server")
lib.check(said.returncode == 1 and "none satisfies" in said.stderr, "the program counts", said)

for line, word in (((), ""), (("--need", "boot=fast"), "boot takes a time"), (("--need", "boots=1s"), "did you mean boot?"),
                   (("--need",), "takes KEY=VALUE"), (("--quick",), "not understood"),
                   (("--measure", "--need", "boot=1s"), "takes a system"),
                   (("x.yaml", "--need", "boot=1s"), "leave out --need")):
    said = lib.run("match", *line)
    lib.check(said.returncode == (64 if line else 0) and word in said.stderr, f"match {' '.join(line)}", said)

said = lib.run("match", "--measure", "hurd")
lib.check(said.returncode == 3 and 'no system "hurd"' in said.stderr, "what there is not is not measured", said)

said = lib.run("match", os.path.join(lib.ROOT, "configs", "four-systems.yaml"))
lib.check(said.returncode == 0 and [line.split()[:2] for line in said.stdout.splitlines()] ==
          [[n, n + ":"] for n in ("metal", "rt", "arm64", "cloud")], "nodes of a file", said)

with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
    f.write("nodes:\n  a: {need: {boot: 1s}, run: program:tvl-echo}\n  b: {system: clout}\n")
    f.flush()
    said = lib.run("match", f.name)
    lib.check(said.returncode == 1 and said.stdout.split()[:2] == ["a", "metal:"]
              and f"{f.name}:3: node b: no system \"clout\" (did you mean cloud?)" in said.stderr,
              "a need and a mistake in a file", said)

for name in ("two-path", "process", "four-systems", "carrier", "slice-a", "slice-b", "real-time", "programmed", "relayed"):
    said = lib.run("up", "--check", os.path.join(lib.ROOT, "configs", name + ".yaml"))
    lib.check(said.returncode == 0 and said.stdout.startswith(f"ok: slice {name}, "), f"{name}.yaml is fine", said)
with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
    f.write("nodes:\n  a: {}\n  b: {files: [gone]}\nlinks:\n  l: {between: [a, b], trace: '${T:-no}.mm'}\n")
    f.flush()
    said = lib.run("up", "--check", f.name)
    lib.check(said.returncode == 1 and f"{f.name}:3: node b: /tmp/gone: No such file" in said.stderr, "a file is missing", said)
    said = lib.run("up", "--check", "--set", "T", f.name)
    lib.check(said.returncode == 64 and "NAME=VALUE" in said.stderr, "--set without a value", said)
lib.check(not [f for f in os.scandir(lib.folder()) if f.is_dir() and not f.name.startswith(".")], "a check makes nothing")

if lib.sanitized():
    print("metal is not built with sanitizers: nothing is measured")
    sys.exit(0)
lib.need_program("qemu-system-x86_64")
before = lib.namespaces()
measured = lib.run("match", "--measure", "metal", "--runs", "1", "--json")
lib.check(measured.returncode == 0, "metal is measured", measured)
metal = {s["system"]: s for s in json.loads(measured.stdout)}["metal"]
print({k: v for k, v in metal.items() if isinstance(v, (int, float))})
lib.check(metal["measured_here"] and all(metal[k] > 0 for k in ("boot_ms", "wake_p99_ms", "round_trip_ms", "memory_bytes")),
          "all figures", metal)
again = {s["system"]: s for s in json.loads(lib.run("match", "--json").stdout)}
lib.check(again["metal"] == metal and not again["rt"]["measured_here"], "kept for the next call", again)
left = [f.name for f in os.scandir(lib.folder()) if f.is_dir() and not f.name.startswith(".")]
lib.check(lib.namespaces() <= before and not left, "no slice is left", *left)
