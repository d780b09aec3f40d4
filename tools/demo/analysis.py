"""analysis.py - from what the player, the links and the reference say to the figures. Pure.

Times are seconds after the first shown picture, unless the name says otherwise.
"""

BACK_SPAN_S = 1.0  # every layer shown without a gap for so long counts as "back"


class Shown:
    """One row of the player's list of shown pictures."""

    def __init__(self, row, first_wall_ms):
        self.picture, self.pts_us, self.spatial, self.temporal, self.crc32 = row[:5]
        self.wall_ms, self.latency_ms = row[5], row[6]
        self.t_s = (self.wall_ms - first_wall_ms) / 1000


def shown_rows(report, duration_s=float("inf")):
    """The pictures shown until `duration_s`: what the player still shows while it says goodbye does
    not count, for it has stopped to listen."""
    rows = report.get("shown", [])
    shown = [Shown(r, rows[0][5]) for r in rows]
    return [r for r in shown if r.t_s <= duration_s]


def judge(shown, reference):
    """(how many shown pictures differ from the reference decoder's, mean SSIM).

    `reference`: {(picture, spatial): (crc32, ssim)} over one round of the clip; the numbers go on
    rising when the server loops, so they are taken modulo the clip's length.
    """
    n_pictures = 1 + max(picture for picture, _ in reference)
    broken, ssims = 0, []
    for row in shown:
        crc32, ssim = reference.get((row.picture % n_pictures, row.spatial), (None, None))
        if crc32 != row.crc32:
            broken += 1
        elif ssim is not None:
            ssims.append(ssim)
    return broken, sum(ssims) / len(ssims) if ssims else 0.0


def base_lost(shown, fps, duration_s):
    """Pictures of which nothing was shown, from the first shown one on and for `duration_s`."""
    gaps = sum(max(0, b.picture - a.picture - 1) for a, b in zip(shown, shown[1:]))
    return gaps + max(0, int((duration_s - shown[-1].t_s) * fps) - 1)


def server_layers(server):
    """{"s0t0": the server's last word on that track} of its first viewer; {} without a viewer."""
    said = [line for line in server if line.get("viewers")]
    if not said:
        return {}
    return {t["name"].removeprefix("v-"): t for t in said[-1]["viewers"][0]["tracks"]}


def sound_bps(report, server):
    """Rate of the sound that came, bits/s: packets the player took, at the server's mean size."""
    tracks = server_layers(server).values()
    sound = next((t for t in tracks if t["name"].startswith("a") and t["sent"]), None)
    if sound is None or not report.get("duration_s"):
        return 0.0
    return sound["bytes"] / sound["sent"] * report["audio_packets"] * 8 / report["duration_s"]


def full_flags(shown, top_spatial):
    """Per row: the top layer, and no picture left out before it."""
    flags = []
    for i, row in enumerate(shown):
        whole = i == 0 or row.picture == shown[i - 1].picture + 1
        flags.append(row.spatial == top_spatial and whole)
    return flags


def layers_back_s(shown, top_spatial, return_s):
    """From `return_s` until every layer is shown without a gap for BACK_SPAN_S; None: never."""
    flags = full_flags(shown, top_spatial)
    begin = None
    for row, full in zip(shown, flags):
        if row.t_s < return_s:
            continue
        if not full:
            begin = None
        elif begin is None:
            begin = row.t_s
        elif row.t_s - begin >= BACK_SPAN_S:
            return begin - return_s
    return None


def full_share(shown, top_spatial, frame_s, begin_s, end_s):
    """Share [0,1] of the pictures due between the two times that were shown with every layer."""
    flags = full_flags(shown, top_spatial)
    n = sum(1 for row, full in zip(shown, flags) if full and begin_s <= row.t_s < end_s)
    return min(1.0, n * frame_s / (end_s - begin_s))


def longest_stall_ms(report, begin_s, end_s):
    """The player counts from its own start, not from its first picture in its turn."""
    zero_s = report["wall_zero_ms"] / 1000
    return max((s["ms"] for s in report.get("stalls", [])
                if begin_s <= s["at_s"] - zero_s < end_s), default=0.0)


def layer_rows(report):
    """{"s0t0": {"expected": .., "arrived": .., "in_time": .., "shown": ..}} by rising layer."""
    rows = sorted(report.get("layers", []), key=lambda r: (r["t"], r["s"]))
    return {f"s{r['s']}t{r['t']}": r for r in rows}


def link_series(stats, name, origin_s):
    """Of link `name`, towards the player: [(t, delivered bits/s, capacity bits/s)]. `origin_s`: the
    links' own time at the first shown picture."""
    rows = [r for r in stats if r["link"] == name and r["dir"] == "down"]
    series = []
    for before, after in zip(rows, rows[1:]):
        span = (after["t_ms"] - before["t_ms"]) / 1000
        if span <= 0:
            continue
        rate = (after["bytes_out"] - before["bytes_out"]) * 8 / span
        series.append((after["t_ms"] / 1000 - origin_s, rate,
                       0 if after["down"] else after["rate_bps"]))
    return series


def link_total(stats, name):
    """Totals of link `name` towards the player: bytes, rate while it carried, loss share."""
    rows = [r for r in stats if r["link"] == name and r["dir"] == "down"]
    if not rows:
        return {"bytes": 0, "loss": 0.0}
    last = rows[-1]
    lost = last["drop_queue"] + last["drop_loss"] + last["drop_down"]
    return {"bytes": last["bytes_out"],
            "loss": lost / last["packets_in"] if last["packets_in"] else 0.0}


def media_bytes_in_time(shown, sizes, begin_s, end_s):
    """Bytes of the layer units behind the pictures shown between the two times.
    `sizes`: {(picture, spatial): bytes of that layer's unit} over one round of the clip."""
    n_pictures = 1 + max(picture for picture, _ in sizes)
    return sum(sizes.get((row.picture % n_pictures, s), 0)
               for row in shown if begin_s <= row.t_s < end_s
               for s in range(row.spatial + 1))
