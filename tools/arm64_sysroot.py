#!/usr/bin/python3
"""arm64_sysroot.py - libraries of Debian for arm64, to build the programs of arm64 guests against.

    arm64_sysroot.py           makes it if it is not there, prints its path; exit 77 and the reason
                               on standard error if it cannot be had here
    arm64_sysroot.py --print   the same, but makes nothing and needs no network

It lies in the cache of vmm-shim ($VMM_SHIM_CACHE, else $HOME/.cache/vmm-shim, else
/var/cache/vmm-shim) as sysroot-arm64. Packages come by apt-get download with a configuration of its
own (the host's sources and keys, another architecture, own lists) and are unpacked by dpkg-deb -x:
nothing is installed, no root is needed, the host's apt is not touched. Made aside and renamed, so
that what is there is whole.
"""
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile

PACKAGES = """libc6 libc6-dev linux-libc-dev libcrypt1 libgcc-s1 libssl3 libssl-dev libisal2
libisal-dev libev4 libev-dev libmnl0 libmnl-dev libjansson4 libjansson-dev uthash-dev""".split()
NAME = "sysroot-arm64"
SKIP = 77
APT_S = 300


class Unavailable(Exception):
    """One line that says why."""


def cache():
    if os.environ.get("VMM_SHIM_CACHE"):
        return os.environ["VMM_SHIM_CACHE"]
    home = os.environ.get("HOME")
    return os.path.join(home, ".cache", "vmm-shim") if home else "/var/cache/vmm-shim"


def marker(root):
    return os.path.join(root, ".packages")


def is_there(root):
    """Whether a whole one is there, of the packages that are wanted now."""
    try:
        with open(marker(root), encoding="ascii") as f:
            return f.read().split() == PACKAGES
    except OSError:
        return False


def apt(folder, *words, cwd=None):
    options = {
        "APT::Architecture": "arm64", "APT::Architectures": "arm64",
        "Dir::State": f"{folder}/state", "Dir::State::status": f"{folder}/status",
        "Dir::Cache": f"{folder}/cache", "Acquire::Languages": "none",
        "APT::Update::Post-Invoke": "", "APT::Update::Post-Invoke-Success": "",
    }
    if os.geteuid() == 0:
        options["APT::Sandbox::User"] = "root"  # _apt cannot write into our folder
    command = [words[0]] + [w for k, v in options.items() for w in ("-o", f"{k}={v}")] + list(words[1:])
    done = subprocess.run(command, capture_output=True, text=True, timeout=APT_S, cwd=cwd,
                          stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise Unavailable(f"{words[0]} {words[1]}: {lines[-1]}")


def relative_links(root):
    """Links to absolute paths of the packages mean places in the sysroot."""
    for top, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(top, name)
            if os.path.islink(path) and os.readlink(path).startswith("/"):
                target = os.path.join(root, os.readlink(path).lstrip("/"))
                os.unlink(path)
                os.symlink(os.path.relpath(target, top), path)


def make(root):
    for program in ("apt-get", "dpkg-deb"):
        if not shutil.which(program):
            raise Unavailable(f"no {program}: packages of Debian are needed")
    top = os.path.dirname(root)
    with tempfile.TemporaryDirectory(prefix=".sysroot", dir=top) as work:
        state = os.path.join(work, "apt")
        for name in ("state/lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(state, name))
        open(os.path.join(state, "status"), "w", encoding="ascii").close()
        apt(state, "apt-get", "update")
        apt(state, "apt-get", "download", *PACKAGES, cwd=work)
        new = os.path.join(work, "root")
        os.mkdir(new)
        for deb in sorted(n for n in os.listdir(work) if n.endswith(".deb")):
            subprocess.run(["dpkg-deb", "-x", os.path.join(work, deb), new], check=True)
        for name in ("bin", "sbin", "lib"):  # as on a system: /lib is /usr/lib
            path = os.path.join(new, name)
            os.makedirs(os.path.join(new, "usr", name), exist_ok=True)
            if os.path.isdir(path):
                shutil.copytree(path, os.path.join(new, "usr", name), symlinks=True, dirs_exist_ok=True)
                shutil.rmtree(path)
            os.symlink(os.path.join("usr", name), path)
        relative_links(new)
        with open(marker(new), "w", encoding="ascii") as f:
            f.write("\n".join(PACKAGES) + "\n")
        os.chmod(new, 0o755)
        shutil.rmtree(root, ignore_errors=True)
        os.rename(new, root)


def main():
    only_print = sys.argv[1:] == ["--print"]
    if sys.argv[1:] and not only_print:
        print("usage: arm64_sysroot.py [--print]", file=sys.stderr)
        return 64
    root = os.path.join(cache(), NAME)
    try:
        if not is_there(root):
            if only_print:
                raise Unavailable("not made yet: tools/arm64_sysroot.py makes it")
            os.makedirs(cache(), mode=0o755, exist_ok=True)
            with open(os.path.join(cache(), NAME + ".lock"), "w", encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not is_there(root):
                    make(root)
    except (Unavailable, OSError, subprocess.SubprocessError) as error:
        print(f"no libraries for arm64: {error}", file=sys.stderr)
        return SKIP
    print(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
