#!/usr/bin/python3
"""live.py ROOT BUILD - what is encoded while it runs goes over two links, one of which dies.

The key pictures of the broadcast are a minute apart, so a viewer that comes when it runs is served
only because one is made for it. Nothing here depends on how fast the machine is: when it is short
of time pace leaves layers and pictures out, which is asked about in the server's report.
"""
import os
import sys
import time

import material
import analysis
from clip import program_path
from live_report import newest, exit_code

DURATION_S, DOWN_S = 4, 1.5
KEY_INTERVAL_S = 60
RUNNING = 20      # pictures after which the broadcast counts as one that runs
PATIENCE_S = 30


def encoder(folder):
    """The encoder's newest report; {} before the first."""
    return newest(os.path.join(folder, "server.jsonl")).get("encoder", {})


def first_viewer(folder, pki):
    """Starts a viewer and waits until the broadcast runs."""
    def start(programs, ports):
        player = programs.start("first-viewer", [
            program_path("svc-player"), "--ca", pki["ca.pem"], "--headless", "--layers", "s0t0",
            "--path", f"local=127.0.0.1,to=127.0.0.1:{ports[0]}", "--duration", "600",
            f"moqt://127.0.0.1:{ports[0]}/{material.scenario.NAMESPACE}"])
        until = time.monotonic() + PATIENCE_S
        while encoder(folder).get("pictures", 0) < RUNNING:
            player.check_alive()
            if time.monotonic() > until:
                raise player.failed(f"no broadcast after {PATIENCE_S} s")
            time.sleep(0.05)
    return start


def main():
    folder, pki = material.folder("live"), material.pki()
    links = [material.scenario.Link("wifi", 4e6, 10), material.scenario.Link("lte", 3e6, 30)]
    outcome = material.scenario.play(
        folder, ["--live", "test:320x180@30", "--layers", "L3T2", "--bitrate", "60,150,400",
                 "--key-interval", str(KEY_INTERVAL_S)], pki, links, DURATION_S,
        [(DOWN_S, "wifi.down")], ["--headless"], before_player=first_viewer(folder, pki))
    report, shown = outcome.report, analysis.shown_rows(outcome.report, DURATION_S)
    lost = analysis.base_lost(shown, 0, DURATION_S) # gaps; at the end the pace may have left some out
    carried = {k.name: analysis.link_total(outcome.stats, k.name)["bytes"] for k in links}
    layers = {(row.spatial, row.temporal) for row in shown}
    said = encoder(folder)
    print(f"{len(shown)} shown of layers {sorted(layers)}, {lost} base pictures lost, "
          f"{report['audio_packets']} packets of sound, bytes {carried}, encoder {said}")
    rules = {
        "pictures are shown": len(shown) > 20,
        "of more than the base layer": any(spatial > 0 for spatial, _ in layers),
        "no base picture is lost": lost == 0,
        "nothing was refused": report["units_refused"] == 0,
        "sound came": report["audio_packets"] > 30,
        "both links carried": all(carried.values()),
        "a key picture for each who came, none for one who cannot hear": 2 <= said["keys"] <= 3,
        "no picture was copied twice": said["copies"] == 0,
        "the encoder lived": said["restarts"] == 0 and said["errors"] == 0,
    }
    return exit_code(rules)


if __name__ == "__main__":
    sys.exit(main())
