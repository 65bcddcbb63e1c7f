"""Daemons that share what they fetch: real binaries on loopback addresses, one stand-in GitHub."""

import concurrent.futures
import time

import pytest
from rig import ISSUES, REPO

SECRET = "an-invented-group-secret-of-the-tests-0001"
OTHER = "an-invented-group-secret-of-the-tests-0002"
OWN = "alice-token"


def until(true, seconds=8):
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return value


def about(daemon):
    """What the daemon says of its peers."""
    return daemon.get("/_ghoard/peers", token=None, unix=True).json


def members(daemon):
    return [p for p in about(daemon)["peers"] if p["kind"] == "member"]


@pytest.fixture
def peers(make_ghoard, make_daemon, fake):
    """peers("a", to=other, secret=…, token=…): a daemon that knows the other's address."""

    def make(name, to=None, secret=SECRET, token=OWN, config=""):
        home = make_ghoard(name, fake)
        folder = home.project / ".github"
        folder.mkdir(exist_ok=True)
        (folder / "p2p-config.yml").write_text(f"network:\n  listen:\n    addresses: [127.0.0.1]\n{config}")
        env = {"CACHE_P2P_SHARED_SECRET": secret}
        if to is not None:
            env["CACHE_BOOTSTRAP_PEERS"] = until(lambda: about(to).get("addrs"))[0]
        one = make_daemon("--p2p-port", "0", on=home, token=token, env=env)
        until(lambda: about(one).get("addrs"))
        return one

    return make


@pytest.fixture
def pair(peers):
    a = peers("a")
    b = peers("b", to=a)
    until(lambda: members(a) and members(b))
    return a, b


def test_what_one_fetched_the_other_has(pair, fake):
    a, b = pair
    first = a.get(REPO, token=OWN)
    assert first.status == 200 and first.cache["fwd"] == "uri-miss"
    time.sleep(0.3)  # the announcement
    fake.forget()
    second = b.get(REPO, token=OWN)
    assert second.status == 200 and second.body == first.body
    assert second.cache["hit"] is True and second.cache["detail"] == "p2p"
    assert second.headers["etag"] == first.headers["etag"]
    assert fake.count() == 0, "GitHub was not asked"
    third = b.get(REPO, token=OWN)
    assert third.cache["detail"] == "memory", "it is the other's own now"
    assert about(a)["sharing"]["served"] == 1 and about(b)["sharing"]["hits"] == 1


def test_another_tokens_body_costs_a_free_304(pair, fake):
    a, b = pair
    first = a.get(ISSUES, token=OWN)
    time.sleep(0.3)
    fake.forget()
    second = b.get(ISSUES, token="bob-token")
    assert second.status == 200 and second.body == first.body
    assert second.cache["detail"] == "candidate" and second.cache["fwd-status"] == 304
    assert fake.count() == 1 and fake.count(billable=True) == 0


def test_only_the_daemons_own_tokens_entries_are_told(pair, fake):
    a, b = pair
    a.get(ISSUES, token="bob-token")
    time.sleep(0.3)
    fake.forget()
    assert b.get(ISSUES, token="bob-token").cache["fwd-status"] == 200
    assert fake.count(billable=True) == 1


def test_who_has_another_secret_gets_nothing(peers, fake):
    a = peers("a")
    b = peers("b", to=a, secret=OTHER)
    until(lambda: "sealed with another key" in a.errors + b.errors)
    a.get(REPO, token=OWN)
    time.sleep(0.3)
    fake.forget()
    assert b.get(REPO, token=OWN).cache["fwd-status"] == 200
    assert not members(a) and not members(b)


def test_a_write_ends_the_others_answers(pair, fake):
    a, b = pair
    a.get(ISSUES, token=OWN)
    time.sleep(0.3)
    assert b.get(ISSUES, token=OWN).cache["detail"] == "p2p"
    written = a.get(ISSUES, token=OWN, method="POST", body=b'{"title":"Brand new"}')
    assert written.status == 201
    time.sleep(0.3)
    after = b.get(ISSUES, token=OWN)
    assert b"Brand new" in after.body
    assert b"Brand new" in after.body


