"""Peers in a network namespace of the test's own: the ports that are tried, what is refused before Noise.

And a look-up of names, which holds nothing up.
"""

import pathlib
import stat
import subprocess
import sys
import time

import pytest
import rig
from daemon import look
from test_peer_names import Placed, place  # noqa: F401
from test_peers import eventually

HOLDING = pathlib.Path(__file__).with_name("holding.py")
FAST = "  connections:\n    timeout: 1\n"
ALL = range(9000, 9011)


@pytest.fixture
def room(tmp_path):
    """room(9000, "u53", …): a script that runs the binary in one where these ports are taken."""

    def make(*ports, nameserver="127.0.0.1"):
        etc, script = tmp_path / "etc", tmp_path / "in-a-room"
        etc.mkdir()
        (etc / "resolv.conf").write_text(f"nameserver {nameserver}\n")
        (etc / "hosts").write_text("127.0.0.1 localhost\n")
        held = ",".join(map(str, ports))
        inner = (
            f"ip link set lo up && ip addr add 10.9.0.1/24 dev lo && ip addr add 10.9.0.2/24 dev lo && "
            f'mount --bind {etc} /etc && exec {sys.executable} {HOLDING} "{held}" {rig.BINARY} "$@"'
        )
        script.write_text(f"#!/bin/sh\nexec unshare -rnm sh -c '{inner}' ghoard \"$@\"\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        tried = subprocess.run([script, "version"], capture_output=True, text=True, timeout=20, check=False)
        if tried.returncode != 0:
            pytest.skip(f"namespaces are not allowed here: {tried.stderr.strip()}")
        return script

    return make


def inside(member, *command):
    """Runs it where the member's daemon is; what it prints."""
    enter = ["nsenter", f"--target={member.daemon.pid}", "--user", "--net", "--preserve-credentials"]
    argv = [*enter, *map(str, command)]
    run = subprocess.run(argv, capture_output=True, text=True, timeout=40, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def port_of(member):
    return int(member.report()["addrs"][0].split("/")[4])


@pytest.mark.parametrize(
    "taken, wanted, port",
    [
        ([], None, 9000),
        ([9000], None, 9001),
        ([p for p in ALL if p != 9010], None, 9010),
        ([9000], 9555, 9555),
    ],
)
def test_the_port(place, room, taken, wanted, port):  # noqa: F811
    one = place("one", script=room(*taken), P2P_LISTEN_PORT=wanted)
    assert port_of(one) == port
    assert f"/tcp/{port}/p2p/" in one.lines[2]


def test_no_port_is_left(fake, tmp_path, room):
    one = Placed(tmp_path / "one", fake, script=room(*ALL), P2P_LISTEN_PORT=None)
    try:
        report = one.report()
        assert report["state"] == "off" and "9000 to 9010" in report["why"]
        assert one.daemon.get("/_ghoard/health", token=None, unix=True).status == 200
        doctor = one.ghoard("doctor", "--offline", "--socket", one.daemon.socket, env=one.env, rc=None)
        assert "9000 to 9010" in doctor.out.decode()
    finally:
        one.daemon.stop()
        one.daemon.end()


def test_what_is_refused_before_noise(place, room):  # noqa: F811
    """8 connections of one address, 32 that have not ended their handshake; all go at their deadline."""
    one = place("one", address="0.0.0.0", script=room(), config=FAST, P2P_LISTEN_PORT=None)

    def stay(source, count):
        return int(inside(one, sys.executable, HOLDING, "--connect", source, "10.9.0.1", 9000, count))

    assert stay("10.9.0.2", 12) == 8
    files = look(one.daemon.pid, "fd")
    before = len(list(files.iterdir()))
    # loopback has no limit of its own
    assert int(inside(one, sys.executable, HOLDING, "--connect", "127.0.0.1", "127.0.0.1", 9000, 60)) == 32
    eventually(lambda: len(list(files.iterdir())) <= before)
    addr = f"/ip4/10.9.0.1/tcp/9000/p2p/{one.lines[0]}"
    assert "answered in" in inside(one, rig.BINARY, "peers", "ping", addr, "--count", 1)


def test_a_name_server_that_is_silent(place, room):  # noqa: F811
    """While names are looked up peers and clients are answered at once."""
    config = 'discovery:\n  bootstrap_peers: ["/dns4/a.test/tcp/9000", "/dns6/b.test/tcp/9000"]\n'
    one = place("one", script=room("u53"), config=config, P2P_LISTEN_PORT=None)
    addr, until, worst = one.lines[2], time.monotonic() + 4, 0
    children = pathlib.Path(f"/proc/{one.daemon.pid}/task/{one.daemon.pid}/children")
    assert len(children.read_text().split()) == 2, "both names are being looked up"
    while time.monotonic() < until:
        begin = time.monotonic()
        assert "answered in" in inside(one, rig.BINARY, "peers", "ping", addr, "--count", 3)
        assert one.daemon.get("/_ghoard/health", token=None, unix=True).status == 200
        worst = max(worst, time.monotonic() - begin)
    assert worst < 1
