"""A hostile peer on a connection that is up: frames, windows, streams, pings, and who does not read."""

import contextlib
import os
import struct
import threading
import time

import pytest
import rig
from daemon import look
from hostile import OWN, announced, is_well, place, wait  # noqa: F401
from rogue import (
    ACK,
    CACHE,
    DATA,
    FIN,
    GOAWAY,
    HEADER,
    IDENTIFY,
    PING,
    PINGS,
    PUSH,
    RST,
    SYN,
    WINDOW,
    Over,
    message_of,
    uvarint,
)

BIG = b"[" + b",".join(b'{"id":%d,"text":"%s"}' % (n, b"x" * 500) for n in range(8000)) + b"]"


def ended(rogue, code=None):
    """The connection is over, by a GoAway with that code where one is wanted."""
    wait(rogue.over.is_set)
    if code is not None:
        assert (GOAWAY, 0, 0, code) in rogue.frames, rogue.frames[-5:]
    return True


def answers(rogue):
    """Ping by a stream: the connection lives."""
    stream, block = rogue.open(PING), os.urandom(32)
    stream.send(block)
    assert stream.read(32) == block
    stream.shut()
    return True


def test_frames_that_break_the_rules(place):
    """Each ends its connection, and nothing else."""
    one = place("one")
    head = struct.Struct(">BBHII")
    for frame in (
        head.pack(1, DATA, 0, 1, 0),  # another version
        head.pack(0, 9, 0, 1, 0),
        head.pack(0, DATA, SYN, 2, 0),  # an id of theirs
        head.pack(0, WINDOW, SYN, 0, 0),
        head.pack(0, DATA, 0, 0, 5) + b"12345",
        head.pack(0, WINDOW, SYN, 1, 0) * 2,  # opened twice
        head.pack(0, DATA, SYN, 1, 262145),
        head.pack(0, DATA, SYN, 1, 0xFFFFFFFF),
        head.pack(0, DATA, 0, 77, 262145),  # of a stream that nobody knows
    ):
        with one.dial() as rogue:
            rogue.plain(frame)
            assert ended(rogue), frame  # what it said last may be lost with the socket
    is_well(one)


def test_frames_of_streams_that_are_not_there(place):
    """Passed over, whatever they are: they may be of a stream that has just ended."""
    one = place("one")
    with one.join() as rogue:
        for number in (0x7FFFFFFF, 0x7FFFFFFE, 4001):
            rogue.frame(DATA, 0, number, b"x" * 5000)
            rogue.frame(WINDOW, 0, number, 0xFFFFFFFF)
            for flags in (FIN, RST, ACK, FIN | RST, 0xFFF0):
                rogue.frame(WINDOW, flags, number, 0)
        for _ in range(3):
            rogue.frame(PINGS, ACK, 0, 12345)  # an answer nobody waits for
        rogue.frame(WINDOW, 0, rogue.control.number, 0xFFFFFFFF)
        rogue.frame(WINDOW, 0, rogue.control.number, 0xFFFFFFFF)
        assert answers(rogue)
        assert one.peers()[0]["kind"] == "member"
    is_well(one)


def test_more_than_the_window(place):
    """A stream that is not read: what it may send is little, and a byte above the window ends it all."""
    one = place("one")
    with one.dial() as rogue:
        rogue.open(CACHE)
        stream = rogue.open(CACHE)  # read once the first has said who this is
        with contextlib.suppress(Over):
            stream.send(b"\x7f" * 262145)
            assert wait(lambda: stream.over)
    with one.dial() as rogue:
        stream = rogue.open()
        stream.send(message_of(HEADER) + message_of(PUSH))
        with contextlib.suppress(Over):
            rogue.plain(struct.pack(">BBHII", 0, DATA, 0, stream.number, 300_000) + b"\0" * 300_000)
        assert ended(rogue)
    is_well(one)


def test_what_strangers_send_is_not_kept(place):
    """Requests that wait for the peer_info: bytes that no request has are not held for anybody, so that
    strangers cannot use up what all peers share."""
    one = place("one")
    with contextlib.ExitStack() as stack:
        for _ in range(12):
            rogue = stack.enter_context(one.dial())
            rogue.open(CACHE)
            with contextlib.suppress(Over, AssertionError):
                for piece in [16384] * 12 + [512, 16, 1]:
                    stream = rogue.open(CACHE)
                    for _ in range(15):
                        rogue.frame(DATA, 0, stream.number, b"\x7f" * piece)
        begin = time.monotonic()
        honest = stack.enter_context(one.join())
        assert answers(honest) and time.monotonic() - begin < 2
        is_well(one)
        honest.ask(key="get_repo_info:/repos/a/b:0123456789abcdef")


