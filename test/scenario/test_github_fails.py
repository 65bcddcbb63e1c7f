"""When GitHub fails, or its limit is spent: an old answer serves, and says that it is old."""

import json

import pytest
from rig import ISSUES, SHORT, grow_old


@pytest.mark.parametrize("code", [500, 502, 503, 504, 429])
def test_when_github_fails_the_old_answer_serves(ghoard, fake, code):
    first = ghoard("api", ISSUES, *SHORT, rc=0)
    fake.trouble(ISSUES, "status", code=code)
    grow_old()
    run = ghoard.api(ISSUES, *SHORT, rc=0)
    assert run.status == 200 and run.body == first.out
    assert run.cache == {"fwd": "stale", "fwd-status": code, "detail": "stale-if-error"}


def test_when_github_cannot_be_reached_the_old_answer_serves(ghoard, fake):
    first = ghoard("api", ISSUES, *SHORT, rc=0)
    fake.down()
    grow_old()
    run = ghoard.api(ISSUES, *SHORT, rc=0)
    assert run.body == first.out
    assert run.cache == {"fwd": "stale", "detail": "stale-if-error"}


def test_when_the_limit_is_spent_the_old_answer_serves(ghoard, fake):
    first = ghoard("api", ISSUES, *SHORT, rc=0)
    fake.limits.set("alice-token", remaining=0)
    grow_old()
    fake.forget()
    run = ghoard.api(ISSUES, *SHORT, rc=0)
    assert run.body == first.out
    if fake.count():
        assert run.cache == {"fwd": "stale", "fwd-status": 403, "detail": "stale-if-error"}
    else:
        assert run.cache["hit"] is True and run.cache["ttl"] <= 0 and run.cache["detail"] == "rate-limited"


@pytest.mark.parametrize("text_only", [False, True])
def test_a_secondary_limit_is_a_limit_too(ghoard, fake, text_only):
    first = ghoard("api", ISSUES, *SHORT, rc=0)
    fake.limits.set_secondary(retry_after=600, text_only=text_only)
    grow_old()
    run = ghoard.api(ISSUES, *SHORT, rc=0)
    assert run.body == first.out and run.cache["detail"] in ("stale-if-error", "rate-limited")


@pytest.mark.parametrize("code", [401, 403, 404, 410, 451])
def test_a_plain_no_is_never_answered_with_the_past(ghoard, fake, code):
    ghoard("api", ISSUES, *SHORT, rc=0)
    fake.trouble(ISSUES, "status", code=code, body=b'{"message":"No"}')
    grow_old()
    run = ghoard.api(ISSUES, *SHORT, rc=1)
    assert run.status == code and json.loads(run.body) == {"message": "No"}


def test_github_out_of_reach_and_nothing_stored_is_exit_4(ghoard, fake):
    fake.down()
    run = ghoard("api", ISSUES, rc=4)
    assert run.out == b"" and "localhost" in run.one_line()


def test_a_short_retry_after_is_waited_for(ghoard, fake):
    fake.limits.set_secondary(retry_after=1, times=1)
    run = ghoard("api", ISSUES, rc=0)
    assert len(run.json) == 7 and run.ms > 900
