"""What the scenario tests share: the binary under test, run in an environment of its own, and its answers."""

import base64
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = pathlib.Path(os.environ.get("GHOARD", ROOT / "build" / "ghoard")).resolve()
ISSUES = "/repos/octocat/hello-world/issues"
REPO = "/repos/octocat/hello-world"
SHORT = ("--ttl", "1")


def grow_old():
    """Longer than SHORT lets an entry live."""
    time.sleep(1.3)


def cache_status(text):
    """Cache-Status taken apart: {"hit": True, "ttl": 287, "detail": "disk", …} of ghoard's own member."""
    name, *parameters = [p.strip() for p in text.split(",")[-1].split(";")]
    assert name == "ghoard", text
    found = {}
    for parameter in parameters:
        key, equals, value = parameter.partition("=")
        found[key] = int(value) if re.fullmatch(r"-?\d+", value) else value if equals else True
    return found


@dataclasses.dataclass
class Run:
    """What one run of the binary gave."""

    args: list
    rc: int
    out: bytes
    err: str
    ms: float

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def _parts(self):
        """(status line, [(name, value)], body) of an answer printed with -i."""
        head, gap, body = self.out.partition(b"\r\n\r\n")
        if not gap or b"\n\n" in head:
            head, gap, body = self.out.partition(b"\n\n")
        assert gap, f"no head in the output of {self}"
        first, *lines = head.decode("latin-1").splitlines()
        return first, [tuple(p.strip() for p in line.split(":", 1)) for line in lines], body

    @property
    def status(self):
        found = re.match(r"HTTP/\d(?:\.\d)? (\d{3})\b", self._parts[0])
        assert found, f"no status line in the output of {self}"
        return int(found[1])

    @property
    def headers(self):
        """Names in lower case; of a name that comes more than once, the values with commas between."""
        found = {}
        for name, value in self._parts[1]:
            found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
        return found

    @property
    def body(self):
        return self._parts[2]

    @property
    def cache(self):
        """What Cache-Status says, taken apart."""
        text = self.headers.get("cache-status")
        assert text, f"no Cache-Status in the output of {self}"
        return cache_status(text)

    def one_line(self):
        """Errors are one line on stderr; returns it."""
        lines = self.err.splitlines()
        assert len(lines) == 1, f"not one line on stderr: {self.err!r} of {self}"
        return lines[0]

    def __str__(self):
        return (
            f"{shlex.join(map(str, self.args))} -> {self.rc}\nstdout {self.out[:3000]!r}\nstderr {self.err}"
        )


class Ghoard:
    """Runs the binary: ghoard("api", "/user", token="alice-token").

    HOME, the cache and the working folder are this test's own; nothing of the caller's environment passes.
    """

    def __init__(self, folder, fake=None, url=None, ca=None):
        self.home, self.cache, self.project = folder / "home", folder / "cache", folder / "project"
        for made in (self.home, self.project):
            made.mkdir(parents=True, exist_ok=True)
        self.url = url or (fake.url if fake else None)
        self.ca = ca or (fake.ca if fake else None)
        self.folder = folder

    def environment(self, token=None, more=None):
        env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "CACHE_DIR": str(self.cache),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            # tests run side by side, and some with the same invented secret
            "GHOARD_MDNS": "false",
        }
        if self.url:
            env["GITHUB_API_URL"] = self.url
        if self.ca:
            env["SSL_CERT_FILE"] = str(self.ca)
        if token is not None:
            env["GH_TOKEN"] = token
        env |= more or {}
        if "CACHE_P2P_SHARED_SECRET" not in env:
            # a token would do as the secret of a group, and all tests' daemons would meet on one port
            env.setdefault("ENABLE_P2P_CACHE", "false")
        return {k: str(v) for k, v in env.items() if v is not None}

    def __call__(
        self, *args, token="alice-token", env=None, offline=False, input=None, timeout=20, cwd=None, rc=None
    ):
        """env adds to the environment (None takes away); rc, when given, is asserted."""
        command = [str(BINARY), *(["--offline"] if offline else []), *map(str, args)]
        begin = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=self.environment(token, env),
            cwd=cwd or self.project,
            stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            out, err = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(
                f"still running after {timeout} s: {shlex.join(command)}\n{out[:2000]!r}\n"
                f"{err.decode(errors='replace')}"
            ) from None
        run = Run(
            command[1:],
            process.returncode,
            out,
            err.decode(errors="replace"),
            (time.perf_counter() - begin) * 1000,
        )
        assert run.rc >= 0, f"ended by signal {-run.rc}: {run}"
        if rc is not None:
            assert run.rc == rc, f"wanted exit {rc}: {run}"
        return run

    def start(self, *args, token="alice-token", env=None):
        """Begin a run and do not wait for it; the caller ends it."""
        return subprocess.Popen(
            [str(BINARY), *map(str, args)],
            env=self.environment(token, env),
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def api(self, *args, **more):
        """`api -i`: the head is printed and can be asked for."""
        return self("api", "-i", *args, **more)

    def entries(self):
        """The entry files of the store (not last/, not corrupt/), as (path, parsed JSON)."""
        return [(p, json.loads(p.read_bytes())) for p in sorted(self.cache.glob("*.json"))]

    def entry(self, path):
        """The one entry whose URL has that path and query."""
        found = [
            e for _, e in self.entries() if e.get("ghoard", {}).get("url", "").removeprefix(self.url) == path
        ]
        assert len(found) == 1, f"{len(found)} entries for {path}"
        return found[0]


def cid(data):
    """CIDv1, raw, sha2-256, base32: `cid`, and over the JSON of the fields `content_hash`."""
    digest = b"\x01\x55\x12\x20" + hashlib.sha256(data).digest()
    return "b" + base64.b32encode(digest).decode().lower().rstrip("=")


def content_hash(fields):
    """The reference's hash of an entry's validation fields."""
    return cid(json.dumps(fields, sort_keys=True).encode())


def derived_etag(body, token, accept="application/vnd.github+json", scheme="token"):
    """The ETag that GitHub would give that caller for that body."""
    data = f"{accept}:".encode() + (f"{scheme} {token}:".encode() if token else b"") + body
    return f'"{hashlib.sha256(data).hexdigest()}"'
