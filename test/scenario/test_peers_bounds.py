"""Between real daemons: one connection of two that dial each other, deadlines, the owner's lists of peers.

And what a peer that does not read costs, and what is answered meanwhile.
"""

import concurrent.futures
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import time

import pytest
import rig
from daemon import look
from ports import free_port
from rig import ISSUES, REPO
from test_peer_names import Placed, connected, place  # noqa: F401
from test_peers import eventually

TOKEN = "alice-token"
QUICK = "  connections:\n    timeout: 1\n    keepalive_interval: 1\n"
MIB = 1 << 20


def pause(member):
    os.kill(member.daemon.pid, signal.SIGSTOP)


def go_on(member):
    os.kill(member.daemon.pid, signal.SIGCONT)


def later(fake, tmp_path, name, **env):
    """A member that knows who it is and does not run yet."""
    one = Placed(tmp_path / name, fake, **env)
    one.daemon.stop()
    one.daemon.end()
    return one


def test_both_dial(place, fake, tmp_path):  # noqa: F811
    """The connection stays whose dialer has the smaller id, and both sides have the same one."""
    one, two = sorted((later(fake, tmp_path, n) for n in ("one", "two")), key=lambda m: m.lines[0])
    for late, early in ((one, two), (two, one)):
        early.env["CACHE_BOOTSTRAP_PEERS"] = late.lines[2]
        late.env["CACHE_BOOTSTRAP_PEERS"] = early.lines[2]
        try:
            early.start()
            eventually(lambda early=early: early.report()["state"] == "on")
            time.sleep(1.2)  # its first dial has failed, the next is due
            pause(early)
            late.start()
            eventually(lambda late=late: late.report()["state"] == "on")
            time.sleep(2)  # its dial waits to be accepted
            go_on(early)
            eventually(lambda: connected(one, two) and connected(two, one))
            time.sleep(2)
            (here,), (there,) = one.report()["peers"], two.report()["peers"]
            assert (here["direction"], there["direction"]) == ("out", "in")
            assert here["kind"] == there["kind"] == "member" and here["seconds"] >= 1
        finally:
            for each in (one, two):
                each.daemon.end()


def test_a_silent_peer_is_let_go(place):  # noqa: F811
    """Pinged each second; without an answer for 10 it is gone, and when it is back it is dialled again."""
    one = place("one", config=QUICK)
    two = place("two", config=QUICK, CACHE_BOOTSTRAP_PEERS=one.lines[2])
    eventually(lambda: (p := connected(one, two)) and p[0]["rtt_ms"] >= 0)
    begin = time.monotonic()
    pause(two)
    try:
        eventually(lambda: one.report()["peers"] == [], seconds=16)
        assert time.monotonic() - begin > 9
        assert one.daemon.get(REPO).status == 200
    finally:
        go_on(two)
    eventually(lambda: connected(one, two), seconds=20)


@pytest.mark.parametrize("drip", [False, True])
def test_a_handshake_has_a_deadline(place, drip):  # noqa: F811
    one = place("one", config=QUICK)
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", one.port), 10) as sock:
        try:
            for byte in b"\x13/multistream/1.0.0\n\x07/noise\n" * drip:
                sock.sendall(bytes([byte]))
                time.sleep(0.06)
            while sock.recv(4096):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert 0.9 < time.monotonic() - begin < 4


