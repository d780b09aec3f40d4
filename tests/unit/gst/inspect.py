#!/usr/bin/python3
"""inspect.py - gst-inspect-1.0 shows the plug-in and each of its elements, without a warning.

    inspect.py PLUGIN        exit 77: no gst-inspect-1.0
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile


def run(env, *args):
    done = subprocess.run(["gst-inspect-1.0", *args], env=env, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, (args, done.stderr)
    assert not done.stderr.strip(), (args, done.stderr)
    return done.stdout


# Of GStreamer's own classes, which do not say when they may be set.
INHERITED = {"name", "parent", "qos", "async-handling", "message-forward", "min-force-key-unit-interval",
             "max-errors", "discard-corrupted-frames", "automatic-request-sync-points",
             "automatic-request-sync-point-flags"}
CLASSES = {"svcav1enc": "Codec/Encoder/Video", "svcav1dec": "Codec/Decoder/Video", "svcav1parse": "Codec/Parser",
           "tvlsink": "Sink/Network", "tvlsrc": "Source/Network"}
SIGNALS = {"tvlsink": {"path-up", "path-down", "caller-added", "caller-removed"},
           "tvlsrc": {"path-up", "path-down", "layer-changed", "caller-added", "caller-removed", "caller-rejected"}}
URIS = {"tvlsink": "write", "tvlsrc": "read"}


def section(page, title):
    found = re.search(rf"^{title}:\n((?: .*\n|\n(?= ))*)", page, re.MULTILINE)
    return found[1] if found else ""


def properties(page):
    """{name: (blurb, the lines below it)}"""
    found = {}
    for line in section(page, "Element Properties").splitlines():
        head = re.match(r"  ([a-z][a-z0-9-]*) *: ?(.*)", line)
        if head:
            found[head[1]] = (head[2], [])
        elif found and line.strip():
            found[next(reversed(found))][1].append(line.strip())
    return found


def check_property(where, blurb, lines):
    """What a reader of the page needs: what it is for, when it may be set, what to, what it is unless set."""
    assert len(blurb) > 3, where
    flags, rest = lines[0], " ".join(lines[1:])
    assert flags.startswith("flags: readable"), (where, flags)
    if "writable" not in flags:
        assert "GstStructure" in rest, (where, rest)
        return
    assert re.search("changeable (only in NULL or READY|in NULL, READY, PAUSED or PLAYING) state", flags), (where, flags)
    assert re.search(r"Default: *\S", rest), (where, rest)
    if "Integer" in rest or "Double" in rest:
        assert "Range: " in rest, (where, rest)
    if "Enum" in rest: # each value: a nick, and what it means
        values = re.findall(r"\(\d+\): (\S+) +- (\S.*?)(?= *\(\d+\):|$)", rest)
        assert len(values) > 1 and all(nick == nick.lower() and len(says) > 3 for nick, says in values), (where, rest)


def check_page(name, page):
    assert "Element Properties" in page and "Pad Templates" in page, page
    assert re.search(rf"Example +gst-launch-1.0 .*{name}", page), page
    assert CLASSES.get(name, "") in re.search(r"Klass +(.*)", page)[1], page
    for key in ("Long-name", "Description", "Author", "Version", "License"):
        assert re.search(rf"^  {key} +\S.{{3,}}", page, re.MULTILINE), (name, key)
    found = properties(page)
    for prop, (blurb, lines) in found.items():
        if prop not in INHERITED:
            check_property((name, prop), blurb, lines)
    assert "stats" in found, (name, found)
    signals = set(re.findall(r'^  "([a-z-]+)" :', section(page, "Element Signals"), re.MULTILINE))
    assert SIGNALS.get(name, set()) <= signals, (name, signals)
    if name in URIS:
        assert "Element can act as " + ("sink" if URIS[name] == "write" else "source") in page, page
        assert re.search(r"Supported URI protocols:\n +moqt$", page, re.MULTILINE), page
    return len(found), len(signals)


def check_lists(env, elements):
    """What gst-inspect-1.0 finds without being told where."""
    uris = run(env, "-u")
    for name, way in URIS.items():
        assert re.search(rf"^{name} \({way}, rank 256\): moqt$", uris, re.MULTILINE), uris
    for name in elements:
        run(env, "--exists", "--atleast-version=0.1", name) # without: as new as GStreamer, which is no version of ours
        if name in CLASSES:
            assert f"  {name}: " in run(env, "-t", CLASSES[name]), name
    absent = subprocess.run(["gst-inspect-1.0", "--exists", "--atleast-version=0.0", "tvlnothing"], env=env, capture_output=True, check=False)
    assert absent.returncode == 1, absent
    features = run(env, "--print-plugin-auto-install-info", "tvl")
    assert {"element-" + e for e in elements} <= set(features.splitlines()), features


def main():
    plugin = os.path.abspath(sys.argv[1])
    if not shutil.which("gst-inspect-1.0"):
        print("SKIP: no gst-inspect-1.0 (gstreamer1.0-tools)")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        # Only our folder and the core: what else is installed may warn as it likes.
        env = dict(os.environ, GST_REGISTRY=os.path.join(folder, "registry"),
                   GST_PLUGIN_SYSTEM_PATH="", GST_PLUGIN_PATH=os.path.dirname(plugin),
                   GST_DEBUG="*:WARNING", G_DEBUG="fatal-warnings", GST_DEBUG_NO_COLOR="1")
        text = run(env, "tvl")
        elements = re.findall(r"^  (\w+): ", text, re.MULTILINE)
        assert {"svcav1enc", "svcav1dec", "svcav1parse", "tvlsink", "tvlsrc"} <= set(elements), text
        for name in elements:
            page = run(env, name)
            print("%s: %u properties, %u signals" % (name, *check_page(name, page)))
        check_lists(env, elements)
    return 0


if __name__ == "__main__":
    sys.exit(main())
