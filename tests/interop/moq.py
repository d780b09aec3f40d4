#!/usr/bin/python3
"""moq.py ROOT BUILD [--own] [--docs write|check] - MoQT on the wire: six cases, several peers.

The cases of the MoQ interop runner by each client against each relay that is there: ours
(moq_cases, svc-server --publish), and those that the environment names, built beside the project:
SVC_IMQUIC, the folder of imquic's example programs; SVC_MOQ5, moq5's moq-interop-client. Every case
has a relay of its own. --own: ours alone. --docs: the table in docs/interop.md is written, or must
be what this run would write. Exit: 0 all passed, 1 not, 77 nothing was built.
"""
import argparse
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Programs, ProgramFailed, demo_programs, free_udp_ports, make_pki  # noqa: E402

SKIP = 77
TIMEOUT_S = 20
CASES = [
    ("setup-only", "SETUP both ways"),
    ("announce-only", "PUBLISH_NAMESPACE is accepted"),
    ("publish-namespace-done", "and withdrawn"),
    ("subscribe-error", "SUBSCRIBE to what nobody publishes is refused"),
    ("announce-subscribe", "SUBSCRIBE through the relay to a publisher"),
    ("subscribe-before-announce", "SUBSCRIBE first; the publisher comes later"),
]
MARKS = ("<!-- made by ./run interop with SVC_IMQUIC and SVC_MOQ5 -->",
         "<!-- end of ./run interop with SVC_IMQUIC and SVC_MOQ5 -->")


class Ours:
    name = "svc-server"

    def __init__(self, build):
        self.server = os.path.join(build, "server", "svc-server")
        self.client = os.path.join(build, "tests", "interop", "moq_cases")

    def relay(self, pki, port):
        config = os.path.join(os.path.dirname(pki["ca.pem"]), "relay.yaml")
        with open(config, "w", encoding="utf-8") as f:
            f.write("sources:\n  - {namespace: moq-test, kind: publish}\naccess:\n  anonymous:\n"
                    "    - {namespace: \"\", subscribe: true, publish: true}\n")
        return [self.server, "--config", config, "--listen", f"127.0.0.1:{port}", "--cert",
                pki["server.pem"], "--key", pki["server.key"]]

    def cases(self, pki, url, case):
        return [self.client, "--ca", pki["ca.pem"], "--test", case, url]

    @staticmethod
    def version():
        return "this tree"


class Imquic:
    name = "imquic"

    def __init__(self, folder):
        self.folder = folder

    def program(self, name):
        return os.path.join(self.folder, f"imquic-moq-{name}")

    def relay(self, pki, port):
        return [self.program("relay"), "-q", "-p", str(port), "-c", pki["server.pem"], "-k",
                pki["server.key"]]

    def cases(self, _pki, url, case):
        return [self.program("interop-test"), "-r", url, "-t", case, "--tls-disable-verify"]

    def version(self):
        said = subprocess.run([self.program("relay"), "--help"], capture_output=True, text=True,
                              check=False).stdout
        found = [line.split()[1] for line in said.splitlines() if "(commit hash)" in line]
        return f"commit {found[0][:8]}" if found else "unknown"


class Moq5:
    """Its relay is somebody else's."""
    name = "moq5"
    relay = None

    def __init__(self, client):
        self.client = client

    def cases(self, _pki, url, case):
        return [self.client, "--relay", url, "--draft", "18", "--test", case,
                "--tls-disable-verify"]

    def version(self):
        at = os.path.dirname(self.client)
        said = subprocess.run(["git", "-C", at, "log", "-1", "--format=%h of %cs"],
                              capture_output=True, text=True, check=False).stdout.strip()
        return f"commit {said}" if said else "unknown"


def peers(build, own):
    all_ = [Ours(build)]
    if not own and os.environ.get("SVC_IMQUIC"):
        all_.append(Imquic(os.environ["SVC_IMQUIC"]))
    if not own and os.environ.get("SVC_MOQ5"):
        all_.append(Moq5(os.environ["SVC_MOQ5"]))
    return all_


def play(folder, pki, relay, client, case):
    """"" or what went wrong."""
    port, = free_udp_ports(1)
    where = os.path.join(folder, f"{relay.name}-{client.name}-{case}")
    os.makedirs(where, exist_ok=True)
    with Programs(where) as running:
        try:
            program = running.start("relay", relay.relay(pki, port))
            demo_programs.wait_for_udp(program, port)
        except ProgramFailed as why:
            return str(why)
        done = subprocess.run(client.cases(pki, f"moqt://127.0.0.1:{port}", case), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=TIMEOUT_S, check=False)
        bad = [line.strip() for line in done.stdout.splitlines()
               if line.strip().startswith(("not ok", "message:"))]
        return "" if done.returncode == 0 else "; ".join(bad) or f"exit {done.returncode}"


def table(results, pairs):
    heads = ["case", "what happens"] + [f"{c.name} at {r.name}" for r, c in pairs]
    rows = [heads] + [[case, what] + ["yes" if results[r, c, case] == "" else "**no**"
                                      for r, c in pairs] for case, what in CASES]
    width = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    lines = ["| " + " | ".join(t.ljust(w) for t, w in zip(row, width)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in width) + "|")
    return "\n".join(lines)


def keep_docs(how, root, all_, text):
    path = os.path.join(root, "docs", "interop.md")
    with open(path, encoding="utf-8") as f:
        old = f.read()
    versions = "\n".join(f"- {p.name}: {p.version()}" for p in all_)
    before, rest = old.split(MARKS[0], 1)
    new = (f"{before}{MARKS[0]}\n\nVersions:\n\n{versions}\n\n{text}\n\n{MARKS[1]}"
           f"{rest.split(MARKS[1], 1)[1]}")
    if how == "write":
        with open(path, "w", encoding="utf-8") as f:
            f.write(new)
    elif new != old:
        print("docs/interop.md is out of date; ./run interop --docs write")
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root")
    parser.add_argument("build")
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--docs", choices=("write", "check"))
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    all_ = peers(build, options.own)
    if not os.path.exists(all_[0].client) or not os.path.exists(all_[0].server):
        print("skipped: svc-server or moq_cases was not built")
        return SKIP
    if not options.own and len(all_) < 3:
        print("imquic and moq5: not here; SVC_IMQUIC and SVC_MOQ5 name them (docs/interop.md)")
    work = os.path.join(build, "tests", "interop", "moq-own" if options.own else "moq")
    os.makedirs(work, exist_ok=True)
    pki = make_pki(os.path.join(work, "pki"))
    pairs = [(r, c) for r in all_ if r.relay for c in all_ if all_[0] in (r, c)]
    results = {}
    for relay, client in pairs:
        for case, _ in CASES:
            why = results[relay, client, case] = play(work, pki, relay, client, case)
            print(f"{client.name} at {relay.name}, {case}: {why or 'passed'}", flush=True)
    text = table(results, pairs)
    print(f"\n{text}")
    kept = not options.docs or len(all_) < 3 or keep_docs(options.docs, options.root, all_, text)
    return 0 if kept and not any(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
