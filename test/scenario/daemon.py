"""A running `ghoard serve` for the tests: started in the foreground, asked over either listener."""

import dataclasses
import http.client
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import time

import pytest
import rig


def look(pid, what):
    """The path below /proc of what shows a daemon's inside, which its own user is not shown."""
    path = pathlib.Path(f"/proc/{pid}/{what}")
    if not os.access(path, os.R_OK):
        pytest.skip("a daemon's inside is shown to root alone")
    return path


@dataclasses.dataclass
class Answer:
    """One HTTP answer: `headers` with names in lower case, values of repeated names joined by commas."""

    status: int
    fields: list
    body: bytes
    version: int = 11

    @property
    def headers(self):
        found = {}
        for name, value in self.fields:
            found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
        return found

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def cache(self):
        text = self.headers.get("cache-status")
        assert text, f"no Cache-Status in {self}"
        return rig.cache_status(text)


class UnixConnection(http.client.HTTPConnection):
    """http.client over a unix socket; it calls the daemon localhost unless a Host is given."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def ask(connection, path, token="alice-token", headers=None, method="GET", body=None, chunked=False):
    """One exchange on an http.client connection, which stays open."""
    given = {k: v for k, v in (headers or {}).items() if v is not None}
    if token is not None:
        given["Authorization"] = f"token {token}"
    connection.request(method, path, body=body, headers=given, encode_chunked=chunked)
    answer = connection.getresponse()
    return Answer(answer.status, answer.getheaders(), answer.read(), answer.version)


class Daemon:
    """`ghoard serve` in the foreground. It gets a GH_TOKEN, which it must not use.

    files: its limits of open files, soft and hard.
    """

    def __init__(
        self, ghoard, *args, listen="127.0.0.1:0", path=None, token="daemon-token", env=None, files=None
    ):
        self.ghoard = ghoard
        self.socket = pathlib.Path(path or ghoard.folder / "g.sock")
        self.log = ghoard.folder / f"serve-{time.monotonic_ns()}.log"
        limit = ["prlimit", f"--nofile={files[0]}:{files[1]}"] if files else []
        command = [*limit, rig.BINARY, "serve", "--listen", listen, "--socket", self.socket, *args]
        with open(self.log, "wb") as errors:
            self.process = subprocess.Popen(
                list(map(str, command)),
                env=ghoard.environment(token, env),
                cwd=ghoard.project,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        self.line = self._first_line()
        found = re.search(r"http://\S+:(\d+)", self.line)
        self.port = int(found[1]) if found else None
        self.url = found[0] if found else None

    def _first_line(self, seconds=15):
        line, until = b"", time.monotonic() + seconds
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))
            more = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            if not more:
                self.kill()
                raise AssertionError(f"serve did not begin to listen: {line!r}\n{self.errors}")
            line += more
        assert line.startswith(b"listening on "), line
        return line.decode()

    @property
    def pid(self):
        return self.process.pid

    @property
    def errors(self):
        return self.log.read_text(errors="replace")

    @property
    def peak(self):
        """The most memory it ever held at once (VmHWM), in bytes."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) * 1024

    # -- exchanges
    def open(self, unix=False, timeout=20):
        """An http.client connection."""
        if unix:
            return UnixConnection(self.socket, timeout)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def get(self, path, token="alice-token", headers=None, unix=False, **more):
        """One request on a connection of its own; also method=, body=, chunked=."""
        connection = self.open(unix)
        try:
            return ask(connection, path, token, headers, **more)
        finally:
            connection.close()

    def plug(self, unix=False, timeout=20):
        """A connected socket."""
        sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        sock.settimeout(timeout)
        sock.connect(str(self.socket) if unix else ("127.0.0.1", self.port))
        return sock

    def raw(self, data, unix=False, timeout=20, half_close=False):
        """Send these bytes, and all that comes until the daemon closes. AssertionError if it does not."""
        with self.plug(unix, timeout) as sock:
            try:
                sock.sendall(data)
                if half_close:
                    sock.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it may have answered and closed already
            return drain(sock)

    # -- the end
    def stop(self, how=signal.SIGTERM, timeout=15):
        """End it in order; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.wait(timeout)

    def wait(self, timeout=15):
        return self.process.wait(timeout)

    def end(self):
        """After a test: in order if it can, at once if a client is still being answered."""
        try:
            self.stop(timeout=3)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def check(self):
        """Called at the end of every test: it did not crash and no sanitizer spoke."""
        crashed = self.process.returncode is not None and self.process.returncode < -1
        crashed = crashed and self.process.returncode != -signal.SIGKILL
        bad = re.search(r"(ERROR|WARNING): \w+Sanitizer|runtime error:", self.errors)
        assert not crashed and not bad, f"rc {self.process.returncode}\n{self.errors[-6000:]}"


def drain(sock):
    """Everything until the other side closes; a reset counts as a close."""
    got = b""
    while True:
        try:
            more = sock.recv(65536)
        except TimeoutError:
            raise AssertionError(f"the connection stays open; so far {got[:2000]!r}") from None
        except ConnectionResetError:
            return got
        if not more:
            return got
        got += more


def split(data):
    """The answers in a stretch of bytes, framed by Content-Length or chunked."""
    answers = []
    while data:
        head, gap, data = data.partition(b"\r\n\r\n")
        assert gap, f"no whole head: {head[:500]!r}"
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = [tuple(p.strip() for p in line.split(":", 1)) for line in lines]
        answer = Answer(int(first.split()[1]), fields, b"")
        if answer.headers.get("transfer-encoding") == "chunked":
            answer.body, data = unchunk(data)
        elif answer.status >= 200 and answer.status not in (204, 304):
            size = int(answer.headers.get("content-length", len(data)))
            assert len(data) >= size, f"{len(data)} of {size} bytes of body"
            answer.body, data = data[:size], data[size:]
        answers.append(answer)
    return answers


def unchunk(data):
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        count = int(size.split(b";")[0], 16)
        body, rest = body + data[:count], data[count:]
        assert rest.startswith(b"\r\n"), f"a chunk does not end: {rest[:50]!r}"
        data = rest[2:]
        if count == 0:
            return body, data
