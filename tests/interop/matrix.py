#!/usr/bin/python3
"""matrix.py ROOT BUILD [--quick] [--only TEXT] [--list] [--docs write|check] - libtvl meets others.

Every peer that is installed does every case, as server and as client; the result is a table on
standard output and BUILD/reports/interop.json. --quick: the cases and peers of the ordinary suite.
--only: those whose "peer role case" contains TEXT. --docs: docs/interop.md is written, or must be
what this run would write; picoquic, which SVC_PICOQUIC names, has a part of its own there. Exit: 0 all passed, 1 not, 77 no foreign peer is installed.
"""
import argparse
import dataclasses
import json
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases  # noqa: E402
import peers  # noqa: E402
import report  # noqa: E402
from lab import (Failed, Lab, NotOffered, ProgramFailed, events_of, make_pki)  # noqa: E402

SKIP = 77
OURS = peers.ALL[0]
QUICK_PEERS = ("ngtcp2",)


@dataclasses.dataclass
class Entry:
    peer: str
    role: str     # the peer's
    case: str
    loss: bool    # 5 % each way
    result: str   # passed, failed, not offered
    seconds: float = 0
    note: str = ""


def settled_events(program, connections):
    """Our server's events to its end, which comes when it has seen every connection end, or after
    1 s."""
    until = time.monotonic() + 1
    while sum(e["event"] == "closed" for e in events_of(program)) < connections and \
            time.monotonic() < until:
        time.sleep(0.02)
    program.stop()
    return events_of(program)


def play(lab, case, server_peer, client_peer):
    server = server_peer.serve(lab)
    lab.begin_link()
    client = client_peer.request(lab, server_peer)
    if case.up:
        server_peer.check_upload(lab)
    else:
        lab.check_downloads()
    if case.rebind and lab.nat.rebound < 2:
        raise Failed("the transfer was over before the port changed twice")
    if not case.saw:
        return
    if client_peer is OURS:
        case.saw(cases.Seen(case, "client", events_of(client)))
    if server_peer is OURS:
        case.saw(cases.Seen(case, "server", settled_events(server, case.connections)))


def run_case(where, peer, role, case):
    entry = Entry(peer.name, role, case.name, case.loss, "passed")
    server_peer, client_peer = (peer, OURS) if role == "server" else (OURS, peer)
    began = time.monotonic()
    try:
        server_peer.check(case, "server")
        client_peer.check(case, "client")
        name = f"{peer.name}-{role}-{case.name}{'-lossy' if case.loss else ''}"
        folder = os.path.join(where.work, name.replace(" ", "-"))
        with Lab(folder, where.build, where.pki, case, client_peer) as lab:
            play(lab, case, server_peer, client_peer)
    except NotOffered as why:
        entry.result, entry.note = "not offered", str(why)
    except (Failed, ProgramFailed) as why:
        entry.result, entry.note = "failed", str(why)
    entry.seconds = round(time.monotonic() - began, 2)
    return entry


@dataclasses.dataclass
class Where:
    build: str
    work: str
    pki: dict


def title(peer, role, case):
    return f"{peer} {role} {case.name}" + (", 5 % loss" if case.loss else "")


def chosen(options):
    """(peer, role, case) to be run."""
    for peer in peers.ALL:
        for role in peer.kinds:
            if peer is OURS and role == "client":
                continue  # the same as its role of server
            for case in cases.CASES + [cases.lossy(c) for c in cases.CASES]:
                if options.quick and (case.loss or not case.quick or peer.name not in QUICK_PEERS):
                    continue
                if options.only and options.only not in title(peer.name, role, case):
                    continue
                yield peer, role, case


def take_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root")
    parser.add_argument("build")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--docs", choices=("write", "check"))
    return parser.parse_args()


def main():
    options = take_options()
    build = os.path.abspath(options.build)
    plan = list(chosen(options))
    absent = {p.name: p.missing() for p in peers.ALL if p.missing()}
    for name, packages in absent.items():
        print(f"{name}: not installed; ./run interop installs {packages}")
    plan = [p for p in plan if p[0].name not in absent]
    if not os.path.exists(os.path.join(build, "tests", "interop", "h3_client")):
        print("skipped: h3_client was not built; it needs libnghttp3-dev")
        return SKIP
    if options.list:
        print("\n".join(title(p.name, r, c) for p, r, c in plan))
        return 0
    if not any(p is not OURS for p, _, _ in plan):
        print("skipped: no foreign peer is installed")
        return SKIP
    work = os.path.join(build, "tests", "interop", "quick" if options.quick else "matrix")
    os.makedirs(work, exist_ok=True)
    where = Where(build, work, make_pki(os.path.join(work, "pki")))
    entries = []
    for peer, role, case in plan:
        entry = run_case(where, peer, role, case)
        print(f"{title(entry.peer, entry.role, case):48} {entry.result:11} "
              f"{entry.seconds:6.2f} s  {entry.note}", flush=True)
        entries.append(entry)
    failed = [e for e in entries if e.result == "failed"]
    passed = [e for e in entries if e.result == "passed"]
    if not options.quick:
        os.makedirs(os.path.join(build, "reports"), exist_ok=True)
        with open(os.path.join(build, "reports", "interop.json"), "w", encoding="utf-8") as f:
            json.dump({"passed": len(passed), "failed": len(failed),
                       "entries": [dataclasses.asdict(e) for e in entries]}, f, indent=1)
    print(f"\n{report.table(entries, cases.CASES)}")
    print(f"{len(passed)} passed, {len(failed)} failed, "
          f"{len(entries) - len(passed) - len(failed)} not offered")
    stale = options.docs and not report.keep_docs(options.docs, options.root, entries, cases.CASES,
                                                  peers.ALL)
    return 1 if failed or stale else 0


if __name__ == "__main__":
    sys.exit(main())
