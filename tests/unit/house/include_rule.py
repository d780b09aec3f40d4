#!/usr/bin/python3
"""include_rule.py - checks who may include whom (ARCHITECTURE.md) over every .c and .h file.

A room is a folder; RULES says, room by room, which other rooms its files may see. System headers
are free, save those that FORBIDDEN_SYSTEM takes from the sans-IO rooms. Before it judges the
tree it judges a planted one, so that a check that cannot fail is itself found out.

    include_rule.py ROOT        exit 0: clean; 1: violations, one line each
"""
import os
import re
import sys
import tempfile

# The most specific room first. A room always sees itself.
ROOMS = [
    "libtvl/include", "libtvl/core", "libtvl/cc", "libtvl/sched", "libtvl/driver",
    "moq/include", "moq", "svc/include", "svc", "server", "peer", "client", "echo", "load", "gst", "gst-libs",
    "vmm-shim/metal", "vmm-shim", "media", "tests",
]

PUBLIC = ["libtvl/include", "moq/include", "svc/include"]
LIBRARIES = PUBLIC + ["gst-libs"]
RULES = {
    "libtvl/include": [],
    "libtvl/core": ["libtvl/include"],
    "libtvl/cc": ["libtvl/include/tvl/cc.h", "libtvl/include/tvl/select.h"],
    "libtvl/sched": ["libtvl/include/tvl/sched.h"],
    "libtvl/driver": ["libtvl/include"],
    "moq/include": ["libtvl/include/tvl/tvl.h"],
    "moq": ["moq/include", "libtvl/include/tvl/tvl.h"],
    "svc/include": [],
    "svc": ["svc/include"],
    "server": PUBLIC + ["peer/held.h", "peer/object.h", "peer/policy.h", "peer/rounds.h", "peer/tracks.h",
                        "peer/wire.h", "svc/tools", "media"],
    "peer": PUBLIC,
    "client": PUBLIC + ["peer", "media"],
    "load": PUBLIC + ["peer"],
    "echo": ["libtvl/include", "peer/path_spec.h"],
    "gst": LIBRARIES + ["peer"],
    "gst-libs": [],
    "vmm-shim/metal": ["libtvl/include", "echo"],
    "vmm-shim": [],
    "media": ["svc/include", "svc/tools"],
    "tests": ["*"],
}

# The sans-IO rooms do not even see the declarations of I/O, clocks and threads. TLS files read
# certificates (tls*.c) and are the one exception.
SANS_IO = ["libtvl/include", "libtvl/core", "libtvl/cc", "libtvl/sched", "moq/include", "moq"]
FORBIDDEN_SYSTEM = re.compile(
    r"^(unistd|fcntl|poll|pthread|threads|time|ev|sys/(time|epoll|poll|select|random|mman))\.h$")

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)


def room_of(path):
    for room in ROOMS:
        if path.startswith(room + "/"):
            return room
    return None


def sources(root):
    for top in sorted({room.split("/")[0] for room in ROOMS}):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def resolve(path, quote, name, files):
    """The project file that `name` means, "" for a system header, None when it cannot be found."""
    if quote == '"':
        here = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if here in files:
            return here
    matches = [f for f in files if f == name or f.endswith("/" + name)]
    # Public headers, one's own room and rooms that one sees win over a namesake elsewhere.
    room = room_of(path)
    matches.sort(key=lambda f: (room_of(f) not in PUBLIC, room_of(f) != room,
                                room is not None and not allowed(room, f), f))
    if quote == "<":
        matches = [f for f in matches if "/" in name and room_of(f) in LIBRARIES]
        return matches[0] if matches else ""
    return matches[0] if matches else None


def allowed(room, target):
    if room_of(target) == room:
        return True
    return any(a == "*" or target == a or target.startswith(a + "/") for a in RULES[room])


