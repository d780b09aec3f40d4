#!/usr/bin/python3
"""balancer.py ROOT BUILD - two servers behind one address, and a balancer that knows nothing of QUIC but
where a connection ID says its server: the kernel's nftables. Viewers with two paths each are served
over both, though a path comes from another address than the handshake; without the rules that read
IDs about half of these paths find the wrong server.

Needs root, network namespaces and nftables; skipped (77) without.
"""
import json
import os
import shutil
import subprocess
import sys
import time

import material
from clip import program_path
from live_report import exit_code, newest
from programs import ProgramFailed, Programs

VIP, SERVERS = "10.9.0.1", {"a": ("10.9.0.11", "0a"), "b": ("10.9.0.12", "0b")}
VIEWERS, CLIENTS = 12, ("10.9.0.21", "10.9.0.22")
PORT, DURATION_S, PATIENCE_S = 4433, 3, 60
SKIPPED = 77
# Of UDP's payload, which begins at bit 64 of its header: the first bit says whether the header is
# long; in a short one the ID follows its octet, and the server ID the ID's first octet.
BY_ID = "ip daddr {vip} udp dport {port} @th,64,1 0 @th,80,8 0x{id} dnat to {to}\n"
RULES = """table ip balancer {{
  chain output {{
    type nat hook output priority -100;
    {by_id}
    ip daddr {vip} udp dport {port} dnat to numgen inc mod 2 map {{ 0 : {a}, 1 : {b} }}
  }}
}}
"""


class Namespace:
    """A network of its own with all addresses on its loopback."""

    def __init__(self, name):
        self.name = f"svc-balancer-{os.getpid()}-{name}"

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True, capture_output=True)
        self.run("ip", "link", "set", "lo", "up")
        for address in (VIP, *CLIENTS, *(at for at, _ in SERVERS.values())):
            self.run("ip", "addr", "add", address + "/24", "dev", "lo")
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def words(self, *command):
        return [shutil.which("ip"), "netns", "exec", self.name, *command]

    def run(self, *command, text=None):
        subprocess.run(self.words(*command), input=text, check=True, capture_output=True, text=True)

    def balance(self, by_id):
        rules = "".join(BY_ID.format(vip=VIP, port=PORT, id=number, to=at)
                        for at, number in SERVERS.values()) if by_id else ""
        self.run("nft", "-f", "-", text="flush ruleset\n" + RULES.format(
            by_id=rules, vip=VIP, port=PORT, **{n: at for n, (at, _) in SERVERS.items()}))


def wait_ready(program):
    until = time.monotonic() + PATIENCE_S
    while "ready" not in open(program.log, encoding="utf-8").read():
        program.check_alive()
        if time.monotonic() > until:
            raise program.failed("is not ready")
        time.sleep(0.05)


def watch(space, folder, pki, name):
    """Sessions that each server had, paths that lived in each; what the crowd got."""
    with Programs(folder) as programs:
        reports = {}
        for server, (at, number) in SERVERS.items():
            reports[server] = os.path.join(folder, f"{name}-{server}.jsonl")
            if os.path.exists(reports[server]):
                os.remove(reports[server])
            wait_ready(programs.start(f"svc-server-{name}-{server}", space.words(
                program_path("svc-server"), "--cert", pki["server.pem"], "--key", pki["server.key"],
                "--listen", f"{at}:{PORT}", "--server-id", number, "--json", reports[server],
                "--live", "test:320x180@30", "--layers", "L1T1", "--bitrate", "100")))
        crowd = os.path.join(folder, f"{name}-crowd.json")
        load = programs.start(f"svc-load-{name}", space.words(
            program_path("svc-load"), "-n", str(VIEWERS), "--per-socket", "1", "--ca", pki["ca.pem"],
            "--duration", str(DURATION_S), "--json", crowd,
            *(word for client in CLIENTS for word in ("--path", f"local={client}")),
            f"moqt://{VIP}:{PORT}/demo"))
        try:
            load.wait(PATIENCE_S)
        except ProgramFailed as failed: # it says so when not all was served
            print(failed)
    said = {server: newest(report) for server, report in reports.items()}
    with open(crowd, encoding="utf-8") as file:
        return said, json.load(file)


def paths_in(report):
    """Of the sessions that the last interval with viewers shows: how many have which number of
    paths that are up."""
    counts = []
    with open(report, encoding="utf-8") as file:
        for line in file:
            viewers = json.loads(line).get("viewers", [])
            now = [sum(path["state"] == "up" for path in viewer["paths"]) for viewer in viewers]
            counts = now if len(now) >= len(counts) else counts
    return counts


def main():
    folder = material.folder("balancer")
    if os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("ip"):
        print("skipped: needs root, ip and nft")
        return SKIPPED
    import programs
    pki = programs.make_pki(os.path.join(folder, "pki"), ["IP:" + VIP])
    try:
        with Namespace("probe") as space:
            space.balance(True)
    except subprocess.CalledProcessError as error:
        print("skipped: no network namespace with nftables and NAT to be had:",
              str(error.stderr).strip())
        return SKIPPED
    seen = {}
    def story(name, by_id):
        with Namespace(name) as space:
            space.balance(by_id)
            watch(space, folder, pki, name)
        seen[name] = {server: paths_in(os.path.join(folder, f"{name}-{server}.jsonl"))
                      for server in SERVERS}
        print(name, seen[name])
        return 0
    material.together([lambda: story("by-id", True), lambda: story("blind", False)])
    by_id, blind = ([n for counts in seen[name].values() for n in counts] for name in ("by-id", "blind"))
    return exit_code({
        "both servers have viewers": all(seen["by-id"].values()),
        "all viewers were there": len(by_id) == VIEWERS,
        "each has both paths, at one server": all(n == 2 for n in by_id),
        "without the server's ID paths are lost": sum(blind) < sum(by_id),
    })


if __name__ == "__main__":
    sys.exit(main())
