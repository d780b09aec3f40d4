#!/usr/bin/python3
"""clocks.py ROOT - the wall clock may be stepped: the player and the driver wait by CLOCK_MONOTONIC. libev's
ev_now() is a wall clock (and asks the kernel itself, so that no preloaded library can step it in a test); where the
time of day is meant, it is listed here with its reason.
"""
import os
import re
import sys

WALL = re.compile(r"(?<![a-z_])ev_now\(|ev_time\(|CLOCK_REALTIME|gettimeofday\(|(?<![a-z_])time\(NULL\)|ev_periodic")
MEANT = {
    "client/obey.c": 1,          # the name of a screenshot
    "client/player_watch.c": 1,  # delay from the capture's time of day: shown, nothing waits for it
    "libtvl/driver/ev.c": 1,     # tokens that outlive the process
    "libtvl/driver/qlog.c": 1,   # the name of a file
    "libtvl/driver/udp_io.c": 1, # the kernel stamps datagrams by it; a step is told by its size
}


def main():
    root, wrong, seen = sys.argv[1], [], 0
    for room in ("client", "peer", "libtvl/driver"):
        for name in sorted(os.listdir(os.path.join(root, room))):
            if not name.endswith(".c"):
                continue
            seen += 1
            path = room + "/" + name
            with open(os.path.join(root, path), encoding="utf-8") as f:
                code = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
            found = len(WALL.findall(code))
            if found > MEANT.get(path, 0):
                wrong.append(f"{path}: {found} uses of a wall clock, {MEANT.get(path, 0)} are meant")
    print("\n".join(wrong) or f"{seen} files wait by the monotonic clock")
    return 1 if wrong or seen < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
