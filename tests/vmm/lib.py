"""lib.py - what the tests of vmm-shim share: run it, make slices, see that nothing is left.

    import lib
    lib.need_root("namespaces")            # else exit 77 with the reason
    with lib.Slice("lab", TOPOLOGY) as s:  # up --detach; down at the end, and nothing may be left
        out = s.exec("player", "cat", "/proc/uptime").stdout
        links = s.json("stats")["links"]

A test is started as `NAME.py ROOT BUILD`. Slices live in a folder of the test's own (VMM_SHIM_DIR),
images in the shared cache.
"""
import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT, BUILD = (os.path.abspath(p) for p in (sys.argv[1:3] if len(sys.argv) > 2 else (".", "build")))
SHIM = os.path.join(BUILD, "vmm-shim", "cmd", "vmm-shim")
SKIP = 77
UP_S = 240  # a guest that boots on a busy machine under TCG; not an expectation

def sanitized():
    """Whether the build's programs have a sanitizer in them."""
    with open(os.path.join(BUILD, "meson-info", "intro-buildoptions.json"), encoding="utf-8") as f:
        return next(o["value"] for o in json.load(f) if o["name"] == "b_sanitize") != "none"


# Before the command of a confined process: the leak check traces, which it may not.
UNTRACED = ["env", "ASAN_OPTIONS=detect_leaks=0"] if sanitized() else []

_folder = None


def folder():
    """The test's own VMM_SHIM_DIR, removed at its end. Short: sockets live in it."""
    global _folder
    if _folder is None:
        _folder = tempfile.mkdtemp(prefix="vmm", dir="/tmp")
        os.chmod(_folder, 0o711)  # guests run as nobody
        os.environ["VMM_SHIM_DIR"] = _folder
        _watch_sanitizers()
        atexit.register(_clean)
    return _folder


def _complaints():
    return os.path.join(_folder, ".sanitizers")


def _watch_sanitizers():
    """What they say of programs that have no terminal is kept, and makes the test fail."""
    if not sanitized():
        return
    os.mkdir(_complaints())
    os.chmod(_complaints(), 0o1777)  # some run as nobody
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        os.environ[name] = ":".join(filter(None, [os.environ.get(name), f"log_path={_complaints()}/log"]))


def _clean():
    run("down", "--all")
    found = os.listdir(_complaints()) if sanitized() else []
    for name in found:
        with open(os.path.join(_complaints(), name), encoding="utf-8", errors="replace") as f:
            print(f.read()[:6000])
    shutil.rmtree(_folder, ignore_errors=True)
    if found:
        print("FAILED: a sanitizer complained", flush=True)
        os._exit(1)


def skip(why):
    print("SKIP:", why)
    sys.exit(SKIP)


def need_root(what):
    if os.geteuid() != 0:
        skip(f"{what} needs root")


def need_program(name):
    if not shutil.which(name):
        skip(f"{name} is not installed")


def run(*args, timeout=UP_S, **more):
    """vmm-shim ARGS; the result has stdout, stderr as text and returncode."""
    folder()
    return subprocess.run([SHIM, *map(str, args)], capture_output=True, text=True, check=False,
                          timeout=timeout, **{"stdin": subprocess.DEVNULL, **more})


def need(good, what, *evidence):
    """Ends the test when `good` is false."""
    if not good:
        print("FAILED:", what, *evidence, sep="\n  ", flush=True)
        sys.exit(1)


def check(good, what, *evidence):
    """The same, and says what was looked at."""
    need(good, what, *evidence)
    print("ok:", what, flush=True)


def wait_for(true, what, seconds=60, every=0.05):
    """Until true() is; its value."""
    end = time.monotonic() + seconds
    while True:
        value = true()
        if value:
            return value
        need(time.monotonic() < end, f"{what} within {seconds} s")
        time.sleep(every)


def processes():
    """{pid: command line} of what belongs to slices in our folder, by environment or arguments."""
    mine = folder().encode()
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                line = f.read()
            with open(f"/proc/{pid}/environ", "rb") as f:
                inherited = b"VMM_SHIM_DIR=" + mine in f.read()
        except OSError:
            continue
        if int(pid) == os.getpid() or not line:
            continue
        program = os.path.basename(line.split(b"\0")[0])
        if mine in line or (inherited and program in (b"vmm-shim", b"vlink")) \
                or (inherited and program.startswith(b"qemu")):
            found[int(pid)] = line.replace(b"\0", b" ").decode(errors="replace")
    return found


