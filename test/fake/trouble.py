"""What can go wrong on the wire, byte by byte. A trouble is a list of steps made from a good answer.

A step is ("send", bytes), ("sleep", seconds), ("close",) which ends TLS in order, ("abort",) which drops the
connection without close_notify, or ("reset",) which sends a TCP reset. Without a closing step the connection
lives on.
"""

import asyncio
import socket
import struct

from aiohttp import web

KINDS = {}


def kind(name):
    def keep(function):
        KINDS[name] = function
        return function

    return keep


def head(wire, *, status=None, add=(), drop=(), eol=b"\r\n"):
    drop = {d.lower() for d in drop}
    lines = [status or f"HTTP/1.1 {wire.status} {wire.reason}"]
    lines += [f"{k}: {v}" for k, v in wire.headers if k.lower() not in drop] + [f"{k}: {v}" for k, v in add]
    return b"".join(line.encode("latin-1") + eol for line in lines) + eol


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def simple(name, end=("close",), **how):
    """A trouble that lies in the head alone."""
    KINDS[name] = lambda wire, **_: [("send", head(wire, **how) + wire.body), end]


# -- slow, cut and silent
@kind("slow-head")
def slow_head(wire, delay=1.0):
    return [("sleep", delay), ("send", head(wire) + wire.body)]


@kind("slow-body")
def slow_body(wire, delay=1.0):
    half = len(wire.body) // 2
    return [("send", head(wire) + wire.body[:half]), ("sleep", delay), ("send", wire.body[half:])]


@kind("drip")
def drip(wire, delay=0.2):
    """One byte of the head at a time, so that no single wait is long."""
    return [step for byte in head(wire) + wire.body for step in (("send", bytes([byte])), ("sleep", delay))]


@kind("cut")
def cut(wire, keep=0.5):
    """The Content-Length of the whole, and a part of it."""
    return [("send", head(wire) + wire.body[: int(len(wire.body) * keep)]), ("close",)]


@kind("cut-head")
def cut_head(wire):
    return [("send", head(wire)[:40]), ("close",)]


