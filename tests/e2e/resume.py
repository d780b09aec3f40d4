#!/usr/bin/python3
"""resume.py ROOT BUILD [--minute] - outages that the player survives: the server dies and comes back,
every path is dead for five seconds, a path comes and goes each second, the player itself is stopped.

Each is judged by the player's report: pictures go on to the end, the program was never started anew, nothing is
shown broken, and the log has one line for a lost connection and none for what was bridged. --minute: the
flapping takes a minute instead of ten seconds.
"""
import csv
import os
import signal
import subprocess
import sys
import time

import material
import fake_clock
import analysis
import programs
from clip import program_path
from live_report import exit_code

PATIENCE_S = 40
ENOUGH = 45            # pictures that say that it goes on
OUTAGE_S = 3            # longer than silence is borne
RESUMED_WITHIN_S = 6.0  # of the server's return: a try each second or two, and what joining takes


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


class Stage:
    """Server, links and player in `folder`; the player's report once it has ended."""

    def __init__(self, running, folder, source):
        self.running, self.folder, self.source = running, folder, source
        self.pki = material.pki()
        self.port, *self.link_ports = programs.free_udp_ports(3)
        self.lives = 0

    def serve(self):
        self.lives += 1
        server = self.running.start(f"svc-server-{self.lives}", [
            program_path("svc-server"), "--cert", self.pki["server.pem"], "--key",
            self.pki["server.key"], "--listen", f"127.0.0.1:{self.port}", "--namespace", "live",
            "--latency", "300", *self.source])
        programs.wait_for_udp(server, self.port)
        return server

    def link(self, names):
        vlink = self.running.start("vlink", [
            program_path("vlink"), "--control",
            *(word for name, port in zip(names, self.link_ports) for word in (
                "--link", f"name={name},listen=127.0.0.1:{port},to=127.0.0.1:{self.port},"
                          "rate=20mbit,delay=10ms,queue=100ms"))], stdin=subprocess.PIPE)
        for _, port in zip(names, self.link_ports):
            programs.wait_for_udp(vlink, port)
        return vlink

    def play(self, *options, paths=(), before=()):
        self.report = os.path.join(self.folder, "player.json")
        if os.path.exists(self.report):
            os.remove(self.report)
        self.player = self.running.start("svc-player", [
            *before, program_path("svc-player"), "--ca", self.pki["ca.pem"], "--headless", "--json",
            self.report, *options,
            *(word for name, port in zip(paths, self.link_ports) for word in (
                "--path", f"local=127.0.0.1,to=127.0.0.1:{port},name={name}")),
            f"moqt://127.0.0.1:{self.port}/live"])
        return self.player

    def shows(self, more, patience_s=PATIENCE_S):
        """Until so many more pictures were shown; the player was given --control SOCKET in the folder."""
        from control import Control # which needs this file
        control = Control(self.socket())
        before = control.get("frames-shown")
        shown = control.wait(lambda: control.get("frames-shown") >= before + more, patience_s)
        control.socket.close()
        return shown

    def socket(self):
        return os.path.join(self.folder, "socket")

    def end(self):
        """Ask the player to end; its report, and the lines of its log."""
        self.player.process.terminate()
        self.player.wait(PATIENCE_S)
        return (material.scenario.read_json(self.report, self.player),
                [line for line in read(self.player.log).splitlines() if line])


def events(report, word):
    return [e["t_s"] for e in report["events"] if word in e["what"]]


def shown_times(report):
    """Seconds since the player began at which pictures were shown."""
    return [report["wall_zero_ms"] / 1000 + row[5] / 1000 for row in report["shown"]]


def gaps(report, least_s):
    times = shown_times(report)
    return [(a, b - a) for a, b in zip(times, times[1:]) if b - a > least_s]


LIVE = ["--live", "test:320x180@30", "--layers", "L2T2", "--bitrate", "100,200",
        "--key-interval", "5"]


