#!/usr/bin/python3
"""load.py ROOT BUILD - svc-load against svc-server: many viewers over two paths each, who come and go,
on one socket a path; what they got adds up; and it fails where it should."""
import json
import os
import subprocess
import sys
import time

import material
from programs import Program, free_udp_ports, wait_for_udp

VIEWERS, CHURN, SETTLE_S, SECONDS = 20, 4, 1, 3
failures = []


def check(what, ok, detail=""):
    print(("ok   " if ok else "FAIL ") + what, detail)
    if not ok:
        failures.append(what)


def load(pki, port, *options):
    return [os.path.join(material.BUILD, "load", "svc-load"), "--ca", pki["ca.pem"], "-q", "--json", "-",
            f"moqt://127.0.0.1:{port}/demo", *options]


def udp_sockets(pid):
    inodes = set()
    for name in ("udp", "udp6"):
        with open(f"/proc/{pid}/net/{name}", encoding="ascii") as file:
            inodes |= {line.split()[9] for line in file.readlines()[1:]}
    folder, n = f"/proc/{pid}/fd", 0
    for name in os.listdir(folder):
        try:
            target = os.readlink(os.path.join(folder, name))
        except OSError:
            continue
        n += target.startswith("socket:[") and target[8:-1] in inodes
    return n


def watch(pki, port, server_pid):
    """A crowd over two paths, with comings and goings."""
    process = subprocess.Popen(
        load(pki, port, "-n", str(VIEWERS), "--rate", "40", "--churn", str(CHURN), "--settle",
             str(SETTLE_S), "--duration", str(SECONDS), "--server-pid", str(server_pid),
             "--path", "local=127.0.0.1,name=one", "--path", "local=127.0.0.2,name=two"),
        stdout=subprocess.PIPE, text=True)
    time.sleep(2)
    check("one socket a path", udp_sockets(process.pid) == 2, udp_sockets(process.pid))
    out, _ = process.communicate(timeout=60)
    said = json.loads(out)
    print(json.dumps(said))
    check("says that all is well", process.returncode == 0, process.returncode)
    check("all watch", said["failed"] == 0 and said["watching"] > VIEWERS - 4)
    check("they come and go", said["left"] >= VIEWERS + CHURN * SECONDS - 2
          and said["connected"] >= VIEWERS + CHURN * SECONDS - 2)
    check("both paths carry", all(n > 0 for n in said["path_bytes"].values()))
    check("every track is there", len(said["tracks"]) == 7
          and all(track["objects"] > 0 for track in said["tracks"].values()))
    check("bytes add up", said["bytes"] == sum(t["bytes"] for t in said["tracks"].values()))
    check("lateness is in order", 0 <= said["late_ms"]["p50"] <= said["late_ms"]["p99"]
          <= said["late_ms"]["max"])
    check("the server was watched", said["server_kib_per_viewer"] > 1 and said["server_cpu_s"] >= 0)


def fails(pki, port):
    done = subprocess.run(load(pki, port, "-n", "2", "--settle", "0", "--duration", "1"),
                          capture_output=True, text=True, timeout=60, check=False)
    check("a namespace that is not there: nobody is served", done.returncode == 2
          and "refused" in done.stdout, done.stdout)


def main():
    folder, pki, clip = material.folder("load"), material.pki(), material.small_clip()
    for name, what in (("demo", watch), ("other", fails)):
        [port] = free_udp_ports(1)
        server = Program("server", [os.path.join(material.BUILD, "server", "svc-server"),
                                    "--cert", pki["server.pem"], "--key", pki["server.key"], "--listen",
                                    f"127.0.0.1:{port}", "--namespace", name, "--loop", clip.layered],
                         folder)
        try:
            wait_for_udp(server, port)
            what(*([pki, port, server.process.pid] if what is watch else [pki, port]))
        finally:
            server.stop()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
