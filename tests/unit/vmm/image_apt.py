"""image_apt.py SHIM - what `vmm-shim image build` makes of what apt gives, with an apt of the test's own: a good package,
one that was changed on its way, stale lists, packages that are no kernels."""
import hashlib
import io
import lzma
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile

SHIM = os.path.abspath(sys.argv[1])
RELEASE = "6.1.0-99-cloud-amd64"
NAME = "linux-image-" + RELEASE
BUILTIN = ["virtio_pci", "virtio_net", "virtio_console", "virtio_blk", "isofs"]

# The state of the test is in files of $FAKE: NAME.deb, sha256, lists ("host", "own": which lists know the package).
FAKES = {
    "dpkg": "echo amd64",
    "apt-cache": """
        case "$*" in *Dir::State=*) lists=own ;; *) lists=host ;; esac
        grep -q $lists "$FAKE/lists" || { echo "N: Unable to locate package" >&2; exit 100; }
        for last; do :; done
        case "$*" in *APT::Architecture=arm64*) arch=arm64 ;; *) arch=amd64 ;; esac
        echo "Package: $last"; echo "Architecture: $arch"; echo "Version: 6.1.99-1"
        echo "SHA256: $(cat "$FAKE/sha256")"
        echo "Depends: kmod, linux-base (>= 4.3~), %s (= 6.1.99-1)" """ % NAME,
    "apt-get": """
        case "$*" in *" update") echo asked >> "$FAKE/updates"; exit 0 ;; esac
        cp "$FAKE/package.deb" %s_6.1.99-1_amd64.deb""" % NAME,
    "dpkg-deb": 'tar xf "$2" -C "$3"',
}


def elf(kind, notes=b"", modinfo=b""):
    """PVH note in a program header, or .modinfo in a section."""
    names = b"\0.modinfo\0.shstrtab\0"
    phdr, data_at = 64, 256
    shoff = data_at + 512
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", kind, 62, 1, 0, phdr if notes else 0, 0 if notes else shoff, 0, 64, 56, 1 if notes else 0, 64,
        0 if notes else 3, 0 if notes else 2)
    body = bytearray(shoff + 192)
    body[:64] = head
    if notes:
        body[64:120] = struct.pack("<IIQQQQQQ", 4, 4, data_at, 0, 0, len(notes), len(notes), 4)
        body[data_at:data_at + len(notes)] = notes
    else:
        body[data_at:data_at + len(modinfo)] = modinfo
        body[data_at + 256:data_at + 256 + len(names)] = names
        body[shoff + 64:shoff + 128] = struct.pack("<IIQQQQIIQQ", 1, 1, 0, 0, data_at, len(modinfo), 0, 0, 1, 0)
        body[shoff + 128:] = struct.pack("<IIQQQQIIQQ", 10, 3, 0, 0, data_at + 256, len(names), 0, 0, 1, 0)
    return bytes(body)


def kernel(note=18):
    unpacked = elf(2, notes=struct.pack("<III", 4, 4, note) + b"Xen\0" + bytes(4))
    packed = lzma.compress(unpacked) + struct.pack("<I", len(unpacked))
    image = bytearray(1024)
    image[0x1f1] = 1
    image[0x202:0x208] = b"HdrS\x0f\x02"
    image[0x248:0x250] = struct.pack("<II", 0, len(packed))
    return bytes(image) + packed, unpacked


