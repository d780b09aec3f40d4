#!/usr/bin/python3
"""capture.py ROOT BUILD [broadcast] - tshark dissects captured connections of ours, with the key log.

Three connections: HTTP/3 between two peers of ours, without and with the offer of multipath, and a
broadcast over two paths, of which the first is judged (tshark 4.0 knows no multipath nonces). Every
packet must decrypt, stream bytes must be seen in the clear, and no packet may be malformed. One
thing is excused: tshark 4.0 does not know multipath's frame types, and takes what follows such a
frame in its packet for frames, too. Skipped (77) where tshark is missing or may not capture on the
loopback interface.
"""
import collections
import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
ROOT, BUILD = (os.path.abspath(a) for a in sys.argv[1:3])
os.environ["SVC_BUILD"] = BUILD
sys.path.insert(0, os.path.join(ROOT, "tools", "demo"))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import material  # noqa: E402
from programs import Programs, ProgramFailed, free_udp_ports, make_pki, wait_for_udp  # noqa: E402

WORK = os.path.join(BUILD, "tests", "interop", "capture")
TOOLS = os.path.join(BUILD, "tests", "interop")
BROADCAST_S = 3
BODY_BYTES = 200000
SKIP = 77
# PATH_ACK and the rest, draft-ietf-quic-multipath
UNKNOWN_FRAMES = ("quic.frame_type == 0x3e || quic.frame_type == 0x3f || "
                  "(quic.frame_type >= 0x3e75 && quic.frame_type <= 0x3e7c)")


def start_capture(running, port, name):
    """dumpcap on `port` of the loopback interface, once it says that it captures."""
    file = os.path.join(WORK, name + ".pcapng")
    dumpcap = running.start("dumpcap-" + name, [shutil.which("dumpcap"), "-q", "-i", "lo", "-f",
                                                f"udp port {port}", "-w", file])
    until = time.monotonic() + 10
    while not (os.path.exists(file) and os.path.getsize(file) > 0):
        dumpcap.check_alive()
        if time.monotonic() > until:
            raise dumpcap.failed("does not capture")
        time.sleep(0.05)
    time.sleep(0.3)  # the file appears a little before the filter is in place
    return dumpcap, file


def may_capture():
    if not shutil.which("tshark") or not shutil.which("dumpcap"):
        return "tshark is not installed; ./run capture installs it"
    if not os.path.exists(os.path.join(TOOLS, "h3_client")):
        return "libnghttp3-dev is not installed"
    done = subprocess.run(["dumpcap", "-q", "-i", "lo", "-a", "duration:1", "-w",
                           os.path.join(WORK, "probe.pcapng")], capture_output=True, text=True,
                          check=False)
    return "" if done.returncode == 0 else "this user may not capture on the loopback interface"


