#!/usr/bin/python3
"""dashboard.py CONTROL_STUB [FOLDER] - the dashboard in Chromium, over a made-up server: it loads
without a complaint and asks nobody else, shows what the API says, does what its buttons say after
asking, takes texts of bad peers as text, fits a phone, works by keyboard, and comes back after an
outage. Pictures are left in FOLDER. Exit code 77: no Chromium here."""
import json
import os
import select
import subprocess
import sys
import tempfile

from browser import Browser

STUB = sys.argv[1]
PICTURES = sys.argv[2] if len(sys.argv) > 2 else ""
TOKEN = "correct-horse-battery-staple"
failures = []


def check(what, ok, detail=""):
    print(("ok   " if ok else "FAIL ") + what, "" if ok else detail, flush=True)
    if not ok:
        failures.append(what)


class Stub:
    def __init__(self, *args):
        self.process = subprocess.Popen([STUB, *args], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, bufsize=0)
        self.address = self.line().removeprefix("ready ")
        self.url = "http://%s/" % self.address

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)

    def line(self):
        """What it was told next; "" when nothing comes."""
        if not select.select([self.process.stdout], [], [], 20)[0]:
            return ""
        return self.process.stdout.readline().decode().rstrip("\n")


def text(page, selector):
    return page.run("document.querySelector(%s)?.textContent ?? null" % json.dumps(selector))


def shows(page, selector, wanted):
    """Until the text of the first such element has `wanted` in it."""
    return page.wait("(document.querySelector(%s)?.textContent ?? '').includes(%s)" % (
        json.dumps(selector), json.dumps(wanted)), 20)


def seen(page, selector):
    return page.run("(e => !!e && e.checkVisibility())(document.querySelector(%s))" %
                    json.dumps(selector))


def clean(page, stub, name):
    check(name + ": no complaint in the console", page.errors == [], page.errors)
    foreign = [u for u in page.requests if not u.startswith((stub.url, "data:"))]
    check(name + ": nothing asked of anybody else", foreign == [], foreign)
    if PICTURES:
        page.screenshot(os.path.join(PICTURES, name + ".png"))


def fits(page, name):
    check(name + ": nothing is wider than the window", page.run(
        "document.documentElement.scrollWidth <= innerWidth"))
    small = page.run("""[...document.querySelectorAll('main *, header *')].filter(e => e.checkVisibility() &&
        [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && !e.closest('.swatch, svg') &&
        parseFloat(getComputedStyle(e).fontSize) < 11.9).map(e => e.outerHTML.slice(0, 80))""")
    check(name + ": no text is smaller than 12 px", small == [], small)
    cut = page.run("""[...document.querySelectorAll('button, .pill, .tile b, dd, .num')].filter(e =>
        e.checkVisibility() && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline')
        .map(e => e.outerHTML.slice(0, 80))""")
    check(name + ": no figure and no button is cut off", cut == [], cut)


# Contrast of text against what is behind it (WCAG 2.1, 1.4.3); transparent grounds are looked through.
CONTRAST = """(() => {
  const rgba = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > .99) return c; } return [255, 255, 255]; };
  return [...document.querySelectorAll('main *, header *')].filter((e) => e.checkVisibility() && !e.closest('svg, :disabled') &&
    [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())).map((e) => {
      const a = light(rgba(getComputedStyle(e).color)), b = light(behind(e));
      return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.outerHTML.slice(0, 80)];
    }).filter(([ratio, e]) => ratio < (e.includes('swatch') ? 3 : 4.5));
})()"""


def overview(page, stub, name):
    page.open(stub.url)
    check(name + ": is live", shows(page, "#state", "live"))
    check(name + ": rates come", shows(page, ".tile .unit", "Mbit/s"))
    check(name + ": all sources", page.run("document.querySelectorAll('#sources tr').length") == 4)
    check(name + ": why one failed", shows(page, "#sources .failed", "no answer in 5 s"))
    check(name + ": all sessions", page.run("document.querySelectorAll('#sessions tr').length") == 24)
    check(name + ": a path's rate", shows(page, "#sessions .chip .what", "bit/s"))
    fits(page, name)
    thin = page.run(CONTRAST)
    check(name + ": text stands out", thin == [], thin)
    clean(page, stub, name)


