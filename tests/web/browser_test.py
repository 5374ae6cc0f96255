#!/usr/bin/env python3
"""The page of `burin serve`, and the report of a run, in a real browser: browser_test.py BURIN FOLDER

Trains a small model on drawn pictures, serves it, and does with the page what people do: choose, drop, Grad-CAM,
keyboard alone, mistakes, the camera, a server that goes away. The run's report is read and printed as well. Screenshots
are left in FOLDER. Exit status 77 is a skip, its last line the reason.
"""
import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import axe
import pictures
from webdriver import Browser, NoBrowser

BURIN, SHOTS = (os.path.abspath(argument) for argument in sys.argv[1:3])


def serve(work, *options):
    """A server process and its address."""
    log = open(os.path.join(work, "serve.log"), "w+")
    process = subprocess.Popen([BURIN, "serve", "--port", "0", *options], stdout=log, stderr=subprocess.STDOUT,
                               stdin=subprocess.DEVNULL)
    for _ in range(600):
        log.seek(0)
        text = log.read()
        found = re.search(r"http://127\.0\.0\.1:\d+", text)
        if found:
            return process, found.group()
        if process.poll() is not None:
            break
        time.sleep(0.1)
    print(text)
    if "built without a web server" in text:
        print("burin was built without libmicrohttpd")
        sys.exit(77)
    raise RuntimeError("burin serve did not start")


