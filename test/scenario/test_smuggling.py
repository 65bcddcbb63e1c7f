"""Requests that break RFC 9112: a clear status, the end of the connection, and nothing reaches GitHub."""

import socket
import struct
import time

import pytest
from daemon import drain, split
from rig import ISSUES

GET = f"GET {ISSUES} HTTP/1.1\r\n".encode()
POST = f"POST {ISSUES} HTTP/1.1\r\n".encode()
HOST = b"Host: localhost\r\n"
HIDDEN = b"GET /user HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

# name: (bytes, statuses that are right)
SHAPES = {
    # two ways to tell where the body ends
    "CL+TE": (POST + HOST + b"Content-Length: 4\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + HIDDEN, {400}),
    "TE+CL": (POST + HOST + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + HIDDEN, {400}),
    "CL twice": (POST + HOST + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + HIDDEN, {400}),
    "CL twice, the same": (POST + HOST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", {400}),
    "CL list": (POST + HOST + b"Content-Length: 2, 2\r\n\r\n{}", {400}),
    "CL +2": (POST + HOST + b"Content-Length: +2\r\n\r\n{}", {400}),
    "CL -1": (POST + HOST + b"Content-Length: -1\r\n\r\n", {400}),
    "CL 0x2": (POST + HOST + b"Content-Length: 0x2\r\n\r\n{}", {400}),
    "CL 2 2": (POST + HOST + b"Content-Length: 2 2\r\n\r\n{}", {400}),
    "CL empty": (POST + HOST + b"Content-Length:\r\n\r\n{}", {400}),
    "CL huge": (POST + HOST + b"Content-Length: 99999999999999999999\r\n\r\n", {400, 413}),
    "TE twice": (POST + HOST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n", {400, 501}),
    "TE chunked, identity": (POST + HOST + b"Transfer-Encoding: chunked, identity\r\n\r\n", {400, 501}),
    "TE gzip, chunked": (POST + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", {400, 501}),
    "TE xchunked": (POST + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", {400, 501}),
    "TE \\vchunked": (POST + HOST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", {400}),
    "TE quoted": (POST + HOST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', {400, 501}),
    "TE in HTTP/1.0": (POST.replace(b"/1.1", b"/1.0") + HOST + CHUNKED + b"\r\n0\r\n\r\n", {400}),
    # lines
    "obs-fold": (GET + HOST + b"X-Odd: a\r\n b\r\n\r\n", {400}),
    "obs-fold with a tab": (POST + HOST + b"Transfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n", {400}),
    "fold at the start": (GET + b" " + HOST + b"\r\n", {400}),
    "bare CR in a value": (GET + HOST + b"X-Odd: a\rX-Smuggled: b\r\n\r\n", {400}),
    "bare CR ends a line": (GET + HOST + b"X-Odd: a\r\r\n\r\n", {400}),
    "bare LF ends a line": (GET + HOST + b"X-Odd: a\n\r\n", {400}),
    "bare LF ends the head": (GET + HOST + b"\n" + HIDDEN, {400}),
    "LF throughout": ((GET + HOST + b"\r\n").replace(b"\r\n", b"\n"), {400}),
    "bare LF in the request line": (b"GET /\nuser HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "space before the colon": (POST + HOST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", {400}),
    "tab before the colon": (GET + HOST + b"X-Odd\t: a\r\n\r\n", {400}),
    "no colon": (GET + HOST + b"X-Odd\r\n\r\n", {400}),
    "no name": (GET + HOST + b": a\r\n\r\n", {400}),
    "a name in brackets": (GET + HOST + b"X(Odd): a\r\n\r\n", {400}),
    "a name beyond ASCII": (GET + HOST + "X-Ödd: a\r\n\r\n".encode(), {400}),
    "NUL in a value": (GET + HOST + b"X-Odd: a\0b\r\n\r\n", {400}),
    "NUL in a name": (GET + HOST + b"X-\0Odd: a\r\n\r\n", {400}),
    "NUL in the target": (b"GET /us\0er HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "a control character": (GET + HOST + b"X-Odd: a\x01b\r\n\r\n", {400}),
    # Host
    "no Host": (GET + b"\r\n", {400}),
    "two Hosts": (GET + HOST + HOST + b"\r\n", {400}),
    "Host twice, one foreign": (GET + HOST + b"Host: evil.example\r\n\r\n", {400}),
    # the request line
    "a method with a colon": (b"GE:T / HTTP/1.1\r\n" + HOST + b"\r\n", {400, 501}),
    "no method": (b" / HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "no target": (b"GET HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "two spaces": (b"GET  /user HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "a space in the target": (b"GET /us er HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "a tab between": (b"GET\t/user\tHTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "space at the end": (b"GET /user HTTP/1.1 \r\n" + HOST + b"\r\n", {400, 505}),
    "a target beyond ASCII": ("GET /ü HTTP/1.1\r\n".encode() + HOST + b"\r\n", {400}),
    "no version": (b"GET /user\r\n\r\n", {400}),
    "HTTP/0.9": (b"GET /user HTTP/0.9\r\n" + HOST + b"\r\n", {400, 505}),
    "HTTP/1.2": (b"GET /user HTTP/1.2\r\n" + HOST + b"\r\n", {505}),
    "HTTP/2.0": (b"GET /user HTTP/2.0\r\n" + HOST + b"\r\n", {505}),
    "http/1.1": (b"GET /user http/1.1\r\n" + HOST + b"\r\n", {400}),
    "the HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(20), {505}),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), {400}),
    "an answer": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", {400, 505}),
    # too much
    "a long line": (GET + HOST + b"X-Odd: " + b"a" * 70000 + b"\r\n\r\n", {431}),
    "a long target": (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {414, 431}),
    "many fields": (GET + HOST + b"".join(b"X-%d: a\r\n" % n for n in range(5000)) + b"\r\n", {431}),
}

# by the letter these can be read: the connection may go on
READABLE = {
    "an empty Host": (GET + b"Host:\r\n\r\n", {400, 421}),
    "Host with userinfo": (GET + b"Host: localhost@evil.example\r\n\r\n", {400, 421}),
    "Host with a path": (GET + b"Host: localhost/evil\r\n\r\n", {400, 421}),
    "Host in a list": (GET + b"Host: localhost, evil.example\r\n\r\n", {400, 421}),
    "an endless method": (b"G" * 300 + b" / HTTP/1.1\r\n" + HOST + b"\r\n", {400, 501}),
    "CONNECT": (b"CONNECT api.github.com:443 HTTP/1.1\r\nHost: api.github.com\r\n\r\n", {400, 405, 421, 501}),
    "fragment": (b"GET /user#top HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
}


@pytest.mark.parametrize("name", READABLE)
def test_what_can_be_read_and_not_answered(daemon, fake, name):
    data, right = READABLE[name]
    data = data.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
    answer, *more = split(daemon.raw(data))
    assert answer.status in right and not more
    assert fake.count() == 0


@pytest.mark.parametrize("name", SHAPES)
def test_a_malformed_request_is_refused(daemon, fake, name):
    data, right = SHAPES[name]
    answer, *more = split(daemon.raw(data))
    assert answer.status in right and not more, f"{answer} {more}"
    assert answer.headers["connection"] == "close" and answer.body.strip()
    assert fake.count() == 0
    assert daemon.get("/_ghoard/health").status == 200


@pytest.mark.parametrize("name", ["CL+TE", "bare LF ends the head", "no Host", "HTTP/2.0", "a long line"])
def test_the_unix_socket_is_as_strict(daemon, fake, name):
    data, right = SHAPES[name]
    answer, *more = split(daemon.raw(data, unix=True))
    assert answer.status in right and not more
    assert fake.count() == 0


@pytest.mark.parametrize("name", ["CL+TE", "obs-fold", "bare CR in a value", "NUL in a value", "two Hosts"])
def test_byte_by_byte_it_is_refused_too(daemon, fake, name):
    data, right = SHAPES[name]
    with daemon.plug() as sock:
        try:
            for byte in data:
                sock.sendall(bytes([byte]))
        except OSError:
            pass  # refused before the end
        answer, *more = split(drain(sock))
    assert answer.status in right and not more
    assert fake.count() == 0


def test_a_refusal_is_logged(make_daemon):
    daemon = make_daemon("--log-level", "info")
    daemon.raw(SHAPES["CL+TE"][0])
    assert "400" in daemon.errors and "Content-Length" in daemon.errors


@pytest.mark.parametrize("before", [HIDDEN.replace(b"/user", b"/_ghoard/health")])
def test_what_follows_a_refusal_is_not_read(daemon, fake, before):
    answers = split(daemon.raw(before + SHAPES["CL+TE"][0] + HIDDEN))
    assert [a.status for a in answers] == [200, 400]
    assert fake.count() == 0


# -- bodies
BAD_CHUNKS = {
    "no number": b"zz\r\n{}\r\n0\r\n\r\n",
    "negative": b"-2\r\n{}\r\n0\r\n\r\n",
    "0x": b"0x2\r\n{}\r\n0\r\n\r\n",
    "plus": b"+2\r\n{}\r\n0\r\n\r\n",
    "overflow": b"10000000000000002\r\n{}\r\n0\r\n\r\n",
    "space": b" 2\r\n{}\r\n0\r\n\r\n",
    "bare LF": b"2\n{}\n0\n\n",
    "no CRLF after the data": b"2\r\n{}XX0\r\n\r\n",
    "empty size": b"\r\n{}\r\n0\r\n\r\n",
    "endless extension": b"2;" + b"a" * 100000 + b"\r\n{}\r\n0\r\n\r\n",
    "endless trailer": b"0\r\nX-T: " + b"t" * 200000 + b"\r\n\r\n",
    "LF in an extension": b"2;a\nb\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_CHUNKS)
@pytest.mark.parametrize("path", [ISSUES, "/graphql"])
def test_a_bad_chunk_is_refused(daemon, fake, name, path):
    """A streamed body has partly left by then: GitHub sees at most a request that never becomes whole."""
    head = b"POST %s HTTP/1.1\r\n%sAuthorization: token alice-token\r\n" % (path.encode(), HOST)
    head += CHUNKED + b"\r\n"
    answer, *more = split(daemon.raw(head + BAD_CHUNKS[name] + HIDDEN))
    assert answer.status in (400, 413, 431) and not more
    assert answer.headers["connection"] == "close"
    assert not [r for r in fake.requests if r.status is not None], "nothing was done at GitHub"
    assert len(fake.model.repo("octocat/hello-world").issues) == 7


def test_a_body_that_breaks_off_does_nothing(daemon, fake, unix):
    head = POST + HOST + b"Authorization: token alice-token\r\nContent-Length: 15\r\n\r\n"
    for end in (b"", b'{"title"', b'{"title":"xyz"'):
        with daemon.plug(unix) as sock:
            sock.sendall(head + end)
    head = head.replace(b"Content-Length: 15\r\n", CHUNKED)
    for end in (b"", b"f\r\n", b'f\r\n{"title":"xyz"}\r\n', b'f\r\n{"title":"xyz"}\r\n0\r\n'):
        with daemon.plug(unix) as sock:
            sock.sendall(head + end)
    time.sleep(0.5)
    assert len(fake.model.repo("octocat/hello-world").issues) == 7
    assert not fake.find(ISSUES, "POST", status=201)


def test_a_head_of_10_megabytes(daemon, fake, unix):
    """Refused at 64 KiB: the rest is not held."""
    before = daemon.peak
    line = b"X-Fill: " + b"f" * 8000 + b"\r\n"
    answer, *more = split(daemon.raw(GET + HOST + line * 1300 + b"\r\n", unix))
    assert answer.status == 431 and not more
    assert daemon.peak - before < 1 << 20
    assert fake.count() == 0


def test_one_line_of_10_megabytes(daemon, fake):
    answer, *more = split(daemon.raw(b"A" * (10 << 20)))
    assert answer.status in (400, 431) and not more and fake.count() == 0


def test_a_head_just_below_the_limit_is_fine(daemon, fake):
    fill = b"".join(b"X-Fill-%02d: %s\r\n" % (n, b"f" * 3000) for n in range(20))
    got = daemon.raw(GET + HOST + b"Connection: close\r\n" + fill + b"\r\n")
    assert split(got)[0].status in (200, 431) and len(GET + HOST + fill) < 65536
    assert split(daemon.raw(GET + HOST + b"Connection: close\r\n" + fill[:30000] + b"\r\n\r\n"))


# -- slow and half-closed
def test_slowloris(daemon, fake):
    """A byte now and then does not put the deadline off: 10 s from the first to the last."""
    begin, held = time.monotonic(), [daemon.plug(), daemon.plug(unix=True)]
    for sock in held:
        sock.sendall(GET + HOST)
    for _ in range(12):
        time.sleep(1)
        for sock in held:
            try:
                sock.sendall(b"X: y\r\n")
            except OSError:
                pass
    for sock in held:
        (answer,) = split(drain(sock))
        assert answer.status == 408 and answer.headers["connection"] == "close"
        sock.close()
    assert time.monotonic() - begin < 20 and fake.count() == 0
    assert daemon.stop(timeout=3) == 0, "they are not held for ever"


@pytest.mark.parametrize("data", [b"", b"GET", GET, GET + HOST, POST + HOST + b"Content-Length: 5\r\n\r\n{}"])
def test_half_closed_in_the_middle(daemon, fake, unix, data):
    begin = time.monotonic()
    got = daemon.raw(data, unix, half_close=True)
    assert time.monotonic() - begin < 5, "what can never be whole is not waited for"
    assert got == b"" or [a.status for a in split(got)] == [400]
    assert not [r for r in fake.requests if r.status is not None]


def test_resets_in_the_middle_harm_nobody(daemon):
    whole = GET + HOST + b"Authorization: token alice-token\r\n\r\n"
    for end in range(0, len(whole) + 1, 7):
        with daemon.plug() as sock:
            sock.sendall(whole[:end])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert len(daemon.get(ISSUES).json) == 7
