"""`ghoard peers` and the daemon's P2P side: identity, listening, who is connected, and what keeps it off."""

import os
import re
import socket
import stat
import time

import pytest
import rig
from daemon import Daemon
from ports import free_port

SECRET = "a shared secret that is long enough to be one"
ID = re.compile(r"12D3KooW[1-9A-HJ-NP-Za-km-z]{44}")


def eventually(check, seconds=10):
    until = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


class Member:
    """A daemon with a folder of its own among the peers of one secret."""

    def __init__(self, folder, fake, **env):
        folder.mkdir()
        self.ghoard, self.port = rig.Ghoard(folder, fake), free_port()
        (self.ghoard.project / ".github").mkdir()
        (self.ghoard.project / ".github" / "p2p-config.yml").write_text(
            'network:\n  listen:\n    addresses: ["127.0.0.1"]\n'
        )
        self.env = {"CACHE_P2P_SHARED_SECRET": SECRET, "P2P_LISTEN_PORT": self.port, **env}
        self.start()

    def start(self):
        self.daemon = Daemon(self.ghoard, env=self.env)

    def __call__(self, *args, **more):
        return self.ghoard("peers", *args, "--socket", self.daemon.socket, env=self.env, **more)

    def stats(self, *args, **env):
        return self.ghoard("stats", *args, "--socket", self.daemon.socket, env=self.env | env, rc=0)

    @property
    def lines(self):
        return self("id", rc=0).out.decode().splitlines()

    def report(self):
        return self("ls", "--json", rc=0).json


@pytest.fixture
def member(fake, tmp_path):
    made = []

    def make(name, **env):
        made.append(Member(tmp_path / name, fake, **env))
        return made[-1]

    yield make
    for one in made:
        one.daemon.stop()
        one.daemon.end()


def test_id(member):
    one = member("one")
    peer, cid, addr = one.lines
    assert ID.fullmatch(peer) and cid.startswith("bafzaaj")
    assert addr == f"/ip4/127.0.0.1/tcp/{one.port}/p2p/{peer}"
    key = one.ghoard.cache / ".peer_key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    one.daemon.stop()
    # the same without a daemon, and by the next one
    assert one.lines == [peer, cid, addr]
    one.start()
    assert one.lines[0] == peer


def test_id_without_a_daemon(member):
    one = member("one")
    peer, cid, _ = one.lines
    one.daemon.stop()
    assert "no daemon" in one("id", rc=0).one_line()
    said = one("id", "--json", rc=0).json
    assert (said["id"], said["cid"], said["state"]) == (peer, cid, "off") and len(said["addrs"]) == 1
    with socket.socket() as taken:  # it is another program's
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", one.port))
        taken.listen()
        assert one.lines == [peer, cid] and str(one.port) in one("id", rc=0).one_line()
    (one.ghoard.project / ".github" / "p2p-config.yml").unlink()
    addrs = one.lines[2:]
    assert addrs and not [a for a in addrs if "/0.0.0.0/" in a]
    one.env["ENABLE_P2P_CACHE"] = "false"
    assert one.lines == [peer, cid] and "p2p.enabled" in one("id", rc=0).one_line()
    one.start()
    assert one.lines == [peer, cid] and "p2p.enabled" in one("id", rc=0).one_line()


def test_an_identity_of_one_daemon(member):
    """In a workflow it is kept nowhere: only the daemon knows it."""
    one = member("one", GITHUB_ACTIONS="true")
    eventually(lambda: one.report()["state"] == "on")
    doctor = ("doctor", "--offline", "--socket", one.daemon.socket)
    said = one.ghoard(*doctor, env=one.env).out.decode()
    assert f"this node is {one.lines[0]} among" in said
    one.daemon.stop()
    assert not ID.search(one.ghoard(*doctor, env=one.env).out.decode())
    assert "no daemon runs" in one("id", rc=1).one_line()


