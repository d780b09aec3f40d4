#!/usr/bin/python3
"""siege.py ROOT BUILD - ten thousand connections that mean no good (siege.c) come to svc-server, and a viewer
who was there goes on, another one comes in the midst of it; memory is bounded, and the log has a few lines."""
import json
import os
import subprocess
import sys
import time

import material
from clip import program_path
from programs import Programs, free_udp_ports, wait_for_udp

COUNT, SECONDS, PATIENCE_S = 10000, 14, 15
PER_ADDRESS, RATE = 16, 40
HALF_OPEN_KIB = 160  # as tests/bench/flood.c: of 512, before proof is asked for
SESSION_KIB = 64     # that shook hands and says nothing, for the time of its patience
LINES_MAX = 20
failures = []


def check(what, ok, detail=""):
    print(("ok   " if ok else "FAIL ") + what, detail, flush=True)
    if not ok:
        failures.append(what)


def rss_kib(pid, field):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(field + ":"))


def is_sanitized(program):
    with open(program, "rb") as f:
        return b"__asan_init" in f.read()


def view(running, name, work, pki, port, duration):
    return running.start(name, [
        program_path("svc-player"), "--headless", "--ca", pki["ca.pem"], "--json",
        os.path.join(work, name + ".json"), "--duration", str(duration), "--path",
        f"local=127.0.0.1,to=127.0.0.1:{port},name=a", f"moqt://127.0.0.1:{port}/live"])


def report(work, name):
    with open(os.path.join(work, name + ".json"), encoding="utf-8") as f:
        return json.load(f)


def main():
    work, pki, clip = material.folder("siege"), material.pki(), material.small_clip()
    port, = free_udp_ports(1)
    config, log = os.path.join(work, "server.yaml"), os.path.join(work, "access.jsonl")
    if os.path.exists(log):
        os.unlink(log)
    with open(config, "w", encoding="ascii") as f:
        json.dump({"listen": f"127.0.0.1:{port}", "cert": pki["server.pem"], "key": pki["server.key"], "workers": 2,
                   "viewers_max": 8192,
                   "sources": [{"namespace": "live", "kind": "file", "input": clip.layered, "loop": True}],
                   "access": {"per_address": PER_ADDRESS, "rate_per_address": RATE, "log": log}}, f)
    with Programs(work) as running:
        server = running.start("svc-server", [program_path("svc-server"), "--config", config])
        wait_for_udp(server, port)
        good = view(running, "good", work, pki, port, SECONDS + 4)
        time.sleep(2)
        before = rss_kib(server.process.pid, "VmRSS")
        siege = subprocess.Popen([os.path.join(material.BUILD, "tests", "e2e", "siege"), str(port), pki["ca.pem"],
                                  str(COUNT), str(SECONDS)], stdout=subprocess.PIPE, text=True)
        time.sleep(SECONDS / 2)
        late = view(running, "late", work, pki, port, 4)
        out, _ = siege.communicate(timeout=SECONDS + PATIENCE_S + 60)
        print(out.strip())
        said = json.loads(out)
        most = rss_kib(server.process.pid, "VmHWM")
        server.check_alive()
        good.wait(30)
        late.wait(30)
    held = sum(said[kind]["connected"] for kind in ("silent", "rude", "crowd"))
    limit = 512 * HALF_OPEN_KIB + held * SESSION_KIB
    check("all have come", sum(said[k]["begun"] for k in said if k != "seconds") == COUNT)
    sanitized = is_sanitized(program_path("svc-server"))  # which has a memory of its own
    check("memory is bounded", sanitized or most - before < limit, f"{most - before} KiB more, limit {limit}")
    check("the crowd of one address is kept to its limit", said["crowd"]["refused"] > 0
          and said["crowd"]["connected"] <= PER_ADDRESS + RATE * (SECONDS / 10 + 1), said["crowd"])
    check("who says nothing is sent away", said["silent"]["left"] == 0 and "0x11" in said["silent"]["codes"])
    check("who is rude is sent away", said["rude"]["left"] == 0 and "0x3" in said["rude"]["codes"])
    check("another protocol meets no server", said["alpn"]["connected"] == 0)
    for name, least in (("good", SECONDS * 10), ("late", 40)):
        seen = report(work, name)
        # a busy machine may cost pictures; a session that ends is begun anew
        connected = [e for e in seen["events"] if e["what"].startswith("connected")]
        check(f"the {name} viewer sees no effect", len(connected) == 1 and seen["rebuffers"] == 0
              and seen["frames_shown"] > least,
              {k: seen[k] for k in ("frames_shown", "base_layer_lost", "rebuffers", "startup_ms", "stall_ms_max")})
    with open(server.log, encoding="utf-8") as f:
        lines = f.read().splitlines()
    check("a few lines of log", len(lines) <= LINES_MAX, len(lines))
    check("that sum it up", any("came to nothing" in line for line in lines), lines[-3:])
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
