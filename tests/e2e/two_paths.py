#!/usr/bin/python3
"""two_paths.py ROOT BUILD - a short broadcast over two links, one of which dies on the way.

Says what must hold at any speed of the machine: nothing is shown broken, no base picture is lost,
both links carried bytes, and the logs that the environment asks for are written: qlog of both ends,
consistent with each other, and the secrets. How long things take is the demo's business.
"""
import glob
import os
import shutil
import subprocess
import sys

import material
import analysis

DURATION_S, DOWN_S = 5, 2


def check_logs(qlog, keys):
    """The traces of both ends agree, tell of both paths, and the secrets are there."""
    names = glob.glob(qlog + "/*.sqlog")
    explain = os.path.join(sys.argv[1], "tools", "qlog-explain")
    result = subprocess.run([explain, "--check", *names], capture_output=True, text=True,
                            check=False)
    print(result.stdout.strip())
    with open(keys, encoding="ascii") as f:
        secrets = f.read()
    return (len(names) == 2 and result.returncode == 0 and "consistent" in result.stdout
            and secrets.count("SERVER_TRAFFIC_SECRET_0") == 2)


def main():
    folder = material.folder("two_paths")
    qlog, keys = os.path.join(folder, "qlog"), os.path.join(folder, "keys")
    shutil.rmtree(qlog, ignore_errors=True)
    if os.path.exists(keys):
        os.remove(keys)
    os.environ.update(QLOGDIR=qlog, SSLKEYLOGFILE=keys)
    clip = material.small_clip()
    links = [material.scenario.Link("wifi", clip.peak_bps * 1.2 + 200e3, 10),
             material.scenario.Link("lte", clip.peak_bps * 0.8 + 200e3, 30)]
    outcome = material.scenario.play(folder, clip.layered, material.pki(),
                                     links, DURATION_S, [(DOWN_S, "wifi.down")], ["--headless"])
    shown = analysis.shown_rows(outcome.report, DURATION_S)
    broken, ssim = analysis.judge(shown, clip.reference)
    lost = analysis.base_lost(shown, clip.fps, DURATION_S)
    carried = {k.name: analysis.link_total(outcome.stats, k.name)["bytes"] for k in links}
    print(f"{len(shown)} shown, {broken} broken, {lost} base pictures lost, SSIM {ssim:.4f}, "
          f"bytes {carried}")
    good = len(shown) > 30 and broken == 0 and lost == 0 and all(carried.values())
    good = check_logs(qlog, keys) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
