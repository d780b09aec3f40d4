#!/usr/bin/python3
"""speed.py - CPU seconds per gigabyte on loopback: the limit, libtvl on 1 and 4 paths, ngtcp2.

Each is run ROUNDS times in turn, so that a disturbance meets all of them; the median counts. The
limit is raw UDP with GSO and GRO and AES-128-GCM on packets of the same size (limit.c). Foreign
peers are run where they are installed. The last line is a JSON object.

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


def ngtcp2(megabytes):
    """gtlsserver sends a file to gtlsclient, each on its core. {} where they are not installed."""
    server, client = shutil.which("gtlsserver"), shutil.which("gtlsclient")
    if not server or not client:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-days", "2",
                        "-keyout", key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
        with open(os.path.join(folder, "bulk"), "wb") as bulk:
            bulk.truncate(megabytes * 1000000)
        port = "24433"
        sending = subprocess.Popen(
            [server, "-q", "-d", folder, "--max-data=64M", "127.0.0.1", port, key, cert],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=pin(SENDER_CORE))
        time.sleep(0.5)
        before = children_cpu()
        got = subprocess.run(
            [client, "-q", "--exit-on-all-streams-close", "--max-data=16M",
             "--max-stream-data-bidi-local=8M", "127.0.0.1", port,
             f"https://localhost:{port}/bulk"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600, check=False,
            preexec_fn=pin(RECEIVER_CORE))
        received = children_cpu() - before
        sending.terminate()
        sending.wait()
        sent = children_cpu() - before - received
    if got.returncode != 0 or received < 0.2:
        return {}
    gb = megabytes / 1000
    return {"ngtcp2_send": round(sent / gb, 3), "ngtcp2_recv": round(received / gb, 3)}


def main():
    build = os.path.join(os.path.abspath(sys.argv[1]), "tests", "bench")
    megabytes = sys.argv[2] if len(sys.argv) > 2 else str(MEGABYTES)
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else ROUNDS
    limit, one, four, foreign = [], [], [], []
    for _ in range(rounds):
        limit.append(last_object([os.path.join(build, "limit"), megabytes]))
        one.append(last_object([os.path.join(build, "speed"), "1", megabytes]))
        four.append(last_object([os.path.join(build, "speed"), "4", megabytes]))
        foreign.append(ngtcp2(int(megabytes)))
    report = {"limit_send": median(limit, "limit_send"), "limit_recv": median(limit, "limit_recv")}
    for rows, suffix in ((one, ""), (four, "_4paths")):
        for key in ("cpu_s_per_gb_send", "cpu_s_per_gb_recv", "gbit_per_s"):
            report[key + suffix] = median(rows, key)
    for key in ("ngtcp2_send", "ngtcp2_recv"):
        report[key] = median(foreign, key)
    report["peers"] = "ngtcp2" if report["ngtcp2_send"] else "none installed"
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
            ("ngtcp2 (gtls*)", "ngtcp2_send", "ngtcp2_recv")):
        print(f"{name:24} {report[send] or '-':>7} {report[recv] or '-':>7}")
    print(json.dumps(report))
    sys.exit(0 if "cpu_ratio_to_limit" in report else 1)


if __name__ == "__main__":
    main()
