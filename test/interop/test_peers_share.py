"""Entries shared with a go node that speaks our messages from the page of formats alone, and with a peer that
behaves as the Python reference did."""

import base64
import hashlib
import json
import time

import fleet
import nodes
import pytest
from rig import ISSUES, REPO
from test_peers_ghoard import connected, member  # noqa: F401

EXCHANGE = "/github-cache/peer-exchange/1.0.0"
ACCELERATE = "/ipfs-accelerate/cache/1.0.0"
# What the reference writes of an operation by name.
NAMED = {
    "data": {"answer": 42},
    "timestamp": time.time() - 5,
    "ttl": 3600,
    "content_hash": None,
    "validation_fields": None,
}


@pytest.fixture
def together(member, node):  # noqa: F811
    """together(…): a daemon and a go node of one group; the go node has dialled and sent its peer_info."""

    def make(name="ghoard", **more):
        ghoard, go = member(name, **more), node("go")
        go.ask("join", secret=fleet.SECRET, network_id=fleet.NETWORK)
        go.dial(ghoard.addr)
        said = go.ask("open", peer=ghoard.peer)["info"]
        assert said["network_id"] == fleet.NETWORK and "ghoard" in said["agent"]
        assert abs(said["time"] - time.time()) < 30
        return ghoard, go

    return make


@pytest.fixture
def made(make_daemon):
    """made(PATH): the entry file that a daemon of the same token, and no peer, has of it."""

    def make(path):
        daemon = make_daemon()
        assert daemon.get(path).status == 200
        daemon.stop()
        return next(p for p, e in daemon.ghoard.entries() if e["ghoard"]["url"].endswith(path))

    return make


def heard(go, kind, n=1):
    def said():
        """messages of that kind"""
        found = [m for m in go.ask("heard")["heard"] if m["type"] == kind]
        return found if len(found) >= n else None

    return fleet.eventually(said, seconds=10)


def test_ghoard_dials_too(member, node):  # noqa: F811
    """As the dialer it opens the control stream by itself."""
    if fleet.no_peers():
        pytest.skip(fleet.no_peers())
    go = node("go")
    go.ask("join", secret=fleet.SECRET, network_id=fleet.NETWORK)
    ghoard = member(bootstrap=[go.addr])
    said = fleet.eventually(lambda: ghoard.peer in connected(go)) and go.ask("info", peer=ghoard.peer)["info"]
    assert f"/ip4/127.0.0.1/tcp/{ghoard.port}/p2p/{ghoard.peer}" in said["addrs"]


def test_what_ghoard_fetched_is_had(together, fake):
    """Announced with its proof, then fetched by key and by CID: the bytes that GitHub sent."""
    ghoard, go = together()
    answer = ghoard.get(REPO)
    entry = heard(go, "cache_entry")[0]["entries"][0]
    assert entry["url"] == fake.url + REPO and entry["ttl"] > 0 and entry["hops"] == 0
    ((path, parsed),) = ghoard.ghoard.entries()
    assert entry["proof"] == go.ask("prove", file=str(path), token=fleet.TOKEN)["proof"]
    for ask in ({"key": entry["key"]}, {"cid": entry["cid"]}):
        got = go.ask("fetch", peer=ghoard.peer, **ask)
        assert got["answer"] == "hit" and got["cid"] == entry["cid"]
        assert base64.b64decode(got["body"]) == answer.body
        assert got["entry"]["ghoard"] == parsed["ghoard"]
    assert go.ask("fetch", peer=ghoard.peer, key="get_repo_info:/repos/none/none:0")["answer"] == "miss"


def test_another_token_s_entries_stay(together):
    """Only what came with the daemon's own token is announced or served."""
    ghoard, go = together()
    assert ghoard.get(REPO, token="alice-token-2").status == 200
    ((_, parsed),) = ghoard.ghoard.entries()
    for ask in ({"key": parsed["cache_key"]}, {"cid": parsed["ghoard"]["cid"]}):
        assert go.ask("fetch", peer=ghoard.peer, **ask)["answer"] == "miss"
    assert not [m for m in go.ask("heard")["heard"] if m["type"] == "cache_entry"]


