"""The player's pictures in the README: a live test picture over two unlike links.

    python3 tools/demo/pictures.py [FOLDER]      (or ./run pictures, which builds first)

Writes player-delay.png, player-paths.png and player-layers.png, pages of the statistics, into FOLDER
[build/reports]. Three players share the links, one of which becomes narrow on the way.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scenario  # noqa: E402
from programs import ROOT, ProgramFailed, make_pki  # noqa: E402

WORK = os.path.join(ROOT, "build", "pictures")
SECONDS = 14
LINKS = [scenario.Link("wifi", 7e6, 12), scenario.Link("lte", 5e6, 40)]
SOURCE = ["--live", "test:1280x720@30", "--layers", "L3T2", "--bitrate", "250,600,1400",
          "--cc", "cubic", "--objective", "video",
          "--knowledge", os.path.join(ROOT, "configs", "knowledge")]
PAGES = {"delay": 2, "paths": 3, "layers": 4}


def pages(folder, pki):
    """Each page of the statistics, of a player each over the same links."""
    def more(programs, ports):
        for name, page in list(PAGES.items())[1:]:
            command = scenario.player_command(pki, ports, LINKS, SECONDS,
                                              os.path.join(WORK, "pages"), shoot(folder, name, page))
            programs.start(f"player-{name}", [w for w in command if not w.endswith("player.json")
                                              and w != "--json"])
    scenario.play(os.path.join(WORK, "pages"), SOURCE, pki, LINKS, SECONDS,
                  [(SECONDS * 0.55, "wifi.rate=2mbit")], shoot(folder, "delay", 2), print,
                  before_player=more)


def shoot(folder, name, page):
    shot = os.path.join(folder, f"player-{name}.png")
    return ["--headless", "--size", "1280x720", "--statistics", str(page),
            "--screenshot", f"{shot}@{SECONDS - 2}"]


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build", "reports")
    os.makedirs(folder, exist_ok=True)
    try:
        pki = make_pki(os.path.join(WORK, "pki"))
        pages(folder, pki)
    except ProgramFailed as e:
        print(f"pictures: {e}", file=sys.stderr)
        return 1
    print("written:", *(os.path.join(folder, f"player-{n}.png") for n in PAGES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
