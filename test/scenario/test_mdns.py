"""Daemons that find each other by multicast DNS, on the loopback interface of this machine."""

import json
import secrets

import pytest
from rig import REPO
from test_peers import Member, eventually

TOKEN = "alice-token"
CONTAINER = "/.dockerenv"


@pytest.fixture
def lan(fake, tmp_path):
    """lan("one", …): a daemon of a group of this test's own, with mDNS on."""
    secret, made = secrets.token_hex(20), []

    def make(name, **env):
        env = {"CACHE_P2P_SHARED_SECRET": secret, "GHOARD_MDNS": "true", **env}
        made.append(Member(tmp_path / name, fake, **env))
        return made[-1]

    yield make
    for one in made:
        one.daemon.stop()
        one.daemon.end()


def ids(member):
    return [p["id"] for p in member.report()["peers"] if p["kind"] == "member"]


def test_two_find_each_other_and_share(lan, fake):
    one, two = lan("one", GH_TOKEN=TOKEN), lan("two", GH_TOKEN=TOKEN)
    eventually(lambda: ids(one) == [two.lines[0]] and ids(two) == [one.lines[0]])
    said = [each.report()["mdns"] for each in (one, two)]
    # who is dialled first may not have heard of the other yet
    assert {m["state"] for m in said} == {"on"} and sum(m["found"] for m in said) > 0
    first = one.daemon.get(REPO, token=TOKEN)
    assert first.cache["fwd"] == "uri-miss"
    eventually(lambda: two.report()["sharing"]["heard"])
    fake.forget()
    answer = two.daemon.get(REPO, token=TOKEN)
    assert answer.body == first.body and answer.cache["detail"] == "p2p" and fake.count() == 0


def test_another_group_is_not_found(lan):
    one, other = lan("one"), lan("two", CACHE_P2P_SHARED_SECRET=secrets.token_hex(20))
    third = lan("three")
    eventually(lambda: ids(one) == [third.lines[0]])
    assert other.report()["peers"] == [] and other.report()["mdns"]["found"] == 0


@pytest.mark.parametrize("setting, state", [("false", "off"), ("true", "on"), (None, None)])
def test_on_and_off(lan, tmp_path, setting, state):
    """By default it is on, and off inside a container."""
    one = lan("one", GHOARD_MDNS=setting)
    said = one.report()["mdns"]
    if setting is None:
        run = one.ghoard("doctor", "--offline", "--json", "--socket", one.daemon.socket, env=one.env, rc=None)
        inside = "container" in json.dumps(run.json)
        state = "off" if inside else "on"
    assert said["state"] == state, said
    if state == "off":
        assert "discovery.methods.mdns" in said["why"]
    run = one.ghoard("doctor", "--offline", "--socket", one.daemon.socket, env=one.env, rc=None)
    line = next(line for line in run.out.decode().splitlines() if " mdns:" in line)
    assert ("looked for" in line) == (state == "on"), line


def test_turned_on_by_the_file(lan):
    one, two = lan("one", GHOARD_MDNS=None), lan("two", GHOARD_MDNS=None)
    for each in (one, two):
        each.daemon.stop()
        config = each.ghoard.project / ".github" / "p2p-config.yml"
        more = "discovery:\n  methods:\n    mdns: true\n  mdns:\n    interval: 1\n"
        config.write_text(config.read_text() + more)
        each.start()
    eventually(lambda: ids(one) == [two.lines[0]])
