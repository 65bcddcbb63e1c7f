"""What every pair of nodes must be able to do with each other, ghoard among them: one function a behaviour.

`node` asks, and `peer` is whom it asks over a connection that stands. The protocol is ghoard's test echo.
"""

KIB, MIB = 1 << 10, 1 << 20
SIZES = (1, 64 * KIB, MIB, 8 * MIB)
ECHO, ID, PING = "/ghoard-test/echo/1.0.0", "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"


def identify(node, peer, public_key=None, protocols=(ID, PING)):
    """What identify says is whole, and of the peer that Noise proved."""
    said = node.ask("identify", peer=peer)
    assert set(protocols) <= set(said["protocols"]), said
    # Type 1 is Ed25519, then 32 bytes; the peer id is that message in clear (its base58 ends are compared)
    assert said["key"].startswith("08011220") and len(said["key"]) == 72, said
    assert peer_id(bytes.fromhex(said["key"])) == peer, said
    if public_key:
        assert said["key"] == public_key
    assert said["agent"], said
    return said


def peer_id(key):
    """Base58 of the identity multihash of a PublicKey message of at most 42 bytes."""
    number, text = int.from_bytes(b"\x00" + bytes([len(key)]) + key, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[rest] + text
    return "1" + text


def ping(node, peer, n=5, every_ms=0, timeout=90):
    took = node.ask("ping", peer=peer, n=n, every_ms=every_ms, timeout=timeout)["rtt_us"]
    assert len(took) == n and all(t > 0 for t in took)
    return took


def bodies(node, peer, sizes=SIZES):
    """Each size as an echo, a download and an upload; MB/s of the largest."""
    found = {}
    for size in sizes:
        for way in ("echo", "download", "upload"):
            found[way] = node.ask(way, peer=peer, bytes=size)["mbps"]
    return found


def streams(node, peer):
    """300 in a row, which passes the 256 that go and rust leave unacknowledged, then 16 open together."""
    assert node.ask("streams", peer=peer, n=300, at_once=1, bytes=100)["done"] == 300
    assert node.ask("streams", peer=peer, n=64, at_once=16, bytes=100_000)["done"] == 64


def ends(node, peer):
    """Half close, reset by either side, a refused protocol."""
    node.ask("half", peer=peer, bytes=300_000)
    node.ask("reset", peer=peer, side="client")
    node.ask("reset", peer=peer, side="server")
    node.ask("none", peer=peer)


def everything(node, peer, sizes=SIZES):
    identify(node, peer, protocols=(ID, PING, ECHO))
    ping(node, peer)
    found = bodies(node, peer, sizes)
    streams(node, peer)
    ends(node, peer)
    return found
