"""Daemons that find each other through the repository's Actions cache, and one that fails them."""

import time

import pytest
from rig import ISSUES, REPO
from test_share import OWN, SECRET, about, members, until

REF = "refs/heads/main"
FRONT = "p2p-peers-"


@pytest.fixture
def node(make_ghoard, make_daemon, fake):
    """node("a", "127.0.0.2", scopes=…, secret=…, **env): a daemon that knows nobody's address."""

    def make(name, address, scopes=((REF, 3),), secret=SECRET, config="", **env):
        home = make_ghoard(name, fake)
        (home.project / ".github").mkdir(exist_ok=True)
        text = f"network:\n  listen:\n    addresses: [{address}]\n"
        text += f"discovery:\n  methods:\n    mdns: false\n{config}"
        (home.project / ".github" / "p2p-config.yml").write_text(text)
        env = {
            "CACHE_P2P_SHARED_SECRET": secret,
            "GITHUB_REPOSITORY": "octocat/hello-world",
            "ACTIONS_RESULTS_URL": fake.url,
            "ACTIONS_RUNTIME_TOKEN": fake.caches.token(scopes=scopes),
            **env,
        }
        one = make_daemon("--p2p-port", "0", on=home, token=OWN, env=env)
        one.env = env
        until(lambda: about(one)["state"] != "starting")
        return one

    return make


def registry(daemon):
    return about(daemon)["registry"]


def registered(daemon):
    return until(lambda: registry(daemon).get("registered") and registry(daemon))


def peers(daemon, *args, **more):
    args = ("peers", *args, "--socket", daemon.socket)
    return daemon.ghoard(*args, token=OWN, env={**daemon.env, **more.pop("env", {})}, **more)


def test_two_and_three_find_each_other_and_share(node, fake):
    a = node("a", "127.0.0.2")
    assert registered(a)["state"] == "registered"
    (key,) = fake.caches.keys()
    assert key.startswith(FRONT) and len(key) <= 512
    for word in ("127.0.0.2", about(a)["id"], "octocat"):
        assert word not in key
    (entry,) = fake.caches.entries
    assert len(entry["data"]) == 1 and entry["ref"] == REF
    b = node("b", "127.0.0.3")
    until(lambda: members(a) and members(b))
    assert members(b)[0]["addr"].startswith("/ip4/127.0.0.2/tcp/")
    first = a.get(REPO, token=OWN)
    time.sleep(0.3)
    fake.forget()
    second = b.get(REPO, token=OWN)
    assert second.body == first.body and second.cache["detail"] == "p2p" and fake.count(REPO) == 0
    registered(b)
    c = node("c", "127.0.0.4")
    until(lambda: len(members(c)) == 2)
    third = c.get(ISSUES, token=OWN)
    time.sleep(0.3)
    for other in (a, b):
        answer = other.get(ISSUES, token=OWN)
        assert answer.body == third.body and answer.cache["detail"] == "p2p"
    assert fake.count(ISSUES) == 1
    lists = fake.find("/repos/*/actions/caches", method="GET")
    assert len(lists) == 1, "each lists once"
    assert "per_page=100" in lists[0].target and "direction=desc" in lists[0].target
    assert all(r.token == OWN for r in lists)


def test_a_node_that_ends_takes_its_record_back(node, fake):
    a, b = node("a", "127.0.0.2"), node("b", "127.0.0.3")
    registered(a), registered(b)
    assert len(fake.caches.keys()) == 2
    begin = time.monotonic()
    assert a.stop() == 0
    assert time.monotonic() - begin < 3
    assert len(fake.caches.keys()) == 1, "its own, and no other"
    (gone,) = fake.find("/repos/*/actions/caches", method="DELETE")
    assert gone.target.partition("?key=")[2].startswith(FRONT)
    # where it may not, or the service hangs, the node ends all the same
    c = node("c", "127.0.0.4")
    registered(c)
    fake.trouble("/repos/*/actions/caches", "status", method="DELETE", times=1, code=403)
    begin = time.monotonic()
    assert c.stop() == 0 and time.monotonic() - begin < 1.5, "an answer is an answer"
    assert fake.find("/repos/*/actions/caches", method="DELETE")[-1].status == 403
    fake.trouble("/repos/*/actions/caches", "no-answer", method="DELETE", delay=20)
    begin = time.monotonic()
    assert b.stop() == 0
    assert 1.5 < time.monotonic() - begin < 5


