"""Peers by name and by IPv6, and the ports that are tried: what `bootstrap_peers` and the listener take."""

import contextlib
import os
import socket
import stat
import subprocess

import pytest
import rig
from ports import free_port
from test_peers import Member, eventually

NAME = "peers.test"


class Placed(Member):
    """A member that listens on an address of the test's choice; a script may stand for the binary."""

    def __init__(self, folder, fake, address="127.0.0.1", script=None, config="", **env):
        self.address, self.script, self.config = address, script, config
        super().__init__(folder, fake, **env)

    def start(self):
        config = self.ghoard.project / ".github" / "p2p-config.yml"
        config.write_text(f'network:\n  listen:\n    addresses: ["{self.address}"]\n{self.config}')
        before = rig.BINARY
        rig.BINARY = self.script or before
        try:
            super().start()
        finally:
            rig.BINARY = before


@pytest.fixture
def place(fake, tmp_path):
    with contextlib.ExitStack() as ends:

        def make(name, **more):
            made = Placed(tmp_path / name, fake, **more)
            # the daemon that it has by then
            ends.callback(lambda: made.daemon.end())
            ends.callback(lambda: made.daemon.stop())
            eventually(lambda: made.report()["state"] == "on")
            return made

        yield make


@pytest.fixture
def hosts(tmp_path):
    """hosts("127.0.9.1", …): a script that runs the binary where NAME has these addresses."""

    def make(*addresses):
        file, script = tmp_path / "hosts", tmp_path / "with-hosts"
        file.write_text("127.0.0.1 localhost\n" + "".join(f"{a} {NAME}\n" for a in addresses))
        inner = f'mount --bind {file} /etc/hosts && exec {rig.BINARY} "$@"'
        script.write_text(f"#!/bin/sh\nexec unshare -rm sh -c '{inner}' ghoard \"$@\"\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        tried = subprocess.run([script, "version"], capture_output=True, text=True, timeout=20, check=False)
        if tried.returncode != 0:
            pytest.skip(f"mount namespaces are not allowed here: {tried.stderr.strip()}")
        return script

    return make


def listener(address, port):
    sock = socket.socket()
    sock.bind((address, port))
    sock.listen(8)
    return sock


def connected(one, other):
    return [p for p in one.report()["peers"] if p["id"] == other.lines[0]]


@pytest.mark.parametrize("kind", ["dns", "dns4"])
@pytest.mark.parametrize("named", [True, False])
def test_every_address_of_a_name(place, hosts, kind, named):
    """The first refuses, the second hangs up, the third is the peer."""
    ours = f"127.{os.getpid() % 200 + 10}.9."
    one = place("one", address=f"{ours}3")
    addr = f"/{kind}/{NAME}/tcp/{one.port}" + (f"/p2p/{one.lines[0]}" if named else "")
    with listener(f"{ours}2", one.port) as stranger:
        script = hosts(*(f"{ours}{n}" for n in (1, 2, 3)))
        two = place("two", script=script, CACHE_BOOTSTRAP_PEERS=addr)
        stranger.settimeout(10)
        stranger.accept()[0].close()
        (seen,) = eventually(lambda: connected(two, one))
    assert seen["addr"] == f"/ip4/{ours}3/tcp/{one.port}" and seen["direction"] == "out"


def has_ipv6():
    with socket.socket(socket.AF_INET6) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            return False
    return True


@pytest.mark.parametrize("host", ["ip6/::1", "dns6/localhost", "dns/localhost"])
def test_ipv6(place, host):
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    one = place("one", address="::1")
    assert one.lines[2] == f"/ip6/::1/tcp/{one.port}/p2p/{one.lines[0]}"
    two = place("two", CACHE_BOOTSTRAP_PEERS=f"/{host}/tcp/{one.port}")
    (seen,) = eventually(lambda: connected(two, one))
    assert seen["addr"] == f"/ip6/::1/tcp/{one.port}"


def test_the_wrong_id_at_a_name(place):
    """A name whose address is another peer's: no connection stays."""
    one, two = place("one"), place("two")
    three = place("three", CACHE_BOOTSTRAP_PEERS=f"/dns4/localhost/tcp/{one.port}/p2p/{two.lines[0]}")
    eventually(lambda: three.report()["state"] == "on")
    with pytest.raises(AssertionError):
        eventually(lambda: three.report()["peers"], seconds=2)


def test_the_next_port(place):
    """Without a port of one's own: the first, and if it is taken the next of the range."""
    first = free_port()
    config = f"    port_range:\n      start: {first}\n      end: {first + 10}\n"
    with listener("127.0.0.1", first):
        one = place("one", config=config, P2P_LISTEN_PORT=None)
        report = eventually(lambda: (r := one.report())["state"] == "on" and r)
    port = int(report["addrs"][0].split("/")[4])
    assert first < port <= first + 10


def test_the_default_ports(place):
    """9000, else one of 9001 to 9010. Others on this machine may have some of them."""
    ports = []
    for name in ("one", "two"):
        one = place(name, address="127.77.3.9", P2P_LISTEN_PORT=None)
        report = eventually(lambda one=one: (r := one.report())["state"] == "on" and r)
        ports.append(int(report["addrs"][0].split("/")[4]))
    assert 9000 <= ports[0] < ports[1] <= 9010
