#!/usr/bin/python3
"""arm64_build.py - the programs of arm64 guests, built across by meson in a folder of their own.

    arm64_build.py SOURCE FOLDER OUTPUT NAME...

Configures FOLDER once for aarch64 against the sysroot of arm64_sysroot.py (with the option
guest_programs: nothing but what guests run), builds, and copies vmm-shim/libexec/arm64/NAME to
OUTPUT where they changed. The main build runs it each time; it does nothing when nothing changed.
"""
import filecmp
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CROSS = """[binaries]
c = [{ccache}'aarch64-linux-gnu-gcc']
ar = 'aarch64-linux-gnu-ar'
nm = 'aarch64-linux-gnu-nm'
strip = 'aarch64-linux-gnu-strip'
pkgconfig = 'pkg-config'

[properties]
sys_root = '{root}'
pkg_config_libdir = '{root}/usr/lib/aarch64-linux-gnu/pkgconfig'

[built-in options]
c_args = ['--sysroot={root}']
c_link_args = ['--sysroot={root}']

[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'cortex-a53'
endian = 'little'
"""


def configure(source, folder, root):
    cross = os.path.join(folder, "arm64.ini")
    text = CROSS.format(root=root, ccache="'ccache', " if shutil.which("ccache") else "")
    os.makedirs(folder, exist_ok=True)
    old = open(cross, encoding="utf-8").read() if os.path.exists(cross) else ""
    if old == text and os.path.exists(os.path.join(folder, "build.ninja")):
        return
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    with open(cross, "w", encoding="utf-8") as f:
        f.write(text)
    done = subprocess.run(
        [os.environ.get("MESON", "meson"), "setup", folder, source, "--cross-file", cross,
         "-Dguest_programs=true", "-Dtests=false", "-Dbuildtype=debugoptimized"],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        os.unlink(cross)  # tried anew the next time
        sys.exit(done.stdout[-3000:] + done.stderr)


def main():
    source, folder, output, names = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    root = subprocess.run([os.path.join(HERE, "arm64_sysroot.py"), "--print"], capture_output=True,
                          text=True, check=False)
    if root.returncode != 0:
        sys.exit(root.stderr)
    configure(source, folder, root.stdout.strip())
    made = [f"vmm-shim/libexec/arm64/{name}" for name in names]
    done = subprocess.run(["ninja", "-C", folder, *made], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stdout[-5000:] + done.stderr)
    os.makedirs(output, exist_ok=True)
    for name, path in zip(names, made):
        new, old = os.path.join(folder, path), os.path.join(output, name)
        if not os.path.exists(old) or not filecmp.cmp(new, old, shallow=False):
            shutil.copy2(new, old)


if __name__ == "__main__":
    main()