def test_a_thousand_streams_opened_and_left(place):
    """Of 1,000 streams the 64 that may be are held, the others reset; those go too, for they say nothing."""
    one = place("one")
    with one.join() as rogue, one.join() as other:
        streams = [rogue.open() for _ in range(1000)]
        wait(lambda: sum(s.over for s in streams) >= 1000 - 64)
        assert not rogue.over.is_set()
        assert answers(other)
        is_well(one)
        named = [rogue.open(PING, agreed=False) for _ in range(500)]
        wait(lambda: sum(s.over for s in named) >= 498)
        # none finishes its negotiation: 10 s, then its place is free
        wait(lambda: all(s.over for s in streams), 15)
        assert answers(rogue)
    is_well(one)


def test_floods_of_pings(place):
    one = place("one")
    with one.dial() as rogue:
        with contextlib.suppress(Over):
            for n in range(10_000):
                rogue.frame(PINGS, SYN, 0, n)
        assert ended(rogue)
    is_well(one)
    with one.dial() as rogue:
        stream = rogue.open(PING)
        rogue.reading.clear()  # asks and never listens
        with contextlib.suppress(Over, TimeoutError, OSError):
            rogue.sock.settimeout(3)
            for _ in range(200):
                stream.send(os.urandom(32) * 512)
    is_well(one)


def test_lengths_that_are_none(place):
    """Varints of ten bytes, lengths above what each message may have: the stream or the peer goes."""
    one = place("one")
    ten = b"\xff" * 9 + b"\x01"
    for said in (ten, b"\x80" * 9 + b"\x01", uvarint(16384 + 31), uvarint(1 << 62), b"\x00", uvarint(29)):
        with one.dial() as rogue:  # the first message of a stranger
            rogue.open(CACHE).send(said + b"x" * 100)
            assert ended(rogue), said
    for said in (ten, uvarint(65536 + 31), b"\x80\x00"):
        with one.join() as rogue:  # and of a member
            rogue.control.send(said + b"x" * 100)
            assert ended(rogue), said
    for said in (ten, uvarint(4096 + 31)):
        with one.join() as rogue:  # a request
            rogue.open(CACHE).send(said + b"x" * 100)
            assert ended(rogue), said
    with one.dial() as rogue:
        for said in (ten, uvarint(8193), uvarint(1 << 40), uvarint(20) + b"\x0a" + ten + b"x" * 20):
            stream = rogue.open(PUSH)
            stream.send(said + b"x" * 100)
            stream.shut()
            stream.all()
        for name in (ten + b"x", b"\x81\x08" + b"x" * 1025, message_of("/other/1.0.0")):
            stream = rogue.open()
            stream.send(name)
            assert wait(lambda: stream.over or stream.eof)  # noqa: B023
        assert answers(rogue)
    is_well(one)


def test_proposals_without_end(place):
    """A stream that proposes for ever, and one whose every byte comes alone."""
    one = place("one")
    with one.dial() as rogue:
        stream = rogue.open()
        with contextlib.suppress(Over):
            stream.send(message_of(HEADER) + message_of("/nobody/has/this") * 2000)
        wait(lambda: stream.over)
        slow = rogue.open()
        for byte in message_of(HEADER) + message_of(IDENTIFY):
            slow.send(bytes([byte]))
        assert b"ghoard/" in slow.all()
        assert answers(rogue)
    is_well(one)


def fill(one, fake):
    """One entry of 4 MB, which members may have: its key."""
    one.memory += len(BIG)  # 9.3 MiB are measured
    fake.alter(rig.ISSUES, body=BIG)
    assert one.daemon.get(rig.ISSUES, token=OWN).body == BIG
    (found,) = [e for _, e in one.home.entries() if "issues" in e["cache_key"]]
    return found["cache_key"]


