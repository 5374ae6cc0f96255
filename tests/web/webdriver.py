"""A browser to drive: the part of W3C WebDriver that the tests need, over chromedriver, with the standard
library alone."""
import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
         "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--hide-scrollbars",
         "--force-device-scale-factor=1", "--lang=en"]
KEYS = {"tab": "\ue004", "enter": "\ue007", "space": " ", "escape": "\ue00c", "left": "\ue012", "right": "\ue014",
        "shift": "\ue008", "home": "\ue011", "down": "\ue015"}


class NoBrowser(Exception):
    """Why no browser can be started here."""


class Browser:
    def __init__(self, flags=()):
        driver = shutil.which("chromedriver")
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        if not driver or not chromium:
            raise NoBrowser("chromium and chromium-driver are not installed")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.profile = tempfile.mkdtemp(prefix="burin-browser-")
        self.process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.base = f"http://127.0.0.1:{port}"
        options = {"args": FLAGS + [f"--user-data-dir={self.profile}", *flags], "binary": chromium}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        try:
            self._wait_for_driver()
            session = self._call("POST", "/session", wanted)["sessionId"]
        except Exception as error:
            self.close()
            raise NoBrowser(f"chromium did not start: {str(error)[:200]}") from error
        self.base += f"/session/{session}"

    def _wait_for_driver(self):
        for _ in range(100):
            try:
                return self._call("GET", "/status")
            except OSError:
                time.sleep(0.1)
        raise OSError("chromedriver does not answer")

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from error

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def find(self, selector):
        return self._call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self._call("POST", f"/element/{self.find(selector)}/click", {})

    def type(self, selector, text):
        """Types into an element; the path of a file into a file input chooses it."""
        self._call("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def press(self, *names):
        """Presses and releases keys one after the other, on whatever has the focus."""
        actions = [{"type": kind, "value": KEYS[name]} for name in names for kind in ("keyDown", "keyUp")]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def run(self, script, *arguments):
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).innerText", selector)

    def wait(self, condition, what, seconds=20):
        """Until the JavaScript expression holds."""
        end = time.time() + seconds
        while time.time() < end:
            value = self.run(f"return {condition}")
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"waited {seconds} s in vain for {what}: {condition}")

    def size(self, width, height):
        self._call("POST", "/window/rect", {"width": width, "height": height})

    def devtools(self, command, **parameters):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self, path):
        """The whole page, not just what fits into the window."""
        shot = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot))

    def close(self):
        if "/session/" in self.base:
            try:
                self._call("DELETE", "")
            except Exception:  # the browser may be gone already
                pass
        self.process.terminate()
        self.process.wait()
        for _ in range(20):  # chromium's children still write for a moment
            shutil.rmtree(self.profile, ignore_errors=True)
            if not os.path.exists(self.profile):
                break
            time.sleep(0.1)