def test_a_write_ends_the_others_answers_by_number(pair, fake):
    """GitHub links the pages of a list by the repository's number."""
    a, b = pair
    numbered = ISSUES.replace(REPO, f"/repositories/{fake.model.repo('octocat/hello-world').id}")
    b.get(numbered, token=OWN)
    assert b.get(numbered, token=OWN).cache["hit"]
    assert a.get(ISSUES, token=OWN, method="POST", body=b'{"title":"Brand new"}').status == 201
    until(lambda: b"Brand new" in b.get(numbered, token=OWN).body)


def test_a_write_below_an_odd_path_is_told_as_its_repository(pair, fake):
    a, b = pair
    b.get(ISSUES, token=OWN)
    assert b.get(ISSUES, token=OWN).cache["hit"]
    odd = f"{REPO}/statuses/heads%2Fmain"
    assert a.get(odd, token=OWN, method="POST", body=b'{"state":"success"}').status == 201
    until(lambda: about(b)["sharing"]["invalidated"] == 1)
    assert b.get(ISSUES, token=OWN).cache["fwd-status"] == 304


def test_many_writes_end_the_others_answers(pair, fake):
    """More than a peer takes in a minute: of the last it hears, too."""
    a, b = pair
    for n in range(14):
        assert a.get(ISSUES, token=OWN, method="POST", body=b'{"title":"Number %d"}' % n).status == 201
        time.sleep(0.1)
        b.get(ISSUES, token=OWN)
    assert about(b)["sharing"]["invalidated"] < 10
    until(lambda: b"Number 13" in b.get(ISSUES, token=OWN).body, 20)


def test_the_last_writes_are_told_at_the_end(pair, fake):
    a, b = pair
    for n in range(8):
        assert a.get(ISSUES, token=OWN, method="POST", body=b'{"title":"Number %d"}' % n).status == 201
        time.sleep(0.1)
    before = about(b)["sharing"]["invalidated"]
    a.stop()
    until(lambda: about(b)["sharing"]["invalidated"] > before, 3)


def test_it_goes_on_without_the_other(pair, fake):
    a, b = pair
    a.get(REPO, token=OWN)
    time.sleep(0.3)
    a.kill()
    begin = time.monotonic()
    answer = b.get(REPO, token=OWN)
    assert answer.status == 200 and answer.body
    assert time.monotonic() - begin < 2


def test_large_bodies_cross(pair, fake):
    a, b = pair
    body = b"[" + b",".join(b'{"id":%d,"text":"%s"}' % (i, b"x" * 500) for i in range(4000)) + b"]"
    fake.alter(ISSUES, body=body)
    first = a.get(ISSUES, token=OWN)
    assert first.body == body
    time.sleep(0.3)
    fake.forget()
    second = b.get(ISSUES, token=OWN)
    assert second.body == body


def test_what_both_miss_at_once_is_fetched_about_once(pair, fake):
    a, b = pair
    paths = [f"{ISSUES}?per_page=5&page={i}" for i in range(1, 21)]
    with concurrent.futures.ThreadPoolExecutor(2) as both:
        for path in paths:
            first, second = both.map(lambda one: one.get(path, token=OWN), (a, b))  # noqa: B023
            assert first.status == second.status == 200 and first.body == second.body
            time.sleep(0.06)
    assert fake.count() <= 1.3 * len(paths), "without the coordinator it is twice as many"


def test_an_entry_by_itself_needs_no_announcement(peers, fake):
    """Who comes later has heard nothing: the coordinator, if it is the other, is asked by key."""
    a = peers("a")
    paths = [f"{ISSUES}?per_page=5&page={i}" for i in range(1, 11)]
    bodies = [a.get(path, token=OWN).body for path in paths]
    b = peers("b", to=a)
    until(lambda: members(a) and members(b))
    fake.forget()
    assert [b.get(path, token=OWN).body for path in paths] == bodies
    assert fake.count() < len(paths)
