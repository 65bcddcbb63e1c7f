"""A container that got nothing but the socket: its own network, processes and files."""

import json

import pytest
import rig
from others import Room, needs_room
from rig import ISSUES

SOCKET = "/run/ghoard.sock"
SECRET = "/repos/octocat/secret"
ALICE = {"Authorization": "token alice-token"}
pytestmark = needs_room


@pytest.fixture
def room(daemon):
    return Room((daemon.socket, SOCKET), (rig.BINARY, "/bin-of/ghoard"))


def gets(*paths, **headers):
    return [("GET", path, headers) for path in paths]


def test_the_socket_works_inside(room, daemon, fake):
    first, second = room.ask(SOCKET, *[("GET", ISSUES, ALICE)] * 2)
    assert first[0] == second[0] == 200 and first[1] == second[1] and len(json.loads(first[1])) == 7
    assert fake.count() == 1 and fake.requests[0].token == "alice-token"
    assert daemon.get(ISSUES).cache["hit"] is True, "and what it fetched is there for us"


@pytest.mark.parametrize("name", ["GH_TOKEN", "GITHUB_TOKEN"])
def test_no_credential_is_added(make_daemon, fake, name):
    """Whatever the daemon was started with, and whatever others with a token have fetched."""
    daemon = make_daemon(token=None, env={name: "alice-token"})
    room = Room((daemon.socket, SOCKET))
    for path in (SECRET, "/user", f"{SECRET}/issues"):
        assert daemon.get(path).status == 200
    fake.forget()
    told = room.ask(SOCKET, *gets(ISSUES, SECRET, "/user", f"{SECRET}/issues"))
    assert [status for status, _ in told] == [200, 404, 401, 404]
    assert not [body for _, body in told if "few eyes" in body or '"alice"' in body]
    posted = room.ask(SOCKET, ("POST", ISSUES, {"Content-Length": "0"}))
    assert posted[0][0] == 401
    assert len(fake.requests) == 5
    assert not [r for r in fake.requests if r.header("Authorization") or r.header("Cookie")]


def test_the_daemon_s_tcp_is_out_of_reach(room, daemon, fake):
    told = room.ask(daemon.port, *gets("/_ghoard/health", "/_ghoard/metrics", ISSUES))
    assert told == [("ConnectionRefusedError", "")] * 3 and fake.count() == 0
    assert daemon.get("/_ghoard/health").status == 200, "where there is one, it answers"


def test_our_own_command_inside(room, fake):
    """The static binary needs nothing else of this machine, and no network at all."""
    env = {"GHOARD_SOCKET": SOCKET, "GITHUB_API_URL": fake.url, "GH_TOKEN": "alice-token"}
    for _ in range(2):
        run = room.run("/bin-of/ghoard", "api", ISSUES, env=env)
        assert run.returncode == 0 and len(json.loads(run.stdout)) == 7, run.stderr
    assert fake.count() == 1
    alone = room.run("/bin-of/ghoard", "--no-daemon", "api", f"{ISSUES}/1", env=env)
    assert alone.returncode == 4, "without the daemon there is no way out"


def test_the_files_of_the_cache_are_not_inside(room, ghoard, daemon):
    daemon.get(ISSUES)
    assert ghoard.entries()
    for folder in (ghoard.cache, ghoard.home, daemon.socket.parent):
        assert room.run("/usr/bin/ls", folder).returncode != 0, folder
    assert room.run("/usr/bin/ls", "/run").stdout == b"ghoard.sock\n"
    seen = room.run("/usr/bin/cat", f"/proc/{daemon.pid}/cmdline")
    assert seen.returncode != 0, "nor its process"
