#!/usr/bin/python3
"""codecs.py ROOT BUILD - VP9 and H.264 from encoder to screen, over two links, one of which dies.

Nothing is shown that the other decoder of the codec (svc-compare's) makes something else of, every
layer is seen while both links live, every unit of S0T0 comes in time, both links carry bytes, the sound
comes. (Of H.264, which has one size only, upper temporal layers may be given up for a link's death.)
"""
import sys

import material
import analysis

DURATION_S, DOWN_S = 4, 2
CODECS = {"vp9": ["--codec", "vp9", "--layers", "L3T3"], "h264": ["--codec", "h264", "--layers", "L1T3"]}


def play(codec, coding):
    clip = material.small_clip("clip-" + codec, coding)
    links = [material.scenario.Link("wifi", clip.peak_bps * 1.2 + 200e3, 10),
             material.scenario.Link("lte", clip.peak_bps * 0.8 + 200e3, 30)]
    outcome = material.scenario.play(material.folder(codec), clip.layered, material.pki(), links,
                                     DURATION_S, [(DOWN_S, "wifi.down")], ["--headless"])
    shown = analysis.shown_rows(outcome.report, DURATION_S)
    broken, ssim = analysis.judge(shown, clip.reference)
    base = analysis.layer_rows(outcome.report)["s0t0"]
    lost = base["expected"] - base["in_time"]
    carried = [analysis.link_total(outcome.stats, link.name)["bytes"] for link in links]
    layers = {(row.spatial, row.temporal) for row in shown}
    top = (len(clip.heights) - 1, clip.n_temporal - 1)
    sound = outcome.report["audio_packets"]
    print(f"{codec}: {len(shown)} shown, {broken} broken, {lost} of S0T0 not in time, SSIM {ssim:.4f}, "
          f"best layers {sorted(layers)}, bytes {carried}, {sound} packets of sound", flush=True)
    return (len(shown) > 30 and broken == 0 and lost == 0 and top in layers and all(carried)
            and sound > 50)


def main():
    return material.together([lambda c=codec, coding=coding: 0 if play(c, coding) else 1
                              for codec, coding in CODECS.items()])


if __name__ == "__main__":
    sys.exit(main())
