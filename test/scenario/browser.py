"""Headless Chromium for the tests, driven through its own pipe: pages, keys, media, what it asked for."""

import base64
import json
import os
import select
import shutil
import subprocess
import time

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync
    --disable-background-networking --disable-component-update --disable-dev-shm-usage
    --no-default-browser-check --hide-scrollbars""".split()
needs_browser = pytest.mark.skipif(not CHROMIUM, reason="no chromium: apt-get install chromium")
PIPE = '"$0" "$@" 3<&{} 4>&{}'


class Browser:
    """One page: go(url), js("1 + 1"), key("Tab"), wait("expression"); .asked are the addresses it fetched."""

    def __init__(self, folder, *flags):
        ours, its = os.pipe(), os.pipe()
        self.writing, self.reading = ours[1], its[0]
        shell = PIPE.format(ours[0], its[1])
        command = [CHROMIUM, *FLAGS, "--remote-debugging-pipe", f"--user-data-dir={folder / 'chromium'}"]
        self.errors = open(folder / "chromium.log", "wb")
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", f"exec {shell}", *command, *flags, "about:blank"],
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
            pass_fds=(ours[0], its[1]),
            stdin=subprocess.DEVNULL,
            stdout=self.errors,
            stderr=self.errors,
        )
        os.close(ours[0])
        os.close(its[1])
        self.number, self.events, self.rest, self.session = 0, [], b"", None
        pages = [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        told = self.call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)
        self.session = told["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    # -- the protocol
    def _receive(self, until):
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.reading], [], [], max(0, until - time.monotonic()))
            assert ready, "the browser is silent"
            more = os.read(self.reading, 1 << 20)
            assert more, "the browser has ended"
            self.rest += more
        one, _, self.rest = self.rest.partition(b"\0")
        return json.loads(one)

    def call(self, method, seconds=40, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + seconds
        while True:
            got = self._receive(until)
            if got.get("id") == self.number:
                if "navigated" in got.get("error", {}).get("message", ""):
                    return {"result": {}}  # the page it was asked of has gone
                assert "error" not in got, (method, got["error"])
                return got["result"]
            if "method" in got:
                self.events.append(got)

    @property
    def asked(self):
        """Every address that the page, whatever in it, made the browser fetch."""
        self.js("0")  # what it said meanwhile comes before the answer
        sent = [e["params"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [p["request"]["url"] for p in sent]

    # -- the page
    def go(self, url, seconds=20):
        before = len(self.events)
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'", seconds)
        return self.events[before:]

    def js(self, expression):
        """Its value, awaited if it is a promise."""
        told = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, (expression, told["exceptionDetails"])
        return told["result"].get("value")

    def wait(self, expression, seconds=15):
        until = time.monotonic() + seconds
        while not self.js(f"!!({expression})"):
            assert time.monotonic() < until, f"never came true: {expression}"
            time.sleep(0.05)

    def key(self, name, text="", modifiers=0):
        """Press and let go, as the keyboard does it: Tab, Enter, " ", ArrowRight."""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39, "ArrowDown": 40}
        more = {"key": name, "windowsVirtualKeyCode": codes[name], "modifiers": modifiers}
        text = {"Enter": "\r", " ": " "}.get(name, text)
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", **more)

    def size(self, width, height, phone=False):
        more = {"deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, **more)

    def dark(self, on=True):
        value = "dark" if on else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def screenshot(self, path):
        told = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def close(self):
        for fd in (self.writing, self.reading):
            os.close(fd)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()


@pytest.fixture
def browser(tmp_path):
    """A function that starts one with these flags more; ended after the test."""
    started = []

    def make(*flags):
        folder = tmp_path / f"browser{len(started)}"
        folder.mkdir()
        started.append(Browser(folder, *flags))
        return started[-1]

    yield make
    for one in started:
        one.close()
