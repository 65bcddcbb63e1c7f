"""A peer that is silent, and members that trust each other because the machine's owner says so."""

import os
import shutil
import signal
import stat
import subprocess
import time

import pytest
import rig
from rig import ISSUES, REPO
from test_share import OWN, SECRET, about, members, pair, peers, until

__all__ = ["pair", "peers"]

# what differs by whose token asks, and what does not
WHO_ASKS = ["/issues", "/gists", "/orgs/octocat/issues", "/user/repos", "/search/issues?q=a"]
WHO_ASKS.append(f"{REPO}/subscription")
ANYBODYS = ["/users/octocat", "/orgs/octocat"]
TRUST = "security:\n  access_control:\n    verify_repository_access: false\n"


def doctor(daemon):
    env = {"CACHE_P2P_SHARED_SECRET": SECRET}
    run = daemon.ghoard("doctor", "--offline", "--socket", daemon.socket, env=env)
    return run.out.decode()


def test_a_peer_that_stalls(pair, fake):
    """It announced them, its connection stands, and it says nothing: each answer comes within the budget."""
    a, b = pair
    paths = [f"{ISSUES}?per_page={n}" for n in range(1, 13)]
    for path in paths:
        assert a.get(path, token=OWN).status == 200
    until(lambda: about(b)["sharing"]["heard"] >= len(paths))
    fake.forget()
    os.kill(a.pid, signal.SIGSTOP)
    try:
        for path in paths:
            begin = time.monotonic()
            answer = b.get(path, token=OWN)
            took = time.monotonic() - begin
            assert answer.status == 200 and answer.cache["fwd"] == "uri-miss"
            assert took < 0.5, f"{path} took {took:.3f} s: the budget for peers is 50 ms"
        assert fake.count() == len(paths)
        sharing = about(b)["sharing"]
        late = 8  # after so many in a row it is passed over
        assert sharing["late"] == late
        said = doctor(b)
        assert f"{late} of {sharing['asked']} look-ups got no answer from peers in time" in said, said
    finally:
        os.kill(a.pid, signal.SIGCONT)
    assert a.get(REPO, token=OWN).status == 200
    until(lambda: about(b)["sharing"]["heard"] > len(paths))
    time.sleep(10)
    assert b.get(REPO, token=OWN).cache["detail"] == "p2p", "it is asked again after a while"


@pytest.fixture
def etc(tmp_path):
    """etc(text): a script that runs the binary where /etc/ghoard holds these settings."""

    def make(text, name="p2p-config.yml"):
        folder, script = tmp_path / "etc", tmp_path / "with-etc"
        (folder / "ghoard").mkdir(parents=True)
        (folder / "ghoard" / name).write_text(text)
        for name in ("passwd", "group", "hosts", "nsswitch.conf", "resolv.conf"):
            if os.path.exists(f"/etc/{name}"):
                shutil.copy(f"/etc/{name}", folder)
        inner = f'mount --bind {folder} /etc && exec {rig.BINARY} "$@"'
        script.write_text(f"#!/bin/sh\nexec unshare -rm sh -c '{inner}' ghoard \"$@\"\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        tried = subprocess.run([script, "version"], capture_output=True, text=True, timeout=20, check=False)
        if tried.returncode != 0:
            pytest.skip(f"mount namespaces are not allowed here: {tried.stderr.strip()}")
        return script

    return make


def test_members_trust_each_other(peers, etc, fake, monkeypatch):
    """verify_repository_access: false in /etc/ghoard: another token's entry is served, unasked."""
    a = peers("a")
    monkeypatch.setattr(rig, "BINARY", etc(TRUST))
    b = peers("b", to=a)
    until(lambda: members(a) and members(b))
    first = a.get(ISSUES, token=OWN)
    assert a.get("/user", token=OWN).status == 200
    shared = [a.get(path, token=OWN).body for path in ANYBODYS]
    mine = [a.get(path, token=OWN) for path in WHO_ASKS]
    assert {m.status for m in mine} == {200}
    told = len(ANYBODYS) + len(WHO_ASKS) + 2
    until(lambda: about(b)["sharing"]["heard"] >= told)
    fake.forget()
    for token in ("bob-token", "nobody-knows-it", None):
        answer = b.get(ISSUES, token=token)
        assert answer.status == 200 and answer.body == first.body
        assert answer.cache["detail"] == "p2p" and fake.count() == 0, "nobody was asked whether they may"
    assert [b.get(path, token="bob-token").body for path in ANYBODYS] == shared and fake.count() == 0
    assert b.get("/user", token="bob-token").cache["fwd"] == "uri-miss", "who one is only GitHub says"
    for path, told in zip(WHO_ASKS, mine, strict=True):
        his = b.get(path, token="bob-token")
        assert his.cache["fwd"] == "uri-miss" and (his.body != told.body or "/search" in path), path
        assert b.get(path, token=OWN).body == told.body
    assert fake.count() == 1 + len(WHO_ASKS), "what alice's proof is on is hers here, too"
    said = doctor(b)
    assert "whoever holds the group's secret can make this machine serve any answer as GitHub's" in said, said
    assert "with any token or none" in said


def test_what_is_asked_anew_each_time_is_not_told(pair, fake):
    """Its life is over at once: peers could do nothing with it, and its path is nobody's business."""
    a, b = pair
    assert a.get("/notifications", token=OWN).status == 200
    assert a.get(REPO, token=OWN).status == 200
    until(lambda: about(b)["sharing"]["heard"] == 1)
    assert about(a)["sharing"]["announced"] == 1 and about(b)["sharing"]["dropped"] == 0


@pytest.mark.parametrize("share", ["own", "all"])
def test_the_token_as_the_secret(ghoard, etc, monkeypatch, share):
    """Who is in the group, and what they get: the doctor says it where no secret is set."""
    if share == "all":
        monkeypatch.setattr(rig, "BINARY", etc("p2p:\n  share: all\n", "cache-config.yml"))
    env = {"ENABLE_P2P_CACHE": "true"}
    said = ghoard("doctor", "--offline", env=env, token="ghp_" + "x1" * 18, rc=0).out.decode()
    whose = "any token" if share == "all" else "it"
    assert f"runs with it is a peer, and gets what was fetched here with {whose};" in said, said
    assert "x1x1" not in said
    for token, more in (("ghs_" + "x" * 36, {}), ("ghp_x", {"CACHE_P2P_SHARED_SECRET": SECRET})):
        assert "is a peer" not in ghoard("doctor", "--offline", env=env | more, token=token).out.decode()
