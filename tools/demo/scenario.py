"""scenario.py - one run: server, links, player, and the death of a link in between."""
import json
import os
import subprocess
import time

from clip import program_path
from programs import Programs, ProgramFailed, free_udp_ports, wait_for_udp

NAMESPACE = "live"
UDP_OVERHEAD = 28      # bytes of IPv4 and UDP headers, which a real link carries too
STATS_INTERVAL = "100ms"
STARTUP_GUESS_S = 0.7  # until the first picture; the true time is subtracted afterwards
PATIENCE_S = 20        # beyond its duration the player may take to start and to end


class Link:
    def __init__(self, name, rate_bps, delay_ms):
        self.name, self.rate_bps, self.delay_ms = name, int(rate_bps), delay_ms

    def spec(self, port, to_port):
        # A queue of 100 ms: what a good access link has.
        return (f"name={self.name},listen=127.0.0.1:{port},to=127.0.0.1:{to_port},"
                f"rate={self.rate_bps}bit,delay={self.delay_ms}ms,queue=100ms,"
                f"overhead={UDP_OVERHEAD}")


class Outcome:
    """report: the player's JSON. stats, server: the lines of the links and of the server. changes:
    [(seconds after the first picture, text)]. links_origin_s: the links' own clock at the first
    picture."""


def read_json(path, program):
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except (OSError, ValueError) as e:
        raise program.failed(f"left no readable report ({e})") from None


def read_lines(path):
    rows = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            try:
                rows.append(json.loads(line))
            except ValueError:
                break  # the last line of a program that was ended
    return rows


def player_command(pki, ports, links, duration_s, folder, extra):
    command = [program_path("svc-player"), "--ca", pki["ca.pem"], "--duration", str(duration_s),
               "--json", os.path.join(folder, "player.json")]
    for link, port in zip(links, ports):
        command += ["--path", f"local=127.0.0.1,to=127.0.0.1:{port},name={link.name}"]
    # By address: a system without /etc/hosts knows no localhost. The certificate names both.
    return command + extra + [f"moqt://127.0.0.1:{ports[0]}/{NAMESPACE}"]


def obey_timetable(timetable, vlink, player, say):
    """Tell the links at their times; [(monotonic time, text)]."""
    done = []
    for at_s, text in timetable:
        while time.monotonic() < player.started + STARTUP_GUESS_S + at_s:
            player.check_alive()
            vlink.check_alive()
            time.sleep(0.01)
        vlink.tell(text)
        done.append((time.monotonic(), text))
        say(f"{at_s:4.0f} s  {text}")
    return done


def play(folder, source, pki, links, duration_s, timetable=(), player_options=(), say=print,
         latency_ms=400, before_player=lambda programs, ports: None):
    """Stream `source`, a layered file or the server's words for another, over `links` for
    `duration_s` after the first picture.
    `timetable`: [(seconds after about the first picture, vlink change)]. `before_player` may start
    more programs; `ports` are those of the links."""
    os.makedirs(folder, exist_ok=True)
    server_port, *ports = free_udp_ports(1 + len(links))
    stats = os.path.join(folder, "links.jsonl")
    for old in ("links.jsonl", "player.json", "server.jsonl"):
        if os.path.exists(os.path.join(folder, old)):
            os.remove(os.path.join(folder, old))
    with Programs(folder) as programs:
        server = programs.start("svc-server", [
            program_path("svc-server"), "--cert", pki["server.pem"], "--key", pki["server.key"],
            "--listen", f"127.0.0.1:{server_port}", "--namespace", NAMESPACE, "--loop",
            "--start-on-viewer", "--latency", str(latency_ms),
            "--json", os.path.join(folder, "server.jsonl"),
            *([source] if isinstance(source, str) else source)])
        wait_for_udp(server, server_port)
        vlink = programs.start("vlink", [
            program_path("vlink"), "--control", "--stats", f"{stats}:{STATS_INTERVAL}",
            *(word for link, port in zip(links, ports)
              for word in ("--link", link.spec(port, server_port)))], stdin=subprocess.PIPE)
        for port in ports:
            wait_for_udp(vlink, port)
        before_player(programs, ports)
        player = programs.start("svc-player", player_command(pki, ports, links, duration_s, folder,
                                                             list(player_options)))
        changes = obey_timetable(timetable, vlink, player, say)
        player.wait(duration_s + PATIENCE_S)
        server.check_alive()
        vlink.check_alive()
        report = read_json(os.path.join(folder, "player.json"), player)
    if not report.get("shown"):
        raise ProgramFailed("svc-player has shown no picture; see " + player.log)
    outcome = Outcome()
    outcome.report = report
    outcome.stats = read_lines(stats)
    outcome.server = read_lines(os.path.join(folder, "server.jsonl"))
    first_picture = player.started + report["wall_zero_ms"] / 1000
    outcome.links_origin_s = first_picture - vlink.started
    outcome.changes = [(at - first_picture, text) for at, text in changes]
    return outcome
