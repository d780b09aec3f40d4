"""The demo: a layered clip over two unlike links, the better of which dies and returns.

    python3 tools/demo            (or ./run demo, which builds first)

Makes the material (once), streams it, joins what the player showed with what a reference decoder
makes of the same layers, prints the table, and writes build/reports/demo.json, demo.png and
demo-plot.png. Exit code 1 when a program fails or a picture was shown broken.
"""
import json
import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import analysis  # noqa: E402
import clip as clips  # noqa: E402
import scenario  # noqa: E402
from programs import ROOT, ProgramFailed, make_pki  # noqa: E402

WORK = os.path.join(ROOT, "build", "demo")
REPORTS = os.path.join(ROOT, "build", "reports")

DURATION_S, DOWN_S, UP_S = 30, 10, 20
SUM_SHARE = 1.25           # both links together, over what the clip needs at its peak
WIFI_SHARE = 0.62          # of that sum: neither link alone carries the clip
WIRE_OVERHEAD = 1.08       # QUIC, UDP and IP headers, sound, acknowledgements over the media
GOODPUT_S = 10
GOODPUT_LATENCY_MS = 1000  # key pictures come in bursts; a full link smooths them in a second
GOODPUT_SUM_SHARE = 0.9  # of the offered media: the topmost layer only fits in part
GOODPUT_WARM_UP_S = 2
TARGETS = [  # key, what it should be, as text and as a test
    ("frames_broken", "0", lambda v: v == 0),
    ("base_layer_lost", "0", lambda v: v == 0),
    ("stall_ms_max_after_death", "<= 200", lambda v: v <= 200),
    ("layers_back_ms", "<= 5000", lambda v: v is not None and v <= 5000),
    ("full_share_before_death", ">= 0.9", lambda v: v >= 0.9),
    ("goodput_share", "> 0.85", lambda v: v > 0.85),
]


def say(text):
    print(text, flush=True)


def links_of(sum_bps):
    return [scenario.Link("wifi", sum_bps * WIFI_SHARE, 15),
            scenario.Link("lte", sum_bps * (1 - WIFI_SHARE), 45)]


def death(clip, layered, pki):
    """The main run: (outcome, links)."""
    links = links_of(clip.peak_bps * WIRE_OVERHEAD * SUM_SHARE)
    shot = os.path.join(WORK, "death", "player.png")
    window = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    options = ["--screenshot", f"{shot}@8", "--statistics", "1"] + ([] if window else ["--headless"])
    say(f"streaming for {DURATION_S} s over " + " and ".join(
        f"{k.name} ({k.rate_bps / 1e6:.2f} Mbit/s, {k.delay_ms} ms)" for k in links))
    outcome = scenario.play(os.path.join(WORK, "death"), layered, pki, links, DURATION_S,
                            [(DOWN_S, "wifi.down"), (UP_S, "wifi.up")], options, say)
    shutil.copyfile(shot, os.path.join(REPORTS, "demo.png"))
    return outcome, links


def goodput(clip, layered, pki):
    """The second run: media in time as a share of the links, when more is offered."""
    links = links_of(clip.mean_bps * GOODPUT_SUM_SHARE)
    say(f"goodput: {GOODPUT_S} s over links of {sum(k.rate_bps for k in links) / 1e6:.2f} Mbit/s,"
        f" {clip.mean_bps / 1e6:.2f} Mbit/s of media offered")
    outcome = scenario.play(os.path.join(WORK, "goodput"), layered, pki, links,
                            GOODPUT_S, (), ["--headless"], say, GOODPUT_LATENCY_MS)
    shown = analysis.shown_rows(outcome.report, GOODPUT_S)
    begin, end = GOODPUT_WARM_UP_S, GOODPUT_S
    video_bps = analysis.media_bytes_in_time(shown, clip.sizes, begin, end) * 8 / (end - begin)
    media_bps = video_bps + analysis.sound_bps(outcome.report, outcome.server)
    return media_bps / sum(k.rate_bps for k in links)


def figures(clip, outcome, links):
    """The flat report of the main run."""
    report, shown = outcome.report, analysis.shown_rows(outcome.report, DURATION_S)
    top = len(clip.heights) - 1
    down_s, up_s = (at for at, _ in outcome.changes)
    broken, ssim = analysis.judge(shown, clip.reference)
    back = analysis.layers_back_s(shown, top, up_s)
    span = shown[-1].t_s or 1
    flat = {
        "startup_ms": report["startup_ms"],
        "stall_ms_max": report["stall_ms_max"],
        "stall_ms_max_after_death": analysis.longest_stall_ms(report, down_s, up_s),
        "frames_shown": len(shown),
        "frames_broken": broken,
        "frames_full": sum(1 for r in shown if r.spatial == top),
        "shown_fps": (len(shown) - 1) / span,
        "base_layer_lost": analysis.base_lost(shown, clip.fps, DURATION_S),
        "layers_back_ms": None if back is None else back * 1000,
        "full_share_before_death": analysis.full_share(shown, top, 1 / clip.fps, 2, down_s),
        "ssim_mean": ssim,
        "clip_mean_bps": clip.mean_bps,
        "clip_peak_bps": clip.peak_bps,
        "link_sum_share": sum(k.rate_bps for k in links) / clip.peak_bps,
    }
    by_name = {p["name"]: p for p in report["paths"]}
    for link in links:
        path, total = by_name.get(link.name, {}), analysis.link_total(outcome.stats, link.name)
        flat[f"path_{link.name}_link_bps"] = link.rate_bps
        flat[f"path_{link.name}_bytes"] = total["bytes"]
        flat[f"path_{link.name}_rate_bps"] = total["bytes"] * 8 / span
        flat[f"path_{link.name}_srtt_ms"] = path.get("srtt_ms")
        flat[f"path_{link.name}_loss"] = total["loss"]
    sent = analysis.server_layers(outcome.server)
    for name, layer in analysis.layer_rows(report).items():
        flat[f"layer_{name}_offered"] = layer["expected"]
        flat[f"layer_{name}_sent"] = sent[name]["sent"] if name in sent else None
        flat[f"layer_{name}_in_time"] = layer["in_time"]
        flat[f"layer_{name}_shown"] = layer["shown"]
    return flat