def check(root):
    files = set(sources(root))
    wrong = []
    for path in sorted(files):
        room = room_of(path)
        if room is None:
            wrong.append(f"{path}: in no room that the rule knows")
            continue
        with open(os.path.join(root, path), encoding="utf-8") as f:
            text = f.read()
        for match in INCLUDE.finditer(text):
            where = f"{path}:{text.count(chr(10), 0, match.start(2)) + 1}"
            target = resolve(path, match[1], match[2], files)
            if target is None:
                wrong.append(f'{where}: "{match[2]}" is no file of the project')
            elif target and not allowed(room, target):
                wrong.append(f"{where}: {room} may not see {target}")
            elif (not target and room in SANS_IO and FORBIDDEN_SYSTEM.match(match[2])
                  and not os.path.basename(path).startswith("tls")):
                wrong.append(f"{where}: {room} is sans-IO and may not see <{match[2]}>")
    return wrong


# path: (text, whether it breaks the rule)
PLANTED = {
    "libtvl/include/tvl/tvl.h": ("#include <stdint.h>\n", False),
    "libtvl/include/tvl/cc.h": ("#include <tvl/tvl.h>\n", False),
    "libtvl/include/tvl/sched.h": ("#include <tvl/tvl.h>\n", False),
    "libtvl/core/conn.h": ("", False),
    "libtvl/core/good.c": ('#include "conn.h"\n#include <tvl/cc.h>\n#include <string.h>\n', False),
    "libtvl/core/tls_file.c": ("#include <fcntl.h>\n", False),
    "libtvl/core/clock.c": ("#include <time.h>\n", True),
    "libtvl/core/up.c": ('#include "../driver/driver.h"\n', True),
    "libtvl/core/moq.c": ("#include <moq/moq.h>\n", True),
    "libtvl/driver/driver.h": ("", False),
    "libtvl/driver/good.c": ('#include "driver.h"\n#include <ev.h>\n', False),
    "libtvl/driver/peek.c": ('#include "../core/conn.h"\n', True),
    "libtvl/cc/good.c": ("#include <tvl/cc.h>\n", False),
    "libtvl/cc/peek.c": ('#include "core/conn.h"\n', True),
    "libtvl/cc/other.c": ("#include <tvl/sched.h>\n", True),
    "libtvl/sched/good.c": ("#include <tvl/sched.h>\n", False),
    "libtvl/sched/other.c": ("  #  include <tvl/cc.h>\n", True),
    "moq/include/moq/moq.h": ("", False),
    "moq/good.c": ("#include <moq/moq.h>\n#include <tvl/tvl.h>\n", False),
    "moq/svc.c": ("#include <svc/svc.h>\n", True),
    "moq/thread.c": ("#include <pthread.h>\n", True),
    "svc/include/svc/svc.h": ("", False),
    "svc/good.c": ("#include <svc/svc.h>\n#include <time.h>\n", False),
    "svc/tvl.c": ("#include <tvl/tvl.h>\n", True),
    "server/good.c": ("#include <tvl/tvl.h>\n#include <moq/moq.h>\n#include <svc/svc.h>\n", False),
    "server/peek.c": ('#include "libtvl/core/conn.h"\n', True),
    "client/server.c": ('#include "../server/policy.h"\n', True),
    "server/policy.h": ("", False),
    "echo/good.c": ("#include <tvl/tvl.h>\n", False),
    "echo/moq.c": ("#include <moq/moq.h>\n", True),
    "echo/send.h": ("", False),
    "vmm-shim/tvl.c": ("#include <tvl/tvl.h>\n", True),
    "vmm-shim/echo.c": ('#include "echo/send.h"\n', True),
    "vmm-shim/metal/good.c": ('#include <tvl/tvl.h>\n#include "echo/send.h"\n', False),
    "vmm-shim/metal/driver.c": ('#include "libtvl/driver/driver.h"\n', True),
    "vmm-shim/lost.c": ('#include "nowhere.h"\n', True),
    "tests/unit/any.c": ('#include "core/conn.h"\n', False),
}


def self_test():
    with tempfile.TemporaryDirectory() as root:
        for path, (text, _) in PLANTED.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        caught = {line.split(":")[0] for line in check(root)}
    planted = {path for path, (_, breaks) in PLANTED.items() if breaks}
    if caught != planted:
        print(f"self-test: missed {sorted(planted - caught)}, accused {sorted(caught - planted)}")
        return False
    return True


def main():
    if not self_test():
        return 1
    wrong = check(sys.argv[1])
    for line in wrong:
        print(line)
    print(f"include rule: {len(wrong)} violations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
