"""/ghoard-test/echo/1.0.0, both sides."""

import hashlib
import time

import trio
from libp2p.network.stream.exceptions import StreamEOF, StreamReset
from libp2p.peer.id import ID

ECHO = "/ghoard-test/echo/1.0.0"
NONE = "/ghoard-test/none/1.0.0"
PERIOD = 65521
MAX_BODY = 64 << 20
PIECE = 64 << 10
ONE_ASK = 60
HALF_DONE = 64 << 10

PATTERN = bytes((7 * i + (i >> 8)) & 255 for i in range(PERIOD))
LONG = PATTERN * 3


def uvarint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


def head(mode, n):
    return mode.encode() + uvarint(n)


def body(n):
    for at in range(0, n, PERIOD):
        yield PATTERN[: min(PERIOD, n - at)]


async def write(stream, data):
    """A cancelled write would leave half a frame in the connection; the library gives up one that stalls."""
    with trio.CancelScope(shield=True):
        await stream.write(data)


async def write_body(stream, n):
    for part in body(n):
        await write(stream, part)


async def piece(stream, n=PIECE):
    """At most n bytes; b"" at the end."""
    try:
        return await stream.read(n)
    except StreamEOF:
        return b""


async def read_all(stream):
    return b"".join([part async for part in pieces(stream)])


async def pieces(stream):
    while part := await piece(stream):
        yield part


async def read_byte(stream):
    got = await piece(stream, 1)
    if not got:
        raise EOFError("the end where a byte was awaited")
    return got[0]


async def read_uvarint(stream):
    n = 0
    for shift in range(0, 63, 7):
        byte = await read_byte(stream)
        n |= (byte & 0x7F) << shift
        if byte < 0x80:
            return n
    raise ValueError("a length of more than 9 bytes")


async def read_body(stream, n):
    """Exactly n bytes of the pattern and then the end."""
    at = 0
    async for part in pieces(stream):
        begin = at % PERIOD
        if at + len(part) > n or part != LONG[begin : begin + len(part)]:
            raise ValueError(f"another byte than sent, or too many, after {at} of {n}")
        at += len(part)
    if at != n:
        raise EOFError(f"the end after {at} of {n} bytes")


async def receive(stream, mode, n):
    announced = await read_uvarint(stream)
    if announced != n:
        raise ValueError(f"the answer announces {announced} bytes, not {n}")
    if mode != "u":
        return await read_body(stream, n)
    total = hashlib.sha256()
    for part in body(n):
        total.update(part)
    if await read_all(stream) != total.digest():
        raise ValueError("another SHA-256 than of what was sent")


async def send(stream, mode, n):
    await write(stream, head(mode, n))
    await write_body(stream, n)
    await stream.close_write()


class Echo:
    def __init__(self, host):
        self.host = host
        self.served, self.cut = {}, 0
        host.set_stream_handler(ECHO, self.handle)
        self.commands = {
            "echo": self.measured("e"),
            "download": self.measured("d"),
            "upload": self.measured("u"),
            "half": self.half,
            "streams": self.streams,
            "reset": self.reset,
            "none": self.none,
            "stats": self.stats,
        }

    async def stats(self, **_):
        return {"served": self.served, "cut": self.cut}

    # ---- server ----

    async def handle(self, stream):
        try:
            with trio.fail_after(ONE_ASK):
                mode = await self.answer(stream)
            self.served[mode] = self.served.get(mode, 0) + 1
        except Exception:
            self.cut += 1
            await stream.reset()

    async def answer(self, stream):
        mode = chr(await read_byte(stream))
        n = await read_uvarint(stream)
        if n > MAX_BODY or mode not in "edur":
            raise ValueError("above the limit, or no such mode")
        if mode == "u":
            total, at = hashlib.sha256(), 0
            async for part in pieces(stream):
                total.update(part)
                at += len(part)
            if at != n:
                raise EOFError(f"the end after {at} of {n} bytes")
            await write(stream, uvarint(n) + total.digest())
        else:
            await write(stream, uvarint(n))
            if mode == "e":
                await self.give_back(stream, n)
            else:
                await write_body(stream, n)
        if mode == "r":
            await stream.reset()
        else:
            await stream.close()
        return mode

    async def give_back(self, stream, n):
        while n:
            part = await piece(stream, min(n, PIECE))
            if not part:
                raise EOFError(f"the end {n} bytes early")
            n -= len(part)
            await write(stream, part)

    # ---- client ----

    async def one(self, peer, mode, n):
        with trio.fail_after(ONE_ASK):
            stream = await self.host.new_stream(peer, [ECHO])
            try:
                if mode == "d":
                    await write(stream, head(mode, n))
                    await receive(stream, mode, n)
                elif mode == "u":
                    await send(stream, mode, n)
                    await receive(stream, mode, n)
                else:
                    async with trio.open_nursery() as both:
                        both.start_soon(send, stream, mode, n)
                        await receive(stream, mode, n)
                await stream.close()
            except BaseException:
                with trio.CancelScope(shield=True):
                    await stream.reset()
                raise

    def measured(self, mode):
        async def run(peer, bytes=0, times=1, **_):
            peer, took, begin = ID.from_string(peer), [], time.perf_counter()
            for _ in range(times):
                start = time.perf_counter()
                await self.one(peer, mode, bytes)
                took.append(round((time.perf_counter() - start) * 1e6))
            return {"us": took, "mbps": bytes * times / (1e6 * (time.perf_counter() - begin))}

        return run

    async def half(self, peer, bytes=0, **_):
        peer, begin = ID.from_string(peer), time.perf_counter()
        await self.one(peer, "u", bytes)
        stream = await self.host.new_stream(peer, [ECHO])
        await write(stream, head("d", bytes))
        await stream.close_write()
        with trio.fail_after(ONE_ASK):
            await receive(stream, "d", bytes)
        await stream.close()
        return {"us": [round((time.perf_counter() - begin) * 1e6)]}

    async def streams(self, peer, n=1, at_once=1, bytes=100, **_):
        peer, begin, todo = ID.from_string(peer), time.perf_counter(), iter(range(n))

        async def work():
            for _ in todo:
                await self.one(peer, "e", bytes)

        async with trio.open_nursery() as nursery:
            for _ in range(at_once):
                nursery.start_soon(work)
        return {"done": n, "ms": (time.perf_counter() - begin) * 1000}

    async def reset(self, peer, side, **_):
        peer = ID.from_string(peer)
        stream = await self.host.new_stream(peer, [ECHO])
        saw = "reset"
        with trio.fail_after(ONE_ASK):
            if side == "client":
                await write(stream, head("e", 1 << 20))
                await write_body(stream, HALF_DONE)
                got = 0
                while got < 1024:
                    part = await piece(stream)
                    if not part:
                        raise EOFError("the end before the reset")
                    got += len(part)
                await stream.reset()
            else:
                await write(stream, head("r", HALF_DONE))
                try:
                    await read_all(stream)
                    saw = "end"
                except StreamReset:
                    pass
        await self.one(peer, "e", 1000)
        return {"saw": saw}

    async def none(self, peer, **_):
        peer = ID.from_string(peer)
        try:
            stream = await self.host.new_stream(peer, [NONE])
        except Exception as why:
            saw = str(why.__cause__ or why)
        else:
            await stream.reset()
            raise ValueError("a protocol that nobody has was accepted")
        await self.one(peer, "e", 1000)
        return {"saw": saw}
