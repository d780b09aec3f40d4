#!/usr/bin/python3
"""two_paths.py ROOT BUILD - a short broadcast over two links, one of which dies on the way.

Says what must hold at any speed of the machine: nothing is shown broken, no base picture is lost,
both links carried bytes. How long things take is the demo's business.
"""
import sys

import material
import analysis

DURATION_S, DOWN_S = 5, 2


def main():
    clip = material.small_clip()
    links = [material.scenario.Link("wifi", clip.peak_bps * 1.2 + 200e3, 10),
             material.scenario.Link("lte", clip.peak_bps * 0.8 + 200e3, 30)]
    outcome = material.scenario.play(material.folder("two_paths"), clip.layered, material.pki(),
                                     links, DURATION_S, [(DOWN_S, "wifi.down")], ["--headless"])
    shown = analysis.shown_rows(outcome.report, DURATION_S)
    broken, ssim = analysis.judge(shown, clip.reference)
    lost = analysis.base_lost(shown, clip.fps, DURATION_S)
    carried = {k.name: analysis.link_total(outcome.stats, k.name)["bytes"] for k in links}
    print(f"{len(shown)} shown, {broken} broken, {lost} base pictures lost, SSIM {ssim:.4f}, "
          f"bytes {carried}")
    good = len(shown) > 30 and broken == 0 and lost == 0 and all(carried.values())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
