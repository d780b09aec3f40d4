#!/usr/bin/python3
"""slice.py ROOT BUILD [--ends] - slices come up, are asked and changed, fail with one line, leave nothing.

            lab:  a ──lan── b        beside: c (alone)

--ends: the many ways in which they end, a slice in another one, and what there is without root.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import lib

FILES = """[{from: /bin/sh, to: /bin/sh}, {from: /bin/cat, to: /bin/cat},
        {from: /bin/sleep, to: /bin/sleep}, {from: /bin/uname, to: /bin/uname}]"""
LAB = f"""
nodes:
  a:
    files: {FILES}
  b:
    files: {FILES}
    run: [sh, -c, "echo hello; echo to-err >&2; sleep 1; exit 3"]
    result: true
links:
  lan: {{between: [a, b], rate: 3mbit, delay: 20ms}}
"""
PROCESS = """
nodes:
  c:
    kind: process
"""
ALONE = f"""
nodes:
  c:
    files: {FILES}
"""


def write(name, text):
    path = os.path.join(lib.folder(), name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def one_line(done, code, *words):
    said = done.stderr.strip().splitlines()[-1:]
    good = done.returncode == code and said and all(w in said[0] for w in words)
    lib.check(good, f"exit {code} and one line with {', '.join(words)}", done.returncode, done.stderr)


def mistakes():
    """What is wrong is said, with file and line, before anything is started."""
    bad = write("bad.yaml", "name: bad\nnodes:\n  a: {memory: 128M}\n  a2: {memroy: 1G}\n")
    one_line(lib.run("up", bad), 125, "bad.yaml:4", "memroy")
    one_line(lib.run("up", os.path.join(lib.folder(), "none.yaml")), 125, "none.yaml")
    missing = write("m.yaml", "name: bad\nnodes:\n  a:\n    run: [no-such-program-here]\n")
    one_line(lib.run("up", missing), 125, "no-such-program-here")
    orphan = write("o.yaml", "name: bad\nparent: nobody-here\nnodes: {a: {}, b: {}}\n"
                             "links: {lan: {between: [a, b], inherits: lan}}\n")
    one_line(lib.run("up", orphan), 125, "nobody-here", "does not run")
    bare = os.path.join(lib.folder(), "bin")
    os.mkdir(bare)
    one_line(lib.run("up", write("q.yaml", "name: bad\nnodes: {a: {}}\n"), env={**os.environ, "PATH": bare}), 125,
             "qemu-system-x86_64 is not there", "apt install")
    os.rmdir(bare)
    if os.geteuid() == 0:
        one_line(lib.run("up", write("n.yaml", "name: bad\nnodes: {a: {kind: namespace, namespace: nope}, "
                                     "b: {kind: process, run: [sleep, 9]}}\nlinks: {l: {between: [a, b]}}\n")), 125, "nope")
    one_line(lib.run("up"), 64, "topology file")
    one_line(lib.run("ups"), 64, "ups")
    one_line(lib.run("exec", "a", "ls"), 3, "no slice runs")
    one_line(lib.run("down", "bad"), 3, "bad")
    lib.check(not lib.left_behind("bad"), "mistakes leave nothing", *lib.left_behind("bad"))


def command(lab):
    done = lab.exec("a", "cat", input="through and back\n", stdin=None)
    lib.check(done.stdout == "through and back\n" and done.returncode == 0,
              "exec passes standard input and output", done)
    done = lab.exec("a", "sh", "-c", "echo bad >&2; exit 7")
    lib.check(done.stderr == "bad\n" and done.returncode == 7, "and errors and the exit code", done)
    done = lab.exec("a", "sh", "-c", "kill -TERM $$")
    lib.check(done.returncode == 128 + signal.SIGTERM, "and a signal", done)
    lib.check(lab.exec("a", "no-such").returncode == 127, "what is not there exits with 127")
    one_line(lab.exec("x", "sh"), 3, "no node 'x'", "a b")
    done = lab.exec("a", "sh", "-c", "while :; do echo 0123456789abcdef0123456789abcdef; done | "
                                     "{ i=0; while [ $i -lt 2000 ] && read l; do echo $l; i=$((i+1)); "
                                     "done; }")
    lib.check(done.stdout.count("\n") == 2000, "and much output", len(done.stdout))
    lib.exec_at_its_pace(lab, "a")
    with subprocess.Popen([lib.SHIM, "exec", "--slice", "lab", "a", "sleep", "600"]) as hang:
        time.sleep(0.3)
        hang.send_signal(signal.SIGINT)
        lib.check(hang.wait(10) == 128 + signal.SIGINT, "Ctrl-C reaches the program in the node")


def looks(lab):
    told = lab.json("ps")
    b = next(n for n in told["nodes"] if n["node"] == "b")
    lib.check(b["addresses"][0]["address"] == "10.77.0.2" and b["pid"] > 0 and b["accel"] in ("kvm", "tcg")
              and b["system"] == "cloud" and b["resident_bytes"] > 1 << 20 and b["cpu_s"] > 0.1,
              "ps tells of a node", b)
    lib.wait_for(lambda: lab.node("b")["state"] == "done", "the command of b ends")
    lib.check(lab.node("b")["exit"] == 3, "and ps tells how")
    logs = lab.json("logs", "b")
    lib.check("hello" in logs["output"] and "to-err" in logs["output"], "logs has what it printed", logs)
    lib.check("all nodes answer" in lab.shim("logs").stdout, "and what the keeper did")
    lan = next(k for k in lab.json("stats")["links"] if k["name"] == "lan")
    lib.check(lan["up"]["rate_bps"] == 3000000 and lan["down"]["delay_ms"] == 20, "stats tells of a link",
              lan)
    lib.check(lab.shim("ps").returncode == 0 and "10.77.0.2" in lab.shim("ps").stdout, "ps for people")
    lib.check("lan" in lab.shim("stats").stdout, "stats for people")


def changes(lab):
    def lan():
        return lab.json("link", "show", "lan")
    lab.shim("link", "set", "lan", "up.rate=5mbit", "delay=7ms")
    lib.check((lan()["up"]["rate_bps"], lan()["down"]["rate_bps"], lan()["down"]["delay_ms"])
              == (5000000, 3000000, 7), "link set changes one way or both", lan())
    one_line(lab.shim("link", "set", "lan", "rate=fast"), 1, "rate", "fast")
    one_line(lab.shim("link", "set", "wan", "rate=1mbit"), 3, "no link 'wan'", "lan")
    one_line(lab.shim("link", "set", "lan"), 64, "KEY=VALUE")
    traces = os.path.join(lib.ROOT, "configs", "traces")
    lab.shim("link", "set", "lan", "down.trace=lte-fading.mm", cwd=traces)
    lib.check(lan()["down"]["trace"] == os.path.join(traces, "lte-fading.mm"), "a trace from where we are", lan())
    lab.shim("link", "set", "lan", "down.rate=3mbit")
    lab.shim("link", "program", "lan", "program:drop-every.so", "7")
    lib.check(lan()["program"].endswith("/drop-every.so"), "link program", lan())
    one_line(lab.shim("link", "program", "lan", "/etc/hostname"), 1, "hostname")
    lib.check(lan()["program"].endswith("/drop-every.so"), "what is none leaves it as it was")
    lab.shim("link", "program", "lan", "off")
    lib.check("program" not in lan(), "link program off", lan())
    lab.shim("link", "down", "lan")
    lib.check(lan()["up"]["down"] and lan()["down"]["down"], "link down", lan())
    lab.shim("link", "up", "lan")
    lib.check(not lan()["up"]["down"], "link up", lan())


def side_by_side(lab):
    one_line(lib.run("up", lab.file), 125, "runs already", "--name")
    with lib.Slice("beside", ALONE) as two:
        lib.check(two.exec("c", "uname", "-n").stdout.strip() == "c", "a second slice beside the first")
        names = [s["slice"] for s in json.loads(lib.run("ps", "--json").stdout)]
        lib.check(names == ["beside", "lab"], "ps lists both", names)
        one_line(lib.run("exec", "a", "sh"), 3, "several slices", "--slice")
        if two.node("c")["accel"] == "tcg":
            one_line(lib.run("up", "--accel", "kvm", "--name", "third", two.file), 125, "KVM")
    lib.check(lab.exec("a", "uname", "-n").stdout.strip() == "a", "the first goes on when it is down")


def a_node_dies(lab):
    os.kill(lab.node("a")["pid"], signal.SIGKILL)
    lib.wait_for(lambda: lab.node("a")["state"] == "dead", "a killed guest is seen")
    lib.check("signal 9" in lab.node("a")["why"] or "killed" in lab.node("a")["why"].lower(),
              "and why", lab.node("a"))
    one_line(lab.exec("a", "sh"), 125, "a does not answer")
    lib.check(lab.exec("b", "uname", "-n").stdout.strip() == "b", "the others go on")


def the_keeper_is_killed():
    path = write("three.yaml", "name: three\n" + ALONE)
    done = lib.run("up", "--detach", "--json", path, cwd="/tmp",
                   env={**os.environ, "VMM_SHIM_DIR": os.path.relpath(lib.folder(), "/tmp")})
    lib.check(done.returncode == 0, "a third slice, its folder named from where we are", done.stderr)
    keeper = json.loads(done.stdout)["keeper"]
    os.unlink(path)
    os.kill(keeper, signal.SIGKILL)
    lib.wait_for(lambda: not [p for p in lib.processes().values() if "/three" in p],
                 "guests and network die with their keeper", 5)
    lib.check("left behind" in lib.run("ps", "--json").stdout, "ps tells of what is left")
    one_line(lib.run("exec", "--slice", "three", "c", "sh"), 3, "its keeper was killed", "down three")
    lib.check(lib.run("down", "three").returncode == 0 and not lib.left_behind("three"),
              "down clears it", *lib.left_behind("three"))


def interrupted():
    path = write("four.yaml", "name: four\n" + PROCESS + "    run: [sleep, '600']\n    result: true\n")
    with subprocess.Popen([lib.SHIM, "up", path], stderr=subprocess.PIPE, text=True) as up:
        for line in up.stderr:
            if "runs sleep" in line:
                break
        up.send_signal(signal.SIGINT)
        lib.check(up.wait(30) == 130, "Ctrl-C ends up")
    os.unlink(path)
    lib.check(not lib.left_behind("four"), "and takes the slice down", *lib.left_behind("four"))


def once():
    path = write("five.yaml", "name: five\n" + PROCESS +
                 "    run: [sh, -c, 'echo the result; exit 4']\n    result: true\n")
    done = lib.run("up", "--once", "--quiet", path)
    os.unlink(path)
    lib.check(done.stderr == "", "up --quiet says nothing", done.stderr)
    lib.check(done.returncode == 4 and done.stdout == "the result\n", "up prints the result", done)
    lib.check(not lib.left_behind("five"), "--once leaves nothing", *lib.left_behind("five"))


def the_network_is_killed():
    path = write("six.yaml", "name: six\nnodes: {p: {kind: process, run: [sh, -c, 'echo last words; sleep 600']}}\n")
    lib.check(lib.run("up", "--detach", path).returncode == 0, "a slice of one process")
    os.unlink(path)
    lib.wait_for(lambda: "last words" in lib.run("logs", "--slice", "six", "p").stdout, "it speaks")
    os.kill(next(p for p, line in lib.processes().items() if "six/net.control" in line), signal.SIGKILL)
    lib.wait_for(lambda: "left behind" in lib.run("ps", "--json").stdout, "its network is killed: it ends")
    lib.check("signal 9" in lib.run("ps").stdout, "and ps says why", lib.run("ps").stdout)
    one_line(lib.run("exec", "--slice", "six", "p", "sh"), 3, "signal 9", "down six")
    lib.check("last words" in lib.run("logs", "--slice", "six", "p").stdout, "what it said is still there")
    lib.check(lib.run("down", "six").returncode == 0 and not lib.left_behind("six"), "down clears it",
              *lib.left_behind("six"))


def down_in_the_middle():
    """While `up` makes images there is no keeper yet: down ends it all the same."""
    path = write("eight.yaml", "name: eight\n" + ALONE)
    with subprocess.Popen([lib.SHIM, "up", "--detach", path], stderr=subprocess.PIPE, text=True) as up:
        lib.wait_for(lambda: os.path.exists(os.path.join(lib.folder(), ".eight.lock")), "it is being made")
        done = lib.run("down", "eight")
        lib.check(done.returncode == 0 and not lib.left_behind("eight"), "down while it is made", done.stderr,
                  *lib.left_behind("eight"))
        lib.check(up.wait(20) in (125, 130, 143), "up ends", up.stderr.read())


def once_is_killed():
    path = write("seven.yaml", "name: seven\nnodes: {p: {kind: process, result: true, run: [sleep, '600']}}\n")
    with subprocess.Popen([lib.SHIM, "up", "--once", path], stderr=subprocess.PIPE, text=True) as up:
        for line in up.stderr:
            if "runs sleep" in line:
                break
        up.kill()
    lib.wait_for(lambda: not lib.left_behind("seven"), "up --once is killed: its slice goes", 10)


def a_result_at_its_pace():
    """9 MB through a pipe whose reader sleeps first: all of it, and the exit code."""
    path = write("nine.yaml", "name: nine\nnodes: {p: {kind: process, result: true, run: [sh, -c, "
                              "'head -c 9000000 /dev/zero; exit 3']}}\n")
    with subprocess.Popen([lib.SHIM, "up", "--once", "--quiet", path], stdout=subprocess.PIPE) as up:
        time.sleep(0.7)
        n = len(up.stdout.read())
        lib.check(n == 9000000 and up.wait(30) == 3, "who reads a result slowly gets all", n, up.returncode)


def in_each_other():
    """Processes, which need no guest, and a slice inside a slice: the parent's link bounds the child's."""
    outer = "nodes: {p: {kind: process, run: [sleep, '600']}}\nlinks: {phy: {rate: 4mbit, delay: 15ms}}\n"
    inner = """parent: outer