def test_slow_readers(place, fake):
    """Members that ask for 4 MB on every stream they may have and read nothing: what is held for them is
    bounded, and after 10 s they are given up."""
    one = place("one")
    key = fill(one, fake)
    one.memory = 18 << 20  # 14.7 MiB are measured
    with contextlib.ExitStack() as stack:
        rogues = [stack.enter_context(one.join()) for _ in range(12)]
        for rogue in rogues:
            rogue.refills = False
            streams = []
            for _ in range(16):
                streams.append(rogue.open(CACHE, agreed=False))
                streams[-1].say({"type": "cache_request", "key": key})
            rogue.asking = streams
        half = rogues[::2]
        time.sleep(0.5)
        for rogue in half:
            rogue.reading.clear()  # the other half reads the socket, but gives no window back
        is_well(one)
        time.sleep(2)
        is_well(one)
        for rogue in rogues[1::2]:
            wait(lambda: all(s.over for s in rogue.asking), 20)  # noqa: B023
        is_well(one)
        with one.join() as honest:
            header, body = honest.ask(key=key)
            assert header["answer"] == "hit" and body == BIG


def read_by(one):
    """Bytes that the daemon has read since its start, from wherever."""
    return int(look(one.daemon.pid, "io").read_text().split()[1])


@pytest.mark.parametrize("count", [8000, 24000])
def test_requests_for_a_large_entry_on_disk(place, fake, count):
    """Of 4 MB, and of 12, which is more than may cross: it is not read as a whole for each who asks."""
    one = place("one")
    one.memory += 2 * count * 530
    body = b"[" + b",".join(b'{"id":%d,"text":"%s"}' % (n, b"x" * 500) for n in range(count)) + b"]"
    fake.alter(rig.ISSUES, body=body)
    assert one.daemon.get(rig.ISSUES, token=OWN).body == body
    key = one.home.entry(rig.ISSUES)["cache_key"]
    one.daemon.stop()
    one = place("one")  # the same folder, and nothing in memory
    with one.join() as rogue:
        before, asked = read_by(one), 60
        for _ in range(asked):
            stream = rogue.open(CACHE, agreed=False)
            stream.say({"type": "cache_request", "key": key})
            stream.shut()
            time.sleep(0.01)
            stream.reset()
        wait(lambda: one.sharing["served"] + one.sharing["refused"] >= asked)
        sent = one.sharing["bytes_out"]
        assert read_by(one) - before < sent + asked * 100_000
        is_well(one)
        may = len(body) < 8 << 20
        header, got = rogue.ask(key=key)
        assert (header["answer"] == "hit") == may and got == (body if may else b"")
        assert sent == 0 or may


def test_goaway_within_a_transfer(place, fake):
    one = place("one")
    key = fill(one, fake)
    for how in (lambda r: r.frame(GOAWAY, 0, 0, 0), lambda r: r.frame(GOAWAY, 0, 0, 2), lambda r: r.close()):
        with one.join() as rogue:
            stream = rogue.open(CACHE)
            stream.say({"type": "cache_request", "key": key})
            stream.read(100_000)
            how(rogue)
            wait(lambda: rogue.me.text not in str(one.peers()))  # noqa: B023
    is_well(one)
    with one.join() as honest:
        assert honest.ask(key=key)[1] == BIG


@pytest.mark.parametrize("how", ["goaway", "reset", "fin", "gone"])
def test_an_answer_that_breaks_off(place, fake, how):
    """The peer that announced it sends a part of the body and ends: GitHub is asked, in time."""
    one = place("one")
    one.memory += len(BIG)
    fake.alter(rig.ISSUES, body=BIG)
    donor = place("donor")
    donor.daemon.get(rig.ISSUES, token=OWN)
    (file,) = [e for _, e in donor.home.entries() if "issues" in e["cache_key"]]
    file.pop("data")
    began = threading.Event()

    def answer(stream, _):
        stream.say({"type": "cache_response", "answer": "hit", "size": len(BIG), "entry": file})
        stream.send(stream.rogue.seal(2, BIG[:16384]))
        began.set()
        if how == "goaway":
            stream.rogue.frame(GOAWAY, 0, 0, 0)
        elif how == "reset":
            stream.reset(0x1002)
        elif how == "fin":
            stream.shut()
        else:
            stream.rogue.close()

    with one.join() as rogue:
        rogue.answer = answer
        rogue.announce(announced(file, len(BIG)))
        wait(lambda: one.sharing["heard"] == 1)
        begin = time.monotonic()
        got = one.daemon.get(rig.ISSUES, token=OWN)
        assert got.body == BIG and got.cache["fwd-status"] == 200
        assert began.is_set() and time.monotonic() - begin < 2
    is_well(one)

