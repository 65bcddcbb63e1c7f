"""Answers recorded from GitHub (@octokit/fixtures), replayed under the stand-in's own address."""

import base64
import fcntl
import json
import pathlib
import shutil
import subprocess
import urllib.parse

from .routes import Answer

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build"
PIN = HERE / "package.json"
SERVED = ("content-type", "link", "location", "last-modified", "x-poll-interval", "x-github-media-type")
OWNER = "octokit-fixture-org"
TOKENS = {f"{n:040d}": "octokit-fixture-user-" + "ab"[n - 1] for n in (1, 2)}


def install(folder=None):
    """Install the pinned package below build/ unless it is there; returns the folder of its scenarios."""
    folder = pathlib.Path(folder or BUILD / "fixtures")
    folder.mkdir(parents=True, exist_ok=True)
    stamp, pin = folder / "installed.json", PIN.read_text()
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != pin:
            shutil.copy(PIN, folder / "package.json")
            subprocess.run(
                [
                    "npm",
                    "install",
                    "--prefix",
                    str(folder),
                    "--no-package-lock",
                    "--no-audit",
                    "--no-fund",
                    "--ignore-scripts",
                    "--omit=dev",
                    "--loglevel=error",
                ],
                check=True,
                timeout=300,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            stamp.write_text(pin)
    return folder / "node_modules" / "@octokit" / "fixtures" / "scenarios"


class Scenario:
    """The exchanges of one recording, in order; a write moves on to what was recorded after it."""

    def __init__(self, name, exchanges):
        self.name, self.exchanges, self.cursor = name, exchanges, 0

    def find(self, method, target, raw):
        found = [
            n
            for n, e in enumerate(self.exchanges)
            if e["method"].upper() == method
            and urllib.parse.urlsplit(e["scope"]).hostname.startswith("api.")
            and e["path"] == target
            and raw == ("raw" in e["reqheaders"].get("accept", ""))
        ]
        if not found:
            return None
        ahead = [n for n in found if n >= self.cursor]
        number = ahead[0] if ahead else found[-1]
        if method not in ("GET", "HEAD"):
            self.cursor = number + 1
        return self.exchanges[number]


class Recorded:
    def __init__(self, folder=None):
        self.scenarios = {}
        for file in sorted((folder or install()).glob("*/*/normalized-fixture.json")):
            self.scenarios[file.parent.name] = Scenario(file.parent.name, json.loads(file.read_text()))

    def paths(self):
        """(scenario, path, status, body) of every recorded GET, for tests that go through all of them."""
        for scenario in self.scenarios.values():
            for exchange in scenario.exchanges:
                if exchange["method"] == "get" and exchange["scope"].startswith("https://api."):
                    yield scenario.name, exchange["path"], exchange["status"], exchange["response"]

    def answer(self, call, target):
        method = "GET" if call.method == "HEAD" else call.method
        for scenario in self.scenarios.values():
            exchange = scenario.find(method, target, "raw" in call.accept)
            if exchange:
                return self._answer(call, exchange)
        return None

    @staticmethod
    def _answer(call, exchange):
        def here(text):
            return (
                text.replace("https://api.github.com", call.base)
                .replace("https://uploads.github.com", call.base)
                .replace("https://codeload.github.com", call.assets)
            )

        body = exchange["response"]
        if exchange.get("responseIsBinary"):
            body = base64.b64decode(body)
        elif isinstance(body, str):
            body = here(body).encode()
        else:
            body = json.loads(here(json.dumps(body)))
        headers = {k.lower(): v for k, v in exchange["headers"].items()}
        kept = [
            (k, here(str(v)))
            for k, v in headers.items()
            if k in SERVED and k not in ("content-type", "x-github-media-type")
        ]
        return Answer(
            exchange["status"],
            body,
            kept,
            kind=headers.get("content-type", "application/json; charset=utf-8"),
            etag=exchange["status"] == 200 and method_is_read(exchange),
            media=headers.get("x-github-media-type", "github.v3; format=json"),
        )


def method_is_read(exchange):
    return exchange["method"] == "get"
