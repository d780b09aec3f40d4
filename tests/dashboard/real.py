#!/usr/bin/python3
"""real.py ROOT BUILD [--pictures FOLDER] - the dashboard over the real server: a live source, a file
and one that cannot be had; players over two links each. What the page shows of a player is what the
player knows of itself, and the buttons do what they say. With --pictures it watches for a while and
leaves dashboard.png and dashboard-session.png there. Exit code 77: no Chromium here."""
import json
import os
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.abspath(sys.argv[1]), "tests", "e2e"))
import material  # noqa: E402
import programs  # noqa: E402
from browser import Browser  # noqa: E402
from clip import program_path  # noqa: E402

PATIENCE_S = 60
WATCH_S = 75  # for pictures: as long as plots look lived in
LIVE, FILE, AWAY = "studio/main", "clips/meadow", "field/cam2"
LINKS = [material.scenario.Link("wifi", 1.6e6, 12), material.scenario.Link("lte", 0.9e6, 38),
         material.scenario.Link("wifi2", 3e6, 8), material.scenario.Link("lte2", 1.2e6, 55)]
failures = []


def check(what, ok, detail=""):
    print(("ok   " if ok else "FAIL ") + what, "" if ok else detail, flush=True)
    if not ok:
        failures.append(what)


def configuration(folder, clip, pki, port):
    """A file of it."""
    name = os.path.join(folder, "server.yaml")
    with open(name, "w", encoding="utf-8") as file:
        json.dump({  # which is YAML
            "listen": "127.0.0.1:%d" % port, "cert": pki["server.pem"], "key": pki["server.key"],
            "workers": 2, "control": {"listen": "127.0.0.1:0"}, "log_level": "info",
            "sources": [
                {"namespace": LIVE, "kind": "live", "input": "test:640x360@25", "window_s": 120,
                 "encoder": {"bitrate_kbps": [150, 300, 700]}},
                {"namespace": FILE, "kind": "file", "input": clip.layered, "loop": True},
                {"namespace": AWAY, "kind": "upstream", "input": "moqt://127.0.0.1:9/cam2"}],
        }, file)
    return name


PLAYERS = [(LIVE, [0, 1]), (LIVE, [2, 3]), (FILE, [2, 3]), (FILE, [0])]  # what of, over which links


def start(running, folder, clip, pki):
    """Server, links and players; the control interface's URL."""
    port, *ports = programs.free_udp_ports(1 + len(LINKS))
    server = running.start("svc-server", [program_path("svc-server"), "--config",
                                          configuration(folder, clip, pki, port)])
    programs.wait_for_udp(server, port)
    vlink = running.start("vlink", [
        program_path("vlink"), "--control", *(
            word for link, p in zip(LINKS, ports)
            for word in ("--link", link.spec(p, port) + (",loss=0.5%" if "lte" in link.name else "")))],
        stdin=subprocess.PIPE)
    for p in ports:
        programs.wait_for_udp(vlink, p)
    for number, (ns, links) in enumerate(PLAYERS):
        command = [program_path("svc-player"), "--headless", "--ca", pki["ca.pem"]]
        for k in links:
            command += ["--path", "local=127.0.0.1,to=127.0.0.1:%d,name=%s" % (ports[k], LINKS[k].name)]
        running.start("player%d" % number, [*command, "moqt://127.0.0.1:%d/%s" % (port, ns)])
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with open(server.log, encoding="utf-8") as log:
            for line in log:
                if "control on http://" in line:
                    return line.split("control on ")[1].strip() + "/"
        server.check_alive()
        time.sleep(0.05)
    raise SystemExit("the server does not say where its control interface is")


def ask(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=20) as answer:
        return json.load(answer)


def metrics(url):
    with urllib.request.urlopen(url + "metrics", timeout=20) as answer:
        lines = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")
    return {name: float(value) for name, value in lines.items()}


def until(what):
    end = time.monotonic() + PATIENCE_S
    while not (value := what()) and time.monotonic() < end:
        time.sleep(0.2)
    return value


def settled(url):
    """All four sessions with all their paths, and layers that arrive."""
    sessions = ask(url + "api/v1/sessions")["sessions"]
    paths = sorted(sum(p["state"] == "up" for p in s["paths"]) for s in sessions)
    return paths == [1, 2, 2, 2] and all(s["top_layer"] is not None and s["sending_bps"]
                                         for s in sessions) and sessions


def round_trips(url, sessions):
    """No path is faster than its link. Sessions come in any order, so they are told by their least."""
    sessions = [ask(url + "api/v1/sessions/%d" % s["id"]) for s in sessions]
    least = sorted([s["namespace"], *(p["rtt_min_ms"] for p in s["paths"])] for s in sessions)
    links = sorted([ns, *(2 * LINKS[k].delay_ms for k in ks)] for ns, ks in PLAYERS)
    check("no round trip is shorter than its link", all(
        shown[0] == link[0] and len(shown) == len(link) and all(map(lambda a, b: a >= b, shown[1:], link[1:]))
        for shown, link in zip(least, links)), (least, links))


