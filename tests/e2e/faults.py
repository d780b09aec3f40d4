#!/usr/bin/python3
"""faults.py ROOT BUILD - what goes wrong around a server while viewers watch: its certificate is renewed,
and then by a broken one; the file that it serves is cut to nothing and comes back; the disk of its
recording is full; the clock steps. Viewers go on or resume, and each case is one line of the log.
"""
import os
import shutil
import signal
import subprocess
import sys
import time

import material
import fake_clock
import programs
from clip import program_path
from control import Control
from live_report import exit_code

PATIENCE_S = 40
ENOUGH = 31             # pictures that say that it goes on
FILE_BLOCKS = 600       # of 512 bytes: files may not grow beyond
STEPS = ("+3600", "-7200", "+0")
CONFIG = """listen: 127.0.0.1:{port}
cert: {folder}/server.pem
key: {folder}/server.key
log_level: info
sources:
  - namespace: file
    kind: file
    input: {folder}/clip.mkv
    loop: true
  - namespace: live
    kind: live
    input: test:320x180@30
    record: {folder}/rec.mkv
    encoder:
      layers: L2T2
      bitrate_kbps: [300, 700]
"""


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def wait_for(what, holds, *alive):
    until = time.monotonic() + PATIENCE_S
    while not holds():
        for program in alive:
            program.check_alive()
        if time.monotonic() > until:
            raise SystemExit(f"WRONG: not within {PATIENCE_S} s: {what}")
        time.sleep(0.05)


class Stage:
    def __init__(self, running, folder, pki):
        self.running, self.folder, self.pki = running, folder, pki
        self.port = programs.free_udp_ports(1)[0]
        self.players = 0

    def use(self, pki):
        for name in ("server.pem", "server.key"):
            shutil.copy(pki[name], os.path.join(self.folder, name))

    def serve(self):
        config = os.path.join(self.folder, "server.yaml")
        with open(config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(port=self.port, folder=self.folder))
        self.server = self.running.start("svc-server", [
            "/bin/sh", "-c", f'trap "" XFSZ; ulimit -f {FILE_BLOCKS}; exec "$0" "$@"',
            program_path("svc-server"), "--config", config])
        wait_for("ready", lambda: "ready" in read(self.server.log), self.server)

    def says(self, word):
        return [line for line in read(self.server.log).splitlines() if word in line]

    def play(self, namespace, ca, *options):
        self.players += 1
        report = os.path.join(self.folder, f"player-{self.players}.json")
        player = self.running.start(f"svc-player-{self.players}", [
            program_path("svc-player"), "--ca", ca, "--headless", "--json", report, *options,
            f"moqt://127.0.0.1:{self.port}/{namespace}"])
        player.report = report
        return player

    def watch(self, namespace):
        """One that goes on, and can be asked."""
        at = os.path.join(self.folder, namespace + ".socket")
        player = self.play(namespace, self.pki["ca.pem"], "--control", at)
        player.control = Control(at)
        return player

    def reload(self):
        self.server.process.send_signal(signal.SIGHUP)


def shown_after(report, t_s):
    """Pictures shown so long after the player's beginning."""
    return sum(report["startup_ms"] / 1e3 + row[5] / 1e3 > t_s for row in report["shown"])


def goes_on(player):
    """Whether it shows so many pictures more."""
    at = player.control.get("frames-shown")
    return player.control.wait(lambda: player.control.get("frames-shown") >= at + ENOUGH, PATIENCE_S)


def end(player):
    player.process.terminate()
    player.wait(PATIENCE_S)
    return material.scenario.read_json(player.report, player)


def certificates(stage, other):
    """A renewed one, then a broken one."""
    stage.use(other)
    stage.reload()
    wait_for("the new certificate", lambda: stage.says("was read again"), stage.server)
    new = stage.play("live", other["ca.pem"], "--frames", "5")
    new.wait(PATIENCE_S)
    old = stage.play("live", stage.pki["ca.pem"], "--frames", "5", "--reconnect", "1")
    refused = old.process.wait(PATIENCE_S)
    with open(os.path.join(stage.folder, "server.pem"), "w", encoding="ascii") as file:
        file.write("this is no certificate\n")
    stage.reload()
    wait_for("a word on the broken certificate",
             lambda: stage.says("reload: "), stage.server)
    still = stage.play("live", other["ca.pem"], "--frames", "5")
    still.wait(PATIENCE_S)
    return {"the old authority does not hold any more": refused != 0}