def group_name(slice_name):
    """Of its control groups: vmm_cgroup_name()."""
    mark = 2166136261
    for byte in folder().encode():
        mark = (mark ^ byte) * 16777619 & 0xffffffff
    return f"{slice_name}.{mark:08x}"


def control_groups(slice_name):
    found = []
    for top, folders, _ in os.walk("/sys/fs/cgroup"):
        found += [os.path.join(top, f) for f in folders
                  if f == group_name(slice_name) and os.path.basename(top) == "vmm-shim"]
    return found


def namespaces():
    try:
        return set(os.listdir("/run/netns"))
    except OSError:
        return set()


def left_behind(slice_name):
    """What is still there of a slice that is down: a list of descriptions, [] is right."""
    left = [f"process {pid}: {line}" for pid, line in processes().items() if f"/{slice_name}" in line]
    left += [f"file {n}" for n in os.listdir(folder()) if n in (slice_name, f".{slice_name}.lock")]
    left += [f"control group {g}" for g in control_groups(slice_name)]
    try:
        with open("/proc/net/unix", encoding="ascii") as f:
            left += [f"socket {line.split()[-1]}" for line in f
                     if f"{folder()}/{slice_name}/" in line]
    except OSError:
        pass
    return left


class Slice:
    """A slice out of the text of a topology file (its `name:` is put before the text)."""

    def __init__(self, name, text, *up_args):
        self.name = name
        self.file = os.path.join(folder(), name + ".yaml")
        self.up_args = up_args
        with open(self.file, "w", encoding="utf-8") as f:
            f.write(f"name: {name}\n" + text)

    def __enter__(self):
        self.before = namespaces()
        done = run("up", "--detach", *self.up_args, self.file)
        if done.returncode != 0:
            self.show_logs()
            check(False, f"slice {self.name} comes up", done.stdout, done.stderr)
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and kind is not SystemExit:
            self.show_logs()
        self.down()
        return False

    def show_logs(self):
        top = os.path.join(folder(), self.name)
        for where, _, files in os.walk(top):
            for name in files:
                if name.endswith(".log"):
                    with open(os.path.join(where, name), errors="replace", encoding="utf-8") as f:
                        print(f"--- {os.path.relpath(os.path.join(where, name), top)}\n{f.read()[-3000:]}")

    def down(self):
        if os.path.exists(self.file):
            os.unlink(self.file)
        if not os.path.exists(os.path.join(folder(), self.name)):
            return
        done = run("down", self.name)
        check(done.returncode == 0, f"slice {self.name} goes down", done.stderr)
        left = left_behind(self.name)
        left += [f"namespace {n}" for n in namespaces() - self.before if self.name in n]
        check(not left, f"nothing of {self.name} is left behind", *left)

    def shim(self, *args, **more):
        """vmm-shim ARGS[0] --slice NAME ARGS[1:]."""
        return run(args[0], "--slice", self.name, *args[1:], **more)

    def exec(self, node, *argv, **more):
        return self.shim("exec", node, "--", *argv, **more)

    def json(self, *args):
        done = self.shim(*args, "--json")
        need(done.returncode == 0, "vmm-shim " + " ".join(map(str, args)), done.stderr)
        return json.loads(done.stdout)

    def node(self, name):
        """What ps tells of a node."""
        return next(n for n in self.json("ps")["nodes"] if n["node"] == name)


def exec_at_its_pace(lab, node):
    """Who reads late loses nothing, and keeps nobody up: 6 MiB out, 1 MiB in."""
    many = "x=0123456789abcdef; while [ ${#x} -lt 65536 ]; do x=$x$x; done; for i in 1 2 3 4 5 6 7 8 9; do " \
           "for j in 1 2 3 4 5 6 7 8 9 0; do echo $x; done; done"
    with subprocess.Popen([SHIM, "exec", "-n", "--slice", lab.name, node, "sh", "-c", many],
                          stdout=subprocess.PIPE) as late:
        time.sleep(0.5)
        check(lab.exec(node, "sh", "-c", "echo on").stdout == "on\n", "a slow reader holds nobody up")
        n = len(late.stdout.read())
        check(late.wait(60) == 0 and n == 90 * 65537, "and gets all", n, late.returncode)
    text = "0123456789abcde\n" * 65536
    done = lab.exec(node, "sh", "-c", "sleep 0.5; cat", input=text, stdin=None)
    check(done.returncode == 0 and done.stdout == text, "a program that reads late gets all its input",
          len(done.stdout), done.stderr)
    done = lab.exec(node, "sh", "-c", "exec <&-; sleep 0.1; echo end", input=text, stdin=None)
    check(done.returncode == 0 and done.stdout == "end\n", "one that reads nothing ends as it does", done)
