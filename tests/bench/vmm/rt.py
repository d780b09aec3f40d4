#!/usr/bin/python3
"""rt.py ROOT BUILD - what real time is kept for guests, as a table and one JSON object.

frames    a guest does 33 ms frame work (about 9 ms of CPU a frame, under FIFO inside) while four programs that
          never sleep want each of its CPUs: without a policy, with nice -19, FIFO, DEADLINE. 200 frames each.
          Pinned to one CPU; DEADLINE may not be, so that it and one more row without a policy have all CPUs.
balance   three pinned nodes, two busy ones on one CPU: how long until the placement has them apart.
runaway   that guest spins for ever; on the same CPU a second guest spins and so does a program of the host: who
          gets how much, under FIFO and under DEADLINE.
stream    two-path streaming between two guests, hogs on all CPUs: lateness of the player's pictures, with and
          without the policy.

deadline_misses_rt, deadline_misses_plain: of 200, pinned, under FIFO and without a policy.
"""
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.abspath(sys.argv[1]), "tests", "vmm"))
import lib  # noqa: E402

WORK = os.path.join(lib.BUILD, "tests", "vmm", "frame_work")
FRAMES, PERIOD_US, WORK_MS = 200, 33333, 9.0
HOGS = 4  # on each CPU: a fair share is a fifth, the work wants more than a quarter
STREAM_HOGS = 3
CPU = 1 if os.cpu_count() > 1 else 0
RUNAWAY_S = 5

WORKER = f"""
nodes:
  worker:
    files: [{{from: {WORK}, to: /bin/frame_work}}]
    share: {{cpus: {CPU}}}
    real_time: {{policy: fifo, priority: 50, budget: 60ms, period: 100ms, pin: true, lock_memory: true}}
  other:
    files: [{{from: {WORK}, to: /bin/frame_work}}]
    share: {{cpus: {CPU}}}
"""
# name, what `rt set` is told, whether it is pinned. FIFO is there from the start.
POLICIES = [
    ("none", "policy=none", True),
    ("nice", "policy=nice,priority=-19", True),
    ("none, all CPUs", "policy=none,pin=no", False),
    ("deadline", "policy=deadline,budget=16ms,period=33ms,pin=no", False),
]