def fields(file, keylog, port, display_filter, names):
    """Rows of the fields `names` of the packets that match."""
    command = ["tshark", "-r", file, "-o", f"tls.keylog_file:{keylog}", "-d",
               f"udp.port=={port},quic", "-Y", display_filter, "-T", "fields"]
    for name in names:
        command += ["-e", name]
    env = dict(os.environ, HOME=WORK)
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        raise ProgramFailed(f"tshark: {done.stderr.strip()}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def judge(name, file, keylog, port, multipath):
    """Prints what tshark found; whether all is well."""
    packets = fields(file, keylog, port, "quic", ["frame.number"])
    malformed = fields(file, keylog, port, f"_ws.malformed && !({UNKNOWN_FRAMES})",
                       ["frame.number", "_ws.col.Info"])
    excused = fields(file, keylog, port, f"_ws.malformed && ({UNKNOWN_FRAMES})", ["frame.number"])
    sealed = fields(file, keylog, port, "quic.decryption_failed", ["frame.number"])
    severe = fields(file, keylog, port,
                    f"_ws.expert.severity == 0x00800000 && !({UNKNOWN_FRAMES})",
                    ["frame.number", "_ws.expert.message"])
    streams = fields(file, keylog, port, "quic.stream_data", ["frame.number"])
    kinds = collections.Counter(t for row in fields(file, keylog, port, "quic.frame_type",
                                                    ["quic.frame_type"]) for t in row[0].split(","))
    print(f"{name}: {len(packets)} packets, {len(malformed)} malformed ({len(excused)} after a "
          f"multipath frame), {len(sealed)} not decrypted, {len(streams)} stream bytes, "
          f"frame types {dict(kinds.most_common(8))}")
    for row in (malformed + severe)[:5]:
        print("  " + " ".join(row))
    return bool(streams) and not (malformed or sealed or severe or (excused and not multipath))


def relay_twice(running, near, middle, port):
    """client - near - middle - port: between near and middle every datagram is on its own, while on
    the outer hops the capture would show what the kernel is given as one (UDP_SEGMENT)."""
    vlink = running.start("vlink", [
        os.path.join(BUILD, "vmm-shim", "vlink", "vlink"),
        "--link", f"name=near,listen=127.0.0.1:{near},to=127.0.0.1:{middle}",
        "--link", f"name=middle,listen=127.0.0.1:{middle},to=127.0.0.1:{port}"])
    wait_for_udp(vlink, middle)


def peers(pki, mode):
    port, near, middle = free_udp_ports(3)
    name = "peers-" + mode
    keylog = os.path.join(WORK, name + ".keys")
    root = os.path.join(WORK, name, "root")  # which the other mode does not write meanwhile
    os.makedirs(root, exist_ok=True)
    with open(os.path.join(root, "body.bin"), "wb") as f:
        f.write(b"x" * BODY_BYTES)
    if os.path.exists(keylog):
        os.remove(keylog)  # it is appended to
    with Programs(os.path.join(WORK, name)) as running:
        dumpcap, file = start_capture(running, middle, name)
        server = running.start("peer-server", [
            os.path.join(TOOLS, "h3_server"), "--listen", f"127.0.0.1:{port}", "--cert",
            pki["server.pem"], "--key", pki["server.key"], "--root", root])
        wait_for_udp(server, port)
        relay_twice(running, near, middle, port)
        client = running.start("peer-client", [
            os.path.join(TOOLS, "h3_client"), "--ca", pki["ca.pem"], "--keylog", keylog,
            *(["--plain"] if mode == "plain" else []), f"127.0.0.1:{near}", "/body.bin"])
        client.wait(30)
        time.sleep(0.5)
        dumpcap.stop()
    return judge(name, file, keylog, middle, mode == "multipath")


def broadcast(pki):
    clip, keylog, watched = material.small_clip(), os.path.join(WORK, "broadcast.keys"), []

    def watch(programs, ports):
        watched.extend(start_capture(programs, ports[0], "broadcast") + (ports[0],))

    links = [material.scenario.Link("wifi", clip.peak_bps * 1.2 + 200e3, 10),
             material.scenario.Link("lte", clip.peak_bps * 0.8 + 200e3, 30)]
    if os.path.exists(keylog):
        os.remove(keylog)  # the player appends
    material.scenario.play(os.path.join(WORK, "broadcast"), clip.layered, pki, links, BROADCAST_S,
                           (), ["--headless", "--keylog", keylog], before_player=watch)
    _, file, port = watched
    return judge("broadcast", file, keylog, port, True)


def main():
    os.makedirs(WORK, exist_ok=True)
    why_not = may_capture()
    if why_not:
        print(f"skipped: {why_not}")
        return SKIP
    pki = make_pki(os.path.join(WORK, "pki"))
    stories = [lambda: peers(pki, "plain"), lambda: peers(pki, "multipath")]
    if "broadcast" in sys.argv[3:]:
        stories.append(lambda: broadcast(pki))
    return 0 if all(material.each(lambda story: story(), stories)) else 1


if __name__ == "__main__":
    sys.exit(main())
