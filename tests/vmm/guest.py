"""guest.py - one guest booted by hand, for tests of what is inside: its image, its agent.

    g = guest.Guest("cloud", TOPOLOGY, "a")    makes the image, boots, waits for the hello
    g.ask({"do": "exec", "argv": [...]})       all lines that answer it
"""
import atexit
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import lib

NODE_IMAGE = os.path.join(lib.BUILD, "tests", "vmm", "node_image")
MACHINES = {  # system: program, machine, CPU, further arguments of the kernel
    "cloud": ("qemu-system-x86_64", "microvm", "max", "pci=off tsc=reliable tsc_early_khz={khz}"),
    "rt": ("qemu-system-x86_64", "microvm", "max", "pci=off tsc=reliable tsc_early_khz={khz}"),
    "arm64": ("qemu-system-aarch64", "virt", "cortex-a57", ""),
}


def die_with_us():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def tsc_khz():
    """As vmm-shim itself measures it."""
    return subprocess.run([os.path.join(lib.BUILD, "tests", "vmm", "tsc")], check=True, text=True,
                          capture_output=True).stdout.strip()


def make_image(folder, topology, node, system):
    path = os.path.join(folder, "topology.yaml")
    with open(path, "w", encoding="ascii") as f:
        f.write(topology)
    made = subprocess.run([NODE_IMAGE, path, node, system, os.path.join(folder, "initrd"),
                           os.path.join(folder, "disk")], capture_output=True, text=True, check=False)
    lib.check(made.returncode == 0, f"image of {node} for {system}", made.stderr)
    return json.loads(made.stdout)


class Guest:
    def __init__(self, system, topology, node, macs=(), memory=160):
        program, machine, cpu, more = MACHINES[system]
        lib.need_program(program)
        self.folder = tempfile.mkdtemp(prefix="vmg", dir="/tmp")
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.image = make_image(self.folder, topology, node, system)
        self.number = 0
        bus = "device" if machine == "microvm" else "pci"
        words = [program, "-M", machine, "-accel", "tcg", "-cpu", cpu, "-m", str(memory), "-nodefaults",
                 "-no-user-config", "-display", "none", "-no-reboot",
                 "-kernel", self.image["kernel"], "-initrd", self.image["initrd"],
                 "-append", self.image["append"] + " " + more.format(khz=tsc_khz() if "{" in more else ""),
                 "-serial", f"file:{self.folder}/serial", "-device", f"virtio-serial-{bus}",
                 "-chardev", f"socket,id=agent,path={self.folder}/agent,server=on,wait=off",
                 "-device", "virtserialport,chardev=agent,name=svc.agent"]
        for i, mac in enumerate(macs):
            words += ["-netdev", f"hubport,id=n{i},hubid={i}", "-device", f"virtio-net-{bus},netdev=n{i},mac={mac}"]
        if self.image["disk"]:
            words += ["-blockdev", f"driver=file,node-name=disk,read-only=on,filename={self.image['disk']}",
                      "-device", f"virtio-blk-{bus},drive=disk"]
        self.started = time.monotonic()
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, preexec_fn=die_with_us)
        lib.wait_for(lambda: os.path.exists(f"{self.folder}/agent") or self.process.poll() is not None,
                     "QEMU's socket")
        lib.check(self.process.poll() is None, "QEMU runs")
        self.hello = self.connect()

    def connect(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(120)
        lib.wait_for(lambda: self.socket.connect_ex(f"{self.folder}/agent") == 0, "a connection")
        self.lines = self.socket.makefile("r", encoding="utf-8")
        return self.read()

    def read(self):
        return json.loads(self.lines.readline())

    def send(self, **request):
        self.socket.sendall((json.dumps(request) + "\n").encode())

    def ask(self, **request):
        """Lines that answer, the last ends it."""
        self.number += 1
        self.send(id=self.number, **request)
        return self.rest(self.number)

    def rest(self, number):
        said = []
        while not said or not {"ok", "error", "exit", "signal"} & said[-1].keys():
            line = self.read()
            if line.get("id") == number:
                said.append(line)
        return said

    def run(self, *argv, **more):
        """Standard output of a command that ends well."""
        said = self.ask(do="exec", argv=list(argv), **more)
        lib.check(said[-1].get("exit") == 0, f"{argv} in the guest", said)
        return "".join(line.get("out", "") for line in said)

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            words = f.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def serial(self):
        with open(f"{self.folder}/serial", encoding="utf-8", errors="replace") as f:
            return f.read()

    def end(self):
        self.process.kill()
        self.process.wait()