def test_what_the_node_holds_is_served(together, made, fake):
    """Announced by the go node, with a proof of the asking token: a hit that asks GitHub nothing."""
    file = made(REPO)
    ghoard, go = together()
    key = go.ask("put", file=str(file))["key"]
    go.ask("announce", key=key)
    time.sleep(0.2)
    fake.forget()
    answer = ghoard.get(REPO)
    assert answer.cache.get("detail") == "p2p", answer.cache
    assert answer.json == json.loads(file.read_bytes())["data"]
    assert fake.count() == 0
    assert go.ask("asked")["asked"][0]["key"] in (key, "")
    assert ghoard.get(REPO).cache.get("detail") != "p2p"


def test_another_token_gets_a_candidate(together, made, fake):
    """The proof is not this token's: GitHub confirms the body by a 304, at no quota."""
    file = made(REPO)
    ghoard, go = together()
    go.ask("announce", key=go.ask("put", file=str(file))["key"])
    time.sleep(0.2)
    fake.forget()
    answer = ghoard.get(REPO, token="alice-token-2")
    assert answer.cache.get("detail") == "candidate" and answer.cache["fwd-status"] == 304, answer.cache
    assert fake.count(billable=True) == 0


def test_the_coordinator_is_asked(together):
    """Without an announcement: the key's coordinator, one of the two, is asked and answers at once."""
    ghoard, go = together()
    for n in range(1, 17):
        assert ghoard.get(f"{ISSUES}?per_page={n}").status == 200
    asked = {one["key"] for one in go.ask("asked")["asked"]}
    # which of the two is drawn by a hash; all sixteen on one side would be one in 32,768
    assert 0 < len(asked) < 16, asked


def test_busy_ends_at_github(together, made, fake):
    """A holder that is always busy costs a wait, not the answer."""
    file = made(REPO)
    ghoard, go = together()
    key = go.ask("put", file=str(file))["key"]
    go.ask("busy", key=key, retry_ms=500)
    go.ask("announce", key=key)
    time.sleep(0.2)
    begin = time.monotonic()
    assert ghoard.get(REPO).status == 200
    assert time.monotonic() - begin < 5


def test_invalidations_cross(together, fake):
    """A write through ghoard is told; one that is told makes ghoard ask again."""
    ghoard, go = together()
    assert ghoard.get(REPO).status == 200
    assert ghoard.get(REPO).cache["hit"]
    go.ask("invalidate", prefixes=[REPO])
    time.sleep(0.3)
    assert "hit" not in ghoard.get(REPO).cache, "an entry was served that a peer had invalidated"
    body = json.dumps({"title": "told"})
    assert ghoard.get(ISSUES, method="POST", body=body).status == 201
    said = heard(go, "invalidate")[0]
    # an issue's collection, not the whole repository: as wide as the write reaches
    assert said["prefixes"] == [ISSUES] and abs(said["time"] - time.time()) < 60


@pytest.mark.parametrize("wrong", ["secret", "network_id"])
def test_strangers_stay_outside(member, node, wrong):  # noqa: F811
    """Another group or network: the control stream is refused; ghoard goes on with its clients."""
    ghoard, go = member(), node("go")
    said = {"secret": fleet.SECRET, "network_id": fleet.NETWORK} | {wrong: "another " * 6}
    go.ask("join", **said)
    go.dial(ghoard.addr)
    with pytest.raises(nodes.NodeError):
        go.ask("open", peer=ghoard.peer)
    assert ghoard.get(REPO).status == 200


def test_other_protocols(together):
    """Peer exchange would hand addresses to strangers: refused. ipfs_accelerate's is answered like ours."""
    ghoard, go = together()
    go.ask("refused", peer=ghoard.peer, protocol=EXCHANGE)
    with pytest.raises(nodes.NodeError, match="accepted"):
        go.ask("refused", peer=ghoard.peer, protocol=ACCELERATE)


# ---- the reference's peers ----


# Entries by name go out of the operations that this names, and of no other.
SHARED = {"P2P_SHARE_OPERATIONS": "list_repos,list_issues"}


@pytest.fixture
def reference(member, node):  # noqa: F811
    """A daemon and a peer that does as the reference did."""
    ghoard, py = member(env=SHARED), node("py")
    py.ask("ref_join", secret=fleet.SECRET)
    py.dial(ghoard.addr)
    return ghoard, py


def by_name(ghoard, *name):
    return json.loads(ghoard.run("cache", "get", *name, rc=0).out)


def test_the_reference_sends(reference):
    ghoard, py = reference
    answer = py.ask("ref_send", peer=ghoard.peer, key="list_repos:octocat", entry=NAMED)["answer"]
    assert answer == "OK", answer
    assert by_name(ghoard, "list_repos", "octocat") == NAMED["data"]


