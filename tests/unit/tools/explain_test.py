#!/usr/bin/python3
"""explain_test.py TVL-EXPLAIN TRACE-PROGRAM - tvl-explain, from outside."""
import glob
import os
import subprocess
import sys
import tempfile

EXPLAIN, TRACE = sys.argv[1:3]


def run(*args):
    return subprocess.run([EXPLAIN, *args], capture_output=True, text=True, check=False)


def expect(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def figures(folder):
    known = os.path.join(folder, "known")
    with open(known, "w", encoding="ascii") as f:
        f.write("knowledge 1\npath cubic 20000000 40000 500 10000 1000 0 40000 1000 0 0\n"
                "cc veno 19000000 500\ncc cubic 3000000 100\n")
    path = ["--rate", "20", "--rtt", "40", "--loss", "1", "--knowledge", known]
    r = run(*path)
    expect(r.returncode == 0 and not r.stderr, r)
    rows = {line[2:].split()[0]: line[2:].split() for line in r.stdout.splitlines()
            if line[:2] in ("* ", "  ") and line[2:3].isalpha()}
    expect({"cubic", "bbr", "veno", "scream"} <= set(rows), f"rows {rows}")
    expect(any(line.startswith("* ") for line in r.stdout.splitlines()), "one is chosen")
    veno = rows["veno"]
    expect(abs(float(veno[2]) - 0.95) < 0.02, f"veno's share by knowledge: {veno}")
    expect(abs(float(veno[5]) - 19) < 0.1, f"veno's rate by knowledge: {veno}")
    expect("score" in r.stdout and "does best" in r.stdout.splitlines()[-1], r.stdout)
    for objective in ("delay", "video"):
        expect(run(*path, "--objective", objective).returncode == 0, objective)


def nonsense(folder):
    bad = os.path.join(folder, "bad")
    with open(bad, "w", encoding="ascii") as f:
        f.write("knowledge 1\npath cubic 1\n")
    for args, code, word in (
            ([], 64, "--rate"), (["--rate", "20"], 64, "--rtt"), (["--rate", "x"], 64, '"x"'),
            (["--rate", "20", "--rtt", "nan"], 64, '"nan"'),
            (["--rate", "-1", "--rtt", "4"], 64, '"-1"'),
            (["--objective", "speed"], 64, "speed"), (["--seen-by", "vegas"], 64, "vegas"),
            (["--qlog", bad, "--rtt", "3"], 64, "qlog"), (["--frob"], 64, "--frob"),
            (["stray"], 64, "stray"), (["--qlog", "/nonexistent"], 1, "/nonexistent"),
            (["--qlog", bad], 1, "no qlog"),
            (["--rate", "2", "--rtt", "3", "--knowledge", bad], 1, "line 2")):
        r = run(*args)
        expect(r.returncode == code and word in r.stderr, f"{args}: {r}")
    expect("usage:" in run("--help").stdout, "--help")


def of_a_connection(folder):
    subprocess.run([TRACE, folder], check=True, stdout=subprocess.DEVNULL)
    server, = glob.glob(folder + "/*_server.sqlog")
    client, = glob.glob(folder + "/*_client.sqlog")
    r = run("--qlog", server)
    expect(r.returncode == 0 and "path 0 at " in r.stdout, r)
    expect(r.stdout.count("* ") >= 1 and "cubic" in r.stdout, r.stdout)
    expect("nothing was chosen" in run("--qlog", client).stdout, "the client has no objective")
    with open(server, encoding="ascii") as f:
        text = f.read()
    cut = os.path.join(folder, "cut")
    at = text.rindex('"tvl:controller_chosen"')
    with open(cut, "w", encoding="ascii") as f:
        f.write(text[:at + 40])
    r = run("--qlog", cut)
    expect(r.returncode == 1 and "damaged" in r.stderr, r)


with tempfile.TemporaryDirectory() as where:
    figures(where)
    nonsense(where)
    of_a_connection(where)