def package(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def good_files():
    modules = f"lib/modules/{RELEASE}/"
    return {f"boot/vmlinuz-{RELEASE}": kernel()[0],
            modules + "modules.builtin": "".join(f"kernel/{b}.ko\n" for b in BUILTIN).encode(),
            modules + "kernel/a/virtio_mmio.ko": elf(1, modinfo=b"depends=ring\0"),
            modules + "kernel/b/ring.ko": elf(1, modinfo=b"depends=\0")}


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.cache = os.path.join(folder, "cache")
        self.fake = os.path.join(folder, "fake")
        os.mkdir(self.fake)
        for name, text in FAKES.items():
            self.write(name, "#!/bin/sh\n" + text + "\n", 0o755)

    def write(self, name, data, mode=0o644):
        path = os.path.join(self.fake, name)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        os.chmod(path, mode)

    def build(self, files, sha256=None, lists="host own", *more, system="cloud"):
        data = package(files)
        self.write("package.deb", data)
        self.write("sha256", sha256 or hashlib.sha256(data).hexdigest())
        self.write("lists", lists)
        self.write("updates", "")
        return subprocess.run([SHIM, "image", "build", system, *more], capture_output=True, text=True, check=False,
                              timeout=60, env={**os.environ, "VMM_SHIM_CACHE": self.cache, "FAKE": self.fake,
                                               "PATH": self.fake + ":/usr/bin:/bin"})

    def left(self):
        return sorted(n for n in os.listdir(self.cache) if n != "lock" and not n.startswith("apt-"))

    def clear(self):
        shutil.rmtree(self.cache, ignore_errors=True)


def libraries_of_another_architecture(b):
    """The arm64 system: its kernel as it is, and a package a library beside it. All are the same package here."""
    b.clear()
    files = {n: d for n, d in good_files().items()}
    files["usr/lib/aarch64-linux-gnu/libx.so"] = b"library"
    done = b.build(files, None, "own", system="arm64")
    assert done.returncode == 0, done
    with open(os.path.join(b.cache, "arm64", "sysroot", "usr", "lib", "aarch64-linux-gnu", "libx.so"), "rb") as f:
        assert f.read() == b"library"
    with open(os.path.join(b.cache, "arm64", "kernel"), "rb") as f:
        assert f.read() == kernel()[0]


def without(name_part):
    return {n: d for n, d in good_files().items() if name_part not in n}


def main():
    with tempfile.TemporaryDirectory(prefix="vmm", dir="/tmp") as folder:
        b = Bench(folder)
        done = b.build(good_files())
        assert done.returncode == 0 and RELEASE in done.stdout, done
        with open(os.path.join(b.cache, "cloud", "kernel"), "rb") as f:
            assert f.read() == kernel()[1]
        with open(os.path.join(b.cache, "cloud", "order"), encoding="ascii") as f:
            assert f.read() == "always ring\nalways virtio_mmio\n"
        assert b.left() == ["cloud", "cloud_6.1.99-1-r2"], b.left()
        assert b.build({"x": b""}).stdout == done.stdout  # nobody is asked again
        assert b.build({"x": b""}, None, "host own", "--fresh").returncode == 1  # but so
        assert b.build({"x": b""}).stdout == done.stdout  # and what is there stays
        # A kernel or base image that was cut is made anew.
        folder_of = os.path.join(b.cache, "cloud")
        for name in ["kernel"] + [n for n in os.listdir(folder_of) if n.startswith("base-")]:
            path = os.path.join(folder_of, name)
            with open(path, "rb") as f:
                whole = f.read()
            os.truncate(path, len(whole) // 2)
            assert b.build(good_files()).returncode == 0, name
            with open(path, "rb") as f:
                assert f.read() == whole, name
        # Stale or missing lists of the host: ours.
        b.clear()
        done = b.build(good_files(), None, "own")
        assert done.returncode == 0, done
        with open(os.path.join(b.fake, "updates"), encoding="ascii") as f:
            assert f.read() == "asked\n"
        # What a killed builder left goes with the next one.
        b.clear()
        os.makedirs(os.path.join(b.cache, ".new-killed", "boot"))
        assert b.build(good_files()).returncode == 0 and ".new-killed" not in os.listdir(b.cache)
        bad = {
            "SHA-256 is not the one": (good_files(), "0" * 64),
            "has no modules": (without("lib/modules"), None),
            "has no module ring": (without("ring.ko"), None),
            "vmlinuz": (without("boot/"), None),
            "PVH entry": ({**good_files(), f"boot/vmlinuz-{RELEASE}": kernel(17)[0]}, None),
            "several releases": ({**good_files(), "lib/modules/other/x": b""}, None),
        }
        for says, (files, sha256) in bad.items():
            b.clear()
            done = b.build(files, sha256)
            assert done.returncode == 1 and done.stderr.count("\n") == 2 and says in done.stderr, (says, done)
            assert b.left() == [], (says, b.left())
        b.clear()
        done = b.build(good_files(), None, "nowhere")
        assert done.returncode == 1 and "is there a network" in done.stderr, done
        libraries_of_another_architecture(b)
        print(f"{len(bad) + 1} ways to fail, nothing left of any")


main()
