#!/usr/bin/python3
"""process.py ROOT BUILD - confined processes as nodes: they meet over their links and nowhere else, see nothing of the
host and of other slices, have their shares, and nothing of them stays.

    pr-one:  a ──lan── b  (b serves on port 7777)          pr-two:  c ──lan── d  (the same addresses)
"""
import os
import subprocess

import lib

SERVE = """import socket, threading
s = socket.create_server(('0.0.0.0', 7777))
print('serving', flush=True)
while True:
    c, _ = s.accept()
    c.sendall(b'hello of b')
    c.close()
"""
ASK = """import socket, sys
s = socket.create_connection((sys.argv[1], 7777), timeout=2)
sys.stdout.write(s.recv(100).decode())
"""
LOOK = """import glob, os, socket
print(len(glob.glob('/proc/[0-9]*')) < 6, os.getuid() != 0, not os.path.exists('/root'),
      not os.path.exists('/etc/shadow'), not os.path.exists(%r),
      'CapBnd:\\t0000000000000000' in open('/proc/self/status').read(),
      sorted(n for _, n in socket.if_nameindex()) == ['eth0', 'lo'], os.path.exists('/etc/slice/ca.pem'))
"""


def write(name, text):
    path = os.path.join(lib.folder(), name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o644)
    return path


def topology(first, second, how):
    serve, ask, look = (os.path.join(lib.folder(), n) for n in ("serve.py", "ask.py", "look.py"))
    return f"""
nodes:
  {first}:
    kind: process
    interface: {how}
    files: [{{from: {ask}, to: /opt/ask.py}}, {{from: {look}, to: /opt/look.py}}]
    run: [/bin/sleep, infinity]
    share: {{weight: 300, quota: 40%, memory: 64MiB}}
  {second}:
    kind: process
    files: [{{from: {serve}, to: /opt/serve.py}}]
    run: [/usr/bin/python3, /opt/serve.py]
    real_time: {{policy: nice, priority: 5}}
links:
  lan: {{between: [{first}, {second}], delay: 2ms}}
"""


def group_of(pid):
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as f:
        return f.read()


def main():
    lib.need_root("interfaces in namespaces of the host")
    write("serve.py", SERVE)
    write("ask.py", ASK)
    write("look.py", LOOK % lib.folder())
    with lib.Slice("pr-one", topology("a", "b", "veth")) as one:
        lib.wait_for(lambda: "serving" in one.shim("logs", "b").stdout, "b serves")
        done = one.exec("a", "/usr/bin/python3", "/opt/ask.py", "b")
        lib.check(done.stdout == "hello of b", "a meets b by its name", done.stdout, done.stderr)
        seen = one.exec("a", "/usr/bin/python3", "/opt/look.py")
        lib.check(seen.stdout.split() == ["True"] * 8, "a sees neither host nor rights", seen.stdout, seen.stderr)
        lib.exec_at_its_pace(one, "a")
        done = one.shim("exec", "--env", "HOME=/elsewhere", "a", "--", "/bin/sh", "-c", "echo $HOME")
        lib.check(done.stdout == "/elsewhere\n", "exec has the environment that is asked for", done.stdout)
        with subprocess.Popen([lib.SHIM, "exec", "-n", "--slice", "pr-one", "a", "sh", "-c",
                               "sleep 4321 & echo on; wait"], stdout=subprocess.PIPE) as gone:
            gone.stdout.readline()
            gone.kill()
        lib.wait_for(lambda: "4321" not in one.exec("a", "sh", "-c", "cat /proc/[0-9]*/cmdline").stdout,
                     "who asked is killed: all that it had started goes", 10)
        pid = one.node("a")["pid"]
        lib.check("/vmm-shim/pr-one." in group_of(pid), "a is in its control groups", group_of(pid))
        shown = {n["node"]: n for n in one.json("rt", "show")["nodes"]}
        lib.check(shown["a"]["weight"] == 300 and shown["a"]["quota_percent"] == 40, "with its shares", shown["a"])
        nice = {t.get("priority") for t in shown["b"]["threads"]}
        lib.check(5 in nice, "b is nice 5, as the kernel says", shown["b"])
        with lib.Slice("pr-two", topology("c", "d", "tap")) as two:
            lib.wait_for(lambda: "serving" in two.shim("logs", "d").stdout, "d serves")
            two.shim("link", "down", "lan")
            done = two.exec("c", "/usr/bin/python3", "/opt/ask.py", "10.77.0.2")
            lib.check(done.returncode != 0 and not done.stdout, "no frame comes from another slice", done.stdout)
            done = one.exec("a", "/usr/bin/python3", "/opt/ask.py", "b")
            lib.check(done.stdout == "hello of b", "which goes on", done.stdout, done.stderr)
        host = subprocess.run(["/usr/bin/python3", os.path.join(lib.folder(), "ask.py"), "10.77.0.2"],
                              capture_output=True, text=True, check=False)
        lib.check(host.returncode != 0, "nor does the host reach b", host.stdout)
    lib.check(not os.path.exists(f"/proc/{pid}"), "its processes are gone")


main()
