"""page.py - quality.json, quality.xml (JUnit) and quality.html of a run of the laboratory."""
import base64
import html
import io
import json
import os
import struct
from xml.sax.saxutils import quoteattr

COLOURS = {"product": "#1f77b4", "best single": "#7f7f7f", "layered": "#17becf",
           "minrtt": "#2ca02c", "roundrobin": "#bcbd22", "redundant": "#9467bd",
           "one-layer": "#ff7f0e", "oracle": "#d62728"}
WORST_SHOWN = 8
STYLE = ("body{font:14px/1.4 sans-serif;margin:2em;max-width:75em}table{border-collapse:collapse}"
         "td,th{padding:.15em .6em;text-align:right;border-bottom:1px solid #ddd}"
         "td:first-child,th:first-child,td:nth-child(2){text-align:left}.bad{color:#b00}"
         ".good{color:#070}img{max-width:100%}figure{margin:1em 0}")


def write_json(path, report):
    with open(path + ".part", "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)
        f.write("\n")
    os.replace(path + ".part", path)


def write_junit(path, verdicts, results):
    from verdict import OK, REGRESSED, sentence
    cases = []
    for name, v in verdicts.items():
        told = "; ".join(sentence(k, row) for k, row in v["metrics"].items()
                         if row["verdict"] != OK)
        inside = f"<failure message={quoteattr(told)}/>" if v["verdict"] == REGRESSED else \
            f"<system-out>{html.escape(v['verdict'] + ' ' + told)}</system-out>"
        cases.append(f"<testcase classname=\"quality\" name={quoteattr(name)}>{inside}</testcase>")
    for key, runs in results.items():
        for seed, r in runs.items():
            if "error" in r and key[2] in ("product", "oracle"):
                cases.append(f"<testcase classname=\"quality.runs\" name="
                             f"{quoteattr(' '.join((*key, str(seed))))}><error message="
                             f"{quoteattr(r['error'])}/></testcase>")
    failed = sum("<failure" in c for c in cases)
    errors = sum("<error" in c for c in cases)
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"<?xml version=\"1.0\"?>\n<testsuite name=\"quality\" tests=\"{len(cases)}\" "
                f"failures=\"{failed}\" errors=\"{errors}\">\n" + "\n".join(cases)
                + "\n</testsuite>\n")


def embedded(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, bbox_inches="tight")
    return f"<img src=\"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}\">"


def bars(rows, key, what):
    """One group of bars a row of the table."""
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(figsize=(max(8, 0.9 * len(rows)), 3.2))
    names = [n for n in COLOURS if n == "best single" or
             any(n in r["configurations"] for r in rows)]
    for i, name in enumerate(names):
        values = [r["configurations"].get(r["best_single"] if name == "best single" else name,
                                          {}).get(key, 0) for r in rows]
        at = [x + (i - len(names) / 2) * 0.8 / len(names) for x in range(len(rows))]
        axes.bar(at, values, 0.8 / len(names), label=name, color=COLOURS[name])
    axes.set_xticks(range(len(rows)))
    axes.set_xticklabels([r["scenario"] if r["clip"] == "own" else f"{r['scenario']}\n{r['clip']}"
                          for r in rows], rotation=30, ha="right", fontsize=8)
    axes.set_ylabel(what)
    axes.legend(fontsize=7, ncol=4)
    picture = embedded(figure)
    plt.close(figure)
    return picture


def courses(rows, results):
    """SSIM by second of the product, the best single path and the oracle, first seed."""
    import matplotlib.pyplot as plt
    parts = []
    for at in range(0, len(rows), 4):
        figure, axes = plt.subplots(1, 4, figsize=(14, 2.4), sharey=True)
        for axis, r in zip(axes, rows[at:at + 4]):
            for name in ("oracle", "best single", "product"):
                config = r["best_single"] if name == "best single" else name
                run = results[r["scenario"], r["clip"], config].get(1, {})
                axis.plot(run.get("ssim_by_second", []), color=COLOURS[name], label=name)
            axis.set_title(r["scenario"] + ("" if r["clip"] == "own" else ", " + r["clip"]),
                           fontsize=8)
            axis.set_ylim(0.3, 1)
        axes[0].legend(fontsize=7)
        for axis in axes[len(rows[at:at + 4]):]:
            axis.axis("off")
        parts.append(embedded(figure))
        plt.close(figure)
    return parts