def judge(page, url, sessions):
    round_trips(url, sessions)
    page.open(url)
    check("the overview is live", page.wait("document.querySelector('#state').textContent === 'live'"))
    check("with four sessions", page.wait("document.querySelectorAll('#sessions tr').length === 4"))
    rows = page.run("[...document.querySelectorAll('#sources tr')].map(r => [r.querySelector('.name')"
                    ".textContent, r.querySelector('.pill').textContent, r.querySelector('.viewers').textContent])")
    check("sources, their states and viewers", [r for r in rows if r[0] != AWAY] == [
        [LIVE, "running", "2"], [FILE, "running", "2"]] and len(rows) == 3, rows)
    check("the encoder's load", page.wait(
        "/^load [0-9.]+ %, [0-9.]+ pictures.s, speed [0-9]+$/.test("
        "document.querySelector('#sources .encoder small').textContent)"))
    clients = page.run("[...document.querySelectorAll('#sessions .from small')].map(e => e.textContent)")
    check("clients by name", all("svc-player" in c for c in clients), clients)
    shown = next(s for s in sessions if s["namespace"] == LIVE)
    page.open(url + "#/session/%d" % shown["id"])
    check("a session, two paths with lines", page.wait(
        "document.querySelectorAll('#paths article').length === 2 && [...document.querySelectorAll("
        "'#plot-rate .series')].filter(l => (l.getAttribute('d') || '').includes('L')).length === 2"))
    check("the further link has the longer round trip", page.wait("""(r => r.length === 2 && r[0] > 5 && r[1] > r[0] + 20)(
        [...document.querySelectorAll('#paths article')].map(a => parseFloat([...a.querySelectorAll('.pairs > div')]
        .find(d => d.firstChild.textContent === 'Least').lastChild.textContent)))"""))
    names = page.run("[...document.querySelectorAll('#layers .track')].map(e => e.textContent)")
    check("its layers", {"v-s0t0", "v-s0t1", "v-s1t0", "v-s1t1", "v-s2t0", "v-s2t1"} < set(names), names)
    check("the base layer is in time", page.wait("""parseFloat([...document.querySelectorAll('#layers tr')].find(
        r => r.querySelector('.track').textContent === 'v-s0t0').querySelector('.intime').textContent) > 90"""))
    return shown["id"]


def orders(page, url, shown):
    before = ask(url + "api/v1/sources/" + LIVE)["encoder"]["keys"]
    page.open(url + "#/")
    page.wait("document.querySelector('#sources .refresh')?.checkVisibility()")
    page.click("#sources .refresh")
    page.click("#ask-yes")
    check("a refresh makes a key picture",
          until(lambda: ask(url + "api/v1/sources/" + LIVE)["encoder"]["keys"] > before))
    page.open(url + "#/session/%d" % shown)
    page.wait("document.querySelector('#session-stop')?.checkVisibility()")
    page.click("#session-stop")
    page.click("#ask-yes")
    check("a session that is stopped is over", page.wait(
        "document.querySelector('#session-state').textContent === 'over'"))
    page.open(url + "#/")
    page.wait("document.querySelectorAll('#sources .toggle').length > 1")
    page.run("document.querySelectorAll('#sources .toggle')[1].click()")
    page.click("#ask-yes")
    check("a source that is stopped is idle, or ended",
          until(lambda: ask(url + "api/v1/sources/" + FILE)["state"] in ("idle", "ended")))
    page.run("1")
    check("no complaint in the console", page.errors == [], page.errors)
    foreign = [u for u in page.requests if not u.startswith((url, "data:"))]
    check("nothing asked of anybody else", foreign == [], foreign)


def pictures(browser, url, shown, folder):
    pages = [("dashboard", browser.page(1280, 820), ""),
             ("dashboard-session", browser.page(1280, 1280, dark=True), "#/session/%d" % shown)]
    for _, page, where in pages:
        page.open(url + where)
    time.sleep(WATCH_S)
    for name, page, _ in pages:
        page.run("1")
        page.screenshot(os.path.join(folder, name + ".png"))


def main():
    if Browser.missing():
        sys.exit(77)
    folder = material.folder("dashboard")
    clip, pki = material.small_clip(), material.pki()
    with programs.Programs(folder) as running, Browser(folder) as browser:
        url = start(running, folder, clip, pki)
        sessions = until(lambda: settled(url))
        check("players are there with their paths", sessions, ask(url + "api/v1/sessions"))
        told = metrics(url)
        check("metrics count them", told['svc_sessions{role="watches"}'] == 4 and
              told['svc_paths{state="up"}'] == 7 and told["svc_sent_bytes_total"] > 1e5 and
              told['svc_source_viewers{namespace="%s"}' % LIVE] == 2, told)
        check("a confined server still sees itself", told.get("process_open_fds", 0) > 10 and
              told.get("process_resident_memory_bytes", 0) > 1e6 and told.get("process_threads", 0) >= 3, told)
        if sessions:
            page = browser.page(1280, 900)
            shown = judge(page, url, sessions)
            if "--pictures" in sys.argv:
                pictures(browser, url, shown, sys.argv[sys.argv.index("--pictures") + 1])
            orders(page, url, shown)
    sys.exit("%d failed: %s" % (len(failures), ", ".join(failures)) if failures else 0)


main()