def session(page, stub, name):
    page.open(stub.url + "#/session/4")
    check(name + ": is there", shows(page, "#session-name", "Session 4") and
          shows(page, "#session-facts", "viewer-4@example.org"))
    check(name + ": two paths", page.run("document.querySelectorAll('#paths article').length") == 2)
    check(name + ": seven tracks", page.run("document.querySelectorAll('#layers tr').length") == 7)
    check(name + ": lines are drawn", page.wait(
        "[...document.querySelectorAll('.plot')].every(p => p.querySelectorAll('.series').length === 2 && "
        "[...p.querySelectorAll('.series')].every(l => (l.getAttribute('d') || '').includes('L')))", 20))
    colours = page.run("""['#plot-rate .series.s1', '#plot-loss .series.s1', '#paths .s1 .fill'].map(q =>
        { const s = getComputedStyle(document.querySelector(q)); return q.includes('fill') ? s.backgroundColor : s.stroke; })""")
    check(name + ": a path has one colour everywhere", len(set(colours)) == 1, colours)
    fits(page, name)
    thin = page.run(CONTRAST)
    check(name + ": text stands out", thin == [], thin)
    page.run("document.querySelector('#plot-rate svg').focus()")
    page.key("ArrowLeft", 37)
    check(name + ": a plot is read by keyboard", shows(page, "#plot-rate .when", "s ago") and
          page.run("document.querySelectorAll('#plot-rate .cursor').length") == 1)
    page.key("Escape", 27)
    clean(page, stub, name)


def lists(page, stub):
    page.open(stub.url)
    shows(page, "#state", "live")
    page.run("document.activeElement.blur()")
    page.key("/", 191)
    page.call("Input.insertText", text="viewer-4@")
    check("search finds", page.wait("document.querySelectorAll('#sessions tr').length === 1", 20) and
          text(page, "#sessions a") == "4" and text(page, "#sessions-count") == "1 of 24")
    page.call("Input.insertText", text="nobody")
    check("and says when nothing is found", page.wait("!document.querySelector('#sessions-empty').hidden", 20) and
          "Nothing matches" in text(page, "#sessions-empty"))
    page.run("document.querySelector('#search').value = ''; "
             "document.querySelector('#search').dispatchEvent(new Event('input'))")
    page.click("[data-sort=rate]")
    check("sorts by rate", page.wait("document.querySelector('[aria-sort=descending] [data-sort=rate]') != null && "
                                     "document.querySelectorAll('#sessions tr').length === 24", 20))
    rates = page.wait("""(r => r.every(x => x > 0) && r)([...document.querySelectorAll('#sessions .rate')].map(e => {
        const [a, b] = [...e.children].map(c => c.textContent);
        return parseFloat(a) * { 'kbit/s': 1e3, 'Mbit/s': 1e6 }[b]; }))""", 20)
    # Lines cross now and then between an order and the figures: the trend is what is judged.
    check("really", rates and rates == sorted(rates, reverse=True), rates)
    page.click("#sessions tr .ns")
    check("a click opens the session", page.wait("location.hash.startsWith('#/session/')", 20) and
          page.wait("!document.querySelector('#session').hidden", 20))
    clean(page, stub, "lists")