nodes:
  s: {kind: process, run: [WORDS program:tvl-echo, serve, --cert, /etc/slice/cert.pem, --key, /etc/slice/key.pem]}
  c: {kind: process, after_all: true, result: true,
      run: [WORDS program:tvl-echo, send, --ca, /etc/slice/ca.pem, "s:4433", --bytes, 300000, --json]}
links: {lan: {between: [s, c], inherits: phy}}
""".replace("WORDS ", "".join(w + ", " for w in lib.UNTRACED))
    with lib.Slice("outer", outer) as parent:
        path = write("inner.yaml", "name: inner\n" + inner)
        done = lib.run("up", path)
        lib.check(done.returncode == 0, "a slice inside another", done.stdout, done.stderr)
        sent = json.loads(done.stdout)
        lib.check(sent["ok"] and sent["bytes_returned"] == 300000 and sent["round_trip_ms_p50"] >= 30
                  and sent["goodput_bps"] < 4e6, "has its delay and no more than its rate", sent)
        phy = next(k for k in parent.json("stats")["links"] if k["name"] == "phy")
        lib.check(phy["up"]["bytes_out"] > 300000, "all of it went through the parent's link", phy["up"])
        one_line(lib.run("down", "outer"), 1, "inner runs inside outer")
        done = lib.run("exec", "--slice", "inner", "s", "--", "sh", "-c", "id -u; exit 5")
        lib.check(done.returncode == 5 and done.stdout.strip() != "0", "exec in a process, which is not root",
                  done)
        os.unlink(path)
        lib.check(lib.run("down", "inner").returncode == 0 and not lib.left_behind("inner"),
                  "the child goes first", *lib.left_behind("inner"))


def copy_cache(to):
    """Another test may finish an image meanwhile, whose file has another name then: it is begun again."""
    shared = os.environ.get("VMM_SHIM_CACHE", os.path.expanduser("~/.cache/vmm-shim"))
    for last in (False, False, False, True):
        try:
            shutil.copytree(shared, to, symlinks=True,
                            ignore=shutil.ignore_patterns("rt*", "arm64*", "apt-*", "sysroot*"))
            return
        except shutil.Error:
            if last:
                raise
            shutil.rmtree(to)


def without_root():
    """The same as an ordinary user: all but what needs a right, and that is said."""
    if os.geteuid() != 0:
        return
    home = os.path.join(lib.folder(), "home")
    cache = os.path.join(home, "cache")
    copy_cache(cache)
    slices = os.path.join(home, "s")
    os.makedirs(slices)
    subprocess.run(["chown", "-R", "nobody", home], check=True)
    env = {**os.environ, "VMM_SHIM_CACHE": cache, "VMM_SHIM_DIR": slices, "HOME": home}
    plain = write("plain.yaml", "name: plain\n" + ALONE)
    fifo = write("fifo.yaml", "name: plain\n" + ALONE + "    real_time: {policy: fifo}\n")

    def run(*args):
        return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", lib.SHIM, *args],
                              env=env, capture_output=True, text=True, check=False, timeout=lib.UP_S,
                              stdin=subprocess.DEVNULL)
    done = run("up", "--detach", plain)
    lib.check(done.returncode == 0, "a guest without root", done.stderr)
    lib.check(run("exec", "c", "uname", "-n").stdout.strip() == "c", "and it answers")
    lib.check(run("down").returncode == 0, "and goes down")
    one_line(run("up", "--detach", fifo), 125, "c")
    pair = write("pair.yaml", "name: plain\nnodes:\n  p: &p {kind: process, run: [sleep, '600']}\n  q: *p\n"
                              "links: {lan: {between: [p, q]}}\n")
    done = run("up", "--detach", pair)
    lib.check(done.returncode == 0 and "cgroup" not in done.stderr, "two processes with a link", done.stderr)
    lib.check(run("down").returncode == 0, "and goes down")
    share = write("share.yaml", "name: plain\nnodes:\n  p: {kind: process, run: [sleep, '600'], share: {weight: 200}}\n")
    done = run("up", "--detach", share)
    one_line(done, 125, "p", "share")
    lib.check(len(done.stderr.splitlines()) == 1, "which is all that it says", done.stderr)
    lib.check(not [n for n in os.listdir(slices) if not n.startswith(".") and n != "accel.json"
                   and n != "admission.json"], "nothing is left", os.listdir(slices))
    shutil.rmtree(home)


def ends():
    the_keeper_is_killed()
    the_network_is_killed()
    interrupted()
    once()
    once_is_killed()
    down_in_the_middle()
    a_result_at_its_pace()
    in_each_other()
    without_root()


def main():
    lib.need_program("qemu-system-x86_64")
    if "--ends" in sys.argv:
        ends()
        return 0
    mistakes()
    with lib.Slice("lab", LAB) as lab:
        looks(lab)
        command(lab)
        changes(lab)
        side_by_side(lab)
        a_node_dies(lab)
    return 0


if __name__ == "__main__":
    sys.exit(main())