class Hogs:
    """Programs of the host that never sleep, on each of these CPUs; each in a session of its own, as the kernel may
    count a session as one program (autogroup)."""

    def __init__(self, cpus, each=HOGS):
        self.cpus, self.each, self.running = cpus, each, []

    def __enter__(self):
        for cpu in self.cpus:
            self.running += [subprocess.Popen(["taskset", "-c", str(cpu), WORK, "spin"], start_new_session=True,
                                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for _ in range(self.each)]
        return self

    def __exit__(self, *_):
        for p in self.running:
            p.kill()
            p.wait()


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def must(done, what):
    lib.check(done.returncode == 0, what, done.stdout, done.stderr)
    return done.stdout


def frames(s, turns, cpus):
    with Hogs(cpus):
        out = must(s.exec("worker", "/bin/frame_work", "frames", PERIOD_US, turns, FRAMES, "fifo", 80),
                   "frames are worked on")
    return json.loads(out)


def frame_row(s, turns, name, words, pinned):
    must(s.shim("rt", "set", "worker", words), f"policy: {name}")
    return dict(policy=name, **frames(s, turns, [CPU] if pinned else range(os.cpu_count())))


def print_rows(rows):
    print(f"{'policy':16} {'wake p50':>9} {'p99':>8} {'max ms':>8} {'done p99':>9} {'max ms':>8} {'misses':>7} skipped")
    for r in rows:
        print(f"{r['policy']:16} {r['wake_p50_ms']:9.2f} {r['wake_p99_ms']:8.2f} {r['wake_max_ms']:8.2f} "
              f"{r['done_p99_ms']:9.1f} {r['done_max_ms']:8.1f} {r['misses']:7} {r['skipped']}")


def spinning(s, node):
    return subprocess.Popen([lib.SHIM, "exec", "--slice", s.name, node, "--", "/bin/frame_work", "spin"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def runaway(s, name):
    """Shares of one CPU: the runaway, another guest, a program of the host."""
    pids = {n: s.node(n)["pid"] for n in ("worker", "other")}
    held = [spinning(s, n) for n in pids]
    try:
        with Hogs([CPU], 1) as hogs:
            time.sleep(1)
            pids["host"] = hogs.running[0].pid
            before, began = {n: cpu_s(p) for n, p in pids.items()}, time.monotonic()
            time.sleep(RUNAWAY_S)
            took = time.monotonic() - began
            shares = {n: round((cpu_s(p) - before[n]) / took, 3) for n, p in pids.items()}
    finally:
        for p in held:
            p.send_signal(signal.SIGTERM)
        for p in held:
            p.wait(30)
    print(f"runaway under {name}: it {shares['worker']:.1%}, another guest {shares['other']:.1%}, the host's program "
          f"{shares['host']:.1%} of one CPU")
    return shares


BALANCE = f"""
nodes:
  a: {{kind: process, files: [{{from: {WORK}, to: /opt/frame_work}}], run: [/opt/frame_work, spin], real_time: {{pin: true}}}}
  b: {{kind: process, run: [/bin/sleep, infinity], real_time: {{pin: true}}}}
  c: {{kind: process, files: [{{from: {WORK}, to: /opt/frame_work}}], run: [/opt/frame_work, spin], real_time: {{pin: true}}}}
"""
BALANCE_S = 40  # a look each 5 s, and half of what is new counts


def balance():
    """Three pinned nodes of which two turn out to be busy, on one CPU: seconds until they are apart; None: never."""
    if os.cpu_count() < 2:
        return None
    with lib.Slice("rt-balance", BALANCE) as s:
        began = time.monotonic()

        def where():
            return {n["node"]: tuple(n["cpus"]) for n in s.json("rt", "show")["nodes"]}
        first = where()
        while time.monotonic() - began < BALANCE_S:
            now = where()
            if now["a"] != now["c"]:
                took = round(time.monotonic() - began, 1)
                print(f"placement: {first} became {now} after {took} s")
                return took
            time.sleep(0.5)
    print(f"placement: {first} stayed")
    return None


STREAM = """
nodes:
  server:
    memory: 160M
    {server}
    files:
      - {{from: "media:small.ivf", to: /media/clip}}
    run: program:svc-server /media/clip --loop --start-on-viewer --cert /etc/slice/cert.pem --key /etc/slice/key.pem
  player:
    memory: 160M
    {player}
    after_all: true
    result: true
    run: program:svc-player moqt://server/demo --path dev=eth0,to=10.77.0.1:4433,name=a
         --path dev=eth1,to=10.77.1.1:4433,name=b --ca /etc/slice/ca.pem --headless --duration {seconds} --json -
links:
  a: {{between: [server, player], rate: 3mbit, delay: 20ms}}
  b: {{between: [server, player], rate: 3mbit, delay: 10ms}}
{network}
"""
STREAM_S = 12


def lateness(player):
    """Of the player's pictures: how much later than by their own times, after the promptest tenth. ms."""
    offset = sorted(row[5] - row[1] / 1e3 for row in player["shown"])
    if len(offset) < 20:
        return None
    base, n = offset[len(offset) // 10], len(offset)
    return {"pictures": n, "skipped": player["frames_skipped"], "stall_max_ms": player["stall_ms_max"],
            "late_p50_ms": round(offset[n // 2] - base, 2), "late_p95_ms": round(offset[n * 95 // 100] - base, 2),
            "late_p99_ms": round(offset[n * 99 // 100] - base, 2), "late_max_ms": round(offset[-1] - base, 2)}


def stream(with_policy):
    """The player's report, with hogs on all CPUs from before it starts."""
    def policy(share):
        return f"real_time: {{policy: fifo, priority: 50, budget: {share}ms, period: 100ms, guest: true}}"
    text = STREAM.format(server=policy(20) if with_policy else "", player=policy(50) if with_policy else "",
                         seconds=STREAM_S,
                         network="network: {policy: fifo, priority: 60, budget: 10ms, period: 100ms}"
                         if with_policy else "")
    path = os.path.join(lib.folder(), "rt-stream.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write("name: rt-stream\n" + text)
    with Hogs(range(os.cpu_count()), STREAM_HOGS):
        done = lib.run("up", path, timeout=300)
    lib.run("down", "rt-stream")
    said = f"stream {'with' if with_policy else 'without'} the policy:"
    reports = [line for line in done.stdout.splitlines() if line.startswith("{")]
    late = lateness(json.loads(reports[-1])) if done.returncode == 0 and reports else None
    if not late:
        print(said, f"exit status {done.returncode}", done.stderr[-1000:])
        return None
    print(said, ", ".join(f"{k} {v}" for k, v in late.items()))
    return late


def main():
    lib.need_root("real-time policies")
    lib.need_program("qemu-system-x86_64")
    report = {}
    with lib.Slice("rt-bench", WORKER) as s:
        turns = int(must(s.exec("worker", "/bin/frame_work", "calibrate", WORK_MS), "work is measured"))
        rows = [dict(policy="fifo, no hogs", **frames(s, turns, [])),
                dict(policy="fifo", **frames(s, turns, [CPU]))]
        report["runaway_fifo"] = runaway(s, "fifo 60/100 ms")
        rows += [frame_row(s, turns, *p) for p in POLICIES]
        must(s.shim("rt", "set", "worker", "policy=deadline,budget=10ms,period=33ms"), "deadline, 30 %")
        report["runaway_deadline"] = runaway(s, "deadline 10/33 ms")
    report["balance_s"] = balance()
    report["stream_plain"] = stream(False)
    report["stream_rt"] = stream(True) or stream(True)  # a guest may not come up in time beside the hogs
    print_rows(rows)
    by = {r["policy"]: r for r in rows}
    report["deadline_misses_rt"] = by["fifo"]["misses"]
    report["deadline_misses_plain"] = by["none"]["misses"]
    report["deadline_misses_deadline"] = by["deadline"]["misses"]
    report["rt_table"] = rows
    print(json.dumps(report))


main()
