"""Daemons that are peers, for the tests against nodes of other implementations: Member(folder, fake, …)."""

import contextlib
import functools
import os
import pathlib
import re
import subprocess
import time

import rig
from daemon import Daemon
from ports import free_port

SECRET = "a shared secret that is long enough to be one"
NETWORK = "interop"
TOKEN = "alice-token"
ECHO_BINARY = pathlib.Path(os.environ.get("GHOARD_ECHO", rig.ROOT / "build" / "ghoard-echo"))
PATIENCE = 30

# The tests measure the protocol, not the buckets that hold a peer back.
CONFIG = """\
network:
  network_id: {network}
  listen:
    addresses: ["{address}"]
  connections:
    keepalive_interval: {keepalive}
discovery:
{discovery}  methods:
    mdns: false
performance:
  throttling:
    max_messages_per_sec: 100000
    max_bandwidth_per_peer: 1073741824
{more}"""


@functools.cache
def no_peers(binary=None):
    """Why the binary cannot be a peer, or None: it must know `peers id`."""
    done = subprocess.run(
        [binary or rig.BINARY, "peers", "id", "--help"], capture_output=True, text=True, timeout=10
    )
    if "no command 'peers'" in done.stderr:
        return "this binary has no `peers` yet"
    return None


@functools.cache
def no_echo():
    """Why there is no build with the test protocol, or None."""
    if not ECHO_BINARY.exists():
        return f"no build of the binary with the test's echo protocol at {ECHO_BINARY}"
    return no_peers(ECHO_BINARY)


def eventually(check, seconds=PATIENCE, every=0.05):
    """The first answer of check() that is not empty; AssertionError with the last after that time."""
    until = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < until, f"not within {seconds} s: {check.__doc__ or check}"
        time.sleep(every)


class Member:
    """A daemon with P2P on: `peer` is its id, `addr` its full multiaddr, `daemon` answers HTTP."""

    def __init__(self, folder, fake, address="127.0.0.1", secret=SECRET, bootstrap=(), port=None, **more):
        """more: config, discovery (text), keepalive (s), env, binary, url, args of serve; `inside`, a
        command for it."""
        self.folder, self.secret = folder, secret
        folder.mkdir()
        self.ghoard = rig.Ghoard(folder, fake, url=more.get("url"))
        (self.ghoard.project / ".github").mkdir()
        texts = {"more": more.get("config", ""), "discovery": more.get("discovery", "")}
        texts["keepalive"] = more.get("keepalive", 60)
        config = CONFIG.format(network=NETWORK, address=address, **texts)
        (self.ghoard.project / ".github" / "p2p-config.yml").write_text(config)
        self.env = {
            "CACHE_P2P_SHARED_SECRET": secret,
            "ENABLE_PEER_DISCOVERY": "false",
            "CACHE_BOOTSTRAP_PEERS": ",".join(bootstrap) or None,
            **more.get("env", {}),
        }
        self.address, self.port = address, port or (9100 if more.get("inside") else free_port(address))
        self.binary = self._inside(more.get("binary") or rig.BINARY, more.get("inside"))
        self.env["P2P_LISTEN_PORT"] = self.port
        self.args = more.get("args", ())
        self.daemon = None
        self.start()
        self.peer = self._id()
        self.addr = f"/ip4/{address}/tcp/{self.port}/p2p/{self.peer}"

    def _inside(self, binary, inside):
        """The binary, or a script that runs it by another command, as which it has the same process id."""
        if not inside:
            return binary
        script = self.folder / "ghoard"
        script.write_text(f'#!/bin/sh\nexec {" ".join(inside)} {binary} "$@"\n')
        script.chmod(0o755)
        return script

    @contextlib.contextmanager
    def _as_binary(self):
        before, rig.BINARY = rig.BINARY, self.binary
        try:
            yield
        finally:
            rig.BINARY = before

    def start(self):
        with self._as_binary():
            self.daemon = Daemon(self.ghoard, *self.args, token=TOKEN, env=self.env)
        # the daemon answers at once and listens for peers when it has derived its key: this waits for it
        self.run("peers", "id", rc=0)

    def run(self, *args, **more):
        """A command beside the daemon, in its environment."""
        with self._as_binary():
            env = {**self.env, **more.pop("env", {})}
            return self.ghoard(*args, "--socket", self.daemon.socket, token=TOKEN, env=env, **more)

    def _id(self):
        said = self.run("peers", "id", rc=0).out.decode()
        found = re.search(rf"/tcp/{self.port}/p2p/(12D3KooW\w{{44}})", said)
        assert found, f"no full multiaddr with port {self.port} in {said!r}"
        assert re.search(r"\bbafzaaj\w+", said), f"no CID form of the peer id in {said!r}"
        return found[1]

    def get(self, path, **more):
        return self.daemon.get(path, unix=True, **more)

    def end(self):
        if self.daemon:
            self.daemon.end()
            self.daemon.check()
