#!/usr/bin/python3
"""suspend.py ROOT BUILD [--playing SECONDS,...] - a guest goes into a file in the middle of its command and goes on out of it:
in the same slice, and in the slice that is made anew. What is no such file, or another machine's, is refused. A player that was
suspended goes on with what is live. --playing: only that, suspended for so long each time.
"""
import json
import os
import sys
import time

import lib
import moving

MIB = 512 if lib.sanitized() else 128  # sanitized programs have their shadows
TOPOLOGY = """
nodes:
  a:
    memory: {memory}
    run: [program:tvl-echo, wake, --period, 20ms, --count, "{count}", --json]
  b: {{kind: process, run: [sleep, "600"]}}
links: {{lan: {{between: [a, b]}}}}
"""
COUNT = 150  # 3 s


def ended(stage):
    lib.wait_for(lambda: stage.node("a")["state"] == "done", "the command ends")
    with open(os.path.join(lib.folder(), stage.name, "node", "a", "output.log"), encoding="utf-8") as f:
        said = f.read()
    return stage.node("a")["exit"], said


def same_slice(state):
    with lib.Slice("suspend", TOPOLOGY.format(memory=f"{MIB}M", count=COUNT)) as s:
        lib.check(s.shim("suspend", "a", state).returncode == 0, "suspended")
        lib.check(s.node("a")["state"] == "suspended" and s.node("a")["pid"] in (None, 0), "no QEMU runs",
                  s.node("a"))
        lib.check(os.stat(state).st_mode & 0o777 == 0o600, "only its owner reads the file")
        done = s.shim("suspend", "a", state)
        lib.check(done.returncode == 1 and "is suspended already" in done.stderr, "twice is once", done.stderr)
        time.sleep(0.5)

        broken = state + ".broken"
        with open(state, "rb") as f, open(broken, "wb") as to:
            to.write(f.read()[:os.path.getsize(state) // 2])
        done = s.shim("resume", "a", broken)
        os.unlink(broken)
        lib.check(done.returncode == 1 and s.node("a")["state"] == "suspended", "half a file is refused", done.stderr)
        done = s.shim("resume", "a", "/etc/passwd")
        lib.check(done.returncode == 1 and "/etc/passwd: no suspended guest" in done.stderr, "another file is refused",
                  done.stderr)

        lib.check(s.shim("resume", "a", state).returncode == 0, "resumed")
        code, said = ended(s)
        lib.check(code == 0 and json.loads(said)["wake_ups"] == COUNT, "its command has not noticed", said)
        done = s.shim("resume", "a", state)
        lib.check(done.returncode == 1 and "--replace" in done.stderr, "a guest that runs is not ended unasked",
                  done.stderr)


def another_slice(state):
    """The command of the file is another one than this slice's own, which never ends."""
    with lib.Slice("another", TOPOLOGY.format(memory=f"{MIB}M", count=10**5)) as s:
        lib.check(s.shim("resume", "--replace", "a", state).returncode == 0, "in a slice of another name")
        code, said = ended(s)
        lib.check(code == 0 and json.loads(said)["wake_ups"] == COUNT, "its command goes on", said)
    with lib.Slice("suspend", TOPOLOGY.format(memory=f"{MIB + 32}M", count=10**5)) as s:
        done = s.shim("resume", "--replace", "a", state)
        lib.check(done.returncode == 1 and f"{MIB} MiB of memory here, {MIB + 32} MiB of memory there" in done.stderr and
                  s.node("a")["state"] == "running", "not into another machine, which goes on", done.stderr)


def lag_s(rows):
    """How much later than its number a picture was shown, by the usual one of these."""
    late = sorted(when - number * moving.PICTURE_S for when, number in rows)
    return late[len(late) // 2]


def playing(state, pauses_s):
    """The player's clock stood still, the broadcast went on: it goes on with what is live now."""
    with moving.Stage("playing", 60 + 10 * len(pauses_s)) as s:
        for pause_s in pauses_s:
            seen = len(s.rows.rows)
            s.wait_playing(seen + 75)  # until the player knows what is usual
            s.wait_smooth()
            usual = lag_s(s.rows.rows[-25:])
            lib.check(s.shim("suspend", "player", state).returncode == 0, "the player is suspended")
            time.sleep(pause_s)
            seen = len(s.rows.rows)
            asked = time.monotonic()
            lib.check(s.shim("resume", "player", state).returncode == 0, "and resumed")
            resumed = time.monotonic()
            s.wait_playing(seen + 40)
            time.sleep(max(0, resumed + 3.1 - time.monotonic()))
            s.wait_smooth()
            rows = s.rows.rows[seen:]
            late = lag_s(s.rows.rows[-25:]) - usual
            soon = sum(when < resumed + 3 for when, _ in rows)
            longest = s.rows.gap(rows[0][0] + 0.001, time.monotonic())
            print(f"suspended for {resumed - asked + pause_s:.1f} s: first picture {rows[0][0] - resumed:+.2f} s after resume "
                  f"returned, {soon} within 3 s, longest gap after it {longest:.2f} s, {late:.2f} s later in the end")
            lib.check(late < 1.5, "what was missed is not made up for", f"{late:.2f} s")
            lib.check(longest < pause_s - 1, "and not waited for", f"{longest:.2f} s")
            os.unlink(state)


def main():
    lib.need_program("qemu-system-x86_64")
    state = os.path.join(lib.folder(), "a.state")
    if "--playing" in sys.argv:
        playing(state, [float(n) for n in sys.argv[sys.argv.index("--playing") + 1].split(",")])
        return 0
    playing(state, [5])
    same_slice(state)
    another_slice(state)
    os.unlink(state)
    return 0


if __name__ == "__main__":
    sys.exit(main())
