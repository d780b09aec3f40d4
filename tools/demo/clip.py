"""clip.py - the demo's material: the project's own clip, its layered file, its reference table.

Everything is kept under build/demo/ and made anew when the programs that make it have changed.
"""
import glob
import hashlib
import json
import os

from programs import BUILD, ProgramFailed, run_to_end



class Clip:
    """layered: file. reference: {(picture, spatial): (crc32, ssim)}. sizes: {(picture, spatial):
    bytes}. heights: by spatial layer. n_temporal, fps. mean_bps, peak_bps (largest second)."""


def program_path(name):
    """A program wherever meson puts it."""
    for folder in ("svc", "svc/tools", "media", "server", "client", "load", "vmm-shim",
                   "vmm-shim/vlink"):
        path = os.path.join(BUILD, folder, name)
        if os.path.isfile(path):
            return path
    raise ProgramFailed(f"{name} was not built")


def stamp(files, words):
    """What the product depends on: these files, the libraries of the build, the words."""
    digest = hashlib.sha256(" ".join(words).encode())
    files = sorted(files + glob.glob(os.path.join(BUILD, "svc", "libsvc*.*")))
    for path in files:
        if os.path.isfile(path):
            with open(path, "rb") as f:
                digest.update(f.read())
    return digest.hexdigest()


def made(product, mark):
    """Whether `product` is there and was made under the stamp `mark`."""
    try:
        with open(product + ".stamp", encoding="ascii") as f:
            return os.path.exists(product) and f.read() == mark
    except OSError:
        return False


def make(name, command, product, logs, timeout_s):
    """Run `command`, which writes `product`, unless that was done before by the same program from
    the same inputs. An input is a file of the command that has a stamp itself."""
    marks = [a + ".stamp" for a in command[1:] if a != product and os.path.exists(a + ".stamp")]
    mark = stamp([command[0]] + marks, [a for a in command[1:] if os.sep not in a])
    if made(product, mark):
        return
    run_to_end(name, command, logs, timeout_s)
    if not os.path.exists(product):
        raise ProgramFailed(f"{name} has written no {product}")
    with open(product + ".stamp", "w", encoding="ascii") as f:
        f.write(mark)


def peak_bps(sizes, fps):
    """Largest rate over any whole second, bits/s."""
    n_pictures = 1 + max(p for p, _ in sizes)
    per_picture = [0] * n_pictures
    for (picture, _), size in sizes.items():
        per_picture[picture] += size
    span = max(1, round(fps))
    # The clip is looped: the second that spans the joint counts too.
    ring = per_picture + per_picture[:span]
    return max(sum(ring[i:i + span]) for i in range(n_pictures)) * 8 * fps / span


def load(reference_file):
    """From svc-compare's table: one object a picture, one a layer in it."""
    with open(reference_file, encoding="utf-8") as f:
        pictures = json.load(f)
    layers = {(p["number"], k["spatial"]): k for p in pictures for k in p["layers"]}
    clip = Clip()
    clip.reference = {at: (int(k["crc"], 16), k["ssim_y"]) for at, k in layers.items()}
    clip.sizes = {at: k["bytes"] for at, k in layers.items()}
    clip.fps = (len(pictures) - 1) * 1e6 / (pictures[-1]["pts_us"] - pictures[0]["pts_us"])
    clip.heights = [k["height"] for k in pictures[0]["layers"]]
    clip.n_temporal = 1 + max(p["temporal"] for p in pictures)
    clip.peak_bps = peak_bps(clip.sizes, clip.fps)
    clip.mean_bps = sum(clip.sizes.values()) * 8 * clip.fps / len(pictures)
    return clip


class Form:
    """What the clip looks like, and how it is coded: options of svc-encode."""

    def __init__(self, size, seconds, coding=()):
        self.size, self.seconds, self.coding = size, seconds, list(coding)


DEMO = Form("1280x720", 15)


def make_all(folder, say, form=DEMO):
    """A clip of 30 pictures a second, encoded to three spatial and two temporal layers, or as
    `form` says."""
    source = os.path.join(folder, "clip.mkv")
    layered = os.path.join(folder, "layered.mkv")
    table = os.path.join(folder, "reference.json")
    logs = os.path.join(folder, "make")
    os.makedirs(folder, exist_ok=True)
    say("making the clip, its layers and the reference (kept for the next time)")
    make("svc-testclip", [program_path("svc-testclip"), "--size", form.size, "--duration",
                          str(form.seconds), source], source, logs, 120)
    make("svc-encode", [program_path("svc-encode"), "--quiet", *form.coding, source,
                         layered], layered, logs, 300)
    make("svc-compare", [program_path("svc-compare"), "--quiet", "--json", table, layered, source], table,
         logs, 300)
    clip = load(table)
    clip.layered = layered
    return clip
