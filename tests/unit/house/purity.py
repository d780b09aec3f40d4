#!/usr/bin/python3
"""purity.py - the protocol engine is a function of inputs, time and seed.

    purity.py ARCHIVE...      each is a static library of a sans-IO room

`nm -u` of every member must name no socket, clock, thread, file or randomness. The TLS seam
(members named tls_*) may leave that work to OpenSSL's own calls, but no more: it is held to the
same list by its own undefined symbols. First a planted archive has to be caught.
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile

FORBIDDEN = re.compile(
    r"^_*("
    r"socket|socketpair|bind|connect|listen|accept4?|send|sendto|sendm?msg|recv|recvfrom|recvm?msg|"
    r"poll|ppoll|select|pselect|epoll_\w+|ioctl|fcntl|"
    r"getsockopt|setsockopt|getsockname|getpeername|getaddrinfo|gethostby\w+|if_\w+|"
    r"time|gettimeofday|clock|clock_\w+|localtime\w*|gmtime\w*|usleep|nanosleep|sleep|"
    r"timer_\w+|timerfd_\w+|alarm|"
    r"pthread_\w+|thrd_\w+|mtx_\w+|cnd_\w+|fork|signal|sigaction|"
    r"open|openat|creat|fopen|fdopen|freopen|fread|fwrite|fgets|fputs|fputc|putc|"
    r"read|readv|pread|write|writev|pwrite|close|mmap|unlink|rename|"
    r"printf|vprintf|fprintf|vfprintf|dprintf|puts|putchar|perror|stdout|stderr|"
    r"rand|rand_r|srand|random|srandom|[dlm]rand48|getrandom|getentropy|arc4random\w*|RAND_\w+|"
    r"getenv|secure_getenv|system|exit|abort_handler_s"
    r")(_chk|64)?(@.*)?$")


def violations(archive):
    """(members seen, list of "member: symbol")."""
    out = subprocess.run(["nm", "-A", "-u", archive], capture_output=True, text=True,
                         check=True).stdout
    members, wrong = set(), []
    for line in out.splitlines():
        where, _, symbol = line.rpartition(" U ")
        if not where:
            continue
        member = where.strip().rstrip(":").split(":")[-1].strip()
        members.add(member)
        if FORBIDDEN.match(symbol.strip()):
            wrong.append(f"{member}: {symbol.strip()}")
    return members, wrong


PLANTED = {
    "clock.c": ("#include <time.h>\nlong f1(void){return (long)time(0);}\n", True),
    "out.c": ('#include <stdio.h>\nvoid f2(int x){printf("%d", x);}\n', True),
    "net.c": ("#include <sys/socket.h>\nint f3(void){return socket(1,2,3);}\n", True),
    "lock.c": ("#include <pthread.h>\nint f4(pthread_mutex_t *m){return pthread_mutex_lock(m);}\n",
               True),
    "dice.c": ("#include <stdlib.h>\nint f5(void){return rand();}\n", True),
    "pure.c": ('#include <stdio.h>\n#include <stdlib.h>\nint f6(char *p, int x)'
               '{free(malloc(3));return snprintf(p,3,"%d",x);}\n', False),
}


def self_test():
    compiler = shlex.split(os.environ.get("CC") or "cc")
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        for name, (text, _) in PLANTED.items():
            source = os.path.join(folder, name)
            with open(source, "w", encoding="utf-8") as f:
                f.write(text)
            objects.append(source[:-2] + ".o")
            subprocess.run(compiler + ["-O2", "-D_FORTIFY_SOURCE=2", "-c", source, "-o",
                                       objects[-1]], check=True)
        archive = os.path.join(folder, "planted.a")
        subprocess.run(["ar", "crs", archive] + objects, check=True)
        caught = {line.split(":")[0] for line in violations(archive)[1]}
    planted = {name[:-2] + ".o" for name, (_, breaks) in PLANTED.items() if breaks}
    if caught != planted:
        print(f"self-test: missed {sorted(planted - caught)}, accused {sorted(caught - planted)}")
        return False
    return True


def main():
    if len(sys.argv) < 2 or not self_test():
        return 1
    status = 0
    for archive in sys.argv[1:]:
        members, wrong = violations(archive)
        for line in wrong:
            print(f"{os.path.basename(archive)}: {line}")
        if wrong or not members:
            status = 1
        print(f"{os.path.basename(archive)}: {len(members)} members, {len(wrong)} impure symbols")
    return status


if __name__ == "__main__":
    sys.exit(main())
