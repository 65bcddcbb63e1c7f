"""A hostile peer, before it is anybody: sockets, multistream-select, Noise. It is tests' own (rogue.py)."""

import contextlib
import os
import re
import socket
import struct
import time

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hostile import addr_of, is_well, place, wait  # noqa: F401
from rogue import (
    HEADER,
    NOISE,
    SIGNED,
    Identity,
    Listener,
    Over,
    Rogue,
    connect,
    exactly,
    field,
    message_of,
    read_text,
    uvarint,
)


def is_cut(sock):
    """The other side has closed it; what it said before is dropped."""
    sock.settimeout(12)
    with contextlib.suppress(ConnectionResetError):
        while sock.recv(65536):
            pass
    return True


def test_ten_thousand_half_open_handshakes(place):
    """Each says half of a greeting and stays; none is let past the limit, and an honest peer still finds in
    once they are gone."""
    one = place("one")
    addr, held = addr_of(one), []
    begin = time.monotonic()
    for n in range(10_000):
        sock = connect(addr)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            sock.sendall(message_of(HEADER)[:11])
        held.append(sock)
        if n % 2000 == 1999:
            is_well(one)
        if len(held) > 256:
            held.pop(0).close()
    assert time.monotonic() - begin < 60
    assert one.fds() <= 96 + 32, "they hold descriptors"
    is_well(one)
    for sock in held:
        sock.close()
    wait(lambda: one.try_join())
    is_well(one)


def is_cut_at_once(sock):
    sock.settimeout(1)
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_all_descriptors_of_peers_are_taken(place):
    """64 members, 8 plain peers and 24 half-open handshakes are 96: the next is refused, clients and members
    are answered, and who comes when one has gone is let in."""
    one = place("one", config="  connections:\n    max_peers: 64\n")
    with contextlib.ExitStack() as ends:
        plain = [ends.enter_context(one.dial()) for _ in range(8)]
        wait(lambda: [p["kind"] for p in one.peers()] == ["plain"] * 8)
        members = [ends.enter_context(one.join()) for _ in range(64)]
        half = [ends.enter_context(connect(addr_of(one))) for _ in range(23)]
        last = ends.enter_context(connect(addr_of(one)))
        assert not is_cut_at_once(last)
        for _ in range(8):
            with connect(addr_of(one)) as refused:
                assert is_cut_at_once(refused), "the 97th is held"
        assert len(one.peers()) == 72 and one.fds() < 96 + 16
        is_well(one)
        assert members[0].ask(key="nobody has it")[0]["answer"] in ("miss", "busy")
        for sock in (last, *half):
            sock.close()
        members.pop().close()
        plain.pop().close()
        wait(one.try_join)
    is_well(one)


def test_half_open_ones_are_ended(place):
    """Who has connected and says nothing is closed at the end of the handshake's time."""
    one = place("one", config="  connections:\n    timeout: 2\n")
    begin = time.monotonic()
    socks = [connect(addr_of(one)) for _ in range(40)]
    assert all(is_cut(sock) for sock in socks)
    assert time.monotonic() - begin < 8
    is_well(one)


def test_it_leaves_at_every_byte(place):
    """A whole dial, cut after each of its bytes, in order and by a reset."""
    one = place("one")
    at, whole = 0, False
    while not whole:
        sock = Cut(connect(addr_of(one)), at)
        if at % 2:
            sock.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            rogue = Rogue(sock, True, key=one.key)
            rogue.greet()
            rogue.noise.dial()
            rogue.noise.third()
            rogue.plain(bytes(12))
            whole = True
        except Spent:
            pass
        sock.close()
        at += 1
    assert at > 250, "the dial has so many bytes"
    is_well(one)
    assert one.try_join()


class Spent(Exception):
    pass


class Cut:
    """A socket that sends so many bytes and no more."""

    def __init__(self, sock, left):
        self.sock, self.left = sock, left

    def sendall(self, data):
        self.sock.sendall(data[: self.left])
        self.left -= len(data)
        if self.left < 0:
            raise Spent

    def __getattr__(self, name):
        return getattr(self.sock, name)


GREETED = message_of(HEADER) + message_of(NOISE)
NO_HANDSHAKE = (
    b"\xff" * 9 + b"\x01" + b"x" * 100,  # a varint of 10 bytes
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"\x81\x00\n",  # not minimal
    b"\x00",
    b"\x81\x08" + b"x" * 1025,  # longer than any name
    message_of("/multistream/2.0.0"),
    message_of(HEADER)[:-1] + b"x",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a-client-of-the-web/1.0\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
    message_of(HEADER) + message_of("/tls/1.0.0") * 1000,
    GREETED + b"\xff\xff" + b"\0" * 65535,  # a Noise message too long
    GREETED + b"\x00\x00",
    GREETED + b"\x00\x20" + bytes(32),  # no key: all zero
    GREETED + b"\x00\x20" + b"\xff" * 32 + b"\x00\xb8" + b"\0" * 184,
)


