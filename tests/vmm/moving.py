"""moving.py - a stream whose player is moved: what the tests and the measurements of migration share.

    with moving.Stage("slice", seconds=30) as s:
        s.wait_playing()
        figures = s.migrate("shared")      # None: it failed, s.why says how
        report = s.report()                # the player's, when it has ended

The player writes a row for each picture as it shows it (--dump-timing); rows are stamped here, outside of
the guest, whose clock stands still while it is moved.
"""
import json
import os
import threading
import time

import lib

PATIENCE_S = 30
MEMORY_MIB = 512 if lib.sanitized() else 160  # sanitized programs have their shadows
PICTURE_S = 0.04  # media:small.ivf has 25 a second
ECHO_PORT = 5544


def topology(seconds):
    """configs/two-path.yaml with paths that carry all, a player that says what it shows, and tvl-echo."""
    return f"""
nodes:
  server:
    memory: {MEMORY_MIB}M
    files: [{{from: "media:small.ivf", to: /media/clip}}, "program:tvl-echo"]
    run: [program:svc-server, /media/clip, --loop, --start-on-viewer, --cert, /etc/slice/cert.pem,
          --key, /etc/slice/key.pem]
  player:
    memory: {MEMORY_MIB}M
    after_all: true
    files: ["program:tvl-echo"]
    run: [program:svc-player, moqt://server/demo, --path, "dev=eth0,to=10.77.0.1:4433,name=lte",
          --path, "dev=eth1,to=10.77.1.1:4433,name=wifi", --ca, /etc/slice/ca.pem, --headless,
          --duration, "{seconds}", --dump-timing, /dev/stderr, --json, "-"]
links:
  lte: {{between: [server, player], rate: 4mbit, delay: 25ms, queue: 300ms}}
  wifi: {{between: [server, player], rate: 8mbit, delay: 8ms, queue: 200ms}}
"""


class Rows(threading.Thread):
    """Reads the player's output as it comes; (when, picture) of each row, what else it says, the
    report at the end."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.rows, self.said, self.report, self.ended = path, [], [], None, False
        self.start()

    def run(self):
        rest = b""
        with open(self.path, "rb") as f:
            while not self.ended:
                data = f.read(65536)
                if not data:
                    time.sleep(0.003)
                    continue
                now = time.monotonic()
                lines = (rest + data).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    self.take(now, line)

    def take(self, now, line):
        if line.startswith(b"{"):
            self.report = json.loads(line)
        elif line[:1].isdigit() and line.count(b",") == 11:
            self.rows.append((now, int(line.split(b",")[0])))
        elif not line.startswith(b"picture,"):
            self.said.append(line.decode(errors="replace"))

    def gap(self, begin, end):
        """The longest time without a new picture that touches [begin, end], s."""
        at = [when for when, _ in self.rows]
        return max((b - a for a, b in zip(at, at[1:]) if b >= begin and a <= end), default=0)


class Stage(lib.Slice):
    def __init__(self, name, seconds):
        super().__init__(name, topology(seconds))
        self.why = ""

    def __enter__(self):
        super().__enter__()
        self.rows = Rows(os.path.join(lib.folder(), self.name, "node", "player", "output.log"))
        return self

    def __exit__(self, *what):
        self.rows.ended = True
        return super().__exit__(*what)

    def wait_playing(self, pictures=50):
        lib.wait_for(lambda: len(self.rows.rows) >= pictures, "the player shows pictures", PATIENCE_S)

    def wait_smooth(self, seconds=1.0):
        """Until pictures have come without a long gap for so long."""
        def smooth():
            now = time.monotonic()
            recent = [when for when, _ in self.rows.rows if when > now - seconds]
            return len(recent) >= 0.6 * seconds / PICTURE_S
        lib.wait_for(smooth, "pictures come as they should", PATIENCE_S)

    def migrate(self, mode, *more):
        """{picture_gap_ms, down_ms, total_ms} of one more move; None: it failed."""
        began = time.monotonic()
        done = self.shim("migrate", "player", "--mode", mode, "--json", *more)
        if done.returncode != 0:
            self.why = done.stderr.strip()
            return None
        ended = time.monotonic()
        seen = len(self.rows.rows)
        lib.wait_for(lambda: len(self.rows.rows) > seen + 8, "pictures go on after the move", PATIENCE_S)
        said = json.loads(done.stdout)
        return {"picture_gap_ms": 1e3 * self.rows.gap(began, ended + 0.5), "down_ms": said["down_ms"],
                "total_ms": said["total_ms"]}

    def report(self):
        lib.wait_for(lambda: self.node("player")["state"] == "done", "the player ends", 120)
        lib.wait_for(lambda: self.rows.report, "the player's report", 5)
        return self.rows.report, self.node("player")["exit"]
