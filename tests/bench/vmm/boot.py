#!/usr/bin/python3
"""boot.py ROOT BUILD - CPU time (QEMU's own, user and system) from its start to the first line of svc-server in a
guest, on TCG, microvm, 160 MiB: median of five and what lies between the least and the most.

boot_cpu_s, boot_cpu_s_spread; boot_hello_cpu_s to the agent's hello; boot_wall_s; image_bytes of the server's initramfs.
With the rt and arm64 kernels the same to the hello: boot_hello_cpu_s_rt, boot_hello_cpu_s_arm64 (median of three).
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.abspath(sys.argv[1]), "tests", "vmm"))
import guest  # noqa: E402
import lib  # noqa: E402

TIMES, TIMES_OTHERS = 5, 3
IDLE = "name: bench\nnodes:\n  a: {system: cloud}\n  b: {system: cloud}\nlinks:\n  lan: {between: [a, b], rate: 10mbit}\n"
SERVER = """
name: bench
nodes:
  server:
    system: cloud
    files:
      - {from: FOLDER/cert.pem, to: /etc/slice/cert.pem}
      - {from: FOLDER/key.pem, to: /etc/slice/key.pem}
      - {from: "media:small.ivf", to: /media/clip}
    run: [program:svc-server, /media/clip]
  other: {system: cloud}
links:
  lan: {between: [server, other], rate: 10mbit}
"""
COMMAND = ["svc-server", "/media/clip", "--loop", "--cert", "/etc/slice/cert.pem", "--key", "/etc/slice/key.pem"]


def boot(system, topology, node, command):
    """(CPU seconds to the hello, to the first line, wall seconds, bytes of the initramfs)"""
    g = guest.Guest(system, topology, node, ["52:54:00:00:00:01"])
    try:
        hello = g.cpu_s()
        if command:
            g.send(id=0, do="time", ns=time.time_ns())
            g.send(id=1, do="exec", argv=command)
            line = g.read()
            while "out" not in line and "err" not in line and "exit" not in line and "error" not in line:
                line = g.read()
            lib.check("ready" in line.get("out", ""), "the server's first line", line)
        return hello, g.cpu_s(), time.monotonic() - g.started, g.image["initrd_bytes"]
    finally:
        g.end()


def main():
    with tempfile.TemporaryDirectory(prefix="vmm", dir="/tmp") as folder:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=server", "-keyout", folder + "/key.pem", "-out",
                        folder + "/cert.pem"], check=True, capture_output=True)
        runs = [boot("cloud", SERVER.replace("FOLDER", folder), "server", COMMAND) for _ in range(TIMES)]
    first = [r[1] for r in runs]
    report = {"boot_cpu_s": statistics.median(first), "boot_cpu_s_spread": [min(first), max(first)],
              "boot_hello_cpu_s": statistics.median(r[0] for r in runs),
              "boot_wall_s": round(statistics.median(r[2] for r in runs), 3), "image_bytes": runs[0][3]}
    for system in ("rt", "arm64"):
        hellos = [boot(system, IDLE.replace("cloud", system), "a", None)[0] for _ in range(TIMES_OTHERS)]
        report[f"boot_hello_cpu_s_{system}"] = statistics.median(hellos)
    print(json.dumps(report))


main()
