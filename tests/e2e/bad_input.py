#!/usr/bin/python3
"""bad_input.py ROOT BUILD - bad input gives one clear line, the right exit code, and no crash."""
import os
import subprocess
import sys

import material
from clip import program_path
from programs import Programs, free_udp_ports, wait_for_udp

DONE, FAILED, NO_CONNECTION, USAGE = 0, 1, 2, 64
TIMEOUT_S = 60


def case(name, program, arguments, status, says):
    """`says`: a word the line must hold."""
    return name, [program_path(program)] + arguments, status, says


def cases(work, clip, pki, other, port, dead_port):
    cut, empty = os.path.join(work, "cut.mkv"), os.path.join(work, "empty.mkv")
    with open(clip.layered, "rb") as f:
        whole = f.read()
    with open(cut, "wb") as f:
        f.write(whole[:len(whole) * 2 // 3])
    open(empty, "wb").close()
    serve = ["--cert", pki["server.pem"], "--key", pki["server.key"], "--listen",
             "127.0.0.1:0"]
    play = ["--headless", "--duration", "1"]
    uri = f"moqt://127.0.0.1:{port}/live"

    def via(to):
        return ["--path", f"local=127.0.0.1,to=127.0.0.1:{to},name=a"]

    return [
        case("a file cut short", "svc-server", serve + [cut], FAILED, "cut.mkv"),
        case("an empty file", "svc-server", serve + [empty], FAILED, "empty.mkv"),
        case("no file", "svc-server", serve + [os.path.join(work, "none.mkv")], FAILED, "none.mkv"),
        case("no source to encode", "svc-server",
             serve + ["--live", os.path.join(work, "none.mp4")], FAILED, "none.mp4"),
        case("no picture to encode live", "svc-server", serve + ["--live", empty], FAILED,
             "empty.mkv"),
        case("a test picture of no size", "svc-server", serve + ["--live", "test:0x0"], USAGE,
             "test:0x0"),
        case("a key that is none", "svc-server",
             ["--cert", pki["server.pem"], "--key", empty, "--listen", "127.0.0.1:0",
              clip.layered], FAILED, "empty.mkv"),
        case("nothing to encode", "svc-encode", [os.path.join(work, "none.mp4"),
                                                 os.path.join(work, "out.mkv")], FAILED, "none.mp4"),
        case("no picture to encode", "svc-encode", [empty, os.path.join(work, "out.mkv")], FAILED,
             "empty.mkv"),
        case("no server there", "svc-player",
             play + ["--ca", pki["ca.pem"], "--reconnect", "2"] + via(dead_port) +
             [f"moqt://127.0.0.1:{dead_port}/live"], NO_CONNECTION, ""),
        case("another authority", "svc-player",
             play + ["--ca", other["ca.pem"]] + via(port) + [uri], NO_CONNECTION, "certificate"),
        case("an authority that is none", "svc-player",
             play + ["--ca", empty] + via(port) + [uri], FAILED, "empty.mkv"),
        case("no such broadcast", "svc-player",
             play + ["--ca", pki["ca.pem"]] + via(port) + [f"moqt://127.0.0.1:{port}/other"],
             FAILED, ""),
        case("no such interface", "svc-player",
             play + ["--ca", pki["ca.pem"], "--path", "nosuch0", uri], FAILED, "nosuch0"),
        case("no such option", "svc-player", ["--nosuch", uri], USAGE, "nosuch"),
        case("no such option", "svc-server", ["--nosuch"], USAGE, "nosuch"),
        case("no such option", "svc-encode", ["--nosuch"], USAGE, "nosuch"),
        case("no such option", "vlink", ["--nosuch"], USAGE, "nosuch"),
        case("a key no link has", "vlink", ["--link", "name=a,listen=127.0.0.1:0,to=127.0.0.1:1,"
                                            "colour=red"], USAGE, "colour"),
        case("no address", "svc-player", ["http://localhost/"], USAGE, "moqt"),
    ]


def check(name, command, status, says):
    """None, or what is wrong."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"has not ended within {TIMEOUT_S} s"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode != status:
        return f"exit code {done.returncode}, should be {status}: {lines}"
    if len(lines) != 1:
        return f"{len(lines)} lines instead of one: {lines}"
    if says not in lines[0]:
        return f"does not name '{says}': {lines[0]}"
    print(f"ok: {os.path.basename(command[0])}, {name}: {lines[0]}", flush=True)
    return None


def main():
    work, pki, other = material.folder("bad_input"), material.pki(), material.pki("other-pki")
    clip = material.small_clip()
    port, dead_port = free_udp_ports(2)
    n_wrong = 0
    with Programs(work) as running:
        server = running.start("svc-server", [
            program_path("svc-server"), "--cert", pki["server.pem"], "--key", pki["server.key"],
            "--listen", f"127.0.0.1:{port}", "--namespace", "live", "--loop", clip.layered])
        wait_for_udp(server, port)
        wrongs = material.each(lambda case: (case, check(*case)), cases(work, clip, pki, other, port, dead_port))
        for (name, command, *_), wrong in wrongs:
            if wrong:
                print(f"WRONG: {os.path.basename(command[0])}, {name}: {wrong}", flush=True)
                n_wrong += 1
        server.check_alive()
    return 1 if n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
