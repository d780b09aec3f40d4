#!/usr/bin/python3
"""hand_over.py ROOT BUILD - a running session moves to another player: live, a file, paused, in the past, with
what the viewer had set; the old player stops only when the new one shows a picture; and what goes wrong (a wrong
code, somebody who has a certificate instead, a target that dies, one that cannot reach the server) leaves
the old one playing.
"""
import json
import os
import re
import shutil
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
HOLE = 12 # pictures, 0.4 s
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


def hole(report):
    """The most pictures in a row that were not shown: a busy machine costs some, a part that was never asked for
    is longer."""
    numbers = [row[0] for row in report["shown"]]
    return max((b - a - 1 for a, b in zip(numbers, numbers[1:])), default=0)


def playing_on(pair, what):
    """`what` came to nothing: the old player has shown pictures all the while, and the target waits again."""
    frames = pair.control.get("frames-shown")
    rules = {"it plays on": pair.control.wait(lambda: pair.control.get("frames-shown") > frames, 3)}
    return {f"{what}: {k}": v for k, v in rules.items()}


def waits_again(pair):
    return pair.new_control.wait(lambda: pair.new_control.get("state") == "taking-over", 5)


def begin(pair, target):
    """The command, under way."""
    return subprocess.Popen([program_path("svc-player"), "--hand-over", target, "--control", pair.socket],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wrong_targets(pair):
    """Nobody there, a wrong code, a certificate instead of the code."""
    free, tls = programs.free_udp_ports(2)
    target = pair.wait()
    place, code = target.split("#")
    status, said = pair.hand(f"127.0.0.1:{free}#{code}")
    rules = {"nobody there": status == 1 and "refused" in said}
    status, said = pair.hand(f"{place}#{WRONG_CODE}")
    print(said.strip())
    rules["a wrong code"] = status == 1 and "code" in said and code not in said
    impostor = pair.stage.running.start("impostor", [
        shutil.which("openssl"), "s_server", "-accept", f"127.0.0.1:{tls}", "-cert", pair.stage.pki["server.pem"], "-key",
        pair.stage.pki["server.key"], "-quiet"], stdin=subprocess.PIPE)
    pair.control.wait(lambda: listens(tls), 5)
    status, said = pair.hand(f"127.0.0.1:{tls}#{code}")
    print(said.strip())
    rules["a certificate is no code"] = status == 1 and "handed over to" not in said
    with open(impostor.log, encoding="utf-8", errors="replace") as f:
        rules["and gets no state"] = "moqt:" not in f.read()
    status, _ = pair.hand("127.0.0.1:x")
    rules["no target"] = status == 64
    rules.update(playing_on(pair, "wrong targets"))
    return rules, target


def listens(port):
    """Somebody listens at that TCP port of 127.0.0.1."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in f)


def wait_far(pair):
    """One that does not reach the server."""
    dead, = programs.free_udp_ports(1)
    return pair.wait("--path", f"local=127.0.0.1,to=127.0.0.1:{dead},name=dead")


def given_up(pair):
    """Somebody does something with the session here, while it is being handed over."""
    command = begin(pair, wait_far(pair))
    rules = {"on its way": pair.new_control.wait(lambda: pair.new_control.get("state") == "connecting", 5)}
    rules["seek"] = pair.control.ask("seek", -1.5)["error"] == "success"
    said = command.communicate(timeout=PATIENCE_S)[0]
    rules["given up here"] = command.returncode == 1 and "used here" in said
    rules["it waits again"] = waits_again(pair)
    pair.new_control.ask("quit")
    return rules


def broken_targets(pair):
    """One that does not trust the server, one that does not reach it and dies."""
    status, said = pair.hand(pair.wait(ca=material.pki("other-pki")["ca.pem"]))
    print(said.strip())
    rules = {"no trust": status == 1 and "certificate" in said, "no trust: it waits again": waits_again(pair)}
    pair.new_control.ask("quit")
    target = wait_far(pair)
    command = begin(pair, target)
    rules["on its way"] = pair.new_control.wait(lambda: pair.new_control.get("state") == "connecting", 5)
    rules["one at a time"] = "already" in pair.control.ask("hand-over", target)["error"]
    pair.new.process.kill()
    said = command.communicate(timeout=PATIENCE_S)[0]
    print(said.strip())
    rules["it dies"] = command.returncode == 1 and "plays on" in said
    rules.update(playing_on(pair, "broken targets"))
    return rules


def live(folder):
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, LIVE)
        stage.serve()
        stage.link(["wifi", "lte"])
        pair = Pair(stage, folder)
        c = pair.play(paths=["wifi", "lte"])
        rules = {"plays": c.wait(lambda: c.get("frames-shown") > 20)}
        rules.update(broken_targets(pair))
        more, _ = wrong_targets(pair)
        rules.update(more)
        pair.new_control.ask("quit")
        for command in (("volume", 40), ("mute", "on"), ("path", "lte", "backup"), ("statistics-page", 2)):
            c.ask(*command)
        status, said = pair.hand(pair.wait(paths=["wifi", "lte"]))
        rules["handed over"] = status == 0 and "handed over" in said
        n = pair.new_control
        rules["what was set is set"] = (n.get("volume"), n.get("mute"), n.get("statistics-page")) == (40, True, 2)
        rules["it goes on"] = n.wait(lambda: n.get("frames-shown") > 30, 5)
        rules["over both paths"] = n.wait(lambda: len(n.get("paths")) == 2 and n.get("paths")[1]["backup"], 3)
        old, new = pair.end()
    rules.update(judge(old, new))
    rows = [row[5] for row in old["shown"]]
    rules["the old one has not stopped before"] = max(b - a for a, b in zip(rows, rows[1:])) < 1000
    rules["at the same picture"] = new["taken_over_from"]["first_picture"] <= old["shown"][-1][0] + 1
    return exit_code(rules)


def make_token(folder):
    """Names of files: the key that a server checks by, and a token."""
    key, token = os.path.join(folder, "key"), os.path.join(folder, "token")
    os.makedirs(folder, exist_ok=True)
    def tool(*args):
        return subprocess.run([program_path("svc-token"), *args], capture_output=True, text=True,
                              check=True).stdout
    if os.path.exists(key):
        os.unlink(key)
    tool("--new-key", key, "--algorithm", "HS256")
    with open(token, "w", encoding="ascii") as f:
        f.write(tool("--key", key, "--subscribe", "live", "--ttl", "1h"))
    return key, token


def past(folder):
    """In the past, and on from there to a third player, paused; with an access token."""
    key, token = make_token(folder)
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, [*LIVE, "--window", "60", "--token-key", key, "--token-algorithm",
                                        "HS256"])
        stage.serve()
        pair = Pair(stage, folder)
        c = pair.play("--token", token)
        rules = {"plays": c.wait(lambda: c.get("frames-shown") > 90 and c.get("window") is not None)}
        rules["back"] = c.wait(lambda: c.ask("seek", -2.5)["error"] == "success", 5)
        rules["is back"] = c.wait(lambda: c.get("behind") > 2, 5)
        rules.update({f"given up: {k}": v for k, v in given_up(pair).items()})
        status, _ = pair.hand(pair.wait())
        n = pair.new_control
        rules["handed over"] = status == 0
        rules["goes on"] = n.wait(lambda: n.get("frames-shown") > 20, 5)
        rules["where it was"] = n.wait(lambda: n.get("behind") > 1.5, 3)
        n.ask("pause", "on")
        second = Pair(stage, folder)
        second.waiting, second.socket = pair.waiting, pair.new_socket
        status, _ = second.hand(second.wait())
        rules["handed on, paused"] = status == 0
        old = material.scenario.read_json(pair.old_report, pair.old)
        pair.new.process.wait(PATIENCE_S)
        new = material.scenario.read_json(pair.new_report, pair.new)
        m = second.new_control
        rules["paused there"] = m.get("pause") is True and m.get("picture") == new["shown"][-1][0]
        frames = m.get("frames-shown")
        m.ask("pause", "off")
        rules["goes on there"] = m.wait(lambda: m.get("frames-shown") > frames + 10, 5)
        m.ask("quit")
        second.new.process.wait(PATIENCE_S)
        last = material.scenario.read_json(second.new_report, second.new)
    rules.update({f"in the past: {k}": v for k, v in judge(old, new).items()})
    rules.update({f"paused: {k}": v for k, v in judge(new, last).items()})
    rules["no hole"] = hole(new) < HOLE
    with open(token, encoding="ascii") as f:
        secret = f.read().strip()
    for written in (pair.old.log, pair.new.log, second.new.log, second.new_report):
        with open(written, encoding="utf-8") as f:
            rules[f"no token in {os.path.basename(written)}"] = secret not in f.read()
    return exit_code(rules)


def file(folder):
    clip = material.small_clip("clip-long-key", coding=("--key-interval", "10"))
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, [clip.layered, "--loop"])
        stage.serve()
        pair = Pair(stage, folder)
        c = pair.play()
        rules = {"plays": c.wait(lambda: c.get("frames-shown") > 20)}
        status, _ = pair.hand(pair.wait())
        n = pair.new_control
        rules["handed over"] = status == 0
        rules["goes on"] = n.wait(lambda: n.get("frames-shown") > 60, 8)
        old, new = pair.end()
    rules.update(judge(old, new))
    rules["no hole"] = hole(new) < HOLE
    return exit_code(rules)


def main():
    folder = material.folder("hand_over")
    return material.together([lambda story=story: story(os.path.join(folder, story.__name__))
                              for story in (past, live, file)])


if __name__ == "__main__":
    sys.exit(main())
