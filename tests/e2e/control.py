#!/usr/bin/python3
"""control.py ROOT BUILD - the control socket of the real player: commands, properties, events, bad input; paths
switched off and on with the effect seen; pause and resume; a recording that plays again, also when the
disk is full; --frames; and that keys, help and documents name the same things.
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time

import material
import programs
from clip import program_path
from live_report import exit_code
from resume import LIVE, Stage

PATIENCE_S = 30


class Control:
    """A client of the socket: requests with their answers, events as they come."""

    def __init__(self, path):
        until = time.monotonic() + PATIENCE_S
        self.socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
        self.socket.settimeout(PATIENCE_S)
        self.rest, self.events, self.last_id = b"", [], 0

    def read(self):
        while b"\n" not in self.rest:
            got = self.socket.recv(65536)
            if not got:
                raise EOFError
            self.rest += got
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def send(self, text):
        self.socket.sendall(text.encode() + b"\n")

    def answer(self):
        while True:
            said = self.read()
            if "event" not in said:
                return said
            self.events.append(said)

    def ask(self, *command):
        self.last_id += 1
        self.send(json.dumps({"command": command, "request_id": self.last_id}))
        said = self.answer()
        assert said.get("request_id") == self.last_id, said
        return said

    def get(self, name):
        return self.ask("get_property", name)["data"]

    def wait(self, what, patience_s=PATIENCE_S):
        """Until `what` (no arguments) holds."""
        until = time.monotonic() + patience_s
        while not what():
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True

    def path(self, name):
        return next((p for p in self.get("paths") if p["name"] == name), {})


BAD = ["", "x", "{", "[]", "1", "{}", '{"command":[]}', '{"command":"quit"}', '{"command":[1]}',
       '{"command":["nosuch"]}', '{"command":["seek"]}', '{"command":["seek","x"]}',
       '{"command":["quit",1]}', '{"command":["path","nosuch","off"]}',
       '{"command":["set_property","paths",1]}', '{"command":["get_property","nosuch"]}',
       '{"command":["volume",1e300]}', '{"command":["layers","s9t9"]}', "\x00\x01",
       '{"command":["unobserve_property",77]}', '{"command":["quit"],"request_id":"x"}', "y" * 9000,
       '{"command":["screenshot","/nosuch/x.png"]}', "[" * 3000]


def bad_input(c):
    rules = {}
    for text in BAD:
        if not text:
            continue
        c.send(text)
        rules[f"refused: {text[:40]!r}"] = c.answer()["error"] != "success"
    c.send("z" * 4090) # one that ends in the middle of another packet
    rules["the player lives"] = c.answer()["error"] != "success" and c.get("state") == "playing"
    return rules


def switches(c):
    rules = {"two paths": c.wait(lambda: len([p for p in c.get("paths") if p["state"] == "up"]) == 2)}
    began = time.monotonic()
    rules["off"] = c.ask("path", "wifi", "off")["error"] == "success"
    rules["shown as off at once"] = c.wait(lambda: c.path("wifi")["state"] == "off", 1)
    rules["nothing over it"] = c.wait(lambda: c.path("wifi")["rate_bps"] == 0, 3)
    print(f"off: nothing over it after {time.monotonic() - began:.2f} s")
    rules["the other carries all"] = c.path("lte")["rate_bps"] > 0
    rules["the last one stays"] = c.ask("path", "lte", "off")["error"] == "path lte is the only one"
    rules["on"] = c.ask("path", 1, "on")["error"] == "success"
    rules["up again"] = c.wait(lambda: c.path("wifi")["state"] == "up", 3)
    rules["backup"] = c.ask("path", "lte", "backup")["error"] == "success"
    rules["the server spares it"] = c.wait(
        lambda: c.path("lte")["rate_bps"] < c.path("wifi")["rate_bps"] / 10, 5)
    rules["no backup any more"] = c.ask("path", "lte", "on")["error"] == "success"
    return rules


def both_told(c):
    told = [p["sender"] for p in c.get("paths")]
    return len(told) == 2 and all(told) and all(s["rtt_ms"] and s["rate_bps"] for s in told)


def layer_why(c, s, t):
    told = (c.get("sender") or {}).get("layers", [])
    return next((l["why"] for l in told if (l["s"], l["t"]) == (s, t)), None)


def sender(c):
    """What the server says of its side comes through, path by path and layer by layer."""
    rules = {"both paths are told": c.wait(lambda: both_told(c), 8)}
    for name in "wifi", "lte":
        told = c.path(name)["sender"] or {}
        print(f"{name}: {told}")
        rules[f"{name}: controller and why"] = (told.get("cc"), told.get("cc_reason")) == (
            "copa", "configured")
        rules[f"{name}: no change of it"] = told.get("cc_from", "") is None
    rules["they are told apart"] = c.path("wifi")["sender"]["client"] != c.path("lte")["sender"]["client"]
    rules["what it sends over them"] = c.wait(lambda: sum(
        p["sender"]["sending_bps"] or 0 for p in c.get("paths") if p["sender"]) > 20000, 5)
    rules["layers are sent"] = c.wait(lambda: layer_why(c, 0, 0) == "sent", 5)
    rules["the encoder"] = c.wait(
        lambda: ((c.get("sender") or {}).get("encoder") or {}).get("fps") is not None, 5)
    print("sender:", c.get("sender"))
    c.ask("layers", "s0t1")
    rules["a layer that is not asked for"] = c.wait(lambda: layer_why(c, 1, 0) == "off", 8)
    c.ask("layers", "all")
    rules["asked for again"] = c.wait(lambda: layer_why(c, 1, 0) not in ("off", None), 15)
    c.ask("path", "wifi", "off")
    rules["nothing of a path that is off"] = c.wait(lambda: c.path("wifi")["sender"] is None, 3)
    c.ask("path", "wifi", "on")
    rules["told again"] = c.wait(lambda: both_told(c), 8)
    return rules


def pause(c):
    rules = {"pause": c.ask("set_property", "pause", True)["error"] == "success"}
    time.sleep(0.5)
    before = c.get("frames-shown")
    time.sleep(0.7)
    rules["nothing is shown"] = c.get("frames-shown") == before and c.get("status") == "paused"
    rules["nothing comes"] = c.wait(lambda: c.get("rate-bps") < 20000, 3)
    rules["go on"] = c.ask("pause", "off")["error"] == "success"
    rules["pictures again"] = c.wait(lambda: c.get("frames-shown") > before + 20, 8)
    rules["no window to seek in"] = c.ask("seek", -5)["error"] != "success"
    rules["to live"] = c.ask("live")["error"] == "success"
    return rules


def layers(c):
    rules = {"limit": c.ask("layers", "s0t1")["error"] == "success" and c.get("layers") == "s0t1"}
    rules["obeyed"] = c.wait(lambda: c.get("layer") == 0 and c.get("width") == 160, 5)
    rules["no limit"] = c.ask("layers", "all")["error"] == "success"
    rules["obeyed again"] = c.wait(lambda: c.get("layer") == 1, 15)
    return rules


def observing(c):
    rules = {"observe": c.ask("observe_property", 5, "volume")["error"] == "success"}
    c.ask("set_property", "volume", 40)
    rules["told"] = c.wait(lambda: c.get("mute") is False and any(
        e.get("id") == 5 and e.get("data") == 40 for e in c.events), 3)
    rules["add"] = c.ask("add", "volume", 5)["error"] == "success" and c.get("volume") == 45
    rules["cycle"] = c.ask("cycle", "mute")["error"] == "success" and c.get("mute") is True
    rules["no more"] = c.ask("unobserve_property", 5)["error"] == "success"
    return rules


def info(file):
    done = subprocess.run([program_path("svc-info"), "--json", file], capture_output=True,
                          text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr}


def live_session(folder):
    at, record = os.path.join(folder, "socket"), os.path.join(folder, "record.mkv")
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, LIVE)
        stage.serve()
        stage.link(["wifi", "lte"])
        player = stage.play("--control", at, "--record", record, paths=["wifi", "lte"])
        c = Control(at)
        rules = {"plays": c.wait(lambda: c.get("state") == "playing" and c.get("frames-shown") > 10),
                 "for this user alone": os.stat(at).st_mode & 0o077 == 0}
        for story in (bad_input, observing, sender, switches, layers, pause):
            rules.update({f"{story.__name__}: {k}": v for k, v in story(c).items()})
        c.get("recorded-bytes")
        rules["events"] = {"layer"} <= {e["event"] for e in c.events}
        rules["quit"] = c.ask("quit")["error"] == "success"
        rules["exit code 0"] = player.process.wait(PATIENCE_S) == 0
        rules["the socket is gone"] = not os.path.exists(at)
    told = info(record)
    print("recorded:", {k: v for k, v in told.items() if not isinstance(v, (list, dict))})
    rules["the recording is a layered file"] = told.get("pictures", 0) > 50
    return exit_code(rules), record


def plays_again(folder, record):
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, [record, "--start-on-viewer"])
        stage.serve()
        player = stage.play("--frames", "40")
        rules = {"exit code 0": player.process.wait(PATIENCE_S) == 0}
    report = material.scenario.read_json(stage.report, player)
    print(f"of the recording {len(report['shown'])} shown")
    rules["forty pictures and no more"] = len(report["shown"]) == 40
    return exit_code(rules)


def disk_full(folder):
    record, at = os.path.join(folder, "full.mkv"), os.path.join(folder, "socket")
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, LIVE)
        stage.serve()
        player = stage.play("--control", at, "--record", record,
                            before=[shutil.which("prlimit"), "--fsize=60000"]) # the report is smaller
        c = Control(at)
        rules = {"playing goes on": c.wait(lambda: c.get("frames-shown") > 220)}
        c.ask("quit")
        status = player.process.wait(PATIENCE_S)
        with open(player.log, encoding="utf-8") as f:
            lines = [line for line in f.read().splitlines() if line]
    print(lines)
    rules["one line"] = len([line for line in lines if "full.mkv" in line]) == 1
    rules["the exit code says so"] = status == 1
    rules["it plays up to there"] = info(record).get("pictures", 0) > 5
    return exit_code(rules)


def chosen(folder):
    """The server chooses controllers while it runs: the player can say which, and why."""
    at = os.path.join(folder, "socket")
    knowledge = os.path.join(sys.argv[1], "configs", "knowledge")
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, LIVE + ["--cc", "cubic", "--objective", "video",
                                               "--knowledge", knowledge])
        stage.serve()
        stage.link(["wifi", "lte"])
        player = stage.play("--control", at, paths=["wifi", "lte"])
        c = Control(at)
        def told():
            return [p["sender"] for p in c.get("paths") if p["sender"] and p["sender"]["cc_from"]]
        rules = {"both paths' controllers are chosen": c.wait(lambda: len(told()) == 2, 15)}
        for s in told():
            print({k: v for k, v in s.items() if k.startswith("cc")})
        rules["from what to what"] = all(s["cc_from"] == "cubic" != s["cc"] for s in told())
        rules["why, and when"] = all(
            s["cc"] in s["cc_reason"] and 0 <= s["cc_ago_s"] < 60 for s in told())
        c.ask("quit")
        player.process.wait(PATIENCE_S)
    report = material.scenario.read_json(stage.report, player)
    rules["the report has it, too"] = all(p["sender"]["cc_from"] == "cubic" for p in report["paths"])
    return exit_code(rules)


def words():
    """Help, man page and docs name the same keys, commands and properties."""
    root = sys.argv[1]
    def read(*name):
        with open(os.path.join(root, *name), encoding="utf-8") as f:
            return f.read()
    said = subprocess.run([program_path("svc-player"), "--help"], capture_output=True, text=True,
                          check=True).stdout
    man, doc = read("docs", "man", "svc-player.1"), read("docs", "player-control.md")
    keys = re.findall(r"^  (\S.*?)  +(.*)$", said.split("Keys:")[1].split("Exit codes")[0], re.M)
    options = set(re.findall(r"^  (--[a-z-]+)", said, re.M))
    table = read("client", "obey.c").split("properties[] = {")[1].split("};")[0]
    properties = re.findall(r'= "([a-z-]+)"', table)
    forms = re.findall(r'^    \{ "([a-z_-]+)", ARGS_', read("client", "control_request.c"), re.M)
    plain = man.replace("\\-", "-")
    rules = {f"man page: key {k} {text}": text in man for k, text in keys}
    rules.update({f"man page: {o}": o in plain for o in options})
    rules.update({f"docs: {p}": f"`{p}`" in doc for p in properties + forms})
    rules["enough was found"] = len(keys) > 10 and len(options) > 15 and len(properties) > 20
    return exit_code(rules)


def main():
    folder = material.folder("control")
    def live_and_again():
        wrong, record = live_session(os.path.join(folder, "live"))
        return max(wrong, plays_again(os.path.join(folder, "again"), record))
    return material.together([live_and_again, lambda: disk_full(os.path.join(folder, "full")),
                              lambda: chosen(os.path.join(folder, "chosen")), words])


if __name__ == "__main__":
    sys.exit(main())