def test_a_token_that_may_only_read(node, fake):
    a = node("a", "127.0.0.2")
    registered(a)
    b = node("b", "127.0.0.3", scopes=((REF, 1),))
    until(lambda: members(a) and members(b))
    time.sleep(0.5)
    assert len(fake.caches.keys()) == 1 and registry(b)["state"] == "looks"
    assert "may not write" in registry(b)["why"] and "may not write" in b.errors
    said = b.ghoard("doctor", "--socket", b.socket, token=OWN, env=b.env).out.decode()
    assert "others do not find it" in said
    stats = b.get("/_ghoard/stats", token=None, unix=True).json
    assert stats["registry"]["state"] == "looks"
    assert "may not write" in peers(b, "register", rc=1).err
    c = node("c", "127.0.0.4", ACTIONS_CACHE_MODE="read")
    until(lambda: members(c))
    assert registry(c)["state"] == "looks" and "ACTIONS_CACHE_MODE" in c.errors
    d = node("d", "127.0.0.5", ACTIONS_RUNTIME_TOKEN=None)
    until(lambda: members(d))
    assert "runtime token" in registry(d)["why"]
    assert len(fake.caches.keys()) == 1


def test_the_hand_over_file(node, fake, tmp_path):
    hand = tmp_path / "runtime.json"
    hand.write_text(f'{{"results_url": "{fake.url}", "runtime_token": "{fake.caches.token()}"}}')
    hand.chmod(0o600)
    a = node("a", "127.0.0.2", ACTIONS_RUNTIME_TOKEN=None, GHOARD_RUNTIME_FILE=hand)
    registered(a)
    assert not hand.exists() and len(fake.caches.keys()) == 1
    # it goes also where there are no peers to be had
    hand.write_text("{}")
    hand.chmod(0o600)
    b = node("b", "127.0.0.3", secret="short", GHOARD_RUNTIME_FILE=hand)
    assert about(b)["state"] == "off" and not hand.exists()
    assert registry(b)["state"] == "off"


def test_by_hand(node, fake):
    a = node("a", "127.0.0.2", config="  enabled: false\n")
    assert registry(a)["state"] == "off" and fake.caches.keys() == []
    on = {"ENABLE_PEER_DISCOVERY": "true"}
    home = a.ghoard.project / ".github" / "p2p-config.yml"
    home.write_text(home.read_text().replace("  enabled: false\n", ""))
    assert peers(a, "discover", rc=1, env=on).out == b""
    assert peers(a, "register", "--json", rc=0).json == {
        "registered": True,
        "repository": "octocat/hello-world",
    }
    b = node("b", "127.0.0.3")
    until(lambda: members(a) and members(b))
    (found,) = [p for p in peers(a, "discover", "--json", rc=0).json if p["id"] == about(b)["id"]]
    assert found["addrs"] == about(b)["addrs"] and 800 < found["expires_in"] <= 900
    assert about(b)["addrs"][0] in peers(a, "discover", rc=0).out.decode()
    assert "usage" in peers(a, "discover", "x", rc=2).err
    a.stop()
    assert "no daemon" in peers(a, "register", rc=1).err


