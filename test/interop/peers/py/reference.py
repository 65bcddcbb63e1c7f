"""A peer that does on `/github-cache/1.0.0` what the Python reference did.

    ref_join {secret}             derive the key; from then on the protocol is served
    ref_send {peer, key, entry, half_close}
                                  one token with {"key", "entry"}; reads the answer before it closes,
                                  unless told to half-close; answer
    ref_raw {peer, text}          the same with any text in place of the token; answer
    ref_heard                     the entries that came, by key, and how many streams were bad
    ref_open {secret, token}      what a token holds, whatever its time; message
    ref_seal {secret, message, time}  a token; token
"""

import base64
import hashlib
import json

import trio
from cryptography.fernet import Fernet, InvalidToken
from echo import piece, read_all, write
from libp2p.peer.id import ID

CACHE = "/github-cache/1.0.0"
PATIENCE = 10


def fernet(secret):
    key = hashlib.pbkdf2_hmac("sha256", secret.encode(), b"github-cache-p2p", 100_000, 32)
    return Fernet(base64.urlsafe_b64encode(key))


class Reference:
    def __init__(self, host):
        self.host = host
        self.fernet = None
        self.entries, self.bad = {}, 0
        self.commands = {
            "ref_join": self.join,
            "ref_send": self.send,
            "ref_raw": self.raw,
            "ref_heard": self.heard,
            "ref_open": self.open,
            "ref_seal": self.seal,
        }

    async def join(self, secret, **_):
        self.fernet = fernet(secret)
        self.host.set_stream_handler(CACHE, self.handle)

    async def handle(self, stream):
        """Reads to the end, however long that takes to come, stores, answers in clear."""
        try:
            with trio.fail_after(PATIENCE):
                message = json.loads(self.fernet.decrypt(await read_all(stream)))
                self.entries[message["key"]] = message["entry"]
                await write(stream, b"OK")
        except Exception as why:
            self.bad += 1
            with trio.move_on_after(1):
                await write(stream, f"ERROR: {type(why).__name__}".encode())
        await stream.close()

    async def exchange(self, peer, data, half_close=False):
        with trio.fail_after(PATIENCE):
            stream = await self.host.new_stream(ID.from_string(peer), [CACHE])
            await write(stream, data)
            if half_close:
                await stream.close_write()
            answer = await piece(stream, 1024)
            await stream.close()
        return {"answer": answer.decode(errors="replace")}

    async def send(self, peer, key, entry, half_close=False, **_):
        message = json.dumps({"key": key, "entry": entry}).encode()
        return await self.exchange(peer, self.fernet.encrypt(message), half_close)

    async def raw(self, peer, text, **_):
        return await self.exchange(peer, text.encode())

    async def heard(self, **_):
        return {"entries": self.entries, "bad": self.bad}

    async def open(self, secret, token, **_):
        try:
            return {"message": json.loads(fernet(secret).decrypt(token.encode()))}
        except InvalidToken:
            raise ValueError("the token does not verify under this secret") from None

    async def seal(self, secret, message, time, **_):
        return {"token": fernet(secret).encrypt_at_time(json.dumps(message).encode(), time).decode()}
