"""`ghoard --offline serve`: nobody is asked, and who may read what is stored."""

import pytest
from rig import ISSUES, REPO


@pytest.fixture
def offline(make_daemon, fake):
    first = make_daemon()
    for path in (REPO, ISSUES):
        first.get(path)
    assert first.stop() == 0
    before, daemon = fake.count(), make_daemon("--offline")
    yield daemon
    assert fake.count() == before, "somebody was asked"


def test_what_is_stored_is_answered(offline, unix):
    answer = offline.get(REPO, unix=unix)
    assert answer.status == 200 and answer.cache["detail"] in ("disk", "memory") and answer.json


def test_what_is_not_stored_is_504(offline, unix):
    answer = offline.get(f"{ISSUES}/3", unix=unix)
    assert answer.status == 504 and answer.cache == {"detail": "offline"}
    assert "--offline" in answer.json["message"]


def test_another_token_s_answer_is_for_the_socket_alone(offline):
    answer = offline.get(ISSUES, token="bob-token", unix=True)
    assert answer.status == 200 and len(answer.json) == 7 and answer.cache["detail"] == "offline"
    for token in ("bob-token", None):
        answer = offline.get(ISSUES, token=token)
        assert answer.status == 504 and "Found a bug" not in str(answer.body)


def test_what_is_old_is_answered(make_daemon, ghoard, fake):
    ghoard("api", REPO, "--ttl", "1", rc=0)
    assert make_daemon("--offline").get(REPO, headers={"Cache-Control": "max-age=0"}).status == 200
    assert fake.count() == 1


@pytest.mark.parametrize("size", [10, 300_000])
def test_a_write_goes_nowhere(offline, unix, size):
    answer = offline.get(ISSUES, unix=unix, method="POST", body=b"x" * size)
    assert answer.status == 504


def test_other_hosts_are_not_asked(offline):
    answer = offline.get("/x", unix=True, headers={"Host": "github.com"})
    assert answer.status == 504 and answer.cache == {"detail": "offline"}
