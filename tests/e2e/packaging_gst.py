"""packaging_gst.py - the GStreamer plug-in and its library as they are installed: found where they lie, and of use to
a stranger's program."""
import os
import re
import shutil
import subprocess
import sysconfig

import installed
import material

ELEMENTS = ["svcav1enc", "svcav1dec", "svcav1parse", "tvlsink", "tvlsrc"]


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **more)


def libdir(root):
    """Where libraries land: lib, or lib and the name of the architecture."""
    return next((d for d in (os.path.join(root, "lib", sysconfig.get_config_var("MULTIARCH") or ""),
                             os.path.join(root, "lib")) if os.path.exists(os.path.join(d, "gstreamer-1.0"))), None)


def environment(libs, registry):
    """As if `libs` were the system's: nothing else of ours is found."""
    return dict(os.environ, GST_PLUGIN_PATH=os.path.join(libs, "gstreamer-1.0"), LD_LIBRARY_PATH=libs,
                GST_REGISTRY=registry, G_DEBUG="fatal-warnings")


def example(destination, libs):
    """docs/examples/layers.c, compiled as its first lines say, by what is installed alone; and the
    header in C++."""
    program = os.path.join(destination, "layers")
    env = dict(os.environ, PKG_CONFIG_PATH=os.path.join(libs, "pkgconfig"))
    prefix = run("pkg-config", "--variable=prefix", "gstreamer-tvl-1.0", env=env).stdout.strip()
    flags = run("pkg-config", "--cflags", "--libs", "gstreamer-tvl-1.0", env=env)
    words = [re.sub(f"^(-[IL]){prefix}/", rf"\1{destination}{prefix}/", w) for w in flags.stdout.split()]
    done = run("cc", os.path.join(material.ROOT, "docs/examples/layers.c"), "-Wall", "-Werror", "-o", program, *words)
    if done.returncode == 0:
        done = run("c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-xc++", *words, "-",
                   input="#include <gst/tvl/layer.h>\n")
    return program if done.returncode == 0 else f"{flags.stderr}{done.stderr}"


def rules(root, destination):
    libs = libdir(root)
    yield "the plug-in is in GStreamer's folder", bool(libs)
    if not libs or not shutil.which("gst-inspect-1.0") or installed.sanitizers(): # not in a system's program
        return
    registry = os.path.join(destination, "registry")
    env = environment(libs, registry)
    said = run("gst-inspect-1.0", "tvl", env=env)
    found = re.findall(r"(?m)^  (\w+): ", said.stdout)
    yield f"gst-inspect-1.0 of the installed plug-in shows {found}", set(ELEMENTS) <= set(found)
    yield "it comes from there", os.path.join(libs, "gstreamer-1.0", "libgsttvl.so") in said.stdout
    program = example(destination, libs)
    yield f"a program by pkg-config: {program}", os.path.exists(program)
    if not os.path.exists(program):
        return
    done = run(program, "videotestsrc num-buffers=20 ! video/x-raw,width=256,height=128 ! "
               "svcav1enc layers=L2T2 speed=10 keyframe-max-dist=0 ! fakesink name=out", env=env)
    yield f"it reads the metas: {done.stdout}{done.stderr}", (
        done.returncode == 0 and re.findall(r"S(\d)T(\d): (\d+) units", done.stdout)
        == [("0", "0", "10"), ("0", "1", "10"), ("1", "0", "10"), ("1", "1", "10")]
        and "1 keys, 1 units" in done.stdout)
