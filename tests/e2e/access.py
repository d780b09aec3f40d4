#!/usr/bin/python3
"""access.py ROOT BUILD - who may do what at svc-server: each thing that is not allowed is refused with the
protocol's own error, the access log says so, and a viewer beside it sees none of this."""
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
import time

import material
from clip import program_path
from programs import Programs, free_udp_ports, openssl, wait_for_udp

UNAUTHORIZED, MALFORMED, EXPIRED, EXCESSIVE_LOAD, DOES_NOT_EXIST = 0x1, 0x4, 0x5, 0x9, 0x10  # requests
CLOSE_UNAUTHORIZED, CLOSE_MALFORMED, CLOSE_EXPIRED = 0x2, 0x16, 0x18  # sessions
CONNECTION_REFUSED = 0x2  # QUIC's
CERTIFICATE_REQUIRED = 0x100 + 116  # TLS alert
DONE_UNAUTHORIZED = 0x1
LEEWAY_S = 30  # TOKEN_LEEWAY_S
STRIKES = 16  # ACCESS_STRIKES_MAX
RETRY_S = 5  # RETRY_LOAD_MS
failures = []


def check(what, ok, detail=""):
    print(f"ok   {what}" if ok else f"FAIL {what} {detail}", flush=True)
    if not ok:
        failures.append(what)