def server_dies(folder):
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, LIVE)
        server = stage.serve()
        player = stage.play("--reconnect", "30", "--control", stage.socket())
        stage.shows(ENOUGH)
        server.process.kill()
        time.sleep(OUTAGE_S)
        back = time.monotonic()
        stage.serve()
        back_s = time.monotonic() - player.started
        stage.shows(ENOUGH, RESUMED_WITHIN_S + 3)
        report, log = stage.end()
    first_after = [t for t in shown_times(report) if t > back - player.started]
    took = first_after[0] - back_s if first_after else -1
    lost, again = events(report, "lost"), events(report, "playing again")
    print(f"server back after {back_s:.1f} s, first picture {took:.2f} s later, lost {lost}, "
          f"again {again}, log {log}")
    return exit_code({
        "it was lost once and resumed once": len(lost) == 1 and len(again) == 1,
        "soon": first_after and took < RESUMED_WITHIN_S,
        "pictures go on": len(first_after) > 30,
        "one line of log": len(log) == 1 and "lost" in log[0],
        "nothing was shown out of a wrong reference": report["units_refused"] == 0,
    })


def server_stops(folder, drain_s):
    """It is told to, and another one takes its place: not the end of the broadcast."""
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, [*LIVE, "--drain", str(drain_s)])
        server = stage.serve()
        player = stage.play("--reconnect", "30", "--control", stage.socket())
        stage.shows(ENOUGH)
        server.process.terminate()
        server.wait(PATIENCE_S)
        back_s = time.monotonic() - player.started
        stage.serve()
        stage.shows(ENOUGH, RESUMED_WITHIN_S + 3)
        alive = player.process.poll() is None
        report, log = stage.end()
    after = [t for t in shown_times(report) if t > back_s]
    print(f"server stopped with --drain {drain_s}, another after {back_s:.1f} s: {len(after)} pictures of it, "
          f"log {log}, events {report['events'][-4:]}")
    return exit_code({
        "the player stays": alive,
        "pictures go on": len(after) > 30,
        "one line of log": len(log) == 1,
    })


def all_paths_dead(folder):
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, LIVE)
        stage.serve()
        vlink = stage.link(["wifi", "lte"])
        stage.play("--reconnect", "30", "--control", stage.socket(), paths=["wifi", "lte"])
        stage.shows(ENOUGH)
        for name in ("wifi", "lte"):
            vlink.tell(f"{name}.down")
        time.sleep(5)
        back_s = time.monotonic() - stage.player.started
        for name in ("wifi", "lte"):
            vlink.tell(f"{name}.up")
        stage.shows(ENOUGH, RESUMED_WITHIN_S + 3)
        report, log = stage.end()
    after = [t for t in shown_times(report) if t > back_s]
    print(f"first picture {after[0] - back_s if after else -1:.2f} s after the return, "
          f"{len(after)} pictures, log {log}, events {report['events'][-6:]}")
    return exit_code({
        "pictures go on": len(after) > 30,
        "soon": after and after[0] - back_s < RESUMED_WITHIN_S,
        "at most one line of log": len(log) <= 1,
    })


def path_flaps(folder, seconds):
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, LIVE)
        stage.serve()
        vlink = stage.link(["wifi", "lte"])
        stage.play(paths=["wifi", "lte"])
        time.sleep(2)
        for i in range(seconds):
            vlink.tell("wifi.down" if i % 2 == 0 else "wifi.up")
            time.sleep(1)
        vlink.tell("wifi.up")
        time.sleep(1)
        report, log = stage.end()
    worst = max((g for _, g in gaps(report, 0)), default=99)
    print(f"{seconds} s of flapping: {len(report['shown'])} pictures, longest gap {worst:.2f} s, "
          f"log {log}")
    return exit_code({
        "pictures go on": shown_times(report)[-1] > 2 + seconds,
        "without an outage": worst < 1.0,
        "no connection was lost": not events(report, "lost"),
        "nothing to say": not log,
    })


