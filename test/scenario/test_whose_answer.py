"""An answer belongs to the token that got it: nobody else is shown it unless GitHub says so."""

import pytest
from rig import ISSUES, REPO, SHORT, derived_etag, grow_old

SECRET = "/repos/octocat/secret/issues"


def test_another_token_gets_the_body_for_one_free_304(ghoard, fake):
    first = ghoard("api", ISSUES, rc=0)
    run = ghoard.api(ISSUES, token="bob-token", rc=0)
    assert run.body == first.out
    assert run.cache == {"fwd": "uri-miss", "fwd-status": 304, "stored": True, "detail": "candidate"}
    asked = fake.requests[-1]
    assert (asked.token, asked.status, asked.cost) == ("bob-token", 304, 0)
    scheme = asked.header("Authorization").split()[0]
    assert asked.header("If-None-Match") == derived_etag(first.out, "bob-token", scheme=scheme)
    fake.forget()
    assert ghoard.api(ISSUES, token="bob-token", rc=0).cache["hit"] is True
    assert fake.count() == 0


def test_a_rotated_token_keeps_the_whole_cache(ghoard, fake):
    paths = [REPO, ISSUES, f"{REPO}/actions/runs", "/user"]
    before = [ghoard("api", p, rc=0).out for p in paths]
    fake.forget()
    after = [ghoard("api", p, token="alice-token-2", rc=0).out for p in paths]
    assert after == before
    assert fake.count() == len(paths) and fake.count(billable=True) == 0


def test_an_answer_that_differs_by_token_is_never_mixed_up(ghoard, fake):
    fake.model.add_token("owner-token", "octocat")
    for _ in range(2):
        assert ghoard("api", REPO, token="owner-token", rc=0).json["permissions"]["admin"] is True
        assert ghoard("api", REPO, token="bob-token", rc=0).json["permissions"]["admin"] is False
        assert ghoard("api", "/user", token="owner-token", rc=0).json["login"] == "octocat"
        assert ghoard("api", "/user", token="bob-token", rc=0).json["login"] == "bob"
        assert "permissions" not in ghoard("api", REPO, token=None, rc=0).json


@pytest.mark.parametrize(
    "how",
    [(), ("-X", "HEAD"), ("--refresh",), *[("-H", f"Accept: {a}") for a in ("*/*", "application/json")]],
)
@pytest.mark.parametrize("token", ["bob-token", "no-such-token", None])
def test_a_private_answer_is_shown_to_nobody_else(ghoard, fake, how, token):
    assert b"secret issue" in ghoard("api", SECRET, rc=0).out
    run = ghoard("api", "-i", *how, SECRET, token=token, rc=1)
    assert b"secret issue" not in run.out
    assert run.status == (401 if token == "no-such-token" else 404)
    for kind, args in (("close", {}), ("status", {"code": 502})):
        fake.calm()
        fake.trouble(SECRET, kind, **args)
        assert b"secret issue" not in ghoard("api", *how, SECRET, token=token).out


def test_access_that_ended_ends_here_too(ghoard, fake):
    ghoard("api", SECRET, *SHORT, rc=0)
    fake.model.remove_reader("octocat/secret", "alice")
    grow_old()
    run = ghoard("api", "-i", SECRET, *SHORT, rc=1)
    assert run.status == 404 and b"secret issue" not in run.out
    fake.forget()
    assert b"secret issue" not in ghoard("api", SECRET, rc=1).out
    assert fake.count() >= 1, "a 404 is asked again"


def test_a_revoked_token_is_asked_again_for_everything(ghoard, fake):
    for path in (ISSUES, REPO, "/user"):
        ghoard("api", path, rc=0)
    fake.model.revoke("alice-token")
    assert ghoard("api", "-i", ISSUES, "--refresh", rc=1).status == 401
    for path in (REPO, "/user"):
        assert ghoard("api", "-i", path, rc=1).status == 401


def test_no_token_is_written_down(ghoard):
    for path in (ISSUES, "/user", SECRET):
        ghoard("api", path, rc=0)
    assert len(ghoard.entries()) == 3
    for file in ghoard.cache.rglob("*"):
        assert "alice-token" not in file.name
        if file.is_file():
            assert b"alice-token" not in file.read_bytes(), file


def test_with_etags_made_another_way_every_answer_is_right(ghoard, fake):
    fake.etag_mode = "other"
    for number in range(6):
        path = f"{ISSUES}/{number + 1}"
        assert ghoard("api", path, rc=0).json["number"] == number + 1
        assert ghoard("api", path, token="bob-token", rc=0).json["number"] == number + 1
        fake.model.repo("octocat/hello-world").issues[number]["title"] = "changed"
        assert ghoard("api", path, "--refresh", rc=0).json["title"] == "changed"