def test_two_daemons_of_one_folder(member):
    """One has the folder's identity: with the same they would drive each other out everywhere."""
    one = member("one")
    peer = one.lines[0]
    env = {**one.env, "P2P_LISTEN_PORT": free_port()}
    two = Daemon(one.ghoard, env=env, path=one.ghoard.folder / "two.sock")
    try:
        said = one.ghoard("peers", "id", "--socket", two.socket, env=env, rc=0).out.decode()
        assert ID.match(said) and peer not in said and "another daemon" in two.errors
        assert one.lines[0] == peer
        one.daemon.stop()
        one.start()
        assert one.lines[0] == peer and "another daemon" not in one.daemon.errors
    finally:
        two.stop()
        two.end()


def test_two_daemons_meet(member):
    one = member("one")
    two = member("two", CACHE_BOOTSTRAP_PEERS=one.lines[2])
    (seen,) = eventually(lambda: [p for p in one.report()["peers"] if p["agent"]])
    assert seen["id"] == two.lines[0] and seen["direction"] == "in" and seen["agent"].startswith("ghoard/")
    (seen,) = two.report()["peers"]
    assert seen["id"] == one.lines[0] and seen["direction"] == "out"
    assert seen["addr"] == f"/ip4/127.0.0.1/tcp/{one.port}"
    assert one.lines[0] in two("ls", rc=0).out.decode()
    # the dashboards of the daemon and of a command beside it
    found = [two.daemon.get("/_ghoard/stats", token=None, unix=True).json]
    found.append(two.stats("--json").json)
    assert [(f["connected_peers"], f["p2p_enabled"]) for f in found] == [(1, True)] * 2
    for text in (two.stats("--format", "prometheus").out, two.daemon.get("/_ghoard/metrics", unix=True).body):
        assert b"\nghoard_connected_peers 1\n" in text and b"\nghoard_p2p_enabled 1\n" in text
    summary = two.ghoard.folder / "summary.md"
    two.stats("--summary", GITHUB_STEP_SUMMARY=summary)
    assert "| connected_peers | 1 |\n| p2p_enabled | true |" in summary.read_text()
    one.daemon.stop()
    eventually(lambda: two.report()["peers"] == [])
    found = two.stats("--json").json
    assert found["connected_peers"] == 0 and found["p2p_enabled"] is True
    found = one.stats("--json").json
    assert found["connected_peers"] == 0 and found["p2p_enabled"] is False
    one.start()
    eventually(lambda: two.report()["peers"] != [])


def test_ping(member):
    one, two = member("one"), member("two")
    run = two("ping", one.lines[2], "--count", "5", rc=0)
    assert len(re.findall(rf"{one.lines[0]} answered in [\d.]+ ms", run.out.decode())) == 5
    said = two("ping", one.lines[2], "--json", rc=0).json
    assert said["id"] == one.lines[0] and len(said["ms"]) == 3 and all(0 < ms < 5000 for ms in said["ms"])
    wrong = two("ping", one.lines[2].replace(one.lines[0], two.lines[0]), rc=4)
    assert "answered" in wrong.err and one.lines[0] in wrong.err
    nobody = two("ping", f"/ip4/127.0.0.1/tcp/{free_port()}/p2p/{one.lines[0]}", rc=4)
    assert "refused" in nobody.err


def test_ping_of_what_is_no_peer(member, tmp_path):
    one = member("one")
    assert "no address like" in one("ping", "127.0.0.1:9000", rc=2).err
    assert "--count" in one("ping", one.lines[2], "--count", "0", rc=2).err
    assert "usage" in one("pong", rc=2).err
    assert "usage" in one("ping", rc=2).err
    http = f"/ip4/127.0.0.1/tcp/{one.daemon.port}"
    assert one("ping", http, rc=None).rc != 0


OFF = [
    ({"ENABLE_P2P_CACHE": "false"}, "p2p.enabled"),
    ({"CACHE_P2P_SHARED_SECRET": "short"}, "32 characters"),
    ({"CACHE_P2P_SHARED_SECRET": "ghs_" + "x" * 36}, "one job"),
]


