"""A py-libp2p node for the interop tests; ../README.md says how it is driven."""

import argparse
import json
import logging
import os
import sys
import time

import echo
import multiaddr
import reference
import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_x25519
from libp2p.host.ping import ID as PING
from libp2p.host.ping import perform_ping_roundtrip
from libp2p.identity.identify.identify import ID as IDENTIFY
from libp2p.identity.identify.identify import parse_identify_response
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as Noise
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux

PATIENCE = 20


def show(line):
    os.write(1, json.dumps(line).encode() + b"\n")


def milliseconds(begin):
    return round((time.perf_counter() - begin) * 1000, 3)


def make_host(seed):
    keys = create_new_key_pair(seed)
    noise = Noise(keys, noise_privkey=create_x25519().private_key)
    return new_host(key_pair=keys, sec_opt={NOISE: noise}, muxer_opt={YAMUX: Yamux})


class Node:
    def __init__(self, host):
        self.host = host
        self.commands = {
            "dial": self.dial,
            "identify": self.identify,
            "ping": self.ping,
            "close": self.close,
            "peers": self.peers,
            **echo.Echo(host).commands,
            **reference.Reference(host).commands,
        }

    async def dial(self, addr, **_):
        to = info_from_p2p_addr(multiaddr.Multiaddr(addr))
        if not self.host.is_peer_connected(to.peer_id):
            # of one it knows from before the library asks no identify
            self.host.get_peerstore().clear_protocol_data(to.peer_id)
        begin = time.perf_counter()
        with trio.fail_after(PATIENCE):
            await self.host.connect(to)
            connected = milliseconds(begin)
            await self.identified(to.peer_id)
        return {"peer": str(to.peer_id), "connect_ms": connected, "identify_ms": milliseconds(begin)}

    async def identified(self, peer):
        """Wait for what the library asks by itself on a new connection. It keeps no agent, no version and no
        observed address of it, and tells nobody when it is done."""
        while not self.host._has_cached_protocols(peer):
            await trio.sleep(0.002)

    async def identify(self, peer, **_):
        """Asks anew, and not beside the library: js answers one stream of a connection at a time."""
        peer = ID.from_string(peer)
        with trio.fail_after(PATIENCE):
            await self.identified(peer)
            stream = await self.host.new_stream(peer, [IDENTIFY])
            said = parse_identify_response(await echo.read_all(stream))
            await stream.close()
        return {
            "agent": said.agent_version,
            "version": said.protocol_version,
            "protocols": list(said.protocols),
            "addrs": [str(multiaddr.Multiaddr(a)) for a in said.listen_addrs],
            "observed": [str(multiaddr.Multiaddr(said.observed_addr))] if said.observed_addr else [],
            "key": said.public_key.hex(),
        }

    async def ping(self, peer, n=1, every_ms=0, **_):
        stream = await self.host.new_stream(ID.from_string(peer), [PING])
        took = []
        while True:
            begin = time.perf_counter()
            await perform_ping_roundtrip(stream)
            took.append(round((time.perf_counter() - begin) * 1e6))
            if len(took) == n:
                await stream.close()
                return {"rtt_us": took}
            await trio.sleep(every_ms / 1000)

    async def close(self, peer, **_):
        await self.host.disconnect(ID.from_string(peer))

    async def peers(self, **_):
        found = []
        for peer, connections in self.host.get_network().connections.items():
            of = connections if isinstance(connections, list) else [connections]
            found += [{"peer": str(peer), "dialled": c.muxed_conn.is_initiator} for c in of]
        return {"peers": found}

    async def run(self, asked):
        try:
            if asked.get("do") not in self.commands:
                raise ValueError(f"no such command: {asked.get('do')}")
            answer = await self.commands[asked.pop("do")](**asked) or {}
            show({**answer, "id": asked["id"], "ok": True})
        except Exception as why:
            logging.exception("a command failed")
            show({"id": asked["id"], "ok": False, "error": f"{type(why).__name__}: {why}"})


async def main():
    options = argparse.ArgumentParser()
    options.add_argument("--seed", type=bytes.fromhex, required=True)
    options.add_argument("--listen", default="/ip4/127.0.0.1/tcp/0")
    options = options.parse_args()
    host = make_host(options.seed)
    async with host.run(listen_addrs=[multiaddr.Multiaddr(options.listen)]), trio.open_nursery() as nursery:
        node = Node(host)
        own = str(host.get_id())
        addrs = [str(a) for a in host.get_addrs()]
        addrs = [a if "/p2p/" in a else f"{a}/p2p/{own}" for a in addrs]
        show({"event": "ready", "peer": own, "addrs": addrs})
        lines = trio.lowlevel.FdStream(os.dup(0))
        rest = b""
        async for part in lines:
            *whole, rest = (rest + part).split(b"\n")
            for line in whole:
                nursery.start_soon(node.run, json.loads(line))
        # the library's own tasks take seconds to end
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    logging.basicConfig(level=os.environ.get("LOG", "WARNING"))
    trio.run(main)