def number(value, form="{:.0f}"):
    return "-" if value is None else form.format(value)


def print_table(flat, links, layers, heights):
    rule = "-" * 64
    say(f"\n{rule}\n{'path':8}{'link Mbit/s':>13}{'bytes':>13}{'Mbit/s':>10}{'RTT ms':>10}"
        f"{'loss %':>10}\n{rule}")
    for name in (k.name for k in links):
        of = {k: flat[f"path_{name}_{k}"] for k in ("link_bps", "bytes", "rate_bps", "srtt_ms",
                                                    "loss")}
        say(f"{name:8}{of['link_bps'] / 1e6:13.2f}{of['bytes']:13}{of['rate_bps'] / 1e6:10.2f}"
            f"{number(of['srtt_ms'], '{:.1f}'):>10}{of['loss'] * 100:10.2f}")
    say(f"{rule}\n{'layer':8}{'picture':>13}{'pictures':>13}{'sent':>10}{'in time':>10}{'shown':>10}"
        f"\n{rule}")
    for name in layers:
        of = {k: flat[f"layer_{name}_{k}"] for k in ("offered", "sent", "in_time", "shown")}
        say(f"{name:8}{heights[int(name[1])]:>12}p{of['offered']:13}{number(of['sent']):>10}"
            f"{of['in_time']:10}{of['shown']:10}")
    say(rule)
    for label, key, form in (
            ("start-up, ms", "startup_ms", "{:.0f}"), ("longest stall, ms", "stall_ms_max", "{:.0f}"),
            ("  while one link is dead", "stall_ms_max_after_death", "{:.0f}"),
            ("pictures shown", "frames_shown", "{:d}"), ("  per second", "shown_fps", "{:.2f}"),
            ("  with every layer", "frames_full", "{:d}"), ("  broken", "frames_broken", "{:d}"),
            ("base layer lost", "base_layer_lost", "{:d}"),
            ("all layers back after, ms", "layers_back_ms", "{:.0f}"),
            ("SSIM against the source", "ssim_mean", "{:.4f}"),
            ("goodput, share of the links", "goodput_share", "{:.3f}")):
        say(f"{label:44}{number(flat[key], form):>20}")
    say(rule)
    for key, should, holds in TARGETS:
        if not holds(flat[key]):
            say(f"missed: {key} is {number(flat[key], '{:g}')}, should be {should}")


def draw(clip, outcome, links):
    import plot  # matplotlib takes a second to load: not before it is needed
    down_s, up_s = (at for at, _ in outcome.changes)
    plot.draw(os.path.join(REPORTS, "demo-plot.png"), {
        "shown": analysis.shown_rows(outcome.report, DURATION_S),
        "series": {k.name: analysis.link_series(outcome.stats, k.name, outcome.links_origin_s)
                   for k in links},
        "timeline": outcome.report.get("timeline", []),
        "startup_s": outcome.report["wall_zero_ms"] / 1000,
        "path_names": {p["id"]: p["name"] for p in outcome.report["paths"]},
        "heights": clip.heights, "n_temporal": clip.n_temporal, "fps": clip.fps,
        "down_s": down_s, "up_s": up_s, "best": links[0].name, "duration_s": DURATION_S,
        "title": "Layered video over two links, the better of which dies and returns"})


def main():
    os.makedirs(REPORTS, exist_ok=True)
    os.environ.setdefault("MPLCONFIGDIR", os.path.join(WORK, "matplotlib"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        pki = make_pki(os.path.join(WORK, "pki"))
        clip = clips.make_all(WORK, say)
        outcome, links = death(clip, clip.layered, pki)
        flat = figures(clip, outcome, links)
        flat["goodput_share"] = goodput(clip, clip.layered, pki)
        draw(clip, outcome, links)
    except ProgramFailed as e:
        print(f"demo: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print_table(flat, links, analysis.layer_rows(outcome.report), clip.heights)
    with open(os.path.join(REPORTS, "demo.json"), "w", encoding="utf-8") as f:
        json.dump(flat, f, indent=2)
        f.write("\n")
    say("report build/reports/demo.json, player build/reports/demo.png, "
        "plot build/reports/demo-plot.png")
    if flat["frames_broken"]:
        print(f"demo: {flat['frames_broken']} pictures were shown broken", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