def earned(ghoard, py, key="list_repos:first"):
    assert py.ask("ref_send", peer=ghoard.peer, key=key, entry=NAMED)["answer"] == "OK"
    (listed,) = json.loads(ghoard.run("peers", "ls", "--json", rc=0).out)["peers"]
    assert listed["kind"] == "reference"


def put(ghoard, *name, data):
    ghoard.run("cache", "put", *name, input=json.dumps(data).encode(), rc=0)


def received(py, key, seconds=10):
    return fleet.eventually(lambda: py.ask("ref_heard")["entries"].get(key), seconds=seconds)


def test_the_reference_receives(reference):
    """Once it has earned the form, what is put by name goes to it too."""
    ghoard, py = reference
    earned(ghoard, py)
    put(ghoard, "list_repos", "octocat", data={"answer": 43})
    said = received(py, "list_repos:octocat")
    assert said["data"] == {"answer": 43} and said["ttl"] > 0
    assert sorted(said) == ["content_hash", "data", "timestamp", "ttl", "validation_fields"]
    assert py.ask("ref_heard")["bad"] == 0


def test_the_reference_s_hashes_fit(reference):
    """The validation fields and their hash are those that the reference would compute of the same data."""
    ghoard, py = reference
    earned(ghoard, py)
    put(ghoard, "list_issues", data=[{"number": 1, "state": "open", "updatedAt": "2026-11-22T10:00:00Z"}])
    said = received(py, "list_issues")
    canon = json.dumps(said["validation_fields"], sort_keys=True).encode()
    digest = b"\x01\x55\x12\x20" + hashlib.sha256(canon).digest()
    cid = "b" + base64.b32encode(digest).decode().lower().rstrip("=")
    assert said["validation_fields"] and said["content_hash"] == cid
    # as it came from here it is taken back, of another key
    assert py.ask("ref_send", peer=ghoard.peer, key="list_issues:x", entry=said)["answer"] == "OK"
    said["content_hash"] = cid[:-1] + ("a" if cid[-1] != "a" else "b")
    answer = py.ask("ref_send", peer=ghoard.peer, key="list_issues:y", entry=said)["answer"]
    assert answer.startswith("ERROR"), answer
    assert ghoard.run("cache", "get", "list_issues", "y").rc != 0


def test_large_entries_cross(reference):
    """Above one window, both ways; above 1 MiB not."""
    ghoard, py = reference
    large = NAMED | {"data": {"filler": "x" * 700_000}}
    assert py.ask("ref_send", peer=ghoard.peer, key="list_repos:large", entry=large)["answer"] == "OK"
    assert by_name(ghoard, "list_repos", "large") == large["data"]
    put(ghoard, "list_repos", "back", data=large["data"])
    assert received(py, "list_repos:back")["data"] == large["data"]
    larger = NAMED | {"data": {"filler": "x" * 1_100_000}}
    answer = py.ask("ref_send", peer=ghoard.peer, key="list_repos:larger", entry=larger)["answer"]
    assert answer.startswith("ERROR"), answer


def test_operations_that_are_not_named_stay(reference):
    ghoard, py = reference
    earned(ghoard, py)
    put(ghoard, "copilot_completion", "prompt", data={"secret": 1})
    put(ghoard, "list_repos", "last", data={})
    received(py, "list_repos:last")
    assert list(py.ask("ref_heard")["entries"]) == ["list_repos:last"]


def test_newer_entries_stay(reference):
    """An older one of the peer's is no reason to lose ours; nor is one of tomorrow, or one that is over."""
    ghoard, py = reference
    put(ghoard, "list_repos", "octocat", data={"answer": 1})
    assert py.ask("ref_send", peer=ghoard.peer, key="list_repos:octocat", entry=NAMED)["answer"] == "OK"
    assert by_name(ghoard, "list_repos", "octocat") == {"answer": 1}
    for off in (86_400, -86_400):
        entry = NAMED | {"timestamp": time.time() + off}
        answer = py.ask("ref_send", peer=ghoard.peer, key="list_repos:off", entry=entry)["answer"]
        assert answer.startswith("ERROR"), answer


def test_a_token_counts_once(reference):
    """A replay is refused, and earns nothing for whom it was sent by."""
    ghoard, py = reference
    message = {"key": "list_repos:once", "entry": NAMED}
    token = py.ask("ref_seal", secret=fleet.SECRET, message=message, time=int(time.time()))["token"]
    assert py.ask("ref_raw", peer=ghoard.peer, text=token)["answer"] == "OK"
    assert py.ask("ref_raw", peer=ghoard.peer, text=token)["answer"].startswith("ERROR")


