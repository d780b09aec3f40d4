#!/usr/bin/env python3
"""The relay as a process: datagrams through real sockets, changes, control, statistics, exit codes.

Times are checked with generous bounds below only: a slow machine may be late, never early."""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

VLINK = sys.argv[1]
failures = []


def check(what, ok, detail=""):
    print(("ok   " if ok else "FAIL ") + what, detail)
    if not ok:
        failures.append(what)


class Link:
    """One vlink before an echo socket of ours, on ports the kernel chose."""

    def __init__(self, settings, *options, **popen):
        self.target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.target.bind(("127.0.0.1", 0))
        self.target.settimeout(5)
        spec = "name=l,listen=127.0.0.1:0,to=127.0.0.1:%d%s" % (
            self.target.getsockname()[1], settings)
        self.process = subprocess.Popen([VLINK, "--link", spec, *options], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, **popen)
        line = self.process.stdout.readline()
        self.port = int(line.rsplit(":", 1)[1])
        assert self.process.stdout.readline() == "vlink: ready\n"
        self.client = self.new_client()

    def new_client(self):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.connect(("127.0.0.1", self.port))
        client.settimeout(5)
        return client

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=10)
        return self.process.returncode, err


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_round_trip(directory):
    stats = os.path.join(directory, "stats")
    link = Link(",delay=30ms", "--stats", stats + ":50ms")
    start = time.monotonic()
    link.client.send(b"hello")
    data, upstream = link.target.recvfrom(100)
    check("up delay", time.monotonic() - start >= 0.030 and data == b"hello")
    link.target.sendto(b"world", upstream)
    check("down", link.client.recv(100) == b"world" and time.monotonic() - start >= 0.060)
    second = link.new_client()
    second.send(b"second")
    data, other = link.target.recvfrom(100)
    check("clients are told apart", data == b"second" and other != upstream)
    link.target.sendto(b"to second", other)
    check("answer finds its client", second.recv(100) == b"to second")
    code, _ = link.stop()
    check("SIGTERM ends with 0", code == 0, code)
    all_lines = lines(stats)
    final = [line for line in all_lines if line["final"]]
    check("final statistics", [line["dir"] for line in final] == ["up", "down"]
          and final[0]["packets_out"] == 2 and final[0]["bytes_in"] == 11
          and final[1]["packets_out"] == 2 and final[0]["clients"] == 2, final)
    check("interval statistics", len(all_lines) > 2)


def test_rate():
    link = Link(",rate=1mbit,queue=1s,overhead=0")
    start = time.monotonic()
    for i in range(40):
        link.client.send(bytes([i]) + bytes(1249))
    got = [link.target.recv(2000)[0] for _ in range(40)]
    took = time.monotonic() - start
    check("40 packets of 10 ms take 400 ms", 0.400 <= took < 1.5, took)
    check("in order", got == list(range(40)))
    link.stop()


def test_changes_and_control():
    link = Link("", "--at", "0:l.down", "--at", "300ms:l.up", "--control", stdin=subprocess.PIPE)
    link.target.settimeout(0.15)
    link.client.send(b"lost")
    try:
        link.target.recv(100)
        check("down at 0", False)
    except TimeoutError:
        check("down at 0", True)
    time.sleep(0.3)
    link.target.settimeout(5)
    link.client.send(b"back")
    check("up again", link.target.recv(100) == b"back")
    link.process.stdin.write("l.down\nnobody.down\nl.fly\nl.rate=9mbit\n")
    link.process.stdin.flush()
    said = link.process.stderr.readline() + link.process.stderr.readline()
    check("control errors", "no link is called nobody" in said and "unknown key" in said, said)
    link.target.settimeout(0.15)
    link.client.send(b"lost")
    try:
        link.target.recv(100)
        check("control down", False)
    except TimeoutError:
        check("control down", True)
    link.process.stdin.close()
    link.process.stdin = None
    code, _ = link.stop()
    check("closed control is no end", code == 0, code)


def test_start_on_traffic():
    link = Link("", "--at", "100ms:l.down", "--start-on-traffic")
    time.sleep(0.3)
    link.client.send(b"first")
    check("the schedule waits for traffic", link.target.recv(100) == b"first")
    time.sleep(0.3)
    link.target.settimeout(0.15)
    link.client.send(b"lost")
    try:
        link.target.recv(100)
        check("and then runs", False)
    except TimeoutError:
        check("and then runs", True)
    link.stop()


def test_exit_codes(directory):
    good = "name=a,listen=127.0.0.1:0,to=127.0.0.1:9"
    bad_trace = os.path.join(directory, "bad.trace")
    with open(bad_trace, "w", encoding="utf-8") as file:
        file.write("5\n3\n")
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("127.0.0.1", 0))
    rows = [
        ([], 64, "no --link"),
        (["--frobnicate"], 64, "--frobnicate"),
        (["--link"], 64, "--link needs a value"),
        (["--link", good + ",speed=1"], 64, "speed"),
        (["--link", good, "--link", good], 64, "two links"),
        (["--link", good, "--at", "1s:b.down"], 64, "no link is called b"),
        (["--link", good + ",trace=x", "--at", "1s:a.rate=1mbit"], 64, "trace"),
        (["--link", good, "--seed", "x"], 64, "--seed"),
        (["--link", good, "--duration", "soon"], 64, "--duration"),
        (["--link", good + ",trace=/nonexistent"], 1, "/nonexistent"),
        (["--link", good + ",trace=" + directory], 1, "not a file"),
        (["--link", good + ",trace=" + bad_trace], 1, "line 2 goes back"),
        (["--link", good, "--stats", "/nonexistent/stats"], 1, "/nonexistent/stats"),
        (["--link", "name=a,listen=127.0.0.1:%d,to=127.0.0.1:9" % taken.getsockname()[1]], 1,
         "cannot listen"),
        (["--link", "name=a,listen=127.0.0.1,to=127.0.0.1:9"], 1, "not ADDRESS:PORT"),
        (["--link", good, "--duration=0.05"], 0, ""),
        (["--help"], 0, ""),
        (["--version"], 0, ""),
    ]
    for args, code, text in rows:
        done = subprocess.run([VLINK, *args], capture_output=True, text=True, timeout=20)
        one_line = done.stderr.count("\n") == (1 if code else 0)
        check("%s gives %d" % (" ".join(args), code),
              done.returncode == code and text in done.stderr and one_line,
              (done.returncode, done.stderr))


with tempfile.TemporaryDirectory() as scratch:
    test_round_trip(scratch)
    test_rate()
    test_changes_and_control()
    test_start_on_traffic()
    test_exit_codes(scratch)
sys.exit(1 if failures else 0)
