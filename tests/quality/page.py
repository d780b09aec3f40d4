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
NAMES = "<th class=\"text\">scenario</th><th class=\"text\">clip</th>"
# Key of the report: (what it is, what it should come to, whether it does).
GOALS = {
    "oracle_ssim_share": ("mean SSIM in dB over the oracle's", "at least 0.95",
                          lambda v, r: v >= 0.95),
    "oracle_ssim_share_least": ("the least of the rows", "", None),
    "below_best_single": ("rows below the best single path", "0", lambda v, r: v == 0),
    "base_layer_lost": ("base pictures lost, made-up links", "0", lambda v, r: v == 0),
    "base_layer_lost_recorded": ("base pictures lost, recorded links", "", None),
    "base_layer_lost_oracle": ("base pictures that no sender could have brought", "", None),
    "frozen_ms": ("frozen, ms, all rows", "", None),
    "frozen_single_ms": ("frozen, ms, of the best single paths", "", None),
    "frozen_reduction": ("share by which that is less", "at least 0.8",
                         lambda v, r: v >= 0.8),
    "p5_higher": ("rows with a 5th percentile of SSIM not lower", "all",
                  lambda v, r: v == r["rows"]),
    "delay_not_higher": ("rows with a 95th percentile of delay not higher", "all",
                         lambda v, r: v == r["rows"]),
    "rows": ("rows", "", None),
    "decoded_the_same": ("a run that decodes shows the same", "yes", lambda v, r: v),
}
STYLE = ("body{font:14px/1.4 sans-serif;margin:2em}table{border-collapse:collapse}p{max-width:60em}"
         "td,th{padding:.15em .6em;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}"
         "th{border-bottom-color:#888;vertical-align:bottom}.group{border-left:1px solid #bbb}"
         "th[colspan]{text-align:center}"
         ".text{text-align:left}.bad{color:#b00;font-weight:bold}.good{color:#070}"
         "tr.mean td{border-top:1px solid #888;font-weight:bold}.wide{overflow-x:auto}"
         "img{max-width:100%}figure{margin:1em 0}")


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
    figure, axes = plt.subplots(figsize=(14, 3.2))
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
    axes.margins(x=0.01)
    axes.grid(axis="y", color="#ddd")
    axes.set_axisbelow(True)
    axes.legend(fontsize=8, ncol=len(names), loc="lower left", bbox_to_anchor=(0, 1.01),
                frameon=False)
    picture = embedded(figure)
    plt.close(figure)
    return picture


def courses(rows, results):
    """SSIM by second of the product, the best single path and the oracle, first seed."""
    import matplotlib.pyplot as plt
    parts = []
    for at in range(0, len(rows), 4):
        figure, axes = plt.subplots(1, 4, figsize=(14, 2.6), sharey=True)
        for axis, r in zip(axes, rows[at:at + 4]):
            for name in ("oracle", "best single", "product"):
                config = r["best_single"] if name == "best single" else name
                run = results[r["scenario"], r["clip"], config].get(1, {})
                axis.plot(run.get("ssim_by_second", []), color=COLOURS[name], label=name)
            axis.set_title(r["scenario"] + ("" if r["clip"] == "own" else ", " + r["clip"]),
                           fontsize=8)
            axis.set_ylim(0.3, 1)
            axis.grid(color="#ddd")
            axis.set_xlabel("s", fontsize=8)
        axes[0].set_ylabel("SSIM")
        axes[0].legend(fontsize=8, loc="lower left")
        for axis in axes[len(rows[at:at + 4]):]:
            axis.axis("off")
        parts.append(embedded(figure))
        plt.close(figure)
    return parts


def per_link(values, form):
    return "<br>".join(f"{html.escape(name)} {value:{form}}" for name, value in values.items())