def train(work):
    """A run on small portraits."""
    for name, grain in (("ai", 0), ("real", 30)):
        os.makedirs(os.path.join(work, "portraits", name))
        for i in range(24):
            pictures.write_portrait(os.path.join(work, "portraits", name, f"{i}.png"), i, grain, 36)
    trained = subprocess.run(
        [BURIN, "train", "portraits", "--model", "resnet20", "--weights", "none", "--recipe", "scratch", "--img-size", "32",
         "--aug", "none", "--batch-size", "8", "--epochs", "14", "--workers", "1", "--project", "runs", "--name", "portraits"],
        cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert trained.returncode == 0, trained.stdout
    os.makedirs(os.path.join(work, "examples"))
    for i in range(4):
        pictures.write_portrait(os.path.join(work, "examples", f"{i}.png"), 20 + i, 30 * (i % 2), 150)
    return os.path.join(work, "runs", "portraits")


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="burin-page-")
        work = cls.folder.name
        run = train(work)
        cls.report = os.path.join(run, "report.html")
        cls.image = os.path.join(work, "examples", "0.png")
        cls.server, cls.address = serve(work, "-m", run, os.path.join(run, "weights", "best.safetensors"), "--examples",
                                        os.path.join(work, "examples"))

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait()
        cls.folder.cleanup()

    def setUp(self):
        self.size(1280, 900)
        self.open()

    def open(self):
        browser.open(self.address)
        browser.wait("document.querySelector('#example-list li') !== null", "the examples")

    def size(self, width, height, theme="light"):
        browser.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        browser.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": theme}, {"name": "prefers-reduced-motion", "value": "reduce"}])

    def wait_for(self, state):
        browser.wait(f"document.body.dataset.state === '{state}'", f"the state {state}")

    def shoot(self, name):
        browser.wait("[...document.images].every((image) => image.complete)", "the pictures")
        browser.screenshot(os.path.join(SHOTS, f"{name}.png"))

    def predict(self):
        browser.type("#file", self.image)
        self.wait_for("done")

    def write(self, name, content):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        return path

    def expect_verdict(self):
        self.assertRegex(browser.text("#verdict-text"), r"(Looks|Not sure).*\s\d+\.\d\s%")

    def test_upload_by_click(self):
        self.shoot("idle")
        browser.run("document.getElementById('file').addEventListener('click', (e) => { e.preventDefault(); document.title = 'chosen'; })")
        browser.click("#drop")
        self.assertEqual(browser.run("return document.title"), "chosen", "the drop zone opens the file dialog")
        self.predict()
        self.expect_verdict()
        self.assertEqual(browser.run("return document.querySelectorAll('#bars .meter').length"), 2)
        self.assertIn("model", browser.text("#times"))
        self.assertIn("0.png", browser.text("#history-list"))
        self.shoot("result")

    def test_upload_by_drop(self):
        with open(self.image, "rb") as file:
            content = base64.b64encode(file.read()).decode()
        browser.run("""
            const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            for (const name of ['one.png', 'two.png', 'three.png']) dataTransfer.items.add(new File([bytes], name, { type: 'image/png' }));
            for (const kind of ['dragenter', 'dragover', 'drop'])
              document.getElementById('drop').dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
            """, content)
        self.wait_for("done")
        self.expect_verdict()
        browser.wait("[...document.querySelectorAll('#history-list b')].filter((b) => b.textContent.includes('%')).length === 3", "all three")
        self.shoot("batch")

    def test_pasting(self):
        with open(self.image, "rb") as file:
            content = base64.b64encode(file.read()).decode()
        browser.run("""
            const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([bytes], 'pasted.png', { type: 'image/png' }));
            dispatchEvent(new ClipboardEvent('paste', { clipboardData }));
            """, content)
        self.wait_for("done")
        self.assertIn("pasted.png", browser.text("#caption"))

    def test_gradcam(self):
        self.predict()
        browser.click(".switch")
        browser.wait("!document.getElementById('heat').hidden && document.getElementById('heat').naturalWidth > 0", "the heat map")
        box = "const b = document.getElementById(arguments[0]).getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2, b.width]"
        heat, photo = browser.run(box, "heat"), browser.run(box, "photo")
        for got, wanted in zip(heat, (photo[0], photo[1], photo[2] * 32 / 36)):
            self.assertAlmostEqual(got, wanted, delta=1, msg="it covers the middle, as the model sees it")
        self.shoot("gradcam")
        browser.run("const t = document.getElementById('target'); t.selectedIndex = 1 - t.selectedIndex; t.dispatchEvent(new Event('change'))")
        other = browser.run("return document.getElementById('target').value")
        browser.wait(f"document.getElementById('heat').alt.includes('for {other},')", "the other class")
        browser.run("const o = document.getElementById('opacity'); o.value = 20; o.dispatchEvent(new Event('input'))")
        self.assertEqual(browser.run("return document.getElementById('heat').style.opacity"), "0.2")
        browser.click(".switch")
        browser.wait("document.getElementById('heat').hidden", "it to go again")

    def test_mistakes(self):
        browser.type("#file", self.write("notes.txt", "not an image"))
        self.wait_for("error")
        self.assertIn("not an image that can be read", browser.text("#failure"))
        self.assertTrue(browser.run("return document.getElementById('retry').hidden"), "it would fail again")
        self.shoot("error")
        large = os.path.join(self.folder.name, "large.jpg")
        with open(large, "wb") as file:
            file.truncate(11 << 20)
        browser.type("#file", large)
        browser.wait("document.getElementById('failure-text').innerText.includes('too large')", "the size to be refused")
        self.predict()
        self.assertTrue(browser.run("return document.getElementById('failure').hidden"), "a good one clears it")

    def test_server_gone(self):
        with tempfile.TemporaryDirectory() as work:
            server, address = serve(work, "-m", os.path.join(self.folder.name, "runs", "portraits"))
            browser.open(address)
            browser.wait("document.querySelector('#facts div') !== null", "the page")
            server.terminate()
            server.wait()
            browser.type("#file", self.image)
            self.wait_for("error")
            self.assertIn("cannot be reached", browser.text("#failure"))
            self.assertFalse(browser.run("return document.getElementById('retry').hidden"))
            browser.run("document.getElementById('retry').focus()")
            browser.press("enter")
            self.wait_for("error")
            self.assertEqual(browser.run("return document.activeElement.id"), "result", "the focus is not lost with the button")

    def test_keyboard_alone(self):
        focus = "const e = document.activeElement; return e.id || e.parentElement?.parentElement?.id"

        def tab_to(wanted):
            for _ in range(40):
                if browser.run(focus) == wanted:
                    return
                browser.press("tab")
            self.fail(f"Tab never came to {wanted}")

        tab_to("file")
        tab_to("example-list")
        outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
        self.assertEqual(outline, "solid", "the focus can be seen")
        browser.press("enter")
        self.wait_for("done")
        self.expect_verdict()
        tab_to("gradcam-on")
        browser.press("space")
        browser.wait("!document.getElementById('heat').hidden", "the heat map")
        tab_to("opacity")
        browser.press("home")
        self.assertEqual(browser.run("return document.getElementById('heat').style.opacity"), "0")
        tab_to("history-list")
        self.shoot("focus")
        room = """const list = document.getElementById('history-list').getBoundingClientRect();
                  const button = document.activeElement.getBoundingClientRect();
                  return Math.min(button.left - list.left, button.top - list.top, list.bottom - button.bottom)"""
        self.assertGreaterEqual(browser.run(room), 6, "the list, which scrolls, does not clip the outline")
        browser.press("escape")
        self.wait_for("idle")
        self.assertEqual(browser.run(focus), "file")

    def test_screen_reader(self):
        self.predict()
        self.assertEqual(browser.run("return document.querySelectorAll('h1').length"), 1)
        self.assertEqual(browser.run("return document.getElementById('verdict').getAttribute('aria-live')"), "polite")
        tree = browser.devtools("Accessibility.getFullAXTree")["nodes"]
        interactive = ("button", "link", "checkbox", "switch", "slider", "combobox", "textbox")
        for node in tree:
            if node.get("ignored") or node["role"]["value"] not in interactive:
                continue
            self.assertTrue(node.get("name", {}).get("value"), f"a {node['role']['value']} has no name: {node}")

    def test_accessibility(self):
        script = axe.source()
        if script is None:
            self.skipTest("axe-core is not installed: npm install axe-core, or BURIN_AXE=…/axe.min.js")

        self.addCleanup(self.server.send_signal, signal.SIGCONT)  # every_state() halts it for a moment

        def expect_accessible(state):
            with self.subTest(state):
                self.assertEqual(axe.findings(browser, script), [])

        for width, theme in ((1280, "light"), (1280, "dark"), (390, "dark")):
            self.size(width, 900, theme)
            self.open()
            for state in self.every_state():
                expect_accessible(f"{state}, {theme}, {width} wide")

    def every_state(self):
        """Brings the page into one state after the other and names it."""
        yield "idle"
        self.server.send_signal(signal.SIGSTOP)
        browser.type("#file", self.image)
        self.wait_for("working")
        yield "working"
        browser.run("document.body.dataset.state = 'uploading'; document.getElementById('percent').textContent = '40 %'")
        yield "uploading"
        self.server.send_signal(signal.SIGCONT)
        self.wait_for("done")
        for tone in ("sure", "warn", "doubt"):
            browser.run("document.getElementById('verdict').dataset.tone = arguments[0]", tone)
            yield f"result, {tone}"
        browser.click(".switch")
        browser.wait("!document.getElementById('heat').hidden", "the heat map")
        yield "Grad-CAM"
        browser.type("#file", self.write("notes.txt", "not an image"))
        self.wait_for("error")
        yield "error, and a history"
        browser.click("#webcam")
        browser.wait("document.getElementById('video').videoWidth > 0", "the camera")
        browser.click("#live")
        browser.wait("document.getElementById('verdict-text').textContent.includes('%')", "a verdict on a frame")
        yield "live"
        browser.click("#stop-camera")

    def test_copying(self):
        self.predict()
        browser.devtools("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        browser.click("#copy-curl")
        browser.wait("document.getElementById('copied').textContent !== ''", "an answer")
        self.assertEqual(browser.text("#copied"), "Copied")

    def test_camera_photo_and_live(self):
        browser.click("#webcam")
        browser.wait("document.getElementById('video').videoWidth > 0 && !document.getElementById('shoot').hidden", "the camera")
        browser.click("#live")
        browser.wait("document.getElementById('verdict-text').textContent.includes('%')", "a verdict on a frame")
        self.assertEqual(browser.run("return document.getElementById('live').getAttribute('aria-pressed')"), "true")
        browser.click("#live")
        browser.click("#shoot")
        self.wait_for("done")
        self.assertIn("webcam.jpg", browser.text("#caption"))

    def test_choosing_a_model_and_history(self):
        self.predict()
        browser.run("const m = document.getElementById('model'); m.selectedIndex = 1; m.dispatchEvent(new Event('change'))")
        browser.wait("document.getElementById('history-list').innerText.includes('portraits-2')", "the second model")
        browser.click("#example-list button")
        browser.wait("document.querySelectorAll('#history-list li').length === 2", "a second entry")
        browser.click("#history-list li:last-child button")
        self.assertIn("0.png", browser.text("#caption"))
        browser.click("#forget")
        self.wait_for("idle")
        self.assertTrue(browser.run("return document.getElementById('history').hidden"))

    def test_narrowest(self):  # what 400 % zoom leaves of 1280 pixels: WCAG 2.2, 1.4.10
        self.addCleanup(self.server.send_signal, signal.SIGCONT)
        self.size(320, 700)
        self.open()
        for state in self.every_state():
            self.assertLessEqual(browser.run("return document.documentElement.scrollWidth"), 320, f"{state}: something sticks out")
            if state == "Grad-CAM":
                self.shoot("narrowest")
                track = browser.run("return document.querySelector('.track').getBoundingClientRect().width")
                self.assertAlmostEqual(track, 41.6, delta=0.1, msg="the words leave the switch its width")

    def test_narrow_and_dark(self):
        self.size(390, 844, "dark")
        self.predict()
        self.assertLessEqual(browser.run("return document.documentElement.scrollWidth"), 390, "nothing sticks out")
        self.shoot("phone-dark")
        self.size(1280, 900, "dark")
        self.shoot("result-dark")
        browser.click("#theme")
        self.assertEqual(browser.run("return document.documentElement.dataset.theme"), "light")
        self.size(640, 450)  # what 200 % zoom leaves of 1280 x 900
        self.assertLessEqual(browser.run("return document.documentElement.scrollWidth"), 640)

    def test_report_on_a_phone(self):
        self.size(320, 700)
        browser.open(f"file://{self.report}")
        self.assertLessEqual(browser.run("return document.documentElement.scrollWidth"), 320, "nothing sticks out")
        smallest = """return Math.min(...[...document.querySelectorAll('svg text')].map((text) =>
            parseFloat(text.getAttribute('font-size')) * text.ownerSVGElement.getScreenCTM().a))"""
        self.assertGreaterEqual(browser.run(smallest), 8, "what the charts say can be read")
        width = "return document.querySelector('svg[aria-label=\"Confusion matrix\"]').getBoundingClientRect().width"
        self.assertLess(browser.run(width), 400, "no chart is larger than it was drawn")
        charts = "[...document.querySelectorAll('.row')].filter((row) => row.scrollWidth > row.clientWidth)"
        self.assertTrue(browser.run(f"return {charts}.every((row) => row.tabIndex === 0)"), "a keyboard can scroll them")
        self.assertGreater(browser.run("return document.querySelector('dd').clientWidth"), 200, "facts have the whole line")
        self.shoot("report-phone")

    def test_report(self):
        browser.open(f"file://{self.report}")
        headings = browser.run("""
            return [...document.querySelectorAll('table')].map((table) => [table.caption.innerText, table.tHead.rows.length,
              table.querySelectorAll('thead th[scope=col]').length, table.rows[0].cells.length,
              table.querySelectorAll('tbody th[scope=row]:first-child').length, table.tBodies[0].rows.length])""")
        self.assertGreaterEqual(len(headings), 2)
        for caption, head_rows, columns, cells, heads, rows in headings:
            self.assertEqual((head_rows, columns, heads), (1, cells, rows), caption)
        if axe.source():
            self.assertEqual(axe.findings(browser, axe.source()), [])

    def test_report_in_print(self):
        if not shutil.which("pdftotext"):
            self.skipTest("poppler-utils is not installed")
        browser.open(f"file://{self.report}")
        introduce = browser.run("return [...document.querySelectorAll('h2, h3, h3 + p')].map((e) => e.innerText.trim())")
        for tenths in range(50, 120, 5):  # of an inch: something else ends each page
            printed = browser.devtools("Page.printToPDF", paperWidth=8.3, paperHeight=tenths / 10)["data"]
            text = subprocess.run(["pdftotext", "-layout", "-", "-"], input=base64.b64decode(printed), check=True,
                                  stdout=subprocess.PIPE).stdout.decode()
            for number, page in enumerate(text.split("\f")):
                lines = [line.strip() for line in page.splitlines() if line.strip()]
                if lines:
                    self.assertNotIn(lines[-1], introduce, f"ends page {number} of {tenths / 10} inches")

    def tearDown(self):
        said = [entry["message"] for entry in browser._call("POST", "/se/log", {"type": "browser"}) if entry["level"] == "SEVERE"]
        expected = ("415", "413", "ERR_CONNECTION_REFUSED", "422")
        self.assertEqual([line for line in said if not any(word in line for word in expected)], [], "the browser's console")


if __name__ == "__main__":
    os.makedirs(SHOTS, exist_ok=True)
    try:
        browser = Browser()
    except NoBrowser as reason:
        print(reason)
        sys.exit(77)
    try:
        result = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2).result
    finally:
        browser.close()
    sys.exit(0 if result.wasSuccessful() else 1)
