#!/usr/bin/python3
"""realtime.py ROOT BUILD - a guest under a real-time policy: its threads have it, as /proc says; one that never
sleeps is bounded by its share and leaves the rest to others; more than the host has is refused; nothing stays.

    CPU 0:  wild (FIFO, 12 % promised, spins)      frames: its own CPU by the placement
"""
import json
import os
import subprocess
import time

import lib

WORK = os.path.join(lib.BUILD, "tests", "vmm", "frame_work")
SCHED_DEADLINE = 6  # os has no name for it
SECONDS = 1.5  # that the runaway is watched

TOPOLOGY = f"""
nodes:
  wild:
    files: [{{from: {WORK}, to: /bin/frame_work}}]
    share: {{cpus: 0}}
    real_time: {{policy: fifo, priority: 50, budget: 12ms, period: 100ms, pin: true}}
"""
TOO_MUCH = """
nodes:
  greedy:
    share: {cpus: 0}
    real_time: {policy: fifo, priority: 50, budget: 85ms, period: 100ms}
"""


def cpu_s(pid):
    """User and system time of all threads of a process."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def policies(pid):
    """[(thread's name, is the process, policy, priority, CPUs)] by /proc and the kernel, not by us."""
    found = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as f:
            name = f.read().strip()
        found.append((name, int(tid) == pid, os.sched_getscheduler(int(tid)) & ~os.SCHED_RESET_ON_FORK,
                      os.sched_getparam(int(tid)).sched_priority, os.sched_getaffinity(int(tid))))
    return found


def threads_have_it(slice_, pid):
    seen = policies(pid)
    vcpu = [t[2:4] for t in seen if t[0].startswith("CPU 0/")]
    loop = [t[2:4] for t in seen if t[1]]
    lib.check(vcpu == [(os.SCHED_FIFO, 50)], "the vCPU thread is FIFO 50", seen)
    lib.check(loop == [(os.SCHED_FIFO, 51)], "the main loop stands above it", seen)
    lib.check(all(t[4] == {0} for t in seen), "all of it is pinned", seen)
    shown = slice_.json("rt", "show", "wild")["nodes"][0]
    told = {(t["policy"], t.get("priority")) for t in shown["threads"]}
    lib.check({("fifo", 50), ("fifo", 51)} <= told and
              abs(shown["real_time_percent"] - 12) < 0.01, "rt show reports what the kernel has", shown)
    return shown["bound"]


def runaway(slice_, pid):
    """The guest spins in its kernel's highest class; a usual program on the same CPU goes on."""
    spinning = subprocess.Popen([lib.SHIM, "exec", "--slice", slice_.name, "wild", "--", "/bin/frame_work",
                                 "spin", "0", "fifo", "90"], stdin=subprocess.DEVNULL)
    beside = None
    try:
        lib.wait_for(lambda: busy(pid), "the guest spins")
        began, before = time.monotonic(), cpu_s(pid)
        beside = subprocess.Popen(["taskset", "-c", "0", WORK, "spin", str(SECONDS)], stdout=subprocess.PIPE,
                                  text=True, stdin=subprocess.DEVNULL)
        others = float(beside.communicate(timeout=60)[0])
        took = time.monotonic() - began
        share = (cpu_s(pid) - before) / took
        print(f"runaway guest {share:.1%} of the CPU (12 % promised), a program beside it {others / took:.1%}")
        lib.check(share < 0.20, "a runaway guest has no more than its share", share)
        lib.check(others > 0, "what is beside it goes on", others)
        lib.check(slice_.json("rt", "show", "wild")["nodes"], "the keeper answers meanwhile")
    finally:
        spinning.terminate()
        spinning.wait()
        if beside and beside.poll() is None:
            beside.kill()


def busy(pid):
    """It takes two thirds of what it was promised, at least."""
    before = cpu_s(pid)
    time.sleep(0.5)
    return cpu_s(pid) - before >= 0.04


def refused(slice_):
    """Over-commitment: a second slice, and a change of the first."""
    path = os.path.join(lib.folder(), "greedy.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write("name: rt-greedy\n" + TOO_MUCH)
    done = lib.run("up", "--detach", path)
    lib.check(done.returncode != 0 and "greedy 85 %" in done.stderr and "wild 12 %" in done.stderr,
              "a slice that would promise more than there is is refused with the figures", done.stderr)
    lib.check(lib.left_behind("rt-greedy") == [], "nothing of it was made", lib.left_behind("rt-greedy"))
    done = slice_.shim("rt", "set", "wild", "policy=fifo,budget=99ms,period=100ms")
    lib.check(done.returncode == 1 and "99 %" in done.stderr, "so is a change", done.stderr)
    done = slice_.shim("rt", "set", "nobody", "weight=1")
    lib.check(done.returncode == 3 and "has no node 'nobody'; it has: wild network" in done.stderr,
              "a node that is not there", done.returncode, done.stderr)


def main():
    lib.need_root("real-time policies")
    lib.need_program("qemu-system-x86_64")
    with lib.Slice("rt-test", TOPOLOGY) as s:
        pid = s.node("wild")["pid"]
        bound = threads_have_it(s, pid)
        refused(s)
        if bound == "group":
            runaway(s, pid)
        else:
            print(f"no groups for real time on this host: bounded by {bound}, not tried")
        done = s.shim("rt", "set", "wild", "policy=nice,priority=5,pin=no,weight=50")
        lib.check(done.returncode == 0, "another policy while it runs", done.stderr)
        vcpu = [t for t in policies(pid) if t[0].startswith("CPU 0/")][0]
        lib.check(vcpu[2] == os.SCHED_OTHER and len(vcpu[4]) == os.cpu_count(), "and the kernel has it", vcpu)
        done = s.shim("rt", "set", "wild", "policy=deadline,budget=3ms,period=33ms")
        lib.check(done.returncode == 0, "DEADLINE", done.stderr)
        deadline = {t[0] for t in policies(pid) if t[2] == SCHED_DEADLINE}
        lib.check(len(deadline) == 2 and any(n.startswith("CPU 0/") for n in deadline),
                  "its vCPU and main loop have it", policies(pid))
        done = s.shim("rt", "set", "wild", "policy=none")
        lib.check(done.returncode == 1 and "until they end" in done.stderr, "for as long as they live", done.stderr)
        book = os.path.join(lib.folder(), "admission.json")
        with open(book, encoding="utf-8") as f:
            lib.check(len(json.load(f)["slices"]) == 1, "one slice is promised something")
    lib.check(not os.path.exists(book), "nobody is promised anything afterwards")


main()
