"""programs.py - the project's programs as processes: start, watch, end by their own pid."""
import os
import random
import signal
import socket
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SVC_BUILD") or os.path.join(ROOT, "build")


class ProgramFailed(Exception):
    """One line for a person: which program, what it said."""


def last_line(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            lines = [line.strip() for line in f if line.strip()]
    except OSError:
        return ""
    return lines[-1] if lines else ""


class Program:
    """A running program. Its output goes to LOGS/NAME.log."""

    def __init__(self, name, command, logs, stdin=subprocess.DEVNULL):
        self.name = name
        self.log = os.path.join(logs, name + ".log")
        os.makedirs(logs, exist_ok=True)
        if not os.path.exists(command[0]):
            raise ProgramFailed(f"{command[0]} is not there; ./run build makes it")
        with open(self.log, "w", encoding="utf-8") as log:
            self.started = time.monotonic()
            self.process = subprocess.Popen(command, stdin=stdin, stdout=log, stderr=log)

    def failed(self, what):
        said = last_line(self.log)
        return ProgramFailed(f"{self.name} {what}" + (f": {said}" if said else f"; see {self.log}"))

    def check_alive(self):
        status = self.process.poll()
        if status is not None:
            raise self.failed(f"ended early with {describe(status)}")

    def wait(self, timeout_s):
        """Until it ends by itself; its exit code must be 0."""
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise self.failed(f"has not ended within {timeout_s:.0f} s") from None
        if status != 0:
            raise self.failed(f"ended with {describe(status)}")

    def tell(self, line):
        """A line to its standard input (started with stdin=PIPE)."""
        self.process.stdin.write((line + "\n").encode())
        self.process.stdin.flush()

    def stop(self):
        """SIGTERM, and SIGKILL when that is not heard within 3 s."""
        if self.process.stdin:
            self.process.stdin.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def sanitizer_said(self):
        """The first line of a sanitizer's report in the program's output, or ""."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return next((line.strip() for line in f if "Sanitizer" in line
                         or "runtime error:" in line), "")


def describe(status):
    if status < 0:
        return f"signal {signal.Signals(-status).name}"
    return f"exit code {status}"


class Programs:
    """Several programs that end together, last started first. A context manager."""

    def __init__(self, logs):
        self.logs = logs
        self.running = []

    def start(self, name, command, stdin=subprocess.DEVNULL):
        program = Program(name, command, self.logs, stdin)
        self.running.append(program)
        return program

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for program in reversed(self.running):
            program.stop()
        for program in self.running:
            said = program.sanitizer_said()
            if said and kind is None:
                raise ProgramFailed(f"{program.name}: {said}")


def run_to_end(name, command, logs, timeout_s):
    program = Program(name, command, logs)
    try:
        program.wait(timeout_s)
    finally:
        program.stop()
    return program


PORTS = range(10000, 20000)  # none that Linux gives to clients (32768 on) or unit tests draw (20000 on)
reservations = []  # as long as this process is there


def reserved(port):
    """Whether `port` is ours among all test programs of this machine, even while nobody listens on it: it is by
    the name of a socket, which goes with the process."""
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        mark.bind(f"\0svc-suite-udp-port-{port}")
    except OSError:
        mark.close()
        return False
    reservations.append(mark)
    return True


def free_udp_ports(n):
    """`n` different ports nobody listens on at this moment, which no other call of this gives before we end."""
    ports = []
    while len(ports) < n:
        port = random.choice(PORTS)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if reserved(port):
            ports.append(port)
    return ports


def udp_port_bound(port):
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        try:
            with open(table, encoding="ascii") as f:
                next(f)
                if any(int(line.split()[1].rsplit(":", 1)[1], 16) == port for line in f):
                    return True
        except OSError:
            pass
    return False


def wait_for_udp(program, port, timeout_s=30):
    """Until `program` listens on `port`."""
    until = time.monotonic() + timeout_s
    while not udp_port_bound(port):
        program.check_alive()
        if time.monotonic() > until:
            raise program.failed(f"does not listen on port {port} after {timeout_s} s")
        time.sleep(0.02)


def openssl(*args):
    done = subprocess.run(["openssl", *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise ProgramFailed(f"openssl {args[0]}: {done.stderr.strip().splitlines()[-1:]}")


def make_pki(folder, more=()):
    """An authority and a server certificate for localhost, 127.0.0.1 and `more` ("IP:10.0.0.1"), kept
    while they are valid for another day. Files: ca.pem, server.pem, server.key."""
    at = {n: os.path.join(folder, n) for n in
          ("ca.pem", "ca.key", "server.pem", "server.key", "server.csr", "server.ext")}
    if os.path.exists(at["server.pem"]) and subprocess.run(
            ["openssl", "x509", "-checkend", "86400", "-noout", "-in", at["server.pem"]],
            capture_output=True, check=False).returncode == 0:
        return at
    os.makedirs(folder, exist_ok=True)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-days", "30", "-subj", "/CN=svc-suite demo authority",
            "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", at["ca.key"],
            "-out", at["ca.pem"])
    openssl("req", *key, "-subj", "/CN=localhost", "-keyout", at["server.key"],
            "-out", at["server.csr"])
    with open(at["server.ext"], "w", encoding="ascii") as f:
        f.write(",".join(("subjectAltName=DNS:localhost", "IP:127.0.0.1", *more))
                + "\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", at["server.csr"], "-CA", at["ca.pem"], "-CAkey", at["ca.key"],
            "-CAcreateserial", "-days", "30", "-extfile", at["server.ext"],
            "-out", at["server.pem"])
    return at