def test_a_claim_is_not_enough(member, node):  # noqa: F811
    """A peer that speaks the protocol and does not answer peer_info, but sent no token: nothing is sent."""
    if fleet.no_peers():
        pytest.skip(fleet.no_peers())
    ghoard, py = member(env=SHARED), node("py")
    py.ask("ref_join", secret=fleet.SECRET)
    py.dial(ghoard.addr)
    time.sleep(6)  # it has 5 s for its peer_info
    put(ghoard, "list_repos", "octocat", data={})
    time.sleep(1)
    said = py.ask("ref_heard")
    assert said["entries"] == {} and said["bad"] == 0


def test_a_member_gets_none_of_it(together, node):
    """Who completed peer_info is refused the form, also when it comes again and says nothing."""
    ghoard, go = together(env=SHARED)
    py = node("py")
    py.ask("ref_join", secret=fleet.SECRET)
    seed = go.seed
    message = {"key": "list_repos:down", "entry": NAMED}
    token = py.ask("ref_seal", secret=fleet.SECRET, message=message, time=int(time.time()))["token"]
    go.stop()
    again = node("py", seed=seed)
    again.ask("ref_join", secret=fleet.SECRET)
    again.dial(ghoard.addr)
    assert again.ask("ref_raw", peer=ghoard.peer, text=token)["answer"].startswith("ERROR")
    put(ghoard, "list_repos", "octocat", data={})
    time.sleep(1)
    assert again.ask("ref_heard")["entries"] == {}
    assert ghoard.run("cache", "get", "list_repos", "down").rc != 0


def test_not_where_it_is_off(member, node):  # noqa: F811
    if fleet.no_peers():
        pytest.skip(fleet.no_peers())
    ghoard, py = member(config="ipfs_accelerate:\n  accept_accelerate_peers: false\n"), node("py")
    py.ask("ref_join", secret=fleet.SECRET)
    py.dial(ghoard.addr)
    answer = py.ask("ref_send", peer=ghoard.peer, key="list_repos:octocat", entry=NAMED)["answer"]
    assert answer.startswith("ERROR"), answer
    assert ghoard.run("cache", "get", "list_repos", "octocat").rc != 0


def test_the_reference_by_bootstrap(member, node):  # noqa: F811
    """A peer that the host's own settings name needs not send first."""
    if fleet.no_peers():
        pytest.skip(fleet.no_peers())
    py = node("py")
    py.ask("ref_join", secret=fleet.SECRET)
    ghoard = member(bootstrap=[py.addr], env=SHARED)
    fleet.eventually(lambda: ghoard.peer in connected(py))
    put(ghoard, "list_repos", "octocat", data={"answer": 44})
    assert received(py, "list_repos:octocat", seconds=15)["data"] == {"answer": 44}


def test_the_checkout_s_bootstrap_earns_nothing(member, node):  # noqa: F811
    """Dialled, and sent nothing: a pull request can name whom it likes."""
    if fleet.no_peers():
        pytest.skip(fleet.no_peers())
    py = node("py")
    py.ask("ref_join", secret=fleet.SECRET)
    listed = f'  bootstrap_peers: ["{py.addr}"]\n'
    ghoard = member(env=SHARED, discovery=listed)
    fleet.eventually(lambda: ghoard.peer in connected(py))
    put(ghoard, "list_repos", "octocat", data={"answer": 44})
    time.sleep(7)
    assert py.ask("ref_heard")["entries"] == {}


@pytest.mark.parametrize("what", ["plain", "secret", "old"])
def test_bad_tokens(reference, what):
    """Plain JSON, another secret, a token of yesterday: an error, and nothing is stored or sent."""
    ghoard, py = reference
    message = {"key": "list_repos:bad", "entry": NAMED}
    text = json.dumps(message)
    if what != "plain":
        secret = fleet.SECRET if what == "old" else fleet.SECRET[::-1]
        when = int(time.time()) - (86_400 if what == "old" else 0)
        text = py.ask("ref_seal", secret=secret, message=message, time=when)["token"]
    assert py.ask("ref_raw", peer=ghoard.peer, text=text)["answer"].startswith("ERROR")
    assert ghoard.run("cache", "get", "list_repos", "bad").rc != 0
    ghoard.run("cache", "put", "list_repos", "octocat", input=b"{}", rc=0)
    time.sleep(1)
    assert py.ask("ref_heard")["entries"] == {}