class Bench:
    """A folder with keys and tokens, and clients of a server on `port`."""

    def __init__(self, work, pki, port):
        self.work, self.pki, self.port = work, pki, port
        self.key("key", "ES256")
        self.key("stranger", "ES256")
        self.key("secret", "HS256")

    def path(self, name):
        return os.path.join(self.work, name)

    def tool(self, *args):
        done = subprocess.run([program_path("svc-token"), *args], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def key(self, name, algorithm):
        for path in (self.path(name), self.path(name) + ".pub"):
            if os.path.exists(path):
                os.unlink(path)
        self.tool("--new-key", self.path(name), "--algorithm", algorithm)

    def token(self, name, *args, key="key"):
        """The name of a file with a token."""
        self.write(name, self.tool("--key", self.path(key), *args))
        return self.path(name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as f:
            f.write(text)
        return self.path(name)

    def expiring(self, name, in_s, *grants):
        """Made with the project's own tool: no good `in_s` from now on."""
        import base64
        import hashlib
        import hmac
        with open(self.path("secret"), encoding="ascii") as f:
            secret = f.read().strip().encode()
        claims = {"exp": int(time.time()) + in_s - LEEWAY_S, **dict(grants)}

        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")
        text = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
        text += b"." + part(hmac.new(secret, text, hashlib.sha256).digest())
        return self.write(name, text.decode())

    def visit(self, ns, port=None, **options):
        words = [f"{k}={v}" for k, v in options.items()]
        done = subprocess.run([os.path.join(material.BUILD, "tests", "e2e", "visit"), f"port={port or self.port}",
                               f"ca={self.pki['ca.pem']}", f"ns={ns}", *words], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def code(visit):
    return visit["closed"]["code"] if visit["closed"] else None


def write_config(work, name, clip, pki, port, access):
    path = os.path.join(work, name)
    source = {"kind": "file", "input": clip.layered, "loop": True}
    own = {}
    for end in ("pem", "key"):  # of its own: one server's is replaced
        own[end] = os.path.join(work, "server." + end)
        shutil.copy(pki["server." + end], own[end])
    config = {"listen": f"127.0.0.1:{port}", "cert": own["pem"], "key": own["key"], "workers": 2,
              "sources": [{"namespace": ns, **source} for ns in ("live/garden", "open/door")]
              + [{"namespace": "cam", "kind": "publish"}], "access": access}
    with open(path, "w", encoding="ascii") as f:
        json.dump(config, f)  # which is YAML
    return path


def good_viewer(bench, running):
    """The player itself, all the time, with a token of its own."""
    token = bench.token("good.token", "--subscribe", "live", "--ttl", "1h", "--subject", "good")
    return running.start("good", [
        program_path("svc-player"), "--headless", "--ca", bench.pki["ca.pem"], "--token", token, "--json",
        bench.path("good.json"), "--path",
        f"local=127.0.0.1,to=127.0.0.1:{bench.port},name=a", f"moqt://127.0.0.1:{bench.port}/live/garden"])


def tokens_in_setup(bench):
    good = bench.token("a.token", "--subscribe", "live/", "--publish", "cam", "--ttl", "1h", "--subject", "anna")
    v = bench.visit("live/garden", setup=good)
    check("a token in SETUP lets in", v["objects"] > 0, v)
    v = bench.visit("live/garden", request=good)
    check("a token in the request lets in", v["objects"] > 0, v)
    rows = [
        ("expired", bench.expiring("old.token", -1, ("subscribe", ["live"])), "secret"),
        ("another key's", bench.token("b.token", "--subscribe", "live", "--ttl", "1h", key="stranger"), None),
        ("another algorithm's", bench.token("c.token", "--subscribe", "live", "--ttl", "1h", key="secret"), None),
        ("too long", bench.write("long.token", "a" * 4000 + "." + "b" * 90 + "." + "c" * 90), None),
        ("no token at all", bench.write("junk.token", "hello, world"), None),
        ("not signed", bench.write("none.token", "eyJhbGciOiJub25lIn0.eyJleHAiOjQwMDAwMDAwMDAsInN1YnNjcmliZSI6WyIiXX0."),
         None),
    ]
    for name, token, key in rows:
        if key:
            continue  # at the other server
        v = bench.visit("live/garden", setup=token)
        check(f"in SETUP, {name}: MALFORMED_AUTH_TOKEN", code(v) == CLOSE_MALFORMED and not v["accepted"], v)
        v = bench.visit("live/garden", request=token)
        check(f"in a request, {name}: MALFORMED_AUTH_TOKEN", v["refused"] == [MALFORMED], v)
    early = bench.token("early.token", "--subscribe", "live", "--ttl", "1h", "--start", "1h")
    v = bench.visit("live/garden", setup=early)
    check("in SETUP, not good yet: UNAUTHORIZED", code(v) == CLOSE_UNAUTHORIZED, v)


def namespaces(bench):
    token = bench.path("a.token")
    check("without a token: UNAUTHORIZED", bench.visit("live/garden")["refused"] == [UNAUTHORIZED])
    check("what needs none", bench.visit("open/door")["objects"] > 0)
    check("another namespace: UNAUTHORIZED", bench.visit("life", setup=token)["refused"] == [UNAUTHORIZED])
    check("one that is not there is not told from one that is",
          bench.visit("lively", setup=token)["refused"] == [UNAUTHORIZED])
    check("publishing needs another right: UNAUTHORIZED",
          bench.visit("live", setup=token, publish=1)["refused"] == [UNAUTHORIZED])
    check("of those granted it is", bench.visit("live/nothing", setup=token)["refused"] == [DOES_NOT_EXIST])
    v = bench.visit("live/garden", times=STRIKES + 3)
    check("asks again and again: the session is closed", code(v) == CLOSE_UNAUTHORIZED
          and len(v["refused"]) <= STRIKES, v)


def limits(bench):
    token = bench.token("two.token", "--subscribe", "live", "--ttl", "1h", "--max-sessions", "2")
    got = []
    stay = [threading.Thread(target=lambda: got.append(bench.visit("live/garden", setup=token, hold=4)))
            for _ in range(2)]
    for t in stay:
        t.start()
    time.sleep(1.5)
    v = bench.visit("live/garden", setup=token)
    check("the third session of a token: EXCESSIVE_LOAD", v["refused"] == [EXCESSIVE_LOAD], v)
    began = time.monotonic()
    played = subprocess.run([program_path("svc-player"), "--headless", "--ca", bench.pki["ca.pem"], "--token", token,
                             "--frames", "5", "--reconnect", "30", f"moqt://127.0.0.1:{bench.port}/live/garden"],
                            capture_output=True, text=True, timeout=60, check=False)
    took_s = time.monotonic() - began
    check("a player that is told when to come again does, not earlier", played.returncode == 0 and took_s >= RETRY_S,
          (played.returncode, took_s, played.stderr))
    for t in stay:
        t.join()
    check("the two before it see no effect", all(g["objects"] > 0 and not g["closed"] for g in got), got)
    check("and make room", bench.visit("live/garden", setup=token)["objects"] > 0)


def crowds(bench):
    crowd = []
    threads = [threading.Thread(target=lambda: crowd.append(bench.visit("open/door", hold=3, **{"from": "127.0.0.9"})))
               for _ in range(8)]
    for t in threads:
        t.start()
        time.sleep(0.2)  # each is in before the next one knocks
    for t in threads:
        t.join()
    refused = [v for v in crowd if v["closed"] and v["closed"]["kind"] == "transport"
               and v["closed"]["code"] == CONNECTION_REFUSED]
    check("of eight from one address six get in", len([v for v in crowd if v["objects"]]) == 6, crowd)
    check("and two are refused: CONNECTION_REFUSED", len(refused) == 2, crowd)
    check("another address is not", bench.visit("open/door", **{"from": "127.0.0.10"})["objects"] > 0)


def running_out(bench, port):
    """At a server whose tokens are signed by the secret."""
    old = bench.expiring("old.token", -1, ("subscribe", ["live"]))
    v = bench.visit("live/garden", port, setup=old)
    check("in SETUP, expired: EXPIRED_AUTH_TOKEN", code(v) == CLOSE_EXPIRED, v)
    v = bench.visit("live/garden", port, request=old)
    check("in a request, expired: EXPIRED_AUTH_TOKEN", v["refused"] == [EXPIRED], v)
    token = bench.expiring("soon.token", 3, ("subscribe", ["live"]))
    v = bench.visit("live/garden", port, setup=token, hold=9)
    check("runs out in the middle: the session ends with EXPIRED_AUTH_TOKEN",
          v["objects"] > 0 and code(v) == CLOSE_EXPIRED and v["seconds"] < 7, v)


def running_out_in_request(bench, port):
    token = bench.expiring("soon-request.token", 3, ("subscribe", ["live"]))
    v = bench.visit("live/garden", port, request=token, hold=7)
    check("one of a request ends that request, PUBLISH_DONE UNAUTHORIZED, and no more",
          v["objects"] > 0 and v["done"] == DONE_UNAUTHORIZED and not v["closed"], v)


def publishing(bench, port):
    token = bench.expiring("pub.token", 3, ("publish", ["cam"]))
    v = bench.visit("cam/one", port, request=token, publish=1, hold=9)
    check("the right to publish runs out: the session ends with EXPIRED_AUTH_TOKEN",
          v["accepted"] == 1 and code(v) == CLOSE_EXPIRED and v["seconds"] < 7, v)


def player(bench, port):
    """What a person is told, and how soon."""
    rows = [(None, "no right to subscribe"), (bench.expiring("past.token", -1, ("subscribe", ["live"])), "expired"),
            (bench.token("stranger.token", "--subscribe", "live", "--ttl", "1h", key="stranger"), "not signed"),
            (bench.path("none.token"), "none.token")]
    for token, says in rows:
        if says == "none.token" and os.path.exists(token):
            os.unlink(token)
        done = subprocess.run([
            program_path("svc-player"), "--headless", "--duration", "9", "--ca", bench.pki["ca.pem"], "--path",
            f"local=127.0.0.1,to=127.0.0.1:{port},name=a", *(["--token", token] if token else []),
            f"moqt://127.0.0.1:{port}/live/garden"], capture_output=True, text=True, timeout=30, check=False)
        lines = done.stderr.splitlines()
        check(f"the player says: {says}", done.returncode == 1 and len(lines) == 1 and says in lines[0], done)


def certificates(bench, port):
    client, key, request = bench.path("client.pem"), bench.path("client.pem.key"), bench.path("client.csr")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=viewer",
            "-keyout", key, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", bench.pki["ca.pem"], "-CAkey", bench.pki["ca.key"],
            "-CAcreateserial", "-days", "30", "-out", client)
    v = bench.visit("open/door", port)
    check("no certificate where one is demanded: a TLS alert", code(v) == CERTIFICATE_REQUIRED, v)
    v = bench.visit("open/door", port, cert=client, key=key)
    check("with one", v["objects"] > 0, v)
    v = bench.visit("live/garden", port, cert=client, key=key)
    check("and what its subject may", v["objects"] > 0, v)
    v = bench.visit("other", port, cert=client, key=key)
    check("and no more: UNAUTHORIZED", v["refused"] == [UNAUTHORIZED], v)


def wait_for(what, ready, timeout_s=5):
    until = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > until:
            check(what, False, "has not come in time")
            return False
        time.sleep(0.05)
    check(what, True)
    return True


def said(server, word):
    with open(server.log, encoding="utf-8", errors="replace") as f:
        return sum(word in line for line in f)


def reloaded(bench, server, log, other):
    """`server` reads its certificate, its rules and its log's name again; those who watch go on."""
    os.rename(log, log + ".1")
    for end in ("pem", "key"):
        shutil.copy(other["server." + end], bench.path("server." + end))
    got = []
    stays = threading.Thread(target=lambda: got.append(bench.visit("open/door", hold=4)))
    stays.start()
    time.sleep(0.7)
    server.process.send_signal(signal.SIGHUP)
    wait_for("after SIGHUP the log is there again", lambda: os.path.exists(log))
    first, bench.pki = bench.pki, {**bench.pki, "ca.pem": other["ca.pem"]}
    check("new connections see the new certificate", bench.visit("open/door")["objects"] > 0)
    bench.pki = first
    check("and not the old one", not bench.visit("open/door")["connected"])
    stays.join()
    check("old ones go on", got[0]["objects"] > 0 and not got[0]["closed"], got)

    with open(bench.path("server.pem"), "w", encoding="ascii") as f:
        f.write("broken\n")
    before = said(server, "server.pem")
    server.process.send_signal(signal.SIGHUP)
    wait_for("a broken file is named", lambda: said(server, "server.pem") > before)
    check("in one line", said(server, "server.pem") == before + 1)
    bench.pki = {**bench.pki, "ca.pem": other["ca.pem"]}
    check("and the one before it stays", bench.visit("open/door")["objects"] > 0)
    bench.pki = first


def full_disk(bench, server, port):
    """Its log is /dev/full."""
    for _ in range(3):
        check("served though the log's disk is full", bench.visit("open/door", port)["objects"] > 0)
    wait_for("which is said", lambda: said(server, "No space left on device"))
    check("once", said(server, "No space left on device") == 1)


def access_log(*paths):
    lines = []
    for path in paths:
        with open(path, encoding="ascii") as f:
            lines += [json.loads(line) for line in f]
    anna = [e for e in lines if e.get("subject") == "anna"]
    check("the log has anna's session", {"setup", "subscribe", "subscribe-end", "leave"}
          <= {e["action"] for e in anna}, len(lines))
    good = [e for e in lines if e.get("subject") == "good" and e["action"] == "subscribe-end"]
    check("how much a viewer got", good and good[0]["bytes"] > 100000 and good[0]["duration"] > 10, good)
    refused = [e for e in lines if e.get("verdict") == "refused"]
    check("each refusal has a reason", refused and all(e["reason"] for e in refused), len(refused))
    text = json.dumps(lines)
    check("no token is in it", "eyJ" not in text)
    check("all times are there", all(e["time"].endswith("Z") for e in lines))


def side_by_side(*stories):
    """They wait for tokens to run out and for patience to end; each has files and addresses of its own."""
    with ThreadPoolExecutor(len(stories)) as pool:
        for done in [pool.submit(story) for story in stories]:
            done.result()


def main():
    work = material.folder("access")
    shutil.rmtree(work)
    work, pki, clip = material.folder("access"), material.pki(), material.small_clip()
    other = material.pki("other-pki")
    port, secret_port, mutual_port = free_udp_ports(3)
    bench = Bench(work, pki, port)
    log = os.path.join(work, "access.jsonl")
    anonymous = [{"namespace": "open", "subscribe": True}]
    configs = [
        (port, {"token_key": bench.path("key.pub"), "token_algorithm": "ES256", "anonymous": anonymous, "log": log,
                "per_address": 6}),
        (secret_port, {"token_key": bench.path("secret"), "token_algorithm": "HS256", "anonymous": anonymous,
                       "log": "/dev/full"}),
        (mutual_port, {"client_ca": pki["ca.pem"], "anonymous": anonymous + [
            {"namespace": "live", "subject": "CN=viewer", "subscribe": True}]}),
    ]
    servers = []
    with Programs(work) as running:
        for i, (p, access) in enumerate(configs):
            server = running.start(f"server{i}", [program_path("svc-server"), "--config",
                                                  write_config(work, f"{i}.yaml", clip, pki, p, access)])
            wait_for_udp(server, p)
            servers.append(server)
        viewer = good_viewer(bench, running)
        time.sleep(1)
        tokens_in_setup(bench)
        namespaces(bench)
        def others():
            publishing(bench, secret_port)
            player(bench, secret_port)
            certificates(bench, mutual_port)
        side_by_side(lambda: limits(bench), lambda: crowds(bench), lambda: running_out(bench, secret_port),
                     lambda: running_out_in_request(bench, secret_port), others)
        full_disk(bench, servers[1], secret_port)
        reloaded(bench, servers[0], log, other)
        viewer.process.terminate()
        viewer.wait(60)
        with open(bench.path("good.json"), encoding="utf-8") as f:
            seen = json.load(f)
        # a busy machine may cost pictures; a session that ends is begun anew
        connected = [e for e in seen["events"] if e["what"].startswith("connected")]
        check("the viewer beside has seen none of it", len(connected) == 1 and seen["rebuffers"] == 0
              and seen["frames_shown"] > 200, (connected, seen["frames_shown"], seen["rebuffers"]))
        for server in servers:
            server.check_alive()
    access_log(log + ".1", log)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
