"""What P2P_SHARE_OPERATIONS lets out and in: entries by name in the reference's form, answers to queries.

What of a peer's is kept, who switches it off; and all that is said over ipfs_accelerate's protocol.
"""

import contextlib
import json
import time

import pytest
import rig
from hostile import OWN, addr_of, is_well, place, wait  # noqa: F401
from rogue import CACHE
from test_hostile_members import fernet

ACCELERATE = "/ipfs-accelerate/cache/1.0.0"
SHARED = {"P2P_SHARE_OPERATIONS": "list_repos"}


def send(place, rogue, name, data, protocol=CACHE):
    """What the daemon answers to an entry in the reference's form."""
    entry = {"data": data, "timestamp": time.time(), "ttl": 600, "content_hash": None}
    message = json.dumps({"key": f"list_repos:{name}", "entry": entry | {"validation_fields": None}})
    stream = rogue.open(protocol)
    stream.send(fernet(place.key, time.time(), message.encode()))
    stream.shut()
    return stream.all(3)


def put(place, name, data, *more):
    args = ("cache", "put", "list_repos", name, "--socket", place.daemon.socket, *more)
    place.home(*args, input=json.dumps(data).encode(), rc=0)


def got(place, name):
    run = place.home("cache", "get", "list_repos", name)
    return json.loads(run.out) if run.rc == 0 else None


def test_what_was_put_here_stands(place):  # noqa: F811
    """While it is fresh no peer replaces it, however new; what peers sent is replaced by what is newer."""
    one = place("one", env=SHARED)
    put(one, "mine", 1)
    put(one, "brief", 1, "--ttl", "1")
    with one.dial() as rogue:
        assert send(one, rogue, "mine", 2) == b"OK" and got(one, "mine") == 1
        for data in (2, 3):
            assert send(one, rogue, "theirs", data) == b"OK" and got(one, "theirs") == data
        put(one, "theirs", 4)
        send(one, rogue, "theirs", 5)
        assert got(one, "theirs") == 4, "now it is put here"
        wait(lambda: got(one, "brief") is None)
        send(one, rogue, "brief", 2)
        assert got(one, "brief") == 2
    is_well(one)


@pytest.mark.parametrize("off", [None, "enabled", "accept_from_accelerate", "share_with_accelerate"])
def test_the_settings_of_the_cache_file(place, tmp_path, off):  # noqa: F811
    folder = tmp_path / "one" / "project" / ".github"
    folder.mkdir(parents=True)
    if off:
        (folder / "cache-config.yml").write_text(f"ipfs_accelerate_integration:\n  {off}: false\n")
    one, came = place("one", env=SHARED), []
    with one.dial() as rogue:
        rogue.serve[CACHE] = lambda _, stream: came.append(stream.read(6))
        taken = send(one, rogue, "theirs", 1) == b"OK"
        assert taken == (off in (None, "share_with_accelerate")) == (got(one, "theirs") == 1)
        put(one, "mine", 2)
        with contextlib.suppress(AssertionError):
            wait(lambda: came, 1)
        assert came == ([b"gAAAAA"] if off in (None, "accept_from_accelerate") else [])


def test_over_the_other_name(place):  # noqa: F811
    """peer_info, announcements, requests and the reference's form, all over ipfs_accelerate's protocol."""
    one = place("one", env=SHARED)
    with one.dial() as rogue:
        rogue.control = rogue.open(ACCELERATE)
        rogue.control.say(rogue.peer_info())
        assert rogue.control.header()["type"] == "peer_info"
        wait(lambda: [p["kind"] for p in one.peers()] == ["member"])
        body = one.daemon.get(rig.ISSUES, token=OWN).body
        (told,) = rogue.control.header()["entries"]
        for ask in ({"key": told["key"]}, {"cid": told["cid"]}):
            stream = rogue.open(ACCELERATE)
            stream.say({"type": "cache_request", **ask})
            stream.shut()
            header = stream.header()
            assert header["answer"] == "hit" and stream.body(header["size"]) == body
        rogue.control.say({"type": "invalidate", "prefixes": [rig.REPO], "time": time.time()})
        wait(lambda: one.sharing["invalidated"] == 1)
    with one.dial() as reference:
        assert send(one, reference, "theirs", 1, ACCELERATE) == b"OK" and got(one, "theirs") == 1
    is_well(one)


@pytest.mark.parametrize("listed", [True, False])
def test_answers_to_queries(place, fake, listed):  # noqa: F811
    """GraphQL's are shared where the owner says so, with who has the same token and asks the same."""
    env = {"P2P_SHARE_OPERATIONS": "graphql_query" if listed else None}
    one = place("one", env=env)
    two = place("two", env=env, bootstrap=addr_of(one))
    wait(lambda: [p["kind"] for p in one.peers() + two.peers()] == ["member"] * 2)

    def ask(which, query="{ viewer { login } }", token=OWN):
        body = json.dumps({"query": query})
        return which.daemon.get("/graphql", token=token, method="POST", body=body)

    first = ask(one)
    assert first.status == 200 and one.daemon.get(rig.REPO, token=OWN).status == 200
    wait(lambda: two.sharing["heard"] == 1 + listed)
    assert one.sharing["announced"] == 1 + listed and two.sharing["dropped"] == 0
    fake.forget()
    second = ask(two)
    assert second.body == first.body and fake.count() == (not listed)
    assert second.cache.get("detail") == ("p2p" if listed else None)
    fake.forget()
    assert ask(two, token="bob-token").body != first.body and fake.count() == 1
    assert ask(two, "{viewer{login}}").body == first.body and fake.count() == 2, "other bytes, another key"
    is_well(two)
