#!/usr/bin/python3
"""hand_over.py ROOT BUILD - a running session moves to another player: live, a file, paused, in the past, with
what the viewer had set; the old player stops only when the new one shows a picture; and what goes wrong (a wrong
code, somebody who has a certificate instead, a target that dies, one that cannot reach the server) leaves
the old one playing.
"""
import json
import os
import re
import subprocess
import sys
import time

import material
import programs
from clip import program_path
from control import Control
from live_report import exit_code
from resume import LIVE, Stage

PATIENCE_S = 20
GAP_MS = 300
WRONG_CODE = "0000-0000-0000"


class Pair:
    """A player that plays and one that waits for its session."""

    def __init__(self, stage, folder):
        self.stage, self.folder, self.waiting = stage, folder, 0

    def play(self, *options, paths=()):
        at = os.path.join(self.folder, "old.socket")
        self.old_report = os.path.join(self.folder, "player.json")
        self.old = self.stage.play("--control", at, *options, paths=paths)
        self.socket, self.control = at, Control(at)
        return self.control

    def wait(self, *options, paths=(), ca=None):
        """Start the one that waits; its target text."""
        self.waiting += 1
        name = f"new-{self.waiting}"
        self.new_report = os.path.join(self.folder, f"{name}.json")
        self.new_socket = os.path.join(self.folder, f"{name}.socket")
        self.new = self.stage.running.start(name, [
            program_path("svc-player"), "--take-over", "127.0.0.1:0", "--ca",
            ca or self.stage.pki["ca.pem"], "--headless", "--json", self.new_report, "--control",
            self.new_socket, *options,
            *(word for name, port in zip(paths, self.stage.link_ports) for word in (
                "--path", f"local=127.0.0.1,to=127.0.0.1:{port},name={name}"))])
        self.new_control = Control(self.new_socket)
        found = None
        until = time.monotonic() + PATIENCE_S
        while not found and time.monotonic() < until:
            with open(self.new.log, encoding="utf-8") as f:
                found = re.search(r"--hand-over '(\S+)'", f.read())
            time.sleep(0.02)
        return found.group(1)

    def hand(self, target):
        """The command; its exit code and what it said."""
        done = subprocess.run([program_path("svc-player"), "--hand-over", target, "--control",
                               self.socket], capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def end(self):
        """Both have ended: their reports."""
        self.old.process.wait(PATIENCE_S)
        self.new_control.ask("quit")
        self.new.process.wait(PATIENCE_S)
        return (material.scenario.read_json(self.old_report, self.old),
                material.scenario.read_json(self.new_report, self.new))


def judge(old, new):
    """What every hand-over has to be, by both reports."""
    gave, took = old.get("handed_over_to") or {}, new.get("taken_over_from") or {}
    print("gave", json.dumps(gave), "took", json.dumps(took))
    return {
        "both say so": bool(gave and took) and gave["last_picture"] == took["last_picture_there"],
        "the old one stops after the first picture": took.get("overlap_ms") is not None
                                                     and took["overlap_ms"] >= 0,
        "no gap": took.get("gap_ms") is not None and took["gap_ms"] < GAP_MS,
        "nothing is wrongly decoded": new["units_refused"] == 0,
    }
