"""A request that comes again, byte for byte, is answered from a note of its last answer: never wrongly."""

import contextlib
import json
import re
import socket
import time

import pytest
from daemon import split
from rig import ISSUES, REPO

COUNTERS = ("total_requests", "hits_memory", "api_calls_saved", "saved_bytes")


def head(path, token="alice-token", method="GET", more=()):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: token {token}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


class Line:
    """One kept-open connection that sends bytes and reads answers."""

    def __init__(self, daemon, unix=False):
        self.sock = daemon.plug(unix)
        self.file = self.sock.makefile("rb")

    def __call__(self, *data):
        self.sock.sendall(b"".join(data))
        return [self.answer() for _ in data][-1]

    def answer(self):
        text = b""
        while not text.endswith(b"\r\n\r\n"):
            line = self.file.readline()
            assert line, f"the connection ended after {text!r}"
            text += line
        size = re.search(rb"(?i)content-length: (\d+)", text)
        status = int(text.split()[1])
        body = self.file.read(int(size[1])) if size and status != 304 else b""
        return split(text + body)[0]


@contextlib.contextmanager
def line(daemon, unix=False):
    one = Line(daemon, unix)
    try:
        yield one
    finally:
        one.file.close()
        one.sock.close()


def stats(daemon):
    return json.loads(daemon.get("/_ghoard/stats", unix=True).body)


def repeats(daemon):
    return stats(daemon)["repeats"]


def warm(ask, data, times=4):
    """Until the answer is one that may be repeated: stored, found in memory, seen twice."""
    for _ in range(times):
        answer = ask(data)
    return answer


def test_the_same_answer_from_either_listener(daemon, fake, unix):
    with line(daemon, unix) as ask:
        first = ask(head(ISSUES))
        warm(ask, head(ISSUES))
        before = repeats(daemon)
        many = [ask(head(ISSUES)) for _ in range(20)]
    assert repeats(daemon) - before >= 18
    for answer in many:
        assert answer.body == first.body and answer.status == 200
        assert answer.cache["detail"] == "memory" and answer.headers["etag"] == first.headers["etag"]
    assert fake.count() == 1


def test_pipelined(daemon, fake):
    with line(daemon) as ask:
        first = warm(ask, head(ISSUES))
        ask.sock.sendall(head(ISSUES) * 50 + head(REPO) + head(ISSUES) * 50)
        answers = [ask.answer() for _ in range(101)]
    assert [a.body == first.body for a in answers] == [True] * 50 + [False] + [True] * 50
    assert answers[50].json["full_name"] == "octocat/hello-world"
    assert repeats(daemon) > 80 and fake.count() == 2


def test_pipelined_and_half_closed(daemon):
    with line(daemon) as ask:
        warm(ask, head(ISSUES))
    got = split(daemon.raw(head(ISSUES) * 30, half_close=True))
    assert [a.status for a in got] == [200] * 30


@pytest.mark.parametrize("rest", [b"", b"GET /half", head(REPO), head(ISSUES) * 3 + b"G"])
def test_half_closed_behind_what_came_again(daemon, rest):
    with line(daemon) as ask:
        warm(ask, head(ISSUES))
    for _ in range(5):
        got = split(daemon.raw(head(ISSUES) * 3 + rest, half_close=True))
        assert [a.status for a in got] == [200] * (3 + rest.count(b"\r\n\r\n"))
    assert daemon.get(ISSUES).status == 200


def test_every_way_is_counted_alike(daemon):
    with line(daemon) as ask:
        ask(head(ISSUES))
        size = len(ask(head(ISSUES)).body)
        before = stats(daemon)
        warm(ask, head(ISSUES), 40)
        after = stats(daemon)
    assert after["repeats"] > before["repeats"]
    grown = [after[name] - before[name] for name in COUNTERS]
    assert grown == [40, 40, 40, 40 * size]
    assert sum(1 for r in after["recent"] if r["path"] == ISSUES and r["status"] == 200) >= 40


def test_age_and_ttl_move_on(daemon, ghoard):
    """The age is right to the moment, although most answers are given from a note."""
    with line(daemon) as ask:
        warm(ask, head(ISSUES))
        made = ghoard.entry(ISSUES)["timestamp"]
        ages, until = set(), time.monotonic() + 3.2
        while time.monotonic() < until:
            before = time.time() - made
            answer = ask(head(ISSUES))
            age = int(answer.headers["age"])
            assert int(before) <= age <= int(time.time() - made)
            assert age + answer.cache["ttl"] in (299, 300)
            ages.add(age)
            time.sleep(0.005)
    assert len(ages) >= 3 and repeats(daemon) > 100


