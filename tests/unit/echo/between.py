#!/usr/bin/python3
"""between.py - tvl-echo with itself over loopback: what comes back, what is refused, how it ends.

    between.py TVL-ECHO
"""
import json
import os
import subprocess
import sys
import tempfile

ECHO = sys.argv[1]
CHECKS = []


def check(ok, what):
    CHECKS.append(ok)
    print(("ok   " if ok else "FAIL ") + what)


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def authority(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem", "-subj",
            f"/CN={name}", "-days", "2", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")


def send(*args):
    done = subprocess.run([ECHO, "send", "--json", "--limit", "20s", *args], capture_output=True,
                          text=True, timeout=40, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


class Server:
    """tvl-echo VERB..., on a port of its own."""

    def __init__(self, folder, *args, verb=("serve",)):
        self.process = subprocess.Popen(
            [ECHO, *verb, "--cert", f"{folder}/a.pem", "--key", f"{folder}/a.key", "--listen",
             "127.0.0.1:0", *args], stdout=subprocess.PIPE, text=True)
        self.port = self.process.stdout.readline().split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        check(self.process.wait(10) == 0, "the server ends with 0 when it is told to")


def relays(folder, ca):
    """Through a relay: everything, over paths of its own; what goes wrong behind it is said."""
    with Server(folder) as server:
        to = f"127.0.0.1:{server.port}"
        with Server(folder, *ca, "--path", "127.0.0.1", "--path", "127.0.0.1", verb=("relay", to)) as r1, \
                Server(folder, *ca, verb=("relay", f"127.0.0.1:{r1.port}")) as r2:
            code, r, _ = send(f"127.0.0.1:{r2.port}", *ca, "--path", "127.0.0.1", "--path", "127.0.0.1",
                              "--bytes", "3M", "--streams", "16", "--datagrams", "30")
            check(code == 0 and r["bytes_returned"] == 3000000 and r["datagrams_returned"] == 30,
                  "everything comes back through two relays")
            several = [subprocess.Popen([ECHO, "send", f"127.0.0.1:{r1.port}", *ca, "--bytes", "300k"],
                                        stdout=subprocess.DEVNULL) for _ in range(5)]
            check(all(p.wait(40) == 0 for p in several), "several at once")
        with Server(folder, "--ca", f"{folder}/b.pem", verb=("relay", to)) as relay:
            code, r, _ = send(f"127.0.0.1:{relay.port}", *ca)
            check(code == 1 and "relay: " in r["error"] and "certificate" in r["error"],
                  "a server that the relay refuses: said")
        with Server(folder, *ca, "--alpn", "other", verb=("relay", to)) as relay:
            code, r, _ = send(f"127.0.0.1:{relay.port}", *ca, "--alpn", "other")
            check(code == 1, "another protocol than the server's is not relayed")


def main():
    with tempfile.TemporaryDirectory() as folder:
        authority(folder, "a")
        authority(folder, "b")
        ca = ["--ca", f"{folder}/a.pem"]
        with Server(folder) as server:
            at = f"127.0.0.1:{server.port}"
            code, r, _ = send(at, *ca, "--path", "127.0.0.1", "--path", "127.0.0.1", "--bytes", "3M",
                              "--streams", "3", "--pings", "30", "--datagrams", "50")
            check(code == 0 and r["ok"], "everything comes back over two paths")
            check(r["bytes_returned"] == 3000000 and r["round_trips"] == 30, "all that was asked for")
            check(r["datagrams_returned"] == 50, "datagrams too")
            check(len(r["paths"]) == 2 and all(p["bytes_sent"] > 5000 for p in r["paths"]),
                  "both paths are used")
            check(0 < r["round_trip_ms_p50"] <= r["round_trip_ms_p99"] <= r["round_trip_ms_max"],
                  "percentiles are in order")
            code, r, _ = send(at, "--ca", f"{folder}/b.pem", "--bytes", "1k")
            check(code == 1 and "certificate" in r["error"] and r["bytes_returned"] == 0,
                  "a server of another authority is refused")
            code, r, _ = send(at, *ca, "--name", "elsewhere")
            check(code == 1 and "mismatch" in r["error"], "one of another name too")
            code, r, _ = send(at, *ca, "--path", "127.0.0.1", "--path", "dev=nosuchdev0")
            check(code == 1 and "nosuchdev0" in r["error"], "a path that cannot be is said")
        with Server(folder, "--client-ca", f"{folder}/b.pem") as server:
            at = f"127.0.0.1:{server.port}"
            code, r, _ = send(at, *ca)
            check(code == 1, "a client without a certificate is refused where one is asked for")
            code, r, _ = send(at, *ca, "--cert", f"{folder}/b.pem", "--key", f"{folder}/b.key",
                              "--bytes", "1k")
            check(code == 0 and r["ok"], "one with it comes in")
        relays(folder, ca)
        code, r, _ = send("127.0.0.1:9", *ca, "--limit", "1s")
        check(code == 1 and "no answer" in r["error"], "nobody there: said, within the limit")
        code, _, err = send("127.0.0.1:9", "--ca", f"{folder}/none")
        check(code == 1 and "none" in err, "a file that is not there is named")
        done = subprocess.run([ECHO, "send"], capture_output=True, text=True, check=False)
        check(done.returncode == 64 and done.stderr.startswith("tvl-echo: "), "usage: 64, one line")
        done = subprocess.run([ECHO, "wake", "--json", "--period", "2ms", "--count", "5"],
                              capture_output=True, text=True, check=False)
        check(done.returncode == 0 and json.loads(done.stdout)["wake_ups"] == 5, "wake")
    print(f"{sum(CHECKS)} of {len(CHECKS)}")
    return 0 if all(CHECKS) else 1


if __name__ == "__main__":
    os.environ.pop("OPENSSL_CONF", None)
    sys.exit(main())
