"""plot.py - the demo as one picture: rates of the paths, layers, latency over time."""
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402 (the backend has to be chosen first)
import numpy as np  # noqa: E402

PATH_COLOURS = ["#2f6fb7", "#e08b3a", "#5a9e5a", "#9467bd"]
INK, FAINT, DEATH = "#22272e", "#8b949e", "#c0392b"
BIN_S = 0.4  # a whole number of pictures of each temporal layer at 30 per second


def heat(shown, n_spatial, n_temporal, fps, duration_s):
    """Share [0,1] of each layer's pictures shown in each bin, by picture number; row 0 is s0t0."""
    n_bins = int(np.ceil(duration_s / BIN_S))
    grid = np.zeros((n_spatial * n_temporal, n_bins))
    for row in shown:
        column = int((row.picture - shown[0].picture) / fps / BIN_S + 1e-6)
        if 0 <= column < n_bins:
            for s in range(row.spatial + 1):
                grid[min(row.temporal, n_temporal - 1) * n_spatial + s, column] += 1
    return np.clip(grid / (fps / n_temporal * BIN_S), 0, 1)


def mark_death(axes, down_s, up_s, best):
    for i, axis in enumerate(axes):
        axis.axvspan(down_s, up_s, color=DEATH, alpha=0.07, lw=0)
        for t, label in ((down_s, f"{best} dies"), (up_s, f"{best} returns")):
            axis.axvline(t, color=DEATH, lw=1, ls=(0, (4, 3)))
            if i == 0:
                axis.annotate(label, (t, 1.0), xycoords=("data", "axes fraction"),
                              xytext=(3, 3), textcoords="offset points", color=DEATH, fontsize=9)


def draw_rates(axis, series):
    """Stacked delivered rates over the stacked capacity. `series`: {name: [(t, rate, capacity)]}"""
    times = np.array([r[0] for r in next(iter(series.values()))])
    rates = [np.interp(times, [r[0] for r in rows], [r[1] / 1e6 for r in rows])
             for rows in series.values()]
    capacity = sum(np.interp(times, [r[0] for r in rows], [r[2] / 1e6 for r in rows])
                   for rows in series.values())
    axis.stackplot(times, rates, labels=list(series), colors=PATH_COLOURS, alpha=0.85, lw=0)
    axis.step(times, capacity, where="post", color=INK, lw=1.2, ls="--", label="sum of the links")
    axis.set_ylabel("delivered\n(Mbit/s)")
    axis.set_ylim(0, max(capacity) * 1.12)
    axis.legend(loc="lower left", ncols=len(series) + 1, fontsize=8, framealpha=0.9)


def draw_layers(axis, grid, n_spatial, heights):
    n_rows, n_bins = grid.shape
    axis.imshow(grid, aspect="auto", origin="lower", cmap="GnBu", vmin=0, vmax=1,
                extent=(0, n_bins * BIN_S, -0.5, n_rows - 0.5), interpolation="nearest")
    axis.set_yticks(range(n_rows), [f"{heights[i % n_spatial]}p  T{i // n_spatial}"
                                    for i in range(n_rows)], fontsize=8)
    for y in range(1, n_rows):
        axis.axhline(y - 0.5, color="white", lw=1.5)
    axis.set_ylabel("layers\nshown")


def draw_top(axis, shown, heights):
    axis.scatter([r.t_s for r in shown], [r.spatial for r in shown], s=4, marker="|",
                 c=[PATH_COLOURS[0] if r.temporal == 0 else PATH_COLOURS[2] for r in shown])
    axis.set_yticks(range(len(heights)), [f"{h}p" for h in heights], fontsize=8)
    axis.set_ylim(-0.5, len(heights) - 0.5)
    axis.set_ylabel("picture\nshown")


def draw_latency(axis, run):
    shown, startup_s = run["shown"], run["startup_s"]
    axis.plot([r.t_s for r in shown], [r.latency_ms for r in shown], color=INK, lw=1,
              label="arrival to screen")
    for i, (path, name) in enumerate(run["path_names"].items()):
        points = [(row["t_s"] - startup_s, p["rtt_ms"]) for row in run["timeline"] for p in row["paths"]
                  if p["id"] == path and p.get("rtt_ms")]
        if points:
            axis.plot(*zip(*points), color=PATH_COLOURS[i % len(PATH_COLOURS)], lw=1.2,
                      label=f"RTT of {name}")
    axis.set_ylabel("time\n(ms)")
    axis.set_ylim(0, axis.get_ylim()[1] * 1.3)
    axis.legend(loc="upper left", ncols=3, fontsize=8, framealpha=0.9)


def draw(path, run):
    """`run`: dict with shown, series, timeline (by the player's clock), startup_s, path_names, heights, n_temporal, fps, down_s, up_s,
    best, duration_s, title."""
    plt.rcParams.update({"font.family": "DejaVu Sans", "axes.edgecolor": FAINT,
                         "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
                         "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(4, 1, figsize=(12, 9), dpi=110, sharex=True,
                                gridspec_kw={"height_ratios": [3, 2.2, 1.1, 1.8], "hspace": 0.16})
    n_spatial = len(run["heights"])
    grid = heat(run["shown"], n_spatial, run["n_temporal"], run["fps"], run["duration_s"])
    draw_rates(axes[0], run["series"])
    draw_layers(axes[1], grid, n_spatial, run["heights"])
    draw_top(axes[2], run["shown"], run["heights"])
    draw_latency(axes[3], run)
    mark_death(axes, run["down_s"], run["up_s"], run["best"])
    for axis in axes:
        axis.set_xlim(0, run["duration_s"])
        axis.tick_params(length=3, color=FAINT)
    axes[0].grid(axis="y", color=FAINT, alpha=0.25)
    axes[3].grid(axis="y", color=FAINT, alpha=0.25)
    axes[3].set_xlabel("seconds after the first picture")
    figure.suptitle(run["title"], x=0.125, y=0.94, ha="left", fontsize=13, color=INK)
    figure.savefig(path, bbox_inches="tight")
    plt.close(figure)
