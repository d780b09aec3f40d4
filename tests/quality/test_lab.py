#!/usr/bin/python3
"""test_lab.py BUILD - the laboratory's own claims: runs repeat, the oracle sees what there is, and a
regression is caught and named.
"""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(sys.argv[1])
os.environ["SVC_BUILD"] = BUILD
sys.path.insert(0, HERE)
import clips  # noqa: E402

WIDE = ["--link", "name=a,rate=20mbit,delay=10ms,jitter=2ms"]
DEAD = [*WIDE, "--at", "3s:a.down", "--at", "5s:a.up"]
NARROW = ["--link", "name=a,rate=300kbit,delay=10ms"]
FAILED = []


def say(what, good, *figures):
    print(("ok   " if good else "FAIL ") + what, *figures)
    if not good:
        FAILED.append(what)


def lab(clip, *more, code=0):
    done = subprocess.run([os.path.join(BUILD, "tests", "quality", "lab"),
                           *clip.layered.arguments(), "--seconds", "8", *more],
                          capture_output=True, text=True, check=False)
    if done.returncode != code:
        say(f"exit code {code}", False, more, done.returncode, done.stderr.strip())
        sys.exit(1)
    return json.loads(done.stdout) if code == 0 else done.stderr


def without_cost(result):
    return {k: v for k, v in result.items() if k not in ("cpu_s", "memory_peak_kib")}


def check_runs(clip):
    first, again = lab(clip, *DEAD), lab(clip, *DEAD)
    say("the same arguments give the same run", without_cost(first) == without_cost(again))
    other = lab(clip, *DEAD, "--seed", "2")
    say("another seed gives another", other["links"] != first["links"])
    say("a dead link is seen", 1000 < first["frozen_ms"] < 4000 and first["base_lost"] > 20,
        first["frozen_ms"], first["base_lost"])
    wide = lab(clip, *WIDE)
    say("a wide link shows all", wide["residency"][-1] > 0.99 and wide["base_lost"] == 0,
        wide["residency"])
    say("delay is what the server asked for, and the way",
        405 < wide["delay_p50_ms"] < 430 and wide["delay_p95_ms"] < 430, wide["delay_p50_ms"])
    return wide


def check_oracle(clip, wide):
    best = lab(clip, *WIDE, "--oracle", "--zero", "200")
    say("the oracle shows all over a wide link", best["residency"][-1] == 1.0 and
        abs(best["ssim_mean"] - wide["ssim_mean"]) < 0.002, best["ssim_mean"], wide["ssim_mean"])
    dead = lab(clip, *DEAD, "--oracle", "--zero", "200")
    # of two dead seconds the latency bridges 0.4
    say("nor can it send over a dead one", 1000 < dead["frozen_ms"] < 2100, dead["frozen_ms"])
    narrow = lab(clip, *NARROW, "--oracle", "--zero", "200")
    ours = lab(clip, *NARROW)
    say("over a narrow link it shows something, but not all", narrow["base_lost"] == 0 and
        ours["ssim_db"] - 0.05 < narrow["ssim_db"] < best["ssim_db"], narrow["ssim_db"],
        ours["ssim_db"])


def check_demand(clip, wide):
    """The player's own policy: what its window cannot show is not asked for, and can be decided again."""
    log = os.path.join(BUILD, "quality", "policy.log")
    small = lab(clip, *WIDE, "--size", "160x90", "--cache", clip.layered.cache + "-160x90",
                "--policy", log)
    say("a window that shows no more is asked no more", small["residency"][2] > 0.99 and
        small["residency"][3] < 0.02 and small["demand_changes"] == 0,
        small["residency"], small["demand_changes"])
    sent, less = (r["links"]["a"]["sent_bytes"] for r in (wide, small))
    say("and costs less", less < 0.6 * sent, less, sent)
    replay = subprocess.run([os.path.join(BUILD, "client", "svc-player"), "--replay-policy", log],
                            capture_output=True, text=True, check=False)
    say("the decisions are made again", replay.returncode == 0, replay.stdout.strip(),
        replay.stderr.strip())


def check_complaints(clip):
    say("no picture is an error", "broken off" in lab(
        clip, "--link", "name=a,rate=1mbit,delay=10ms,down", code=1))
    say("so is what is not understood", "speed" in lab(clip, "--link", "name=a,speed=1", code=64))


def check_harm():
    done = subprocess.run([sys.executable, os.path.join(HERE, "quality.py"), BUILD, "--small",
                           "--harm", "base", "--reports", os.path.dirname(clips_folder())],
                          capture_output=True, text=True, check=False)
    told = [line for line in done.stdout.splitlines() if "regressed" in line]
    say("an unprotected base layer is regressed and named", done.returncode == 1 and told and
        any("base-layer pictures lost" in line for line in told), *told)


def clips_folder():
    return os.path.join(BUILD, "quality", "clips")


def main():
    clip = clips.own(os.path.join(BUILD, "quality"), clips.SMALL, clips.SMALL_KBPS)
    wide = check_runs(clip)
    check_oracle(clip, wide)
    check_demand(clip, wide)
    check_complaints(clip)
    check_harm()
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
