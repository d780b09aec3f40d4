#!/usr/bin/python3
"""speed.py - CPU seconds per gigabyte on loopback: the limit, libtvl on 1 and 4 paths, others.

Each is run ROUNDS times in turn, so that a disturbance meets all of them; the median counts. The
limit is raw UDP with GSO and GRO and AES-128-GCM on packets of the same size (limit.c). Foreign
peers are run where they are installed: ngtcp2's programs, and picoquicdemo where SVC_PICOQUIC names
it. The last line is a JSON object.

usage: speed.py BUILD-DIR [MEGABYTES [ROUNDS]]
"""
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

MEGABYTES = 1000
ROUNDS = 3
SENDER_CORE, RECEIVER_CORE = 0, 1  # as in measure.h


def last_object(command):
    """What a benchmark program says on its last line; {} when it failed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        return {}
    for line in lines[:-1]:
        print(line)
    return json.loads(lines[-1])


def median(rounds, key):
    values = [r[key] for r in rounds if key in r]
    return round(statistics.median(values), 3) if values else None


def pin(core):
    return lambda: os.sched_setaffinity(0, {core % os.cpu_count()})


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_of(server, client):
    """(seconds of the server, seconds of the client), each on its core; None: the client failed."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    before = children_cpu()
    sending = subprocess.Popen(server, preexec_fn=pin(SENDER_CORE), **quiet)
    try:
        time.sleep(0.5)
        got = subprocess.run(client, timeout=600, check=False, preexec_fn=pin(RECEIVER_CORE), **quiet)
    finally:
        received = children_cpu() - before
        sending.terminate()
        sending.wait()
    sent = children_cpu() - before - received
    return (sent, received) if got.returncode == 0 and received >= 0.2 else None


def ngtcp2(at):
    """gtlsserver sends a file to gtlsclient. None where they are not installed."""
    server, client = shutil.which("gtlsserver"), shutil.which("gtlsclient")
    if not server or not client:
        return None
    return ([server, "-q", "-d", at["folder"], "--max-data=64M", "127.0.0.1", PORT, at["key"],
             at["cert"]],
            [client, "-q", "--exit-on-all-streams-close", "--max-data=16M",
             "--max-stream-data-bidi-local=8M", "127.0.0.1", PORT,
             f"https://localhost:{PORT}/bulk"])


def picoquic(at):
    """picoquicdemo both times, which SVC_PICOQUIC names. None where it does not."""
    program = os.environ.get("SVC_PICOQUIC", "")
    if not program:
        return None
    there = ["/usr/bin/env", "-C", at["folder"], program]  # where it leaves tickets
    return (there + ["-p", PORT, "-c", at["cert"], "-k", at["key"], "-w", at["folder"]],
            there + ["-D", "-n", "localhost", "-t", at["cert"], "127.0.0.1", PORT, "0:-:bulk"])


FOREIGN = {"ngtcp2": ngtcp2, "picoquic": picoquic}
PORT = "24433"


def foreign(commands, megabytes):
    """CPU seconds per gigabyte; {} where the peer is not there, or failed."""
    with tempfile.TemporaryDirectory() as folder:
        at = {"folder": folder, "key": os.path.join(folder, "key.pem"),
              "cert": os.path.join(folder, "cert.pem")}
        pair = commands(at)
        if not pair:
            return {}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-days", "2",
                        "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", at["key"], "-out", at["cert"]], check=True,
                       stderr=subprocess.DEVNULL)
        with open(os.path.join(folder, "bulk"), "wb") as bulk:
            bulk.truncate(megabytes * 1000000)
        used = cpu_of(*pair)
    return {way: cpu * 1000 / megabytes for way, cpu in zip(("send", "recv"), used)} if used else {}


def main():
    build = os.path.join(os.path.abspath(sys.argv[1]), "tests", "bench")
    megabytes = sys.argv[2] if len(sys.argv) > 2 else str(MEGABYTES)
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else ROUNDS
    limit, one, four = [], [], []
    others = {name: [] for name in FOREIGN}
    for _ in range(rounds):
        limit.append(last_object([os.path.join(build, "limit"), megabytes]))
        one.append(last_object([os.path.join(build, "speed"), "1", megabytes]))
        four.append(last_object([os.path.join(build, "speed"), "4", megabytes]))
        for name, commands in FOREIGN.items():
            others[name].append(foreign(commands, int(megabytes)))
    report = {"limit_send": median(limit, "limit_send"), "limit_recv": median(limit, "limit_recv")}
    for rows, suffix in ((one, ""), (four, "_4paths")):
        for key in ("cpu_s_per_gb_send", "cpu_s_per_gb_recv", "gbit_per_s"):
            report[key + suffix] = median(rows, key)
    for name, rows in others.items():
        for way in ("send", "recv"):
            report[f"{name}_{way}"] = median(rows, way)
    report["peers"] = " ".join(n for n in FOREIGN if report[n + "_send"]) or "none installed"
    for suffix in ("", "_4paths"):
        pairs = [(report[f"cpu_s_per_gb_{way}{suffix}"], report[f"limit_{way}"])
                 for way in ("send", "recv")]
        if all(a and b for a, b in pairs):
            report["cpu_ratio_to_limit" + suffix] = round(max(a / b for a, b in pairs), 2)
    print(f"{'CPU s per GB':24} {'send':>7} {'recv':>7}")
    for name, send, recv in (
            ("limit", "limit_send", "limit_recv"),
            ("libtvl, 1 path", "cpu_s_per_gb_send", "cpu_s_per_gb_recv"),
            ("libtvl, 4 paths", "cpu_s_per_gb_send_4paths", "cpu_s_per_gb_recv_4paths"),
            ("ngtcp2 (gtls*)", "ngtcp2_send", "ngtcp2_recv"),
            ("picoquic (picoquicdemo)", "picoquic_send", "picoquic_recv")):
        print(f"{name:24} {report[send] or '-':>7} {report[recv] or '-':>7}")
    print(json.dumps(report))
    sys.exit(0 if "cpu_ratio_to_limit" in report else 1)


if __name__ == "__main__":
    main()
