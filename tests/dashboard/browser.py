"""browser.py - Chromium without a window, driven by the DevTools protocol over a pair of pipes.

    with Browser(folder) as browser:
        page = browser.page(1280, 800, dark=False)
        page.open("http://127.0.0.1:4480/")
        page.wait("document.title != ''")
        page.screenshot("x.png")
        page.errors        # what the console or the page complained of
"""
import base64
import json
import os
import select
import shutil
import subprocess
import time

TIMEOUT_S = 60


class Page:
    def __init__(self, browser, target, session):
        self.browser, self.target, self.session = browser, target, session
        self.errors, self.requests = [], []

    def call(self, method, **params):
        return self.browser.call(method, params, self.session)

    def open(self, url):
        self.call("Page.navigate", url=url)

    def close(self):
        self.browser.call("Target.closeTarget", {"targetId": self.target}, None)

    def run(self, script):
        """The value of a JavaScript expression; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True,
                           returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait(self, script, seconds=TIMEOUT_S):
        """Until the expression is true; the last value. What cannot be said yet is not true."""
        end = time.monotonic() + seconds
        while True:
            try:
                value = self.run(script)
            except RuntimeError:
                value = None
            if value or time.monotonic() > end:
                return value
            time.sleep(0.05)

    def click(self, selector):
        self.run("document.querySelector(%s).click()" % json.dumps(selector))

    def key(self, key, code=0):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode=code, text="\r" if key == "Enter" else "")

    def screenshot(self, name, full=False):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full)["data"]
        with open(name, "wb") as file:
            file.write(base64.b64decode(data))

    def event(self, method, params):
        if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(" ".join(str(a.get("value", a.get("description")))
                                        for a in params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append("%(text)s %(url)s" % {"url": "", **params["entry"]})
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])


class Browser:
    def __init__(self, folder):
        self.folder, self.next, self.pages, self.text = folder, 1, {}, b""

    @staticmethod
    def missing():
        return "" if shutil.which("chromium") else "chromium"

    def __enter__(self):
        read_to, self.write = os.pipe()
        self.read, write_to = os.pipe()
        # The browser reads from descriptor 3 and writes to 4.
        script = "exec 3<&%d 4>&%d; exec \"$@\"" % (read_to, write_to)
        command = [shutil.which("chromium"), "--headless=new", "--no-sandbox", "--disable-gpu",
                   "--no-first-run", "--disable-background-networking", "--disable-extensions",
                   "--hide-scrollbars", "--force-color-profile=srgb", "--disable-dev-shm-usage",
                   "--user-data-dir=" + os.path.join(self.folder, "profile"),
                   "--remote-debugging-pipe", "about:blank"]
        self.process = subprocess.Popen(["/bin/bash", "-c", script, "chromium", *command],
                                        pass_fds=(read_to, write_to), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env={**os.environ, "HOME": self.folder})
        os.close(read_to)
        os.close(write_to)
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close", {}, None)
        except (OSError, RuntimeError, TimeoutError):
            self.process.kill()
        self.process.wait(timeout=20)
        os.close(self.write)
        os.close(self.read)

    def send(self, message):
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.write, data):]

    def receive(self, end):
        while b"\0" not in self.text:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.read], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            data = os.read(self.read, 1 << 20)
            if not data:
                raise RuntimeError("the browser is gone")
            self.text += data
        message, self.text = self.text.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, params, session):
        number, self.next = self.next, self.next + 1
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self.send(message)
        end = time.monotonic() + TIMEOUT_S
        while True:
            answer = self.receive(end)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError("%s: %s" % (method, answer["error"]))
                return answer["result"]
            page = self.pages.get(answer.get("sessionId"))
            if page and "method" in answer:
                page.event(answer["method"], answer["params"])

    def page(self, width, height, dark=False, scale=1, phone=False):
        target = self.call("Target.createTarget", {"url": "about:blank", "newWindow": True},
                           None)["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True},
                            None)["sessionId"]
        page = self.pages[session] = Page(self, target, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(domain + ".enable")
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=scale, mobile=phone)
        page.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"}])
        return page
