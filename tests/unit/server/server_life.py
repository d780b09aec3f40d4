#!/usr/bin/python3
"""server_life.py SVC_SERVER SVC_TESTCLIP SVC_ENCODE - the server as a process: ready, the end by
signal and by the end of the file, its report, and how it refuses what it cannot use."""
import json
import os
import signal
import subprocess
import sys
import tempfile

SERVER, TESTCLIP, ENCODE = sys.argv[1:4]
SECONDS = 1
failures = []


def check(what, ok, detail=""):
    print(("ok   " if ok else "FAIL ") + what, detail)
    if not ok:
        failures.append(what)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def make_material(folder):
    raw, clip = os.path.join(folder, "raw.mkv"), os.path.join(folder, "clip.mkv")
    cert, key = os.path.join(folder, "c.pem"), os.path.join(folder, "k.pem")
    for command in ([TESTCLIP, "-s", "320x180", "-d", str(SECONDS), raw],
                    [ENCODE, "--quiet", "--key-interval", "0.5s", raw, clip],
                    ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                     "/CN=localhost", "-keyout", key, "-out", cert]):
        done = run(*command)
        if done.returncode != 0:
            sys.exit("%s: %s" % (command[0], done.stderr))
    return clip, ["--cert", cert, "--key", key, "--listen", "127.0.0.1:0"]


def start(*args):
    server = subprocess.Popen([SERVER, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
    check("says that it is ready", server.stdout.readline().startswith(
        "svc-server: ready on 127.0.0.1:"))
    return server


def finish(server, timeout):
    _, err = server.communicate(timeout=timeout)
    return server.returncode, err


def lives(folder, clip, serve):
    report = os.path.join(folder, "report.jsonl")
    code, err = finish(start(*serve, "--json", report, clip), 30)
    check("the end of the file is the end", code == 0 and not err, (code, err))
    with open(report, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    check("reports", lines[-1]["kind"] == "final" and lines[-1]["viewers"] == []
          and lines[-1]["t_ms"] >= SECONDS * 900, lines[-1])
    whole = lines[-1]["sources"][0]["objects"]
    code, err = finish(start(*serve, "--json", report, "--start", "0.4", clip), 30)
    with open(report, encoding="utf-8") as file:
        part = json.loads(file.readlines()[-1])["sources"][0]["objects"]
    check("begins later in the file", code == 0 and 0 < part < whole * 3 / 4, (code, err, part, whole))
    for name, args in (("looping", ["--loop"]), ("waiting for a viewer", ["--start-on-viewer"])):
        server = start(*serve, *args, clip)
        try:
            server.wait(SECONDS + 1.5)
            check(name + ": goes on", False)
        except subprocess.TimeoutExpired:
            check(name + ": goes on", True)
        server.send_signal(signal.SIGTERM)
        code, err = finish(server, 10)
        check(name + ": SIGTERM ends it", code == 0 and not err, (code, err))


def refusals(folder, clip, serve):
    text, cut = os.path.join(folder, "text.mkv"), os.path.join(folder, "cut.mkv")
    with open(text, "w", encoding="ascii") as file:
        file.write("no film")
    with open(clip, "rb") as source, open(cut, "wb") as file:
        data = source.read()
        file.write(data[:len(data) // 2])
    held = start(*serve, "--loop", clip)
    rows = [
        ([*serve, os.path.join(folder, "none.mkv")], 1, "none.mkv"),
        ([*serve, text], 1, "text.mkv"),
        ([*serve, "--start", "60", clip], 1, "start_s"),
        ([*serve, cut], 1, "cut.mkv"),
        ([*serve, "--cert", text, clip], 1, "text.mkv"),
        ([*serve, "--key", os.path.join(folder, "none.pem"), clip], 1, "none.pem"),
        ([*serve, "--json", "/nonexistent/x", clip], 1, "/nonexistent/x"),
        ([*serve, "--keylog", "/nonexistent/x", clip], 1, "/nonexistent/x"),
        ([*serve, "--listen", "192.0.2.1:1", clip], 1, "192.0.2.1:1"),
        ([*serve, "--listen", "nonsense", clip], 64, "nonsense"),
        ([clip], 64, "openssl req"),
    ]
    for args, code, word in rows:
        done = run(SERVER, *args)
        one_line = done.stderr.count("\n") == 1
        check("refuses " + word, done.returncode == code and one_line and word in done.stderr,
              (done.returncode, done.stderr))
    held.send_signal(signal.SIGTERM)
    finish(held, 10)


def configured(folder, clip, serve):
    """A file does what the command line does; --check looks at all that it names."""
    def yaml(name, text):
        path = os.path.join(folder, name + ".yaml")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    other = os.path.join(folder, "other.key")
    run("openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", other)
    good = ("listen: 127.0.0.1:0\ncert: c.pem\nkey: k.pem\nsources:\n"
            "- {input: clip.mkv, loop: true}\n")
    file = yaml("good", good)
    done = run(SERVER, "--config", file, "--check")
    check("a good file", (done.returncode, done.stdout, done.stderr) == (0, "ok\n", ""), done)
    for name, text, more, says in (
            ("unknown", "colour: red\n" + good, [], "unknown.yaml:1: unknown key colour"),
            ("none", good.replace("clip", "none"), ["--check"], "none.mkv"),
            ("pair", good, ["--key", other, "--check"], "other.key"),
            ("token", good + "access: {token_key: none.pem, token_algorithm: ES256}\n", ["--check"], "none.pem"),
            ("report", good + "json: /nonexistent/x\n", ["--check"], "/nonexistent/x")):
        done = run(SERVER, "--config", yaml(name, text), *more)
        check("refuses configuration " + name, done.returncode == 78 and says in done.stderr
              and done.stderr.count("\n") == 1 and not done.stdout, (done.returncode, done.stderr))
    done = run(SERVER, "--check", "--config", yaml("all", good + "- {input: none.mkv}\nqlog: /nonexistent/q\n"))
    check("says all that is wrong", done.returncode == 78 and done.stderr.count("\n") == 3 and all(
        word in done.stderr for word in ("two sources", "none.mkv", "/nonexistent/q")), done.stderr)
    held = start("--config", file)
    held.send_signal(signal.SIGTERM)
    code, err = finish(held, 10)
    check("serves by a file", code == 0 and not err, (code, err))


with tempfile.TemporaryDirectory() as scratch:
    material = make_material(scratch)
    lives(scratch, *material)
    refusals(scratch, *material)
    configured(scratch, *material)
sys.exit(1 if failures else 0)
