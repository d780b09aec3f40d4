#!/usr/bin/python3
"""systems.py ROOT BUILD [BOOTS [POLICY]] - what each system costs and how soon it answers: configs/systems.yaml's figures.

    peer (metal) ──lan, unshaped── node (the system), BOOTS slices each [3]; medians

boot: start of QEMU to the agent's first answer. resident: of QEMU, after the exchange. round trip: 200
pings of 32 bytes over libtvl from the peer, p50. wake: lateness of a 10 ms timer in the guest, p99 of
500, its threads under SCHED_FIFO on the host where that is allowed. The last line is one JSON object.
"""
import json
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.abspath(sys.argv[1]), "tests", "vmm"))
import lib  # noqa: E402

SYSTEMS = ("cloud", "rt", "arm64", "metal")
TOPOLOGY = """
nodes:
  peer: {{system: metal, memory: 32M}}
  node:
    system: {system}
    memory: {memory}
    run: program:tvl-echo --version
    real_time: {{policy: {policy}}}
links:
  lan: {{between: [peer, node]}}
"""
SERVE = ["tvl-echo", "serve", "--cert", "/etc/slice/cert.pem", "--key", "/etc/slice/key.pem"]


def answer(done):
    lib.check(done.returncode == 0, " ".join(done.args[-4:]), done.stdout, done.stderr)
    return json.loads(done.stdout)


def measure(system, number, policy):
    """One boot: figures by name."""
    text = TOPOLOGY.format(system=system, memory="32M" if system == "metal" else "128M",
                           policy=policy)
    with lib.Slice(f"sys{number}", text) as s:
        boot = s.node("node")
        wake = answer(s.exec("node", "tvl-echo", "wake", "--period", "10ms", "--count", "500", "--json"))
        serve = subprocess.Popen([lib.SHIM, "exec", "-n", "--slice", s.name, "node", "--", *SERVE],
                                 stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        try:
            lib.check("ready" in serve.stdout.readline(), f"{system} serves")
            sent = answer(s.exec("peer", "tvl-echo", "send", "node:4433", "--ca", "/etc/slice/ca.pem",
                                 "--pings", "200", "--bytes", "200k", "--json"))
        finally:
            serve.terminate()
            serve.wait(30)
        return {"boot_s": boot["boot_s"], "boot_cpu_s": boot["cpu_s"],
                "resident_bytes": s.node("node")["resident_bytes"],
                "round_trip_ms": sent["round_trip_ms_p50"], "wake_ms_p99": wake["late_us_p99"] / 1e3,
                "wake_ms_max": wake["late_us_max"] / 1e3}


def main():
    boots = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    policy = sys.argv[4] if len(sys.argv) > 4 else "fifo" if os.geteuid() == 0 else "none"
    lib.need_program("qemu-system-x86_64")
    report, rows = {}, []
    for system in SYSTEMS:
        arm = os.path.join(lib.BUILD, "vmm-shim", "libexec", "arm64", "tvl-echo")
        if system == "arm64" and not os.path.exists(arm):
            print("arm64 left out: its programs were not built (tools/arm64_sysroot.py says why)")
            continue
        runs = [measure(system, n, policy) for n in range(boots)]
        figures = {k: statistics.median(r[k] for r in runs) for k in runs[0]}
        report.update({f"{system}_{k}": round(v, 4) for k, v in figures.items()})
        rows.append(f"{system:6} boot {figures['boot_s']:6.2f} s  resident {figures['resident_bytes'] / 2**20:4.0f} MiB"
                    f"  round trip {figures['round_trip_ms']:6.2f} ms  wake p99 {figures['wake_ms_p99']:6.2f} ms")
    print("\n".join(rows))
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
