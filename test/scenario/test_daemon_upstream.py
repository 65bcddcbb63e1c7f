"""Which upstream a token is for: the daemon's, and no other."""

import pytest
from rig import REPO


@pytest.fixture
def other(authority):
    from fake import Fake

    with Fake(authority=authority) as running:
        yield running


def test_a_command_for_another_upstream_does_without_the_daemon(daemon, make_ghoard, fake, other):
    """Both on this machine, so that the names alone tell nothing."""
    second = make_ghoard("second", other)
    run = second.api(REPO, "--socket", daemon.socket, "--log-level", "info", rc=0)
    assert run.status == 200 and other.count(REPO) == 1
    assert fake.count() == 0, "its token is for the other"
    assert other.url in run.err and fake.url in run.err and "doing without" in run.err


def test_a_command_for_the_same_upstream_uses_it(daemon, ghoard, fake):
    assert ghoard.api(REPO, "--socket", daemon.socket, rc=0).cache["fwd"] == "uri-miss"
    assert ghoard.api(REPO, "--socket", daemon.socket, rc=0).cache["detail"] == "memory"


def test_one_that_is_elsewhere(make_daemon, ghoard, make_ghoard, fake):
    """Its host would be none that the daemon answers for."""
    elsewhere = make_ghoard("elsewhere", url="https://ghes.example:8443/api/v3")
    daemon = make_daemon("--resolve", "ghes.example:8443:127.0.0.1", on=elsewhere)
    for unix in (False, True):
        answer = daemon.get(REPO, headers={"Host": "api.github.com"}, unix=unix)
        assert answer.status == 421, "a token for GitHub is not for it"
    assert ghoard.api(REPO, "--socket", daemon.socket, rc=0).status == 200 and fake.count(REPO) == 1