def test_its_life_ends(make_daemon, fake):
    daemon = make_daemon(env={"CACHE_DEFAULT_TTL": "2"})
    with line(daemon) as ask:
        warm(ask, head(ISSUES))
        assert fake.count() == 1
        until = time.monotonic() + 5
        while time.monotonic() < until and fake.count() == 1:
            answer = ask(head(ISSUES))
            assert answer.cache.get("ttl", 0) >= -30
            time.sleep(0.02)
    assert fake.count() == 2


def test_a_write_ends_it(daemon, fake):
    with line(daemon) as ask, line(daemon) as other:
        warm(ask, head(ISSUES))
        count = fake.count()
        body = b'{"title": "one more"}'
        post = head(ISSUES, method="POST", more=[f"Content-Length: {len(body)}"]) + body
        assert other(post).status == 201
        answer = ask(head(ISSUES))
        assert answer.json[0]["title"] == "one more" and not answer.cache.get("hit")
        assert fake.count() == count + 2


def test_a_write_of_another_process_ends_it(daemon, ghoard, fake):
    with line(daemon) as ask:
        warm(ask, head(ISSUES))
        ghoard("--no-daemon", "api", "-X", "POST", ISSUES, "-f", "title=elsewhere", rc=0)
        assert ask(head(ISSUES)).json[0]["title"] == "elsewhere"


@pytest.mark.parametrize("command", [["cache", "clear"], ["cache", "rm", "--prefix", "get_"]])
def test_the_cache_is_emptied(daemon, ghoard, fake, command):
    with line(daemon) as ask:
        warm(ask, head(REPO))
        ghoard("--socket", daemon.socket, *command, rc=0)
        answer = ask(head(REPO))
        assert answer.cache["fwd"] == "uri-miss" and fake.count() == 2


def test_another_token_another_note(daemon, fake):
    with line(daemon) as ask:
        mine = warm(ask, head("/user"))
        theirs = warm(ask, head("/user", token="bob-token"))
        assert mine.json["login"] == "alice" and theirs.json["login"] == "bob"
        for _ in range(5):
            assert ask(head("/user")).json["login"] == "alice"
            assert ask(head("/user", token="bob-token")).json["login"] == "bob"
            assert ask(head("/user", token="nobody-token")).status == 401
    assert repeats(daemon) >= 8


def test_a_revoked_token(daemon, fake):
    with line(daemon) as ask:
        warm(ask, head(REPO))
        fake.model.revoke("alice-token")
        assert ask(head("/emojis")).status == 401  # GitHub says so on some other path
        assert ask(head(REPO)).status == 401


def test_new_limits_are_told(daemon, fake):
    with line(daemon) as ask, line(daemon) as other:
        before = int(warm(ask, head(ISSUES)).headers["x-ratelimit-remaining"])
        other(head(REPO))
        assert int(ask(head(ISSUES)).headers["x-ratelimit-remaining"]) == before - 1


def test_a_304_again(daemon, fake):
    with line(daemon) as ask:
        tag = ask(head(ISSUES)).headers["etag"]
        data = head(ISSUES, more=[f"If-None-Match: {tag}"])
        before = repeats(daemon)
        answers = [ask(data) for _ in range(8)]
    assert [a.status for a in answers] == [304] * 8 and repeats(daemon) > before
    assert all(a.body == b"" and a.headers["etag"] == tag for a in answers) and fake.count() == 1


@pytest.mark.parametrize(
    "data",
    [
        head(ISSUES, method="HEAD"),
        head(ISSUES, more=["Cache-Control: no-cache"]),
        head(ISSUES, more=["Connection: close"]),
        head(ISSUES, more=["X-Long: " + "x" * 2100]),
    ],
)
def test_what_is_never_repeated(daemon, data):
    with line(daemon) as ask:
        warm(ask, head(ISSUES))
    before = repeats(daemon)
    for _ in range(4):
        with daemon.plug() as sock:
            sock.sendall(data)
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert repeats(daemon) == before


def test_foreign_pages_get_nothing_again(daemon):
    data = head(ISSUES, more=["Origin: http://evil.example"])
    with line(daemon, unix=True) as ask:  # what the socket may, TCP may not
        assert warm(ask, data).status == 200
    with line(daemon) as ask:
        assert [ask(data).status for _ in range(3)] == [403] * 3


def test_who_does_not_read_is_not_answered_for_ever(daemon):
    with line(daemon) as ask:
        size = len(warm(ask, head(ISSUES)).body)
    with daemon.plug() as sock:
        before, sent = daemon.peak, 0
        sock.settimeout(1)
        with contextlib.suppress(TimeoutError):
            while sent < 30_000_000 // size:
                sock.sendall(head(ISSUES))
                sent += 1
        time.sleep(0.5)
        assert daemon.peak - before < 4 << 20
        sock.settimeout(10)
        sock.shutdown(socket.SHUT_WR)
        got = bytearray()
        while piece := sock.recv(1 << 20):
            got += piece
    assert sent <= got.count(b"HTTP/1.1 200 ") <= sent + 1