def test_what_is_no_handshake(place):
    one = place("one")
    for said in NO_HANDSHAKE:
        with connect(addr_of(one)) as sock:
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                sock.sendall(said)
            begin = time.monotonic()
            assert is_cut(sock) and time.monotonic() - begin < 5, said
    is_well(one)


# ---- who it says it is


def spki(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def other_keys():
    """(type's name, the number, the key's bytes, its signature of a text)."""
    one = rsa.generate_private_key(65537, 2048)
    yield "RSA", 0, spki(one), lambda text: one.sign(text, padding.PKCS1v15(), hashes.SHA256())
    koblitz = ec.generate_private_key(ec.SECP256K1())
    point = koblitz.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    yield "secp256k1", 2, point, lambda text: koblitz.sign(text, ec.ECDSA(hashes.SHA256()))
    nist = ec.generate_private_key(ec.SECP256R1())
    yield "ECDSA", 3, spki(nist), lambda text: nist.sign(text, ec.ECDSA(hashes.SHA256()))


def refused(one, forge):
    """A handshake with that payload is not taken, in either role; what the daemon says of it."""
    with pytest.raises(Over):
        with Rogue(connect(addr_of(one)), True, key=one.key, forge=forge).up() as rogue:
            rogue.join()
    assert not one.peers()


def test_keys_that_cannot_be_verified(place):
    """Right signatures by keys of other types: refused, not believed."""
    one = place("one", args=("--log-level", "debug"))
    for name, number, data, sign in other_keys():
        message = b"\x08" + bytes([number]) + field(2, data)
        refused(one, lambda static: field(1, message) + field(2, sign(SIGNED + static)))  # noqa: B023
        wait(lambda: re.search(f"key of type {name}", one.errors, re.I))  # noqa: B023
    is_well(one)


def test_identities_that_are_not_its_own(place):
    """Another's public key: with one's own signature, with a signature of another connection, with none."""
    one = place("one")
    victim, mine = Identity(), Identity()
    old = victim.key.sign(SIGNED + os.urandom(32))
    for forge in (
        lambda static: field(1, victim.message) + field(2, mine.key.sign(SIGNED + static)),
        lambda static: field(1, victim.message) + field(2, old),
        lambda static: field(1, victim.message) + field(2, victim.key.sign(static)),
        lambda static: field(1, victim.message),
        lambda static: field(1, victim.message) + field(2, bytes(64)),
        lambda static: field(1, b"\x08\x01\x12\x20" + bytes(32)) + field(2, bytes(64)),
        lambda static: mine.payload(static)[:-1],
        lambda static: field(2, mine.key.sign(SIGNED + static)),
        lambda static: b"",
        lambda static: b"\xff" * 200,
        lambda static: b"\x0a" + uvarint(1 << 62) + b"x",
    ):
        refused(one, forge)
    is_well(one)


def test_its_own_handshake_is_no_handshake(place):
    """What it said on one connection, said to it on another: it is not its own peer."""
    one = place("one")
    with connect(addr_of(one)) as back, connect(addr_of(one)) as forth:
        for sock in (back, forth):
            sock.sendall(GREETED + b"\x00\x20" + os.urandom(32))
            read_text(sock), read_text(sock)
        its = exactly(back, 2 + 216)
        forth.sendall(its)
        begin = time.monotonic()
        assert is_cut(forth) and time.monotonic() - begin < 5
    assert not one.peers()
    is_well(one)


def test_who_is_dialled_is_who_answers(place):
    """At a known address another identity waits: it is told from the one that was named."""
    victim = Identity()
    with Listener() as thief:
        addr = thief.addr.replace(thief.me.text, victim.text)
        one = place("one", bootstrap=addr, args=("--log-level", "debug"))
        wait(lambda: f"dialled peer {victim.text}, and {thief.me.text} answered" in one.errors)
        assert not one.peers() and not [r for r in thief.came if r.info]
        is_well(one)


def test_one_address_cannot_take_all(place):
    """Connections that came up and do nothing more: they are peers of no use, and few of them stay."""
    one = place("one")
    rogues = []
    for _ in range(40):
        with contextlib.suppress(Over, OSError):
            rogues.append(Rogue.dial(addr_of(one), key=one.key))
    try:
        wait(lambda: len(one.peers()) <= 20)
        time.sleep(6)
        assert len(one.peers()) <= 8, "those that are no members after 5 s"
        is_well(one)
        assert one.try_join()
    finally:
        for rogue in rogues:
            rogue.close()