def details(rows):
    """Of the product: stages of the delay, layers, links, overhead, the process."""
    head = ("PSNR dB<br>mean/p5", "start-up<br>ms",
            "carried ms<br>p50/p95/p99", "held ms<br>p50/p95/p99", "on display<br>stale/S0/S1/S2",
            "layer<br>switches", "changes<br>of demand", "bytes<br>by link", "queue<br>p95 ms",
            "sent<br>again", "repair", "over-<br>head", "CPU s", "MiB")
    lines = ["<tr>" + NAMES + "".join(f"<th>{h}</th>" for h in head) + "</tr>"]
    for r in rows:
        c = r["configurations"]["product"]
        if "link_bytes" not in c:
            continue
        sent = sum(c["link_bytes"].values()) or 1
        cells = [f"{c['psnr_mean']:.1f}/{c['psnr_p5']:.1f}", f"{c['startup_ms']:.0f}",
                 *("/".join(f"{c[f'{stage}_{p}_ms']:.0f}" for p in ("p50", "p95", "p99"))
                   for stage in ("carried", "held")),
                 "/".join(f"{share:.2f}" for share in c["residency"]), f"{c['switches']:.0f}",
                 f"{c['demand_changes']:.1f}",
                 per_link({n: b / sent for n, b in c["link_bytes"].items()}, ".0%"),
                 per_link(c["queue_p95_ms"], ".0f"),
                 *(f"{c[key]:.1%}" for key in ("resent_share", "repair_share", "overhead_share")),
                 f"{c['cpu_s']:.2f}", f"{c['memory_peak_kib'] / 1024:.0f}"]
        lines.append(names_of(r) + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "<h2>The product in detail</h2>" + whole(lines)


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
        figure, axes = plt.subplots(1, 2, figsize=(14, 4.2))
        figure.subplots_adjust(wspace=0.02)
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


def cell(value, form, good=None, group=False):
    marks = ([] if good is None else ["good" if good else "bad"]) + (["group"] if group else [])
    mark = f" class=\"{' '.join(marks)}\"" if marks else ""
    return f"<td{mark}>{value:{form}}</td>"


def names_of(r):
    return (f"<tr><td class=\"text\" title={quoteattr(r['what'])}>{html.escape(r['scenario'])}</td>"
            f"<td class=\"text\">{html.escape(r['clip'])}</td>")


def whole(lines):
    return "<div class=\"wide\"><table>" + "\n".join(lines) + "</table></div>"


def mean_row(what, rows):
    """Of the figures in the table."""
    def mean(of):
        return sum(of(r) for r in rows) / len(rows)

    def config(name, key):
        return mean(lambda r: r["configurations"][
            r["best_single"] if name == "single" else name][key])

    below = sum(r["below_best_single"] for r in rows)
    return (f"<tr class=\"mean\"><td class=\"text\" colspan=\"3\">mean of {what}</td>"
            f"<td class=\"group\"></td><td>{below} below</td>"
            + cell(config("product", "ssim_db"), ".2f", group=True)
            + cell(config("single", "ssim_db"), ".2f") + cell(config("oracle", "ssim_db"), ".2f")
            + cell(mean(lambda r: r["oracle_ssim_share"]), ".3f")
            + cell(config("product", "ssim_p5"), ".3f", group=True)
            + cell(config("single", "ssim_p5"), ".3f")
            + cell(config("product", "frozen_ms"), ".0f", group=True)
            + cell(config("single", "frozen_ms"), ".0f")
            + cell(config("product", "base_lost"), ".1f", group=True)
            + cell(config("oracle", "base_lost"), ".1f")
            + cell(config("product", "delay_p95_ms"), ".0f", group=True)
            + cell(config("single", "delay_p95_ms"), ".0f") + "</tr>")


def table(rows, verdicts):
    """Every row with its verdicts: against the reference, the best single path and the oracle."""
    groups = (("best single path", ("link", "verdict")),
              ("mean SSIM, dB", ("product", "single", "oracle", "of oracle")),
              ("SSIM p5", ("product", "single")), ("frozen ms", ("product", "single")),
              ("base lost", ("product", "oracle")), ("delay p95 ms", ("product", "single")))
    lines = ["<tr><th colspan=\"3\"></th>" +
             "".join(f"<th class=\"group\" colspan=\"{len(names)}\">{what}</th>"
                     for what, names in groups) + "</tr>",
             "<tr>" + NAMES + "<th>reference</th>" +
             "".join(f"<th class=\"{'' if i else 'group'}\">{name}</th>"
                     for _, names in groups for i, name in enumerate(names)) + "</tr>"]
    for r in rows:
        c = r["configurations"]
        ours, single, oracle = c["product"], c[r["best_single"]], c["oracle"]
        verdict = verdicts.get(r["scenario"], {}).get("verdict", "") if r["clip"] == "own" else ""
        link = html.escape(r["best_single"][len("alone-"):])
        below = r["below_best_single"]
        lines.append(
            names_of(r) + f"<td class=\"{'bad' if verdict == 'regressed' else ''}\">{verdict}</td>"
            f"<td class=\"group\">{link}</td>" + cell(
                "below" if below else "not below", "", not below)
            + cell(ours["ssim_db"], ".2f", group=True)
            + cell(single["ssim_db"], ".2f") + cell(oracle["ssim_db"], ".2f")
            + cell(r["oracle_ssim_share"], ".3f", r["oracle_ssim_share"] >= 0.95)
            + cell(ours["ssim_p5"], ".3f", r["p5_higher"], True) + cell(single["ssim_p5"], ".3f")
            + cell(ours["frozen_ms"], ".0f", None, True) + cell(single["frozen_ms"], ".0f")
            + cell(ours["base_lost"], ".1f", ours["base_lost"] <= oracle["base_lost"], True)
            + cell(oracle["base_lost"], ".1f")
            + cell(ours["delay_p95_ms"], ".0f", r["delay_not_higher"], True)
            + cell(single["delay_p95_ms"], ".0f") + "</tr>")
    made_up = [r for r in rows if not r["recorded"]]
    recorded = [r for r in rows if r["recorded"]]
    lines += [mean_row(what, of) for what, of in (("made-up links", made_up),
                                                  ("recorded links", recorded)) if of]
    return whole(lines)


def goals(report):
    """The sums of the report beside what they should be."""
    lines = ["<tr><th class=\"text\">over all rows</th><th></th><th>goal</th></tr>"]
    for key, (what, goal, met) in GOALS.items():
        value = report.get(key)
        if value is None:
            continue
        shown = ("no", "yes")[value] if isinstance(value, bool) else \
            f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
        lines.append(f"<tr><td class=\"text\">{what}</td>"
                     + cell(shown, "", met(value, report) if met else None)
                     + f"<td>{goal}</td></tr>")
    return whole(lines)


def told(verdicts):
    """What is not as the reference has it, figure by figure."""
    from verdict import OK, sentence
    lines = [f"<li>{html.escape(name)}: {row['verdict']}: {html.escape(sentence(key, row))}</li>"
             for name, v in verdicts.items() for key, row in v["metrics"].items()
             if row["verdict"] != OK]
    return "<h2>Against the stored reference</h2>" + (
        "<ul>" + "\n".join(lines) + "</ul>" if lines else "<p>All is as it was.</p>")


def real_run(measured):
    """The real run beside the simulated one, of real.py."""
    import real
    if not measured or "skipped" in measured:
        return ""
    lines = [f"<tr><th class=\"text\">{real.SCENARIO}, once</th><th>real</th>"
             "<th>simulated</th></tr>"]
    lines += [f"<tr><td class=\"text\">{what}</td>" + "".join(cell(v, ".4g") for v in measured[key])
              + "</tr>" for key, what in real.ROWS]
    return "<h2>Real and simulated</h2>" + whole(lines)


def plots(rows, results, clips):
    parts = []
    for key, what in (("ssim_db", "mean SSIM, dB"), ("ssim_p5", "SSIM, 5th percentile"),
                      ("frozen_ms", "frozen, ms"), ("base_lost", "base pictures lost"),
                      ("delay_p95_ms", "delay p95, ms")):
        parts.append(f"<h2>{what}</h2>")
        parts += [bars(rows[at:at + 14], key, what) for at in range(0, len(rows), 14)]
    return parts + ["<h2>SSIM by second, first seed</h2>", *courses(rows, results),
                    "<h2>Worst on display</h2>", *worst_frames(results, clips)]


def write_html(path, report, verdicts, rows, results, clips):
    parts = [f"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Quality</title>"
             f"<style>{STYLE}</style><h1>What is seen</h1>", goals(report),
             "<h2>Every scenario</h2>", table(rows, verdicts), told(verdicts),
             real_run(report.get("real")), details(rows)]
    try:
        import matplotlib
        matplotlib.use("Agg")
        parts += plots(rows, results, clips)
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