@kind("cut-abort")
def cut_abort(wire):
    return [("send", head(wire) + wire.body[: len(wire.body) // 2]), ("abort",)]


@kind("no-answer")
def no_answer(wire, delay=30.0):
    return [("sleep", delay), ("close",)]


@kind("close")
def close(wire):
    return [("close",)]


@kind("reset")
def reset(wire):
    return [("reset",)]


@kind("garbage")
def garbage(wire):
    return [("send", bytes(range(128, 256)) * 16 + b"\r\n\r\n"), ("close",)]


# -- bodies that end with the connection
@kind("until-close")
def until_close(wire):
    """Good: no length, ended by close_notify."""
    return [
        ("send", head(wire, drop=["content-length"], add=[("Connection", "close")]) + wire.body),
        ("close",),
    ]


@kind("until-abort")
def until_abort(wire):
    """No length and no close_notify: nobody can tell this from a truncation."""
    return [
        ("send", head(wire, drop=["content-length"], add=[("Connection", "close")]) + wire.body),
        ("abort",),
    ]


@kind("whole-abort")
def whole_abort(wire):
    """Good: the length is satisfied, so the missing close_notify does no harm."""
    return [("send", head(wire) + wire.body), ("abort",)]


# -- heads
simple("status-line", status="HTP/1.1 200 OK")
simple("status-number", status="HTTP/1.1 2OO OK")
simple("status-version", status="HTTP/2.0 200 OK")
simple("bare-lf", eol=b"\n")
simple("nul", add=[("X-Odd", "a\0b")])
simple("bare-cr", add=[("X-Odd", "a\rX-Smuggled: b")])
simple("space-colon", add=[("X-Odd ", "a")])
simple("no-colon", add=[("X-Odd\r\nno colon here\r\nX-More", "a")])
simple("fold", add=[("X-Odd", "a\r\n folded")])
simple("length-conflict", add=[("Content-Length", "7")])
simple("length-negative", drop=["content-length"], add=[("Content-Length", "-1")])
simple("length-plus", drop=["content-length"], add=[("Content-Length", "+7")])
simple("length-hex", drop=["content-length"], add=[("Content-Length", "0x10")])
simple("length-huge", drop=["content-length"], add=[("Content-Length", "99999999999999999999999")])
simple("transfer-unknown", drop=["content-length"], add=[("Transfer-Encoding", "zip")])
simple("http10", status="HTTP/1.0 200 OK")


@kind("length-twice")
def length_twice(wire):
    return [("send", head(wire, add=[("content-length", str(len(wire.body)))]) + wire.body), ("close",)]


@kind("length-list")
def length_list(wire):
    size = len(wire.body)
    return [
        (
            "send",
            head(wire, drop=["content-length"], add=[("Content-Length", f"{size}, {size}")]) + wire.body,
        ),
        ("close",),
    ]


@kind("both")
def both(wire):
    """Content-Length and Transfer-Encoding at once."""
    return [
        ("send", head(wire, add=[("Transfer-Encoding", "chunked")]) + chunk(wire.body) + b"0\r\n\r\n"),
        ("close",),
    ]


@kind("big-head")
def big_head(wire, size=80 * 1024):
    more = [(f"X-Fill-{n}", "f" * 1000) for n in range(size // 1000)]
    return [("send", head(wire, add=more) + wire.body), ("close",)]


@kind("full-head")
def full_head(wire, size=64 * 1024):
    """Good: as long as a head may be, and nearly all of it one value."""
    drop = {k.lower() for k, _ in wire.headers} - {"content-length", "content-type"}
    room = size - len(head(wire, add=[("X-Fill", "")], drop=drop))
    return [("send", head(wire, add=[("X-Fill", "f" * room)], drop=drop) + wire.body)]


@kind("long-line")
def long_line(wire, size=80 * 1024):
    return [("send", head(wire, add=[("X-Fill", "f" * size)]) + wire.body), ("close",)]


@kind("endless-head")
def endless_head(wire, size=4 * 1024 * 1024):
    return (
        [("send", b"HTTP/1.1 200 OK\r\n")]
        + [("send", b"X-Fill: " + b"f" * 8000 + b"\r\n")] * (size // 8000)
        + [("close",)]
    )


@kind("informational")
def informational(wire):
    """Good: interim answers before the real one."""
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
    return [("send", b"HTTP/1.1 100 Continue\r\n\r\n" + early + head(wire) + wire.body)]


@kind("informational-endless")
def informational_endless(wire, times=20000):
    return [("send", b"HTTP/1.1 100 Continue\r\n\r\n" * 100)] * (times // 100) + [("close",)]


@kind("odd-names")
def odd_names(wire):
    """Good: header names in another case, spaces around values."""
    lines = [f"HTTP/1.1 {wire.status} {wire.reason}"] + [f"{k.swapcase()}:   {v}  " for k, v in wire.headers]
    return [("send", "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + wire.body)]


# -- chunked
def chunked(wire, coded, trailer=b"\r\n"):
    return [
        (
            "send",
            head(wire, drop=["content-length"], add=[("Transfer-Encoding", "chunked")]) + coded + trailer,
        )
    ]


def pieces(body, size=100):
    return b"".join(chunk(body[n : n + size]) for n in range(0, len(body), size))


@kind("chunked")
def chunked_good(wire):
    return chunked(wire, pieces(wire.body) + b"0\r\n")


@kind("big-chunked")
def big_chunked(wire, size=1 << 20, delay=0.0):
    piece = b"x" * (1 << 16)
    first = head(wire, drop=["content-length"], add=[("Transfer-Encoding", "chunked")]) + chunk(b'"')
    more = [("send", chunk(piece[: min(len(piece), left)])) for left in range(size - 2, 0, -len(piece))]
    return [("sleep", delay), ("send", first), *more, ("send", chunk(b'"') + b"0\r\n\r\n")]


@kind("chunked-dribble")
def chunked_dribble(wire):
    """Good: chunks of one byte, a piece of the wire at a time."""
    steps = chunked(wire, pieces(wire.body, 1) + b"0\r\n")
    data = steps[0][1]
    return [
        step for n in range(0, len(data), 701) for step in (("send", data[n : n + 701]), ("sleep", 0.001))
    ]


@kind("chunked-trailers")
def chunked_trailers(wire):
    return chunked(wire, pieces(wire.body) + b"0\r\n", b"X-Trailer: late\r\nContent-Type: text/evil\r\n\r\n")


@kind("chunked-extension")
def chunked_extension(wire):
    return chunked(wire, b"%x;name=value\r\n%s\r\n0\r\n" % (len(wire.body), wire.body))


@kind("chunked-bad-size")
def chunked_bad_size(wire):
    return chunked(wire, b"zz\r\n" + wire.body + b"\r\n0\r\n") + [("close",)]


@kind("chunked-negative")
def chunked_negative(wire):
    return chunked(wire, b"-5\r\n" + wire.body + b"\r\n0\r\n") + [("close",)]


@kind("chunked-overflow")
def chunked_overflow(wire):
    return chunked(wire, b"ffffffffffffffffff\r\n" + wire.body + b"\r\n0\r\n") + [("close",)]


@kind("chunked-no-crlf")
def chunked_no_crlf(wire):
    return chunked(wire, b"%x\r\n%sXX0\r\n" % (len(wire.body), wire.body)) + [("close",)]


@kind("chunked-lf")
def chunked_lf(wire):
    return chunked(wire, b"%x\n%s\n0\n" % (len(wire.body), wire.body), b"\n") + [("close",)]


@kind("chunked-cut")
def chunked_cut(wire):
    return chunked(wire, pieces(wire.body), b"") + [("close",)]


@kind("chunked-big-trailer")
def chunked_big_trailer(wire, size=200 * 1024):
    return chunked(wire, pieces(wire.body) + b"0\r\n", b"X-T: " + b"t" * size + b"\r\n\r\n") + [("close",)]


# -- connections
@kind("connection-close")
def connection_close(wire):
    """Good: a whole answer, then the connection ends as announced."""
    return [("send", head(wire, add=[("Connection", "close")]) + wire.body), ("close",)]


@kind("surprise-close")
def surprise_close(wire):
    """A whole answer that promises to keep the connection, which is then closed."""
    return [("send", head(wire) + wire.body), ("close",)]


@kind("extra-bytes")
def extra_bytes(wire):
    """More than the Content-Length says: what follows must not be taken for the next answer."""
    return [("send", head(wire) + wire.body + b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"evil"')]


@kind("no-content-body")
def no_content_body(wire):
    """A 204 that claims a length: it has no body all the same."""
    return [("send", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n")]


class Raw(web.StreamResponse):
    """An answer that aiohttp did not write."""

    def __init__(self, steps, status):
        super().__init__(status=status)
        self.steps = steps
        self._keep_alive = not any(step[0] in ("close", "abort", "reset") for step in steps)

    async def prepare(self, request):
        self._transport, self._protocol = request.transport, request.protocol

    async def write_eof(self, data=b""):
        for step in self.steps:
            transport = self._transport
            if transport is None or transport.is_closing():
                return
            if step[0] == "send":
                transport.write(step[1])
                await self._drained()
            elif step[0] == "sleep":
                await asyncio.sleep(step[1])
            elif step[0] == "close":
                transport.close()
            elif step[0] == "abort":
                transport.abort()
            elif step[0] == "reset":
                sock = transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                transport.abort()

    async def _drained(self):
        """Wait until the bytes have left, so that an abort cuts where it is meant to."""
        for _ in range(2000):
            below = self._transport.get_write_buffer_size()
            inner = getattr(getattr(self._transport, "_ssl_protocol", None), "_transport", None)
            below += inner.get_write_buffer_size() if inner else 0
            if not below or self._transport.is_closing():
                return
            await asyncio.sleep(0.005)