def details(rows):
    """Of the product: stages of the delay, layers, links, overhead, the process."""
    head = ("scenario", "clip", "PSNR dB", "p5", "start-up ms", "carried p50/p95/p99 ms",
            "held p50/p95/p99 ms", "display stale/S0/S1/S2", "switches", "bytes by link",
            "queue p95 ms", "again", "repair", "overhead", "CPU s", "MiB")
    lines = ["<tr>" + "".join(f"<th>{h}</th>" for h in head) + "</tr>"]
    for r in rows:
        c = r["configurations"]["product"]
        if "link_bytes" not in c:
            continue
        sent = sum(c["link_bytes"].values()) or 1
        cells = [f"{c['psnr_mean']:.1f}", f"{c['psnr_p5']:.1f}", f"{c['startup_ms']:.0f}",
                 *("/".join(f"{c[f'{stage}_{p}_ms']:.0f}" for p in ("p50", "p95", "p99"))
                   for stage in ("carried", "held")),
                 "/".join(f"{share:.2f}" for share in c["residency"]), f"{c['switches']:.0f}",
                 ", ".join(f"{n} {b / sent:.0%}" for n, b in c["link_bytes"].items()),
                 ", ".join(f"{n} {ms:.0f}" for n, ms in c["queue_p95_ms"].items()),
                 *(f"{c[key]:.1%}" for key in ("resent_share", "repair_share", "overhead_share")),
                 f"{c['cpu_s']:.2f}", f"{c['memory_peak_kib'] / 1024:.0f}"]
        lines.append(f"<tr><td>{html.escape(r['scenario'])}</td><td>{r['clip']}</td>"
                     + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "<h2>The product in detail</h2><table>" + "\n".join(lines) + "</table>"


def pixels(cache, picture, which):
    """Luma of a picture: which 0 the source, 1 + s layer s (likeness.c says how the file is)."""
    import numpy
    path = cache + ".planes"
    with open(path, "rb") as f:
        _, width, height, n, spatial, *_ = struct.unpack("8I", f.read(32))
    begin = (32 + 4 * n * spatial + n + 4095) // 4096 * 4096
    at = begin + (picture % n * (1 + spatial) + which) * width * height
    return numpy.fromfile(path, dtype="uint8", count=width * height, offset=at).reshape(
        height, width)


def worst_frames(results, clips):
    """The product's worst, each beside what should have been there."""
    import matplotlib.pyplot as plt
    found = sorted(((w["ssim"], s, c, seed, w) for (s, c, config), runs in results.items()
                    if config == "product" for seed, r in runs.items()
                    for w in r.get("worst", [])), key=lambda row: row[:4])
    seen, parts = set(), []
    for ssim, scenario, clip, seed, w in found:
        if (scenario, clip) in seen or len(parts) == WORST_SHOWN:
            continue
        seen.add((scenario, clip))
        figure, axes = plt.subplots(1, 2, figsize=(10, 3))
        cache = clips[clip].layered.cache
        for axis, picture, which, title in (
                (axes[0], w["wanted"], 0, f"picture {w['wanted']} of the source"),
                (axes[1], w["shown"], 1 + w["spatial"],
                 f"on display: picture {w['shown']}, S{w['spatial']}")):
            axis.imshow(pixels(cache, picture, which), cmap="gray", vmin=0, vmax=255)
            axis.set_title(title, fontsize=9)
            axis.axis("off")
        parts.append(f"<figure>{embedded(figure)}<figcaption>{html.escape(scenario)}, {clip}, "
                     f"seed {seed}: SSIM {ssim:.3f}</figcaption></figure>")
        plt.close(figure)
    return parts


def cell(value, form, good=None):
    mark = "" if good is None else f" class=\"{'good' if good else 'bad'}\""
    return f"<td{mark}>{value:{form}}</td>"


def table(rows, verdicts):
    head = ("scenario", "clip", "verdict", "SSIM dB", "best single", "oracle", "of oracle", "p5",
            "single", "frozen ms", "single", "base lost", "delay p95 ms", "single")
    lines = ["<tr>" + "".join(f"<th>{h}</th>" for h in head) + "</tr>"]
    for r in rows:
        c = r["configurations"]
        ours, single = c["product"], c[r["best_single"]]
        verdict = verdicts.get(r["scenario"], {}).get("verdict", "") if r["clip"] == "own" else ""
        lines.append(
            f"<tr><td>{html.escape(r['scenario'])}</td><td>{r['clip']}</td>"
            f"<td class=\"{'bad' if verdict == 'regressed' else ''}\">{verdict}</td>"
            + cell(ours["ssim_db"], ".2f", not r["below_best_single"])
            + cell(single["ssim_db"], ".2f") + cell(c["oracle"]["ssim_db"], ".2f")
            + cell(r["oracle_ssim_share"], ".3f", r["oracle_ssim_share"] >= 0.95)
            + cell(ours["ssim_p5"], ".3f", r["p5_higher"]) + cell(single["ssim_p5"], ".3f")
            + cell(ours["frozen_ms"], ".0f") + cell(single["frozen_ms"], ".0f")
            + cell(ours["base_lost"], ".1f", ours["base_lost"] == 0)
            + cell(ours["delay_p95_ms"], ".0f", r["delay_not_higher"])
            + cell(single["delay_p95_ms"], ".0f") + "</tr>")
    return "<table>" + "\n".join(lines) + "</table>"


def write_html(path, report, verdicts, rows, results, clips):
    parts = [f"<!doctype html><meta charset=\"utf-8\"><title>Quality</title><style>{STYLE}</style>"
             "<h1>What is seen</h1><p>"
             + html.escape(", ".join(f"{k}: {v:.4g}" for k, v in report.items()
                                     if isinstance(v, (int, float)))) + "</p>", table(rows, verdicts),
             details(rows)]
    try:
        import matplotlib
        matplotlib.use("Agg")
        for key, what in (("ssim_db", "mean SSIM, dB"), ("ssim_p5", "SSIM, 5th percentile"),
                          ("frozen_ms", "frozen, ms"), ("base_lost", "base pictures lost"),
                          ("delay_p95_ms", "delay p95, ms")):
            for at in range(0, len(rows), 14):
                parts.append(f"<h2>{what}</h2>" + bars(rows[at:at + 14], key, what))
        parts.append("<h2>SSIM by second</h2>")
        parts += courses(rows, results)
        parts.append("<h2>Worst on display</h2>")
        parts += worst_frames(results, clips)
    except ImportError:
        parts.append("<p>Without python3-matplotlib there are no plots.</p>")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(parts) + "\n")


def write(o, report, verdicts, rows, results, clips):
    base = os.path.join(o.reports, "quality-small" if o.small else "quality")
    write_json(base + ".json", report)
    write_junit(base + ".xml", verdicts, results)
    if not o.small:
        write_html(base + ".html", report, verdicts, rows, results, clips)
        print(f"\n{os.path.relpath(base)}.json, .xml and .html")
