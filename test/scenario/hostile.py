"""What the tests of hostile peers share: a daemon among peers, and whether it is still well."""

import contextlib
import functools
import os
import pathlib
import time

import pytest
import rig
from daemon import look
from rogue import Identity, Over, Rogue, group_key

SECRET = "an-invented-group-secret-of-the-tests-0001"
OWN = "alice-token"
MEMORY = 10 << 20  # of a node, as in a fleet: measured are at most 8 MiB
PATIENCE = 8


@functools.cache
def the_key():
    return group_key(SECRET)


def wait(true, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return value


class Place:
    """A daemon, and what the tests ask of it."""

    def __init__(self, daemon, home):
        self.daemon, self.home, self.key = daemon, home, the_key()
        self.memory = MEMORY

    def __getattr__(self, name):
        return getattr(self.daemon, name)

    @property
    def report(self):
        return self.daemon.get("/_ghoard/peers", token=None, unix=True).json

    @property
    def sharing(self):
        return self.report["sharing"]

    def peers(self):
        return self.report["peers"]

    def fds(self):
        return len(os.listdir(look(self.daemon.pid, "fd")))

    def dial(self, **more):
        return Rogue.dial(addr_of(self), key=self.key, **more)

    def join(self, identity=None, **info):
        """A rogue that is a member, with this in its peer_info."""
        return self.dial(identity=identity).join(**info)

    def try_join(self):
        with contextlib.suppress(Over, OSError):
            with self.join(Identity()) as rogue:
                return rogue.info["type"] == "peer_info"
        return False


def addr_of(place):
    return place.report["addrs"][0]


def announced(file, size, **more):
    """The announcement of an entry's file."""
    ours = file["ghoard"]
    said = {"key": file["cache_key"], "url": ours["url"], "cid": ours["cid"], "auth": ours["auth"]}
    said |= {"proof": ours["proof"], "timestamp": file["timestamp"], "ttl": file["ttl"]}
    return {**said, "size": size, "hops": 0, **more}


def copy(place, path):
    """Let that daemon fetch it: its entry's file without data, and the body."""
    body = place.daemon.get(path, token=OWN).body
    file = place.home.entry(path)
    file.pop("data")
    return file, body


def is_well(place, seconds=2):
    """It runs, answers a client, and has not held too much."""
    begin = time.monotonic()
    answer = place.daemon.get(rig.REPO, token=OWN)
    assert answer.status == 200 and answer.json["full_name"] == "octocat/hello-world"
    assert time.monotonic() - begin < seconds
    assert place.daemon.process.poll() is None
    if not sanitized():
        assert place.daemon.peak < place.memory, f"{place.daemon.peak / 1048576:.1f} MiB"


@functools.cache
def sanitized():
    """A build with sanitizers needs many times the memory."""
    return b"__asan_init" in pathlib.Path(rig.BINARY).read_bytes()


@pytest.fixture
def place(make_ghoard, make_daemon, fake):
    """place("name"): a daemon that is a peer; bootstrap=, token=, config= (below `network:`), args=."""

    def make(name, bootstrap=None, token=OWN, config="", args=(), more="", env=None):
        home = make_ghoard(name, fake)
        folder = home.project / ".github"
        folder.mkdir(exist_ok=True)
        text = f"network:\n  listen:\n    addresses: [127.0.0.1]\n{config}{more}"
        (folder / "p2p-config.yml").write_text(text)
        given = {"CACHE_P2P_SHARED_SECRET": SECRET, "CACHE_BOOTSTRAP_PEERS": bootstrap, **(env or {})}
        one = make_daemon("--p2p-port", "0", *args, on=home, token=token, env=given)
        made = Place(one, home)
        wait(lambda: made.report.get("addrs"))
        return made

    return make