def cut_file(stage, clip, viewer):
    """To nothing, and whole again."""
    path = os.path.join(stage.folder, "clip.mkv")
    before = len(stage.says("file: "))
    os.truncate(path, 0)
    wait_for("a word on the file", lambda: len(stage.says("file: ")) > before, stage.server)
    time.sleep(1) # it may be tried again meanwhile, which is a word more
    words = stage.says("file: ")[before:]
    shutil.copyfile(clip.layered, path)
    back = goes_on(viewer)
    end(viewer)
    print("file:", words)
    return {"one line says that the file is damaged": sum("damaged" in word for word in words) == 1 and len(words) <= 2,
            "its viewer goes on when it is back": back}


def clock(folder, pki):
    """Server and viewer where the clock of the day steps by hours."""
    if not fake_clock.possible(program_path("svc-server")):
        print("clock: skipped, there is no fake one to be had")
        return {}
    steps = fake_clock.FakeClock(folder)
    words = steps.words()
    port = programs.free_udp_ports(1)[0]
    report = os.path.join(folder, "clock.json")
    with programs.Programs(folder) as running:
        server = running.start("svc-server-clock", words + [
            program_path("svc-server"), "--cert", pki["server.pem"], "--key", pki["server.key"],
            "--listen", f"127.0.0.1:{port}", "--live", "test:320x180@30", "--layers", "L1T1"])
        wait_for("ready", lambda: "ready" in read(server.log), server)
        player = running.start("svc-player-clock", words + [
            program_path("svc-player"), "--ca", pki["ca.pem"], "--headless", "--json", report,
            f"moqt://127.0.0.1:{port}/demo"])
        time.sleep(3)
        for offset in STEPS:
            steps.step(offset)
            time.sleep(1.5)
        player.process.terminate()
        player.wait(PATIENCE_S)
        log = read(player.log) + read(server.log)
    seen = material.scenario.read_json(report, player)
    print(f"clock: {seen['frames_shown']} shown, {seen['base_layer_lost']} lost, stall "
          f"{seen['stall_ms_max']} ms, {log.strip().splitlines()}")
    return {"pictures go on while the clock steps": shown_after(seen, 6) > 10,
            "none is lost to that": seen["base_layer_lost"] == 0 and seen["rebuffers"] == 0}


def around(folder, pki, other, clip):
    """Certificate, file and disk of one server."""
    for old in os.listdir(folder):
        if old.startswith("rec"):
            os.remove(os.path.join(folder, old))
    shutil.copyfile(clip.layered, os.path.join(folder, "clip.mkv"))
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, pki)
        stage.use(pki)
        stage.serve()
        live, filmed = stage.watch("live"), stage.watch("file")
        wait_for("two sessions", lambda: len(stage.says("session is up")) == 2, live, filmed)
        rules = certificates(stage, other)
        rules |= cut_file(stage, clip, filmed)
        wait_for("a word on the full disk", lambda: stage.says("it ends here"), stage.server)
        on = goes_on(live)
        words = stage.says("recording")
        seen = end(live)
        print("disk:", words)
        rules |= {"the disk is full in one line": len(stage.says("it ends here")) == 1,
                  "its viewers do not mind": on,
                  "one connection all the time": not [e for e in seen["events"] if "lost" in e["what"]]}
    kept = subprocess.run([program_path("svc-info"), os.path.join(folder, "rec.mkv")],
                          capture_output=True, text=True, check=False)
    print(kept.stdout.splitlines()[:3], kept.stderr)
    rules["what was recorded plays"] = kept.returncode == 0
    return exit_code(rules)


def main():
    folder, pki = material.folder("faults"), material.pki()
    other, clip = material.pki("pki-other"), material.small_clip()
    return material.together([lambda: around(folder, pki, other, clip),
                              lambda: exit_code(clock(os.path.join(folder, "clock-stepped"), pki))])


if __name__ == "__main__":
    sys.exit(main())
