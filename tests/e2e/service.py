#!/usr/bin/python3
"""service.py ROOT BUILD - the server as a service manager and an operator see it.

It says that it is ready, alive, reloading and stopping (sd_notify(3)). At SIGHUP sources come and go, a
certificate is replaced, what needs a restart is named, a wrong file changes nothing; a viewer that was
there before watches through all of it.
"""
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import material
from clip import program_path
from live_report import exit_code, newest
from programs import Programs, free_udp_ports

PATIENCE_S = 20
WATCHDOG_US = 600_000

SOURCE_A = """
  - {namespace: a, kind: live, input: "test:192x128@15", encoder: {layers: L1T1, bitrate_kbps: [80]}}"""
SOURCE_B = """
  - {namespace: b, input: %s, loop: true}"""


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, folder):
        path = os.path.join(folder, "notify")
        if os.path.exists(path):
            os.remove(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.environ.update(NOTIFY_SOCKET=path, WATCHDOG_USEC=str(WATCHDOG_US))
        self.alive, self.said = 0, queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        """Always: a server whose manager does not listen waits for it."""
        while True:
            said = self.socket.recv(4096).decode()
            self.alive += "WATCHDOG=1" in said
            self.said.put(said)

    def hear(self, word):
        """The next message with `word` at the beginning of a line."""
        until = time.monotonic() + PATIENCE_S
        while True:
            said = self.said.get(timeout=max(until - time.monotonic(), 0.01))
            if re.search("^" + word, said, re.M):
                return said


class Stage:
    def __init__(self, running, folder, manager, clip):
        self.running, self.folder, self.manager, self.clip = running, folder, manager, clip
        self.port = free_udp_ports(1)[0]
        self.file = os.path.join(folder, "svc-server.yaml")
        self.players = 0
        self.use(material.pki())

    def use(self, pki):
        self.ca = pki["ca.pem"]
        for name in ("server.pem", "server.key"):
            shutil.copy(pki[name], os.path.join(self.folder, name))

    def write(self, sources, more=""):
        with open(self.file, "w", encoding="utf-8") as f:
            f.write(f"cert: server.pem\nkey: server.key\nlisten: 127.0.0.1:{self.port}\nlog_level: info\n"
                    f"drain_s: 0\n{more}\nsources:{sources}\n"
                    # The tree may lie in somebody's home, of which only what is named is seen.
                    f"confine: {{readable: [{os.path.dirname(self.clip.layered)}]}}\n")

    def serve(self):
        self.server = self.running.start("svc-server", [program_path("svc-server"), "--config", self.file])
        said = self.manager.hear("READY=1")
        return f"MAINPID={self.server.process.pid}" in said

    def reload(self):
        """What the manager hears of it: the status, after RELOADING and READY."""
        self.server.process.send_signal(signal.SIGHUP)
        reloading = self.manager.hear("RELOADING=1")
        assert "MONOTONIC_USEC=" in reloading, reloading
        return re.search("STATUS=(.*)", self.manager.hear("READY=1"))[1]

    def play(self, namespace, seconds, *options):
        self.players += 1
        report = os.path.join(self.folder, f"player-{self.players}.json")
        if os.path.exists(report):
            os.remove(report)
        player = self.running.start(f"svc-player-{self.players}", [
            program_path("svc-player"), "--ca", self.ca, "--headless", "--duration", str(seconds), "--json",
            report, *options, "--path", "local=127.0.0.1,name=a", f"moqt://127.0.0.1:{self.port}/{namespace}"])
        return player, report

    def plays(self, namespace):
        player, report = self.play(namespace, 1)
        try:
            status = player.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            player.stop()
            return False
        return status == 0 and newest(report).get("frames_shown", 0) > 0

    def log(self):
        with open(self.server.log, encoding="utf-8") as f:
            return f.read()


def reloads(stage):
    """{what: whether it holds}, one reload after the other."""
    b = SOURCE_B % stage.clip.layered
    yield "b is not there before", not stage.plays("b")
    stage.write(SOURCE_A + b)
    stage.reload()
    yield "b has come", stage.plays("b")
    stage.write(SOURCE_A, "workers: 3\n")
    stage.reload()
    yield "b has gone", not stage.plays("b")
    yield "workers need a restart", "workers: has changed, and needs a restart" in stage.log()
    stage.write(SOURCE_A + b, "colour: red\n")
    said = stage.reload()
    yield f"a wrong file is named: {said}", "svc-server.yaml:6: unknown key colour" in said
    yield "and changes nothing", not stage.plays("b") and stage.plays("a")
    stage.write(SOURCE_A)
    stage.use(material.pki("other-pki"))
    stage.reload()
    yield "the new certificate is shown", stage.plays("a")


def main():
    folder = material.folder("service")
    manager, clip = Manager(folder), material.small_clip()
    rules = {}
    with Programs(folder) as running:
        stage = Stage(running, folder, manager, clip)
        stage.write(SOURCE_A)
        rules["ready"] = stage.serve()
        stayer, _ = stage.play("a", 600, "--reconnect", "2")
        rules |= dict(reloads(stage))
        stayer.check_alive()
        rules["alive"] = manager.alive > 3
        stage.server.process.terminate()
        rules["stopping"] = "EXTEND_TIMEOUT_USEC=" in manager.hear("STOPPING=1")
        rules["ended well"] = stage.server.process.wait(PATIENCE_S) == 0
        # It was not the broadcast's end: it looks for the server again, in vain.
        rules["the viewer stayed to the end"] = stayer.process.wait(PATIENCE_S) == 1
    watched = newest(os.path.join(folder, "player-1.json"))
    rules["it watched through all of it"] = (watched.get("frames_shown", 0) > 60 and
                                             watched.get("stall_ms_max", 1e9) < 1500)
    print(watched.get("frames_shown"), "shown, longest stall", watched.get("stall_ms_max"), "ms")
    return exit_code(rules)


if __name__ == "__main__":
    sys.exit(main())
