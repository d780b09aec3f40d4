#!/usr/bin/python3
"""names.py ROOT BUILD - a name that has an address of each family, of which only one answers: svc-player and
tvlsink find it (RFC 8305). The name is localhost, by a hosts file in a mount namespace.
"""
import os
import shutil
import subprocess
import sys

import material
from clip import program_path
from live_report import exit_code
from programs import Programs, free_udp_ports, wait_for_udp

HOSTS = "::1 localhost\n127.0.0.1 localhost\n"


def named(folder):
    """What goes before a command for which localhost is both."""
    hosts = os.path.join(folder, "hosts")
    with open(hosts, "w", encoding="utf-8") as f:
        f.write(HOSTS)
    return [shutil.which("unshare") or "unshare", "--mount", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]


def player(folder, family, listen):
    (port,) = free_udp_ports(1)
    pki, report = material.pki(), os.path.join(folder, family + ".json")
    with Programs(folder) as running:
        server = running.start("svc-server-" + family, [
            program_path("svc-server"), "--cert", pki["server.pem"], "--key", pki["server.key"], "--listen",
            f"{listen}:{port}", "--namespace", "live", "--loop", material.small_clip().layered])
        wait_for_udp(server, port)
        seeing = running.start("svc-player-" + family, [
            *named(folder), program_path("svc-player"), "--ca", pki["ca.pem"], "--headless", "--json", report,
            "--duration", "1", f"moqt://localhost:{port}/live"])
        seeing.wait(30)
    shown = len(material.scenario.read_json(report, seeing)["shown"])
    print(f"svc-player, {family} alone answers: {shown} shown")
    return exit_code({"it shows pictures": shown > 10})


def publisher(folder):
    """tvlsink with one try only."""
    (port,) = free_udp_ports(1)
    pki = material.pki()
    launch = [shutil.which("gst-launch-1.0"), "-q"]
    trust = f"tls-ca={pki['ca.pem']}"
    with Programs(folder) as running:
        seeing = running.start("gst-listen", [*launch, "tvlsrc", "mode=listener", f"uri=moqt://127.0.0.1:{port}/live",
                               f"tls-certificate={pki['server.pem']}", f"tls-key={pki['server.key']}", "!",
                               "svcav1dec", "!", "fakesink"])
        wait_for_udp(seeing, port)
        sending = running.start("gst-call", [
            *named(folder), *launch, "videotestsrc", "is-live=true", "num-buffers=150", "!",
            "video/x-raw,width=160,height=90,framerate=30/1", "!", "svcav1enc", "speed=10", "!", "tvlsink",
            f"uri=moqt://localhost:{port}/live", trust, "reconnect=0"])
        seeing.wait(30) # it ends as the broadcast does
        sending.wait(10)
    print("tvlsink: published to 127.0.0.1 as localhost")
    return 0


def main():
    folder = material.folder("names")
    if os.geteuid() != 0 or subprocess.run([*named(folder), "true"], check=False).returncode != 0:
        print("SKIP: no mount namespace to be had here")
        return 77
    plugin = os.path.join(material.BUILD, "gst")
    os.environ.update(GST_PLUGIN_PATH=plugin, GST_REGISTRY=os.path.join(folder, "registry"))
    material.small_clip()
    stories = [lambda: player(folder, "IPv4", "127.0.0.1"), lambda: player(folder, "IPv6", "[::1]")]
    if shutil.which("gst-launch-1.0"):
        stories.append(lambda: publisher(folder))
    return material.together(stories)


if __name__ == "__main__":
    sys.exit(main())