def clock_stepped(folder):
    """The wall clock goes a day on while it plays, and two back and two on while the server is away:
    neither is noticed."""
    if not fake_clock.possible(program_path("svc-player")):
        print("no fake clock to be had: it is not stepped")
        return 0
    clock = fake_clock.FakeClock(folder)
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, LIVE)
        server = stage.serve()
        stage.play("--reconnect", "30", "--control", stage.socket(), before=clock.words())
        stage.shows(ENOUGH)
        clock.step("+1d")
        time.sleep(1.5)
        away_s = time.monotonic() - stage.player.started
        server.process.kill()
        for text in ("-1d", "+1d"):
            time.sleep(1)
            clock.step(text)
        stage.serve()
        stage.shows(ENOUGH, RESUMED_WITHIN_S + 3)
        report, log = stage.end()
    worst = max((g for at, g in gaps(report, 0) if at + g < away_s), default=99)
    again = events(report, "playing again")
    print(f"clock stepped: {len(report['shown'])} pictures, longest gap {worst:.2f} s, again {again}, log {log}")
    return exit_code({
        "without an outage where there was none": worst < 1.0,
        "resumed": len(again) == 1 and shown_times(report)[-1] > again[0] + 1,
        "one line": len(log) == 1,
    })


def behind_s(rows):
    """How much later than its media time a picture is shown, by the usual one of these."""
    late = sorted(row["shown_us"] - row["pts_us"] for row in rows)
    return late[len(late) // 2] / 1e6


def player_stopped(folder):
    """The player does not run for a while, and hears nothing meanwhile: first its clocks stand still too, as those
    of a machine that is suspended, then they go on, for longer than it bears an outage."""
    if not fake_clock.possible(program_path("svc-player")):
        print("no fake clock to be had: it does not stand still")
        return 0
    clock = fake_clock.FakeClock(folder, monotonic=True)
    timing = os.path.join(folder, "timing.csv")
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, LIVE)
        stage.serve()
        vlink = stage.link(["wifi", "lte"])
        player = stage.play("--reconnect", "2", "--dump-timing", timing, "--control", stage.socket(),
                            paths=["wifi", "lte"], before=clock.words())
        stage.shows(3 * ENOUGH)  # until it knows what is usual
        shown = []
        for still in (True, False):
            player.process.send_signal(signal.SIGSTOP)
            for name in ("wifi", "lte"):
                vlink.tell(f"{name}.down")
            time.sleep(OUTAGE_S)
            if still:
                clock.step(f"-{OUTAGE_S}")
            player.process.send_signal(signal.SIGCONT)
            time.sleep(0 if still else 0.5)
            for name in ("wifi", "lte"):
                vlink.tell(f"{name}.up")
            shown.append(stage.shows(3 * ENOUGH, RESUMED_WITHIN_S + 3))
        report, log = stage.end()
    with open(timing, encoding="ascii") as f:
        rows = [{k: int(row[k]) for k in ("shown_us", "pts_us")} for row in csv.DictReader(f)]
    later_s = OUTAGE_S + behind_s(rows[-ENOUGH:]) - behind_s(rows[:ENOUGH])  # its clock lacks the three seconds
    print(f"stopped: pictures {shown}, {later_s:.2f} s later in the end, log {log}, events {report['events'][-4:]}")
    return exit_code({
        "pictures go on": all(shown),
        "what was missed is not made up for": later_s < 1.5,
        "no connection was lost": not events(report, "lost"),
        "nothing to say": not log,
    })


def never_there(folder):
    with programs.Programs(folder) as running:
        stage = Stage(running, folder, LIVE)
        began = time.monotonic()
        player = stage.play("--reconnect", "2")
        status = player.process.wait(PATIENCE_S)
        took = time.monotonic() - began
        log = read(player.log)
    print(f"exit {status} after {took:.1f} s: {log}")
    return exit_code({"exit code 2": status == 2, "after two seconds": 1.9 < took < 10,
                      "one line": log.count("\n") == 1 and "no answer" in log})


def main():
    folder = material.folder("resume")
    seconds = 60 if "--minute" in sys.argv else 6
    stories = (player_stopped, lambda where: path_flaps(where, seconds), all_paths_dead, server_dies, clock_stepped,
               *(lambda where, s=s: server_stops(where, s) for s in (0, 1)), never_there)
    return material.together([lambda i=i, story=story: story(os.path.join(folder, str(i)))
                              for i, story in enumerate(stories)], at_once=4)


if __name__ == "__main__":
    sys.exit(main())