def orders(page, stub):
    page.open(stub.url + "#/session/7")
    shows(page, "#session-facts", "192.0.2.8")
    page.click("#session-stop")
    check("it asks first", shows(page, "#ask-title", "Stop session 7?") and
          page.run("document.activeElement.textContent") == "Cancel")
    page.key("Escape", 27)
    check("Escape is no", page.wait("!document.querySelector('#ask').open", 20))
    page.click("#session-stop")
    page.click("#ask-yes")
    check("yes does it", stub.line() == "stop_session 7 stopped by the operator" and
          shows(page, "#toasts", "Session 7 was stopped"))
    check("the session is over, its last is kept", shows(page, "#session-state", "over") and
          seen(page, "#paths") and not seen(page, "#session-stop"))
    page.open(stub.url + "#/session/999")
    check("one that never was", shows(page, "#session-gone", "There is no session 999") and
          not seen(page, "#session-body"))
    page.open(stub.url + "#/")
    page.wait("document.querySelectorAll('#sources tr').length === 4", 20)
    page.click("#sources .refresh")
    page.run("document.querySelector('#ask select').value = '2'")
    page.click("#ask-yes")
    check("refresh, with its layer", stub.line() == "refresh studio/main 2")
    page.click("#sources .toggle")
    check("stopping says whom it touches", shows(page, "#ask-text", "14 viewers"))
    page.click("#ask-yes")
    check("stop a source", stub.line() == "stop_source studio/main" and shows(page, "#sources .pill", "idle"))
    page.click("#sources .toggle")
    page.click("#ask-yes")
    check("start it again", stub.line() == "start_source studio/main" and
          shows(page, "#sources .pill", "running"))
    page.click("[data-do=limits]")
    page.wait("document.querySelector('#ask').open", 20)
    page.run("document.querySelector('#ask input').value = 7")
    page.click("#ask-yes")
    check("limits", stub.line() == "set_limits 7 16 4 50")
    page.click("[data-do=reload]")
    page.click("#ask-yes")
    check("what fails is said, with the reason", stub.line() == "reload" and
          shows(page, ".toast.bad", "svc.yaml:7: no such key"))
    failed = [e for e in page.errors if "500" not in e]
    check("the failure is the only complaint", failed == [], failed)
    page.errors.clear()
    page.click("[data-do=drain]")
    page.click("#ask-yes")
    check("drain", stub.line() == "drain" and shows(page, "#state", "draining") and
          shows(page, "#banner", "takes no new viewers"))
    clean(page, stub, "draining")


def states(browser, folder):
    with Stub("--sessions", "0") as stub:
        page = browser.page(1280, 800)
        page.open(stub.url)
        check("nobody: says so", shows(page, "#sessions-empty", "Nobody is here yet") and
              shows(page, "#sources-empty", "No sources") and not seen(page, "#sessions-panel"))
        clean(page, stub, "empty")
        address = stub.address
    check("an outage is said", shows(page, "#banner", "No connection") and
          shows(page, "#state", "no connection"))
    if PICTURES:
        page.screenshot(os.path.join(PICTURES, "outage.png"))
    with Stub("--listen", address):
        check("and survived", shows(page, "#state", "live") and
              page.wait("document.querySelectorAll('#sessions tr').length === 24", 20) and
              not seen(page, "#banner"))
    with Stub("--hostile") as stub:
        page = browser.page(1280, 800)
        page.open(stub.url)
        check("texts of bad peers are text", shows(page, "#sessions small", "<script>alert(2)</script>"))
        page.open(stub.url + "#/session/1")
        shows(page, "#session-facts", "<img src=x")
        check("and make no element", page.run(
            "document.querySelectorAll('script').length === 1 && !document.querySelector('img')"))
        clean(page, stub, "hostile")
    with Stub("--sessions", "230") as stub:
        page = browser.page(1280, 800)
        page.open(stub.url)
        check("pages", shows(page, "#pages", "1 to 100 of 230"))
        page.click("#older")
        check("the next one", shows(page, "#pages", "101 to 200 of 230") and shows(page, "#sessions a", "101"))
    name = os.path.join(folder, "token")
    with open(name, "w", encoding="utf-8") as file:
        file.write(TOKEN)
    os.chmod(name, 0o600)
    with Stub("--token", name) as stub:
        page = browser.page(1280, 800)
        page.open(stub.url)
        check("a token is asked for", page.wait("!document.querySelector('#locked').hidden", 20))
        for token, what, wanted in (("x" * 20, "#wrong", "not the right one"), (TOKEN, "#state", "live")):
            page.run("document.querySelector('#token').value = %s" % json.dumps(token))
            page.click("#lock button")
            check("with %s: %s" % (token, wanted), shows(page, what, wanted))
        page.errors[:] = [e for e in page.errors if "401" not in e]
        clean(page, stub, "token")


def main():
    with tempfile.TemporaryDirectory() as folder, Browser(folder) as browser:
        with Stub() as stub:
            for name, width, height, dark in (("desktop", 1280, 900, False), ("desktop-dark", 1280, 900, True),
                                              ("phone", 360, 780, False), ("phone-dark", 360, 780, True)):
                page = browser.page(width, height, dark, 2 if width < 500 else 1, width < 500)
                overview(page, stub, name)
                session(page, stub, name + "-session")
                page.close()
            page = browser.page(1280, 900)
            lists(page, stub)
            orders(page, stub)
            page.close()
        states(browser, folder)
    sys.exit("%d failed: %s" % (len(failures), ", ".join(failures)) if failures else 0)


if Browser.missing():
    sys.exit(77)
main()