@pytest.mark.parametrize("env, why", OFF)
def test_off(member, env, why):
    one = member("one", **env)
    report = one.report()
    assert report["state"] == "off" and why in report["why"]
    assert why in one("ls", rc=1).err
    for args in ((), ("--json",)):
        assert one("register", *args, rc=1).one_line().endswith(report["why"])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", one.port), timeout=5)
    assert one.daemon.get("/_ghoard/health", token=None).status == 200
    assert one.stats("--json").json["p2p_enabled"] is False


def test_blocked(member):
    one = member("one")
    two = member("two")
    config = one.ghoard.project / ".github" / "p2p-config.yml"
    one.daemon.stop()
    text = f"security:\n  access_control:\n    peer_blocklist: [{two.lines[0]}]\n"
    config.write_text(config.read_text() + text)
    one.start()
    two.daemon.stop()
    two.env["CACHE_BOOTSTRAP_PEERS"] = one.lines[2]
    two.start()
    time.sleep(1)
    assert one.report()["peers"] == [] and two.report()["peers"] == []


def doctor(one):
    """Its lines by what they are about."""
    said = {}
    run = one.ghoard("doctor", "--offline", "--socket", one.daemon.socket, env=one.env)
    for line in run.out.decode().splitlines():
        said.setdefault(line.split(":")[0].split()[-1], []).append(line)
    return said


def test_doctor(member):
    one = member("one")
    assert one.report()["state"] == "on"
    run = one.ghoard("doctor", "--offline", "--socket", one.daemon.socket, env=one.env)
    lines = {line.split(":")[0].split()[-1]: line for line in run.out.decode().splitlines()}
    assert lines["p2p"].startswith("ok") and str(one.port) in lines["p2p"]
    assert one.lines[0] in lines["identity"]
    (one.ghoard.cache / ".peer_key").write_text("nonsense\n")
    run = one.ghoard("doctor", "--offline", "--socket", one.daemon.socket, env=one.env)
    assert re.search(r"^fail +identity:.*does not hold", run.out.decode(), re.M)


@pytest.mark.parametrize("at", ["/ip4/127.0.0.1/tcp/2", "/dns4/nowhere.invalid/tcp/9000", "junk"])
def test_doctor_where_nobody_is_at_the_bootstrap_address(member, at):
    one = member("one", CACHE_BOOTSTRAP_PEERS=at)
    eventually(lambda: one.report()["state"] == "on" and (at == "junk" or one.report()["failure"]))
    said = doctor(one)["p2p"]
    assert said[0].startswith("warn") and "no peer of this group" in said[0]
    assert ("see the log" if at == "junk" else f"names some: {at}: ") in said[0]


def test_doctor_of_two_secrets(member):
    one = member("one")
    two = member("two", CACHE_BOOTSTRAP_PEERS=one.lines[2], CACHE_P2P_SHARED_SECRET="x" + SECRET)
    eventually(lambda: two.report().get("failure"))
    said = doctor(two)["p2p"]
    assert said[0].startswith("warn") and "is its secret another?" in said[0]
    assert any("1 messages were sealed with another secret" in line for line in doctor(one)["p2p"])


@pytest.mark.parametrize("env, why", OFF)
def test_doctor_where_there_are_no_peers(member, env, why):
    one = member("one", **env)
    said = doctor(one)
    assert len(said["p2p"]) == 1 and why in said["p2p"][0] and "off: " in said["p2p"][0]
    assert said["p2p"][0].startswith("ok" if "ENABLE_P2P_CACHE" in env else "warn")
    assert not [line for line in said.get("CACHE_P2P_SHARED_SECRET", []) if "every body" in line]


def test_a_taken_port(member):
    one = member("one")
    assert one.report()["state"] == "on"
    two = member("two", P2P_LISTEN_PORT=one.port)
    assert two.report()["state"] == "off" and str(one.port) in two.report()["why"]
    assert two.daemon.get("/_ghoard/health", token=None).status == 200


def test_damaged_key(member):
    one = member("one")
    key = one.ghoard.cache / ".peer_key"
    one.daemon.stop()
    key.write_text("nonsense\n")
    os.chmod(key, 0o600)
    assert str(key) in one("id", rc=5).err
    one.start()
    assert str(key) in one.report()["why"]
    assert key.read_text() == "nonsense\n"
