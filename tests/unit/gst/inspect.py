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
            assert "Element Properties" in page and "Pad Templates" in page, page
            assert re.search(rf"Example +gst-launch-1.0 .*{name}", page), page
            print(f"{name}: {len(page.splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