def of_owner(folder, text):
    """A script that runs the binary where this is /etc/ghoard/p2p-config.yml."""
    etc, script = folder / "etc", folder / "of-owner"
    (etc / "ghoard").mkdir(parents=True)
    (etc / "ghoard" / "p2p-config.yml").write_text(text)
    inner = f'mount --bind {etc} /etc && exec {rig.BINARY} "$@"'
    script.write_text(f"#!/bin/sh\nexec unshare -rm sh -c '{inner}' ghoard \"$@\"\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    tried = subprocess.run([script, "version"], capture_output=True, text=True, timeout=20, check=False)
    if tried.returncode != 0:
        pytest.skip(f"mount namespaces are not allowed here: {tried.stderr.strip()}")
    return script


def test_the_owners_lists(place, fake, tmp_path):  # noqa: F811
    """Who is not on the allow-list, or is on the block-list, is neither let in nor kept when dialled."""
    friend, foe, blocked = (place(name) for name in ("friend", "foe", "blocked"))
    lists = f"    peer_allowlist: [{friend.lines[0]}, {blocked.lines[0]}]\n"
    lists += f"    peer_blocklist: [{blocked.lines[0]}]\n"
    script = of_owner(tmp_path, f"security:\n  access_control:\n{lists}")
    peers = ",".join(m.lines[2] for m in (friend, foe, blocked))
    one = place("one", script=script, CACHE_BOOTSTRAP_PEERS=peers)
    for stranger in (foe, blocked):
        stranger.daemon.stop()
        stranger.env["CACHE_BOOTSTRAP_PEERS"] = one.lines[2]
        stranger.start()
        eventually(lambda stranger=stranger: stranger.report()["state"] == "on")
    eventually(lambda: connected(one, friend))
    time.sleep(2)
    assert [p["id"] for p in one.report()["peers"]] == [friend.lines[0]]
    assert foe.report()["peers"] == blocked.report()["peers"] == []


def test_the_checkout_cannot_allow(place):  # noqa: F811
    """An allow-list in the checkout would choose the peers of the host's owner: it counts for nothing."""
    stranger = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
    config = f"security:\n  access_control:\n    peer_allowlist: [{stranger}]\n"
    one = place("one", config=config)
    two = place("two", CACHE_BOOTSTRAP_PEERS=one.lines[2])
    eventually(lambda: connected(one, two))
    assert "peer_allowlist" in one.daemon.errors


def large(fake, count, size):
    """So many paths that have a body of that size."""
    paths = [f"{ISSUES}?per_page=5&page={n}" for n in range(1, count + 1)]
    fake.alter(ISSUES, body=b'["' + b"x" * (size - 4) + b'"]')
    return paths


def memory(member):
    """What is resident, and the most since the last call, in bytes."""
    place = pathlib.Path(f"/proc/{member.daemon.pid}")
    found = re.findall(r"Vm(?:HWM|RSS):\s+(\d+) kB", (place / "status").read_text())
    look(member.daemon.pid, "clear_refs").write_text("5")
    return int(found[1]) * 1024, int(found[0]) * 1024


def test_a_peer_that_does_not_read(place, fake):  # noqa: F811
    """What is held for it is bounded, and nobody else waits."""
    one = place("one", GH_TOKEN=TOKEN)
    two = place("two", GH_TOKEN=TOKEN, CACHE_BOOTSTRAP_PEERS=one.lines[2])
    paths = large(fake, 16, 7 * MIB)
    one.daemon.stop()
    (one.ghoard.project / ".github" / "cache-config.yml").write_text("cache:\n  memory_entries: 0\n")
    one.start()
    eventually(lambda: connected(one, two))
    for path in paths:
        assert one.daemon.get(path, token=TOKEN).status == 200
    time.sleep(0.5)
    before, _ = memory(one)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(two.daemon.get, path, token=TOKEN) for path in paths]
        eventually(lambda: one.report()["sharing"]["served"] > 0)
        pause(two)
        time.sleep(2)
        begin = time.monotonic()
        assert one.daemon.get("/_ghoard/health", token=None).status == 200
        assert time.monotonic() - begin < 1
        _, peak = memory(one)
        assert peak - before < 40 * MIB and one.report()["sharing"]["busy_sent"] > 0
        eventually(lambda: memory(one)[0] - before < 10 * MIB, seconds=15)
        go_on(two)
        assert all(a.result().status == 200 for a in asked)


def test_pings_during_large_bodies(place, fake):  # noqa: F811
    """Peers and clients are answered while bodies cross; js gives a ping 5 seconds."""
    fast = "performance:\n  throttling:\n    max_bandwidth_per_peer: 1073741824\n"
    one = place("one", config=fast, GH_TOKEN=TOKEN)
    two = place("two", config=fast, GH_TOKEN=TOKEN, CACHE_BOOTSTRAP_PEERS=one.lines[2])
    eventually(lambda: connected(one, two))
    paths, worst = large(fake, 12, 7 * MIB), 0
    for path in paths:
        assert one.daemon.get(path, token=TOKEN).status == 200
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(two.daemon.get, path, token=TOKEN) for path in paths]
        while not all(a.done() for a in asked):
            begin = time.monotonic()
            for each in (one, two):
                assert "answered in" in each("ping", each.lines[2], "--count", 1, rc=0).out.decode()
            worst = max(worst, time.monotonic() - begin)
        assert len({a.result().body for a in asked}) == 1
    assert worst < 5 and one.report()["sharing"]["bytes_out"] > MIB


def test_more_streams_than_a_peer_may_have(place, fake):  # noqa: F811
    """Who waits too long for one of 16 streams asks GitHub; all answers are right. share_test counts them."""
    one = place("one", GH_TOKEN=TOKEN)
    two = place("two", GH_TOKEN=TOKEN, CACHE_BOOTSTRAP_PEERS=one.lines[2])
    eventually(lambda: connected(one, two))

    def crossed(round):
        paths = [f"{ISSUES}?per_page={round}&page={n}" for n in range(1, 61)]
        bodies = [one.daemon.get(path, token=TOKEN).body for path in paths]
        before = two.report()["sharing"]["hits"]
        time.sleep(0.5)
        fake.forget()
        pause(one)
        try:
            with concurrent.futures.ThreadPoolExecutor(60) as pool:
                asked = [pool.submit(two.daemon.get, path, token=TOKEN) for path in paths]
                time.sleep(0.01)
                go_on(one)
                assert [a.result().body for a in asked] == bodies
        finally:
            go_on(one)
        hits = two.report()["sharing"]["hits"] - before
        assert hits + fake.count() == len(paths)
        return hits

    # on a machine with much else to do, many wait too long
    assert any(crossed(round) >= 16 for round in range(5, 8))


def test_clients_are_answered_while_the_key_is_derived(place, fake, tmp_path):  # noqa: F811
    one = later(fake, tmp_path, "one")
    one.start()
    try:
        states, worst = [], 0
        while "on" not in states:
            begin = time.monotonic()
            states.append(one.daemon.get("/_ghoard/peers", token=None, unix=True).json["state"])
            worst = max(worst, time.monotonic() - begin)
        assert states[0] == "starting" and worst < 0.5
    finally:
        one.daemon.end()
