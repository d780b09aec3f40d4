#!/usr/bin/python3
"""control.py CONTROL_STUB ROOT - the control interface over HTTP, with a made-up server behind it:
every route, metrics by a strict reading of the format, who is turned away, hostile bytes, streams of
events, and that docs/control.md names exactly what there is."""
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

STUB, ROOT = sys.argv[1:3]
TOKEN = "correct-horse-battery-staple"
failures = []


def check(what, ok, detail=""):
    print(("ok   " if ok else "FAIL ") + what, "" if ok else detail)
    if not ok:
        failures.append(what)


class Stub:
    def __init__(self, *args):
        self.process = subprocess.Popen([STUB, *args], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.first = self.line()
        self.host, _, port = self.first.removeprefix("ready ").rpartition(":")
        self.port = int(port) if self.first.startswith("ready ") else 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, self.errors = self.process.communicate(timeout=20)
        check("ends in order", self.process.returncode == 0 or not self.port,
              (self.process.returncode, self.errors))

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def ask(self, method, path, body=None, **headers):
        """Status, headers, body as JSON where it is."""
        connection = http.client.HTTPConnection(self.host.strip("[]"), self.port, timeout=20)
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if isinstance(body, (dict, list)):
            body, headers = json.dumps(body), {"Content-Type": "application/json", **headers}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        if response.getheader("Content-Type") == "application/json" and data:
            data = json.loads(data)
        return response.status, response, data

    def get(self, path, **headers):
        status, _, data = self.ask("GET", path, **headers)
        check("GET " + path, status == 200, (status, data))
        return data

    def refused(self, status, code, method, path, body=None, **headers):
        got, _, data = self.ask(method, path, body, **headers)
        check("%s %s: %d %s" % (method, path[:60], status, code), got == status and
              isinstance(data, dict) and data["error"]["code"] == code and data["error"]["message"],
              (got, data))

    def raw(self, data, seconds=10):
        """All that comes back for some bytes, until the server closes or says nothing more."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family) as s:
            s.settimeout(seconds)
            s.connect((self.host.strip("[]"), self.port))
            answer = b""
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                while piece := s.recv(65536):
                    answer += piece
            except OSError:
                pass
            return answer


# ---- what is told ----

def tells(stub):
    check("alive", stub.get("/health") == {"alive": True})
    check("ready", stub.get("/ready") == {"ready": True, "draining": False})
    status = stub.get("/api/v1/status")
    check("one look has no rates", status["sending_bps"] is None and status["sessions"] == 24, status)
    time.sleep(0.7)
    status = stub.get("/api/v1/status")
    check("two have", 1e6 < status["sending_bps"] < 1e9 and 0 < status["loss"] < 0.1, status)
    listed = stub.get("/api/v1/sessions")
    check("all sessions", listed["total"] == listed["matched"] == len(listed["sessions"]) == 24)
    check("by ID", [s["id"] for s in listed["sessions"]] == list(range(1, 25)))
    session = stub.get("/api/v1/sessions/4")
    check("a session", session["id"] == 4 and session["subject"] == "viewer-4@example.org" and
          session["role"] == "watches" and session["namespace"] == "studio/main", session)
    check("its paths", [p["id"] for p in session["paths"]] == [0, 1] and all(
        p["state"] in ("up", "suspect") and p["rtt_ms"] > 0 and p["sending_bps"] > 0 and
        0 <= p["loss"] <= 1 and p["remote"].count(":") == 1 for p in session["paths"]), session)
    check("their rates make the session's", abs(sum(p["sending_bps"] for p in session["paths"]) -
                                                session["sending_bps"]) < 100, session)
    tracks = {t["name"]: t for t in session["tracks"]}
    check("its tracks, without the catalog", list(tracks) == [
        "a-0", "v-s0t0", "v-s0t1", "v-s1t0", "v-s1t1", "v-s2t0", "v-s2t1"], tracks)
    top = tracks["v-s2t1"]
    check("what a layer got", top["spatial"] == 2 and top["temporal"] == 1 and top["taken"] and
          top["offered"] == top["sent"] + top["dropped_rate"] + top["dropped_queue"] and
          abs(top["in_time"] - (1 - top["expired"] / top["sent"])) < 1e-5, top)
    sources = stub.get("/api/v1/sources")["sources"]
    check("sources", [(s["namespace"], s["kind"], s["state"]) for s in sources] == [
        ("studio/main", "live", "running"), ("clips/meadow", "file", "running"),
        ("field/cam2", "upstream", "failed"), ("stage/left", "publish", "idle")], sources)
    check("why one failed", "no answer" in sources[2]["why"] and sources[0]["why"] is None)
    check("an encoder", sources[0]["encoder"]["speed"] == 9 and 25 < sources[0]["encoder"]["fps"] < 35
          and len(sources[0]["encoder"]["layer_bps"]) == 3, sources[0]["encoder"])
    one = stub.get("/api/v1/sources/clips/meadow")
    check("one source, its name as it is or escaped",
          one["viewers"] == 8 and stub.get("/api/v1/sources/clips%2Fmeadow")["viewers"] == 8, one)
    text = json.dumps(stub.get("/api/v1/config"))
    check("the configuration, without secrets", "secret" not in text and
          "rtsp://cam.example:554/x?..." in text and TOKEN not in text, text)
    status, head, data = stub.ask("HEAD", "/api/v1/status")
    check("HEAD", status == 200 and not data and int(head.getheader("Content-Length")) > 100)


def lists(stub):
    ids = lambda query: [s["id"] for s in stub.get("/api/v1/sessions?" + query)["sessions"]]
    check("search", ids("q=VIEWER-4%40") == [4] and ids("q=imquic&limit=2") == [2, 7] and
          ids("q=nobody") == [] and ids("q=studio") == [i for i in range(1, 25) if i % 3 != 2 and i != 3] and ids("q=192.0.2.8:") == [7], ids("q=viewer-4"))
    check("pages", ids("limit=2&offset=3") == [4, 5] and ids("offset=1000") == [])
    check("sorted down", ids("sort=-id&limit=2") == [24, 23])
    for name in ("id", "remote", "namespace", "age", "rate", "loss", "rtt", "layer", "backlog"):
        up, down = ids("sort=" + name), ids("sort=-" + name)
        check("sorted by " + name, sorted(up) == sorted(down) == list(range(1, 25)))
    key = {"age": "age_s", "rate": "sending_bps", "loss": "loss", "rtt": "rtt_ms",
           "backlog": "backlog_bytes"}
    for name, member in key.items():
        values = [s[member] for s in stub.get("/api/v1/sessions?sort=-" + name)["sessions"]]
        check("really by " + name, values == sorted(values, reverse=True), values)
    for query in ("limit=0", "limit=1001", "limit=x", "limit=", "limit", "offset=-1", "sort=size",
                  "colour=red", "q=" + "x" * 256, "session=1"):
        stub.refused(400, "bad_request", "GET", "/api/v1/sessions?" + query)


# ---- metrics ----

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(r'^(%s)(?:\{(.*)\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|NaN|[+-]Inf)$' % NAME)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)')
UNITS = ("bytes", "seconds", "ratio", "bytes_per_second")


def parse_metrics(data):
    """{name: (type, {labels: value})}; ValueError where the format 0.0.4, or promtool's lint, is not
    met."""
    text = data.decode("utf-8")
    if not text.endswith("\n"):
        raise ValueError("no newline at the end")
    families, name, kind, stage = {}, None, None, "sample"
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            if stage == "help" or name in families or not re.fullmatch(NAME, name) or \
                    len(line.split(" ", 3)) < 4:
                raise ValueError("HELP: " + line)
            stage, families[name] = "help", (None, {})
        elif line.startswith("# TYPE "):
            kind = line.split(" ")[3]
            if stage != "help" or line.split(" ")[2] != name or kind not in ("counter", "gauge"):
                raise ValueError("TYPE: " + line)
            if (kind == "counter") != name.endswith("_total"):
                raise ValueError("a counter ends in _total, nothing else does: " + line)
            stage, families[name] = "sample", (kind, {})
        else:
            match = SAMPLE.match(line)
            if stage != "sample" or not match or match[1] != name:
                raise ValueError("sample: " + line)
            labels, rest = [], match[2] or ""
            while rest:
                label = LABEL.match(rest)
                if not label:
                    raise ValueError("labels: " + line)
                labels.append((label[1], label[2]))
                rest = rest[label.end():]
            if len({k for k, _ in labels}) < len(labels) or tuple(labels) in families[name][1]:
                raise ValueError("twice: " + line)
            families[name][1][tuple(labels)] = float(match[3])
    return families


def metrics(stub):
    bad = [b"svc_x 1\n", b"# HELP a b\n# TYPE a counter\na 1\n", b"# HELP a b\n# TYPE a gauge\nb 1\n",
           b"# HELP a b\n# TYPE a gauge\na{x=\"1} 1\n", b"# HELP a b\n# TYPE a gauge\na 1",
           b"# HELP a b\n# TYPE a gauge\na 1\na 2\n"]
    for text in bad:
        try:
            parse_metrics(text)
            check("the parser is strict", False, text)
        except ValueError:
            pass
    status, head, data = stub.ask("GET", "/metrics")
    check("metrics", status == 200 and
          head.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8")
    try:
        families = parse_metrics(data)
    except (ValueError, UnicodeDecodeError) as error:
        check("the format", False, error)
        return {}
    value = lambda name, *labels: families[name][1].get(tuple(labels))
    check("of sessions", value("svc_sessions", ("role", "watches")) == 23 and
          value("svc_sessions_accepted_total") == 1843)
    check("of paths", sum(families["svc_paths"][1].values()) == 44 and
          0.005 < value("svc_path_rtt_median_seconds") <= value("svc_path_rtt_p95_seconds") < 0.2)
    check("of sources", value("svc_source_viewers", ("namespace", "clips/meadow")) == 8 and
          value("svc_source_state", ("namespace", "field/cam2"), ("state", "failed")) == 1)
    check("of the process", value("process_resident_memory_bytes") > 1e6 and
          value("process_open_fds") > 3 and
          abs(value("process_start_time_seconds") - time.time()) < 300)
    check("of itself", value("svc_control_requests_total", ("code", "200")) >= 1)
    check("units in the names", all(
        not re.search("_(ms|us|bps|percent|kb|mb)(_|$)", n) for n in families), list(families))
    return families


# ---- what is done ----

def does(stub):
    check("stop a session", stub.ask("DELETE", "/api/v1/sessions/5?reason=too+loud%21")[0] == 200)
    check("with its reason", stub.line() == "stop_session 5 too loud!")
    stub.refused(404, "not_found", "GET", "/api/v1/sessions/5")
    stub.refused(404, "not_found", "DELETE", "/api/v1/sessions/5")
    for bad in ("x", "-1", "1e3", "18446744073709551616", "%201"):
        stub.refused(404, "not_found", "DELETE", "/api/v1/sessions/" + bad)
    stub.refused(400, "bad_request", "DELETE", "/api/v1/sessions/6?reason=" + "x" * 101)
    stub.refused(400, "bad_request", "DELETE", "/api/v1/sessions/6?because=x")
    check("stop a source", stub.ask("POST", "/api/v1/sources/studio/main/stop")[0] == 200)
    check("is told", stub.line() == "stop_source studio/main")
    check("is seen at once", stub.get("/api/v1/sources/studio/main")["state"] == "idle")
    stub.refused(409, "conflict", "POST", "/api/v1/sources/studio/main/stop")
    check("start it", stub.ask("POST", "/api/v1/sources/studio%2Fmain/start")[0] == 200)
    check("start is told", stub.line() == "start_source studio/main")
    stub.refused(404, "not_found", "POST", "/api/v1/sources/none/start")
    stub.refused(404, "not_found", "POST", "/api/v1/sources/" + "n" * 200 + "/start")
    for body, spatial in ((None, 0), ({}, 0), ({"spatial": 2}, 2)):
        status = stub.ask("POST", "/api/v1/sources/studio/main/refresh", body)[0]
        check("refresh", status == 200 and stub.line() == "refresh studio/main %d" % spatial)
    stub.refused(409, "conflict", "POST", "/api/v1/sources/clips/meadow/refresh")
    for body in ({"spatial": 4}, {"spatial": -1}, {"spatial": "1"}, {"spatial": 1.5}, {"layer": 1}, []):
        stub.refused(400, "bad_request", "POST", "/api/v1/sources/studio/main/refresh", body)
    check("limits", stub.get("/api/v1/limits") == {
        "viewers_max": 2000, "per_address": 16, "per_token": 4, "rate_per_address": 50})
    status, _, data = stub.ask("POST", "/api/v1/limits", {"per_token": 0, "viewers_max": 10})
    check("limits are set, the others stay", status == 200 and data == stub.get("/api/v1/limits") == {
        "viewers_max": 10, "per_address": 16, "per_token": 0, "rate_per_address": 50}, data)
    check("limits are told", stub.line() == "set_limits 10 16 0 50")
    for body in ({"viewers_max": 0}, {"viewers_max": 65537}, {"per_token": True}, {"x": 1}):
        stub.refused(400, "bad_request", "POST", "/api/v1/limits", body)
    stub.refused(500, "failed", "POST", "/api/v1/reload")
    check("reload", stub.line() == "reload")
    check("drain", stub.ask("POST", "/api/v1/drain")[0] == 200 and stub.line() == "drain")
    check("not ready any more", stub.ask("GET", "/ready")[0] == 503)
    stub.refused(409, "conflict", "POST", "/api/v1/drain")


# ---- who is turned away ----

def guards(stub):
    stub.refused(404, "not_found", "GET", "/nothing")
    stub.refused(404, "not_found", "GET", "/api/v1/sessions/")
    stub.refused(405, "bad_method", "POST", "/api/v1/status")
    stub.refused(405, "bad_method", "PUT", "/")
    status, head, _ = stub.ask("OPTIONS", "/api/v1/sessions/1")
    check("what is allowed", status == 405 and head.getheader("Allow") == "GET, HEAD, DELETE",
          head.getheader("Allow"))
    stub.refused(415, "bad_type", "POST", "/api/v1/limits", "viewers_max=1",
                 Content_Type="application/x-www-form-urlencoded")
    stub.refused(415, "bad_type", "POST", "/api/v1/limits", '{"viewers_max": 1}')
    stub.refused(400, "bad_request", "POST", "/api/v1/limits", "{", Content_Type="application/json")
    stub.refused(400, "bad_request", "POST", "/api/v1/limits", '{"per_token":1,"per_token":2}',
                 Content_Type="application/json; charset=utf-8")
    stub.refused(413, "too_large", "POST", "/api/v1/limits", "x" * 5000)
    stub.refused(400, "bad_request", "GET", "/api/v1/sources/a%00b")
    stub.refused(400, "bad_request", "GET", "/api/v1/sources/%zz")
    stub.refused(400, "bad_request", "GET", "/api/v1/" + "x" * 2000)
    stub.refused(400, "bad_request", "GET", "/api/v1/status?" + "&".join("a=%d" % i for i in range(20)))
    own = "127.0.0.1:%d" % stub.port
    for host in ("evil.example", "evil.example:4480", "127.0.0.1.evil.example", "localhost.evil.example",
                 "[::1", "::1", "127.0.0.1:x", "127.0.0.1:123456", "127.1", "2130706433", "", "localhost@x"):
        stub.refused(421, "bad_host", "GET", "/api/v1/status", Host=host)
    for host in ("localhost", "LOCALHOST:80", "[::1]:4480", "192.0.2.1"):
        check("Host " + host, stub.ask("GET", "/api/v1/status", Host=host)[0] == 200)
    check("two Hosts", stub.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: a.example\r\n"
                                b"Connection: close\r\n\r\n").split(b" ")[1] in (b"421", b"400"))
    for origin in ("http://evil.example", "null", "http://localhost:1", "http://127.0.0.1",
                   "http://" + own + ".evil.example", "file://"):
        stub.refused(403, "forbidden", "POST", "/api/v1/drain", Origin=origin)
        stub.refused(403, "forbidden", "GET", "/api/v1/status", Origin=origin)
    for site in ("cross-site", "same-site"):
        stub.refused(403, "forbidden", "POST", "/api/v1/drain", Sec_Fetch_Site=site)
    check("one's own page may ask", stub.ask("POST", "/api/v1/limits", {}, Origin="http://" + own,
                                             Sec_Fetch_Site="same-origin")[0] == 200)
    check("a link from elsewhere opens the page",
          stub.ask("GET", "/", Sec_Fetch_Site="cross-site")[0] == 200)
    stub.line()


def tokens(folder):
    name = os.path.join(folder, "token")
    with open(name, "w", encoding="utf-8") as file:
        file.write(TOKEN + "\n")
    os.chmod(name, 0o600)
    with Stub("--token", name) as stub:
        for path in ("/health", "/ready", "/metrics", "/", "/dashboard.js"):
            check("open without a token: " + path, stub.ask("GET", path)[0] == 200)
        for bad in ({}, {"Authorization": "Bearer x"}, {"Authorization": TOKEN},
                    {"Authorization": "Basic " + TOKEN}, {"Authorization": "Bearer " + TOKEN + "x"},
                    {"Authorization": "Bearer " + TOKEN[:-1]}):
            for method, path in (("GET", "/api/v1/status"), ("GET", "/api/v1/events"),
                                 ("POST", "/api/v1/drain"), ("DELETE", "/api/v1/sessions/1")):
                status, head, data = stub.ask(method, path, **bad)
                check("%s %s with %s" % (method, path, bad), status == 401 and
                      head.getheader("WWW-Authenticate").startswith("Bearer") and
                      data["error"]["code"] == "unauthorized", (status, data))
        good = {"Authorization": "Bearer " + TOKEN}
        check("with it", stub.ask("GET", "/api/v1/status", **good)[0] == 200 and
              stub.ask("POST", "/api/v1/drain", **good)[0] == 200 and stub.line() == "drain")
    for content, what in (("short", "16"), ("", "16"), ("two words are not a token", "blanks")):
        with open(name, "w", encoding="utf-8") as file:
            file.write(content)
        with Stub("--token", name) as stub:
            check("no token: %r" % content, what in stub.first, stub.first)
    with Stub("--token", os.path.join(folder, "none")) as stub:
        check("no file", "No such file" in stub.first, stub.first)


def listens():
    for listen, what in (("0.0.0.0:0", "token is required"), ("[::]:0", "token is required"),
                         ("localhost:0", "ADDRESS:PORT"), ("127.0.0.1", "ADDRESS:PORT"), ("", "ADDRESS"),
                         ("127.0.0.1:http", "ADDRESS:PORT"), ("192.0.2.1:0", "assign")):
        with Stub("--listen", listen) as stub:
            check("listen on %r" % listen, what in stub.first, stub.first)
    with Stub("--listen", "[::1]:0") as stub:
        check("IPv6", stub.first.startswith("ready [::1]:") and stub.get("/health")["alive"])
    with Stub("--no-hooks") as stub:
        for method, path in (("POST", "/api/v1/drain"), ("POST", "/api/v1/reload"),
                             ("GET", "/api/v1/config"), ("GET", "/api/v1/limits"),
                             ("DELETE", "/api/v1/sessions/1"), ("POST", "/api/v1/limits")):
            stub.refused(501, "not_offered", method, path)


# ---- events ----

def events(stub, query, n):
    connection = http.client.HTTPConnection(stub.host, stub.port, timeout=20)
    connection.request("GET", "/api/v1/events?" + query)
    response = connection.getresponse()
    check("a stream", response.status == 200 and
          response.getheader("Content-Type") == "text/event-stream")
    got, began = [], time.monotonic()
    while len(got) < n:
        line = response.readline().decode()
        if line.startswith("data: "):
            got.append(json.loads(line[6:]))
        else:
            check("a blank line between events", line == "\n", line)
    response.close()
    connection.close()
    return got, time.monotonic() - began


def streams_are_over(stub):
    for _ in range(100):
        if b"\nsvc_control_event_streams 0\n" in stub.ask("GET", "/metrics")[2]:
            return True
        time.sleep(0.1)
    return False


def streams(stub):
    got, took = events(stub, "session=2&limit=3&sort=-id", 3)
    check("the first at once, the others a second apart", 1.5 < took < 6, took)
    check("what one watches", got[0]["session"]["id"] == 2 and
          [s["id"] for s in got[0]["list"]["sessions"]] == [24, 23, 22] and
          len(got[0]["sources"]) == 4 and got[0]["status"]["sessions"] == 24)
    check("time goes on", got[2]["status"]["up_s"] > got[1]["status"]["up_s"] + 0.5 and
          got[2]["session"]["sending_bps"] > 0)
    got, _ = events(stub, "session=99", 1)
    check("a session that is not there", got[0]["session"] is None)
    stub.refused(400, "bad_request", "GET", "/api/v1/events?session=x")
    check("streams that were left are forgotten", streams_are_over(stub))
    many = []
    for i in range(17):
        connection = http.client.HTTPConnection(stub.host, stub.port, timeout=20)
        connection.request("GET", "/api/v1/events")
        response = connection.getresponse()
        many.append((connection, response))
        check("stream %d" % i, response.status == (200 if i < 16 else 503), response.status)
    check("others are served meanwhile", stub.get("/health")["alive"])
    for connection, response in many:
        response.close()
        connection.close()
    check("all of them", streams_are_over(stub))


# ---- hostile ----

def hostile_bytes(stub):
    good = b"POST /api/v1/limits HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" \
           b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
    check("the seed is good", stub.raw(good).startswith(b"HTTP/1.1 200 "))
    stub.line()
    whole = [b"", b"\r\n\r\n", b"GET", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
             b"GET " + b"/" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
             b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
             b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100000 + b"\r\n\r\n",
             good.replace(b"Content-Length: 2", b"Content-Length: 99999999999999999999"),
             good.replace(b"Content-Length: 2", b"Content-Length: -1"),
             good.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked") + b"\r\nzz\r\n",
             good.replace(b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n").replace(
                 b"{}", b"1\r\n{\r\n" * 9000 + b"0\r\n\r\n"),
             good.replace(b"{}", b"[" * 4000), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" * 50]
    for data in whole:
        answer = stub.raw(data, 1)
        check("%d odd bytes" % len(data), answer == b"" or answer.startswith(b"HTTP/1."), answer[:80])
    draw = random.Random(7)
    for _ in range(400):
        data = bytearray(good)
        for _ in range(draw.randrange(1, 6)):
            at = draw.randrange(len(data))
            change = draw.randrange(3)
            if change == 0:
                data[at] = draw.randrange(256)
            elif change == 1:
                del data[at:at + draw.randrange(1, 9)]
            else:
                data[at:at] = bytes(draw.randrange(256) for _ in range(draw.randrange(1, 9)))
        stub.raw(bytes(data), 0.02)  # an incomplete one is waited for
    check("still there", stub.get("/health")["alive"])
    silent = [socket.create_connection((stub.host, stub.port)) for _ in range(70)]
    for s in silent:
        s.close()
    check("and after seventy who say nothing", stub.get("/health")["alive"])


def hostile_texts():
    with Stub("--hostile") as stub:
        session = stub.get("/api/v1/sessions/1")
        check("what a peer says of itself is clean", "\n" not in session["implementation"] and
              session["implementation"].startswith("<img src=x") and
              session["namespace"].startswith('a"} evil'), session)
        try:
            parse_metrics(stub.ask("GET", "/metrics")[2])
        except (ValueError, UnicodeDecodeError) as error:
            check("metrics stay in form", False, error)
        stub.ask("POST", "/api/v1/sources/x%C2%85%E2%80%A8y/start")
    check("a name makes no lines of the log", stub.errors.count("\n") == 1 and
          "\x85" not in stub.errors, stub.errors)


# ---- many ----

def resident_kib(stub):
    with open("/proc/%d/status" % stub.process.pid, encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s*(\d+)", file.read())[1])


def looks_at(stub):
    """What it holds before and after two looks at many sessions."""
    before = resident_kib(stub)
    for _ in range(2):
        check("many", stub.get("/api/v1/sessions?limit=1")["total"] == 8000)
        time.sleep(0.6)
    return before, resident_kib(stub)


def forgets(stub, before, after):
    if "ASAN_OPTIONS" in os.environ:
        return  # what is freed stays in its quarantine
    check("snapshots are held for a while", after - before > 40000, (before, after))
    for _ in range(300):
        if resident_kib(stub) - before < (after - before) / 4:
            return
        time.sleep(0.1)
    check("and then given back", False, (before, after, resident_kib(stub)))


# ---- files, documentation ----

def files(stub):
    for path, kind in (("/", "text/html"), ("/dashboard.css", "text/css"),
                       ("/dashboard.js", "text/javascript")):
        status, head, data = stub.ask("GET", path)
        policy = head.getheader("Content-Security-Policy")
        check(path, status == 200 and head.getheader("Content-Type").startswith(kind) and
              "default-src 'none'" in policy and "unsafe" not in policy and len(data) > 1000)
        again = stub.ask("GET", path, If_None_Match=head.getheader("ETag"))
        check("is not sent twice", again[0] == 304 and not again[2])
        check("asks nothing of the net", not re.search(
            rb"https?://(?!www\.w3\.org/)", data.replace(b"'http://www.w3.org/2000/svg'", b"")))


def documentation(stub, families):
    with open(os.path.join(ROOT, "docs/control.md"), encoding="utf-8") as file:
        text = file.read()
    routes = {(r["method"], r["path"]) for r in stub.get("/api/v1")["routes"]}
    said = set(re.findall(r"^\| `(GET|POST|DELETE) (/[^`?]*)", text, re.MULTILINE))
    said.discard(("GET", "/"))
    check("the routes are documented", routes == said, routes ^ said)
    named = re.findall(r"^\| `((?:svc|process)_[a-z0-9_]+)(?:\{([a-z_, ]*)\})?` \| (\w+)", text,
                       re.MULTILINE)
    there = {(name, kind) for name, (kind, _) in families.items()}
    check("the metrics are documented", there == {(n, k) for n, _, k in named},
          there ^ {(n, k) for n, _, k in named})
    for name, labels, _ in named:
        got = {tuple(k for k, _ in sample) for sample in families.get(name, ("", {}))[1]}
        check("labels of " + name, all(", ".join(g) == labels for g in got), (labels, got))
    hooks = {"name": set()}
    for block in ("status", "session", "source"):
        match = re.search(r"<!-- %s -->\n((?:\|.*\n)+)" % block, text)
        hooks[block] = set(re.findall(r"`([a-z0-9_]+)`", "".join(
            row.split("|")[1] for row in match[1].splitlines()))) if match else set()
    members = lambda value: {k for k in value}
    session = stub.get("/api/v1/sessions/1")
    check("members of status", hooks["status"] == members(stub.get("/api/v1/status")),
          hooks["status"] ^ members(stub.get("/api/v1/status")))
    want = members(session) | members(session["paths"][0]) | members(session["tracks"][0])
    check("members of a session", hooks["session"] == want, hooks["session"] ^ want)
    source = stub.get("/api/v1/sources/studio/main")
    want = members(source) | members(source["encoder"])
    check("members of a source", hooks["source"] == want, hooks["source"] ^ want)


def main():
    with Stub() as stub:
        tells(stub)
        lists(stub)
        documentation(stub, metrics(stub))
        files(stub)
        does(stub)
    with Stub() as stub:
        guards(stub)
    with Stub("--sessions", "8000") as crowd, Stub() as stub:
        before, after = looks_at(crowd)
        streams(stub)
        hostile_bytes(stub)
        forgets(crowd, before, after)
    with Stub("--sessions", "0") as stub:
        check("nobody", stub.get("/api/v1/sessions")["sessions"] == [] and
              stub.get("/api/v1/sources")["sources"] == [])
        metrics_of_none = parse_metrics(stub.ask("GET", "/metrics")[2])
        check("metrics of nobody", metrics_of_none["svc_path_rtt_median_seconds"][1] == {})
    hostile_texts()
    listens()
    with tempfile.TemporaryDirectory() as folder:
        tokens(folder)
    sys.exit("%d failed: %s" % (len(failures), ", ".join(failures)) if failures else 0)


main()
