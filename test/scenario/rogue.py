"""A libp2p peer of the tests' own that can break each rule, from multistream-select to sealed messages.

Written from the specifications and the headers of src/p2p, and sharing nothing with them. A Rogue is a
connection; a thread reads it, gives window back and answers the streams that the other side opens.
"""

import hashlib
import hmac
import json
import os
import socket
import struct
import threading
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

HEADER, NOISE, YAMUX = "/multistream/1.0.0", "/noise", "/yamux/1.0.0"
IDENTIFY, PING, CACHE = "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/github-cache/1.0.0"
PUSH = "/ipfs/id/push/1.0.0"
NAME = b"Noise_XX_25519_ChaChaPoly_SHA256"
SIGNED = b"noise-libp2p-static-key:"
NETWORK = "ipfs-datasets-py-cache"
DATA, WINDOW, PINGS, GOAWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
PATIENCE = 10


# ---- small encodings


def uvarint(n):
    out = b""
    while n >= 0x80:
        out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
    return out + bytes([n])


def field(number, data):
    """One length-delimited field of a protobuf."""
    return bytes([number << 3 | 2]) + uvarint(len(data)) + data


def base58(data):
    n, text = int.from_bytes(data, "big"), ""
    while n:
        n, digit = divmod(n, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def unbase58(text):
    n = 0
    for letter in text:
        n = n * 58 + ALPHABET.index(letter)
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + n.to_bytes((n.bit_length() + 7) // 8, "big")


def hkdf(secret, salt, info, n=32):
    key, block, out = hmac.digest(salt or bytes(32), secret, "sha256"), b"", b""
    while len(out) < n:
        block = hmac.digest(key, block + info + bytes([len(out) // 32 + 1]), "sha256")
        out += block
    return out[:n]


def group_key(secret):
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), b"github-cache-p2p", 100_000)


def message_of(text):
    """One message of multistream-select."""
    return uvarint(len(text) + 1) + text.encode() + b"\n"


# ---- who it is


class Identity:
    """An Ed25519 key; `payload` makes what Noise carries, which a test may forge."""

    def __init__(self, seed=None):
        self.key = Ed25519PrivateKey.from_private_bytes(seed or os.urandom(32))
        self.message = b"\x08\x01\x12\x20" + self.key.public_key().public_bytes_raw()
        self.id = b"\0" + bytes([len(self.message)]) + self.message
        self.text = base58(self.id)

    def payload(self, static, muxers=(YAMUX,)):
        signature = self.key.sign(SIGNED + static)
        lists = b"".join(field(2, m.encode()) for m in muxers)
        return field(1, self.message) + field(2, signature) + field(4, lists)


# ---- Noise


class Noise:
    """XX over a socket, either role. `forge` makes the payload from the static key; """

    def __init__(self, sock, dialer, forge):
        self.sock, self.dialer, self.forge = sock, dialer, forge
        self.h = self.ck = NAME
        self.k, self.n = None, 0
        self.mix_hash(b"")
        self.s, self.e = X25519PrivateKey.generate(), X25519PrivateKey.generate()

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def mix_key(self, ours, theirs):
        shared = ours.exchange(X25519PublicKey.from_public_bytes(theirs))
        one = hmac.digest(self.ck, shared, "sha256")
        self.ck = hmac.digest(one, b"\1", "sha256")
        self.k, self.n = hmac.digest(one, self.ck + b"\2", "sha256"), 0

    def crypt(self, data, open=False):
        """Sealed or opened with the handshake's key, and mixed in."""
        given = data
        if self.k:
            one = ChaCha20Poly1305(self.k)
            nonce = bytes(4) + struct.pack("<Q", self.n)
            data = one.decrypt(nonce, data, self.h) if open else one.encrypt(nonce, data, self.h)
            self.n += 1
        self.mix_hash(given if open else data)
        return data

    def write(self, data):
        self.sock.sendall(struct.pack(">H", len(data)) + data)

    def read(self):
        return exactly(self.sock, struct.unpack(">H", exactly(self.sock, 2))[0])

    def public(self, key):
        return key.public_key().public_bytes_raw()

    def speak(self, static):
        """The second or third message but for its key exchange: s, payload."""
        sealed = self.crypt(self.public(self.s))
        self.mix_key(*static)
        return sealed + self.crypt(self.forge(self.public(self.s)))

    def hear(self, data, key):
        theirs = self.crypt(data[:48], open=True)
        self.mix_key(key or self.e, theirs)
        return theirs, self.crypt(data[48:], open=True)

    def dial(self):
        """The first two messages; `third` is then to be sent. The other's payload."""
        e = self.public(self.e)
        self.mix_hash(e)
        self.mix_hash(b"")
        self.write(e)
        got = self.read()
        self.re = got[:32]
        self.mix_hash(self.re)
        self.mix_key(self.e, self.re)
        _, payload = self.hear(got[32:], self.e)
        return payload

    def third(self):
        data = self.speak((self.s, self.re))
        self.write(data)
        self.split()

    def answer(self):
        """As the one that was dialled. The other's payload."""
        self.re = self.read()[:32]
        self.mix_hash(self.re)
        self.mix_hash(b"")
        e = self.public(self.e)
        self.mix_hash(e)
        self.mix_key(self.e, self.re)
        self.write(e + self.speak((self.s, self.re)))
        _, payload = self.hear(self.read(), self.e)
        self.split()
        return payload

    def split(self):
        one = hmac.digest(self.ck, b"", "sha256")
        first = hmac.digest(one, b"\1", "sha256")
        second = hmac.digest(one, first + b"\2", "sha256")
        keys = (first, second) if self.dialer else (second, first)
        self.send_key, self.receive_key = map(ChaCha20Poly1305, keys)
        self.sent = self.received = 0

    def send(self, data):
        for at in range(0, len(data), 65519):
            nonce, self.sent = bytes(4) + struct.pack("<Q", self.sent), self.sent + 1
            self.write(self.send_key.encrypt(nonce, data[at : at + 65519], None))

    def receive(self):
        nonce, self.received = bytes(4) + struct.pack("<Q", self.received), self.received + 1
        return self.receive_key.decrypt(nonce, self.read(), None)


class Over(Exception):
    """The other side ended it."""


def exactly(sock, n):
    got = b""
    while len(got) < n:
        try:
            more = sock.recv(n - len(got))
        except ConnectionResetError:
            more = b""
        if not more:
            raise Over
        got += more
    return got


def read_text(sock):
    """One message of multistream-select from the socket."""
    size = exactly(sock, 1)
    while size[-1] & 0x80:
        size += exactly(sock, 1)
    n = sum((b & 0x7F) << 7 * i for i, b in enumerate(size))
    return exactly(sock, n)[:-1].decode()


# ---- streams


class Stream:
    def __init__(self, rogue, number):
        self.rogue, self.number = rogue, number
        self.data, self.eof, self.code = bytearray(), False, None
        self.changed = threading.Condition()

    def send(self, data):
        for at in range(0, len(data), 16384):
            self.rogue.frame(DATA, 0, self.number, data[at : at + 16384])

    def shut(self):
        self.rogue.frame(WINDOW, FIN, self.number, 0)

    def reset(self, code=0):
        self.rogue.frame(WINDOW, RST, self.number, code)

    @property
    def over(self):
        return self.code is not None or self.rogue.over.is_set()

    def took(self, data=b"", eof=False, code=None):
        with self.changed:
            self.data += data
            self.eof |= eof
            self.code = code if code is not None else self.code
            self.changed.notify_all()

    def read(self, n, seconds=PATIENCE):
        """Exactly so many bytes; Over at its end, TimeoutError after those seconds."""
        until = time.monotonic() + seconds
        with self.changed:
            while len(self.data) < n:
                if self.eof or self.over:
                    raise Over
                if not self.changed.wait(min(0.2, max(0.001, until - time.monotonic()))):
                    if time.monotonic() >= until:
                        raise TimeoutError
            got, self.data = bytes(self.data[:n]), self.data[n:]
        return got

    def all(self, seconds=PATIENCE):
        """What comes until its end, of either kind."""
        got = b""
        try:
            while True:
                got += self.read(1, seconds)
        except Over:
            return got

    def text(self, seconds=PATIENCE):
        size = self.read(1, seconds)
        while size[-1] & 0x80:
            size += self.read(1, seconds)
        n = sum((b & 0x7F) << 7 * i for i, b in enumerate(size))
        return self.read(n, seconds)

    # -- sealed messages
    def sealed(self, seconds=PATIENCE):
        """The next record as it came, without its length."""
        return self.text(seconds)

    def record(self, seconds=PATIENCE):
        return self.rogue.open_record(self.sealed(seconds))

    def header(self, seconds=PATIENCE):
        """The next message; those that are no header are an error."""
        kind, payload = self.record(seconds)
        assert kind == 1, kind
        return json.loads(payload)

    def say(self, header):
        if not isinstance(header, bytes):
            header = json.dumps(header, separators=(",", ":")).encode()
        self.send(self.rogue.seal(1, header))

    def body(self, size):
        got = b""
        while True:
            kind, piece = self.record()
            got += piece
            if kind == 3:
                assert len(got) == size
                return got


# ---- a connection


class Rogue:
    """dial(): connected, secured and read. `serve` maps a protocol to a function of (rogue, stream); the
    control stream is `control` after join()."""

    def __init__(self, sock, dialer, identity=None, key=None, serve=None, forge=None):
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.dialer, self.key = sock, dialer, key
        self.me = identity or Identity()
        self.noise = Noise(sock, dialer, forge or self.me.payload)
        self.serve = {IDENTIFY: say_who, CACHE: be_member, **(serve or {})}
        self.streams, self.next, self.lock = {}, 1 if dialer else 2, threading.Lock()
        self.over, self.reading, self.refills = threading.Event(), threading.Event(), True
        self.agent, self.answer, self.asked, self.heard = "rogue/1", None, [], []
        self.frames, self.control, self.info, self.peer = [], None, None, b""
        self.reading.set()

    # -- coming up
    def up(self):
        self.greet()
        payload = self.noise.dial() if self.dialer else self.noise.answer()
        if self.dialer:
            self.noise.third()
        at = payload.index(b"\x08\x01\x12\x20")
        self.peer = b"\x00\x24" + payload[at : at + 36]
        self.begin()
        return self

    def greet(self):
        if self.dialer:
            self.sock.sendall(message_of(HEADER) + message_of(NOISE))
            assert [read_text(self.sock), read_text(self.sock)] == [HEADER, NOISE]
        else:
            assert [read_text(self.sock), read_text(self.sock)] == [HEADER, NOISE]
            self.sock.sendall(message_of(HEADER) + message_of(NOISE))

    def begin(self):
        threading.Thread(target=self._read, daemon=True).start()

    @classmethod
    def dial(cls, addr, **more):
        """addr is a multiaddr of ip4 and tcp."""
        return cls(connect(addr), True, **more).up()

    def close(self):
        self.over.set()
        self.reading.set()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- frames
    def frame(self, kind, flags, number, body):
        """`body` is bytes, or the length's field of what has none."""
        raw = body if isinstance(body, bytes) else b""
        length = len(raw) if isinstance(body, bytes) else body
        self.plain(struct.pack(">BBHII", 0, kind, flags, number, length) + raw)

    def plain(self, data):
        """Bytes inside Noise, whatever they mean."""
        with self.lock:
            try:
                self.noise.send(data)
            except (BrokenPipeError, ConnectionResetError, OSError) as gone:
                self.over.set()
                raise Over from gone

    def _read(self):
        data = b""
        try:
            while True:
                self.reading.wait()
                data += self.noise.receive()
                while len(data) >= 12:
                    _, kind, flags, number, length = struct.unpack(">BBHII", data[:12])
                    size = length if kind == DATA else 0
                    if len(data) < 12 + size:
                        break
                    body, data = data[12 : 12 + size], data[12 + size :]
                    self._take(kind, flags, number, length, body)
        except (Over, OSError, ValueError):
            pass
        self.over.set()
        for stream in list(self.streams.values()):
            stream.took()

    def _take(self, kind, flags, number, length, body):
        self.frames.append((kind, flags, number, length))
        if kind == PINGS and flags & SYN:
            self.frame(PINGS, ACK, 0, length)
        if kind == GOAWAY:
            self.over.set()
        if kind > WINDOW:
            return
        if flags & SYN:
            self.streams[number] = Stream(self, number)
            threading.Thread(target=self._answer, args=(self.streams[number],), daemon=True).start()
        stream = self.streams.get(number)
        if stream:
            code = length if kind == WINDOW else 0
            stream.took(body, bool(flags & FIN), code if flags & RST else None)
        if body and self.refills:
            self.frame(WINDOW, 0, number, len(body))

    # -- streams
    def open(self, protocol=None, agreed=True):
        """A new stream; with a protocol, negotiated up to the other side's echo (unless not `agreed`)."""
        with self.lock:
            number, self.next = self.next, self.next + 2
        stream = self.streams[number] = Stream(self, number)
        self.frame(WINDOW, SYN, number, 0)
        if protocol:
            stream.send(message_of(HEADER) + message_of(protocol))
            if agreed:
                assert stream.text() == HEADER.encode() + b"\n"
                assert stream.text() == protocol.encode() + b"\n"
        return stream

    def _answer(self, stream):
        try:
            stream.text()
            protocol = stream.text()[:-1].decode()
            found = self.serve.get(protocol)
            self.frame(WINDOW, ACK, stream.number, 0)
            stream.send(message_of(HEADER) + message_of(protocol if found else "na"))
            if found:
                found(self, stream)
        except (Over, TimeoutError):
            pass

    # -- membership
    def keys(self):
        """Of what we send and what we receive."""
        ids = (self.me.id, self.peer) if self.dialer else (self.peer, self.me.id)
        salt = b"".join(uvarint(len(i)) + i for i in ids)
        i, r = (AESGCM(hkdf(self.key, salt, f"{CACHE} {role}".encode())) for role in "ir")
        return (i, r) if self.dialer else (r, i)

    def seal(self, kind, payload, nonce=None):
        """One record, with its length."""
        nonce = nonce or os.urandom(12)
        aad = CACHE.encode() + bytes([kind])
        sealed = b"\1" + nonce + self.keys()[0].encrypt(nonce, bytes([kind]) + payload, aad)
        return uvarint(len(sealed)) + sealed

    def open_record(self, sealed):
        """(kind, payload); InvalidTag, a ValueError of no kind, if it does not open."""
        for kind in (1, 2, 3):
            try:
                aad = CACHE.encode() + bytes([kind])
                plain = self.keys()[1].decrypt(sealed[1:13], sealed[13:], aad)
            except Exception:  # noqa: BLE001, S112
                continue
            return kind, plain[1:]
        raise Over

    def peer_info(self, **more):
        own = {"type": "peer_info", "network_id": NETWORK, "agent": self.agent, "addrs": [], "peers": []}
        return {**own, "time": round(time.time(), 6), **more}

    def join(self, **more):
        """Open the control stream and exchange peer_info, as the dialer does."""
        self.control = self.open(CACHE)
        self.control.say(self.peer_info(**more))
        self.info = self.control.header()
        threading.Thread(target=self._hear, daemon=True).start()
        return self

    def _hear(self):
        try:
            while True:
                self.heard.append(self.control.header(3600))
        except (Over, TimeoutError, AssertionError):
            pass

    def announce(self, *entries):
        self.control.say({"type": "cache_entry", "entries": list(entries)})

    def ask(self, **what):
        """A request on a stream of its own: (header, body)."""
        stream = self.open(CACHE)
        stream.say({"type": "cache_request", **what})
        stream.shut()
        header = stream.header()
        body = stream.body(header["size"]) if header.get("answer") == "hit" else b""
        return header, body


def connect(addr):
    host, port = addr.split("/")[2], int(addr.split("/")[4])
    return socket.create_connection((host, port), timeout=PATIENCE)


# ---- what it answers


def say_who(rogue, stream):
    said = field(1, rogue.me.message) + field(6, rogue.agent.encode())
    stream.send(uvarint(len(said)) + said)
    stream.shut()


def be_member(rogue, stream):
    """A dialer's first such stream is the control stream; others are requests, for `answer` to answer."""
    if not rogue.dialer and rogue.control is None:
        rogue.control = stream
        rogue.info = stream.header()
        stream.say(rogue.peer_info())
        rogue._hear()
        return
    request = stream.header()
    rogue.asked.append(request)
    if rogue.answer is None:
        stream.say({"type": "cache_response", "answer": "miss"})
        stream.shut()
    else:
        rogue.answer(stream, request)


def give(stream, file, body, size=None):
    """A hit: the entry's file without its data, then the body."""
    size = len(body) if size is None else size
    stream.say({"type": "cache_response", "answer": "hit", "size": size, "entry": file})
    for at in range(0, max(1, len(body)), 16384):
        last = at + 16384 >= len(body)
        stream.send(stream.rogue.seal(3 if last else 2, body[at : at + 16384]))
    stream.shut()


class Listener:
    """Where a rogue waits to be dialled: `addr` is its multiaddr, `came` the connections."""

    def __init__(self, identity=None, host="127.0.0.1", **more):
        self.me, self.more, self.came = identity or Identity(), more, []
        self.sock = socket.create_server((host, 0))
        self.addr = f"/ip4/{host}/tcp/{self.sock.getsockname()[1]}/p2p/{self.me.text}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            try:
                self.came.append(Rogue(sock, False, identity=self.me, **self.more).up())
            except (Over, OSError, AssertionError):
                sock.close()

    def close(self):
        self.sock.close()
        for rogue in self.came:
            rogue.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
