"""clips.py - what is played: the project's own clip, and those of ../shared/media, made layered.

Each is also coded in one layer at several rates, for the player that has only one path and one
layer. Kept under build/quality/clips and made anew when the programs that make it have changed.
"""
import glob
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "demo"))
import clip as demo  # noqa: E402

KBPS = (150, 450, 1200)               # of the layers
LADDER = (0.25, 0.45, 0.7, 1.0)       # of their sum, in one layer
FULL = {"size": "640x360", "seconds": 10}
SMALL = {"size": "320x180", "seconds": 4}
SMALL_KBPS = (60, 180, 400)
SHARED = ("dog_720p30_10s.mp4", "walk_gopro_480p30_10s.mp4", "dashcam_540p25_9s.mp4",
          "sintel_rooftop_480p25_26s.mp4")


class Coded:
    """A layered file, and where its likeness to the source is kept."""

    def __init__(self, path, source, cache):
        self.path, self.source, self.cache = path, source, cache

    def arguments(self):
        return ["--clip", self.path, "--source", self.source, "--cache", self.cache]


class Clip:
    """layered: Coded. ladder: [(bits/s, Coded)], rising. bps: mean of the layered file."""

    def __init__(self, name):
        self.name = name
        self.ladder = []

    def one_layer(self, bps):
        """The best that fits into `bps`, or the least there is."""
        fitting = [coded for rate, coded in self.ladder if rate <= bps]
        return fitting[-1] if fitting else self.ladder[0][1]


def forget_old(cache):
    """Pixels of what was coded before: they are large."""
    for path in glob.glob(cache.rsplit(".", 1)[0] + ".*"):
        if not path.startswith(cache) and path.endswith((".planes", ".pairs")):
            os.remove(path)


def encode(folder, source, name, layers, kbps, form):
    out = os.path.join(folder, name + ".mkv")
    demo.make("svc-encode", [demo.program_path("svc-encode"), "--quiet", "-l", layers, "-s",
                             form["size"], "-d", str(form["seconds"]), "-b",
                             ",".join(str(k) for k in kbps), source, out], out, folder, 600)
    with open(out, "rb") as f:
        mark = demo.stamp([out], [source])[:12]
        f.seek(0, 2)
        bps = f.tell() * 8 / form["seconds"]
    coded = Coded(out, source, os.path.join(folder, f"{name}.{mark}"))
    forget_old(coded.cache)
    return coded, bps


def make(folder, name, source, form, kbps):
    clip = Clip(name)
    clip.layered, clip.bps = encode(folder, source, "layered", "L3T2", kbps, form)
    total = sum(kbps)
    for share in LADDER:
        rate = int(total * share)
        coded, bps = encode(folder, source, f"one-{rate}", "L1T1", (rate,), form)
        clip.ladder.append((bps, coded))
    return clip


def own(work, form=None, kbps=None):
    """The project's own clip."""
    form, kbps = form or FULL, kbps or KBPS
    folder = os.path.join(work, "clips", "own-" + form["size"])
    os.makedirs(folder, exist_ok=True)
    source = os.path.join(folder, "source.mkv")
    demo.make("svc-testclip", [demo.program_path("svc-testclip"), "-s", form["size"], "-d",
                               str(form["seconds"]), source], source, folder, 600)
    return make(folder, "own", source, form, kbps)


def shared(work, media, count):
    """Up to `count` of ../shared/media."""
    clips = []
    for file in SHARED[:count]:
        source = os.path.join(media, file)
        name = file.split("_")[0]
        folder = os.path.join(work, "clips", name)
        if os.path.exists(source):
            os.makedirs(folder, exist_ok=True)
            clips.append(make(folder, name, source, FULL, KBPS))
    return clips