def test_junk_records_expired_ones_and_another_groups(node, fake):
    a = node("a", "127.0.0.2")
    registered(a)
    (good,) = fake.caches.keys()
    front = "-".join(good.split("-")[:3]) + "-"
    other = node("z", "127.0.0.9", secret="an-invented-group-secret-of-the-tests-0002")
    registered(other)
    for junk in (front, front + "x", front + "0" * 8 + "-" + "A" * 400, good[:-4], good + "AAAA"):
        fake.caches.add(junk)
    b = node("b", "127.0.0.3")
    until(lambda: members(b))
    assert len(members(b)) == 1 and members(b)[0]["id"] == about(a)["id"]
    assert registry(b)["foreign"] >= 5 and registry(b)["records"] == 1


def test_who_died_without_a_word_and_who_claims_to_live_too_long(node, fake):
    """A killed node's record stands until it expires and costs a dial; one of another rule is not taken."""
    a = node("a", "127.0.0.2")
    registered(a)
    a.kill()
    b = node("b", "127.0.0.3")
    assert until(lambda: registry(b).get("records")) == 1
    assert registered(b)["state"] == "registered" and b.get(REPO, token=OWN).status == 200
    c = node("c", "127.0.0.4", config="  github:\n    peer_ttl_minutes: 1\n")
    until(lambda: registry(c).get("listed"))
    assert registry(c)["foreign"] == 2 and registry(c)["records"] == 0 and members(c) == []


@pytest.mark.parametrize(
    "kind, more",
    [
        ("status", {"code": 403, "body": b'{"message":"Resource not accessible by integration"}'}),
        ("status", {"code": 500, "body": b"{}"}),
        ("garbage", {}),
        ("reset", {}),
        ("no-answer", {"delay": 20}),
    ],
)
def test_a_list_that_cannot_be_had_costs_nothing_else(node, fake, kind, more):
    fake.trouble("/repos/*/actions/caches*", kind, **more)
    a = node("a", "127.0.0.2")
    begin = time.monotonic()
    assert a.get(REPO, token=OWN).status == 200 and time.monotonic() - begin < 1
    if kind != "no-answer":
        assert until(lambda: registry(a).get("failed")) >= 1 and registry(a)["why"]
        assert "looking for peers" in a.errors
    if more.get("code") == 403:
        assert "actions: read" in registry(a)["why"]
    assert fake.caches.keys() == []
    assert a.stop() == 0


@pytest.mark.parametrize("name", ["not a repo/../x", "octocat", "octocat/..", "a/b/c"])
def test_a_repository_that_is_none(node, name):
    a = node("a", "127.0.0.2", GITHUB_REPOSITORY=name)
    assert "owner/name" in peers(a, "discover", rc=1).one_line()
    assert "owner/name" in registry(a)["why"] and "owner/name" in a.errors


def test_by_hand_an_error_is_one_line(node, fake):
    a = node("a", "127.0.0.2")
    registered(a)
    fake.trouble("/repos/*/actions/caches*", "status", code=401, body=b'{"message":"Bad credentials"}')
    assert "HTTP 401" in peers(a, "discover", rc=1).one_line()
    fake.trouble("/twirp/*", "status", code=403, body=b'{"code":"permission_denied","msg":"read-only"}')
    assert "read-only" in peers(a, "register", rc=1).one_line()


def test_a_service_that_does_not_take_records(node, fake):
    fake.trouble("/twirp/*", "status", code=403, body=b'{"code":"permission_denied","msg":"read-only"}')
    a = node("a", "127.0.0.2")
    until(lambda: registry(a).get("failed"))
    assert "read-only" in registry(a)["why"] and fake.count("/twirp/*") == 1, "who may not, tries no more"
    said = a.ghoard("doctor", "--socket", a.socket, token=OWN, env=a.env).out.decode()
    assert "read-only" in said


def test_eight_doors_are_enough(node, fake):
    """Who finds eight live records does not add a ninth."""
    for n in range(8):
        registered(node(f"n{n}", f"127.0.1.{n + 1}"))
    assert len(fake.caches.keys()) == 8
    last = node("last", "127.0.2.1")
    until(lambda: members(last))
    assert registry(last)["records"] == 8 and registry(last)["registered"] == 0
    assert len(fake.caches.keys()) == 8
