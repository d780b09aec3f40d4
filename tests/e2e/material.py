"""material.py - what every end-to-end test needs: a small layered clip, certificates, a folder."""
import os
import sys

sys.dont_write_bytecode = True
ROOT, BUILD = (os.path.abspath(a) for a in sys.argv[1:3])
os.environ["SVC_BUILD"] = BUILD
os.environ.setdefault("SVC_SERVER_CONFINE", "kill") # a system call that is not listed is found out
sys.path.insert(0, os.path.join(ROOT, "tools", "demo"))
import clip as clips  # noqa: E402
import programs  # noqa: E402
import scenario  # noqa: E402, F401 (for the tests that import this)

WORK = os.path.join(BUILD, "tests", "e2e", "work")
SMALL = clips.Form(size="320x180", seconds=3)


def folder(name):
    path = os.path.join(WORK, name)
    os.makedirs(path, exist_ok=True)
    return path


def small_clip(name="clip", coding=()):
    """Made once for all tests; the one that makes it holds the lock. `coding`: as clips.Form."""
    import fcntl
    where = folder(name)
    with open(os.path.join(where, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return clips.make_all(where, lambda text: None,
                              clips.Form(SMALL.size, SMALL.seconds, coding))


def pki(name="pki"):
    import fcntl
    with open(os.path.join(folder("locks"), name), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return programs.make_pki(folder(name))


def each(do, things, at_once=3):
    """do(thing) of each, several at a time: what they give, in order."""
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(do, things))


def together(stories, at_once=3):
    """Stories (no arguments) that wait far more than they work, several at a time, each in folders and at ports of
    its own: the worst of their exit codes."""
    return max(each(lambda story: story(), stories, at_once))
