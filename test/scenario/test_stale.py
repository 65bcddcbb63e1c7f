"""Old answers of the daemon: served at once while GitHub is asked beside it, or because GitHub fails."""

import concurrent.futures
import json
import time

import pytest
from rig import ISSUES, REPO, grow_old

LIVES_1 = {"CACHE_DEFAULT_TTL": "1"}


def settings(ghoard, **cache):
    folder = ghoard.project / ".github"
    folder.mkdir(exist_ok=True)
    upstream = {k: cache.pop(k) for k in list(cache) if k.endswith("_timeout")}
    lines = ["cache:"] + [f"  {k}: {v}" for k, v in cache.items()] if cache else []
    lines += ["upstream:"] + [f"  {k}: {v}" for k, v in upstream.items()] if upstream else []
    (folder / "cache-config.yml").write_text("\n".join(lines) + "\n")


def until(true, seconds=5):
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return value


def is_meanwhile(answer):
    """Cache-Status of an answer that was served old, with GitHub asked beside it."""
    return answer.cache.get("detail") == "stale-while-revalidate"


@pytest.fixture
def short(make_daemon):
    """A daemon whose answers live for a second."""
    return make_daemon(env=LIVES_1)


@pytest.fixture
def old(short, fake):
    """The same, with an answer that has just grown old."""
    short.first = short.get(ISSUES)
    grow_old()
    fake.forget()
    return short


# -- while GitHub is asked
def test_an_old_answer_is_served_at_once_and_renewed_once(old, fake, unix):
    fake.model.add_issue("octocat/hello-world", "Brand new")
    fake.trouble(ISSUES, "slow-head", delay=1)
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda _: old.get(ISSUES, unix=unix), range(24)))
    assert time.monotonic() - begin < 0.9, "nobody waited for GitHub"
    for answer in answers:
        assert answer.status == 200 and answer.body == old.first.body and is_meanwhile(answer)
        assert answer.cache["hit"] is True and answer.cache["ttl"] <= 0 and int(answer.headers["age"]) >= 1
        assert answer.headers["x-from-cache"] == "1" and answer.headers["etag"] == old.first.headers["etag"]
    assert fake.count() == 1, "one request for all of them"
    assert fake.requests[0].header("If-None-Match") and fake.requests[0].token == "alice-token"
    until(lambda: fake.requests[0].status)
    answer = until(lambda: (lambda a: None if is_meanwhile(a) else a)(old.get(ISSUES)))
    assert b"Brand new" in answer.body and answer.cache["hit"] is True and answer.cache["ttl"] >= 0
    assert fake.count() == 1, "and its answer serves from then on"


def test_what_did_not_change_is_renewed_by_a_304(old, fake):
    assert is_meanwhile(old.get(ISSUES))
    until(lambda: fake.count(status=304) == 1)
    assert fake.requests[0].cost == 0
    answer = until(lambda: (lambda a: None if is_meanwhile(a) else a)(old.get(ISSUES)))
    assert answer.cache["hit"] is True and answer.body == old.first.body and fake.count() == 1


def test_after_a_restart_from_disk_too(make_daemon, fake):
    first = make_daemon(env=LIVES_1)
    body = first.get(ISSUES).body
    first.stop()
    grow_old()
    second = make_daemon(env=LIVES_1)
    answer = second.get(ISSUES)
    assert answer.body == body and is_meanwhile(answer)


@pytest.mark.parametrize("kind", ["status", "close", "garbage", "cut"])
def test_a_renewal_that_fails_leaves_the_old_answer(old, fake, kind):
    """Each further request is served and tries again; the failure is nobody's answer."""
    fake.model.add_issue("octocat/hello-world", "So that there is a body to cut")
    fake.trouble(ISSUES, kind)
    for _ in range(3):
        asked = fake.count()
        answer = old.get(ISSUES)
        assert answer.status == 200 and answer.body == old.first.body and is_meanwhile(answer)
        until(lambda n=asked: fake.count() > n)
        time.sleep(0.2)
    fake.calm()
    fake.model.add_issue("octocat/hello-world", "Brand new")
    old.get(ISSUES)
    until(lambda: b"Brand new" in old.get(ISSUES).body)


@pytest.mark.parametrize("code", [401, 403, 404, 410, 451])
def test_a_renewal_that_is_told_no_ends_it(old, fake, code):
    """What the token may no longer see is not served a second time."""
    fake.trouble(ISSUES, "status", code=code, body=b'{"message":"No"}')
    assert is_meanwhile(old.get(ISSUES))
    until(lambda: fake.count(status=code) == 1)
    answer = until(lambda: (lambda a: None if is_meanwhile(a) else a)(old.get(ISSUES)), 2)
    assert (answer.status, answer.body) == (code, b'{"message":"No"}')


def test_the_window_can_be_set_and_ends(make_daemon, ghoard, fake):
    settings(ghoard, stale_while_revalidate=2)
    daemon = make_daemon(env=LIVES_1)
    for path in (ISSUES, REPO + "/labels"):
        daemon.get(path)
    time.sleep(2.3)
    assert is_meanwhile(daemon.get(REPO + "/labels"))
    time.sleep(1.2)
    answer = daemon.get(ISSUES)
    assert answer.cache == {"fwd": "stale", "fwd-status": 304, "detail": "revalidated"}


@pytest.mark.timeout(90)
def test_the_window_is_30_seconds(short, fake):
    for path in (ISSUES, REPO + "/labels"):
        short.get(path)
    time.sleep(28.5)
    assert is_meanwhile(short.get(ISSUES))
    time.sleep(4)
    assert short.get(REPO + "/labels").cache == {"fwd": "stale", "fwd-status": 304, "detail": "revalidated"}


def test_a_window_of_0_is_none(make_daemon, ghoard, fake):
    settings(ghoard, stale_while_revalidate=0)
    daemon = make_daemon(env=LIVES_1)
    daemon.get(ISSUES)
    grow_old()
    assert daemon.get(ISSUES).cache["detail"] == "revalidated"


@pytest.mark.parametrize("path", [ISSUES, f"{ISSUES}/1"])
def test_a_write_ends_it(short, fake, path):
    short.get(path)
    grow_old()
    assert (
        short.get(f"{ISSUES}/1", method="PATCH", body=b'{"title":"Renamed"}', token="bob-token").status == 200
    )
    answer = short.get(path)
    assert b"Renamed" in answer.body and "hit" not in answer.cache


def test_a_write_overtakes_a_renewal_on_its_way(old, fake):
    """The renewal left before the write: its answer is not stored, and who asks after the write sees it."""
    fake.trouble(ISSUES, "slow-head", delay=1, method="GET", times=1)
    assert is_meanwhile(old.get(ISSUES))
    until(lambda: fake.count(ISSUES, method="GET") == 1)
    assert old.get(ISSUES, method="POST", body=b'{"title":"Brand new"}').status == 201
    assert b"Brand new" in old.get(ISSUES).body
    time.sleep(1.3)
    assert b"Brand new" in old.get(ISSUES).body, "the late answer did no harm"


def test_only_the_daemon_does_it(old, ghoard, fake):
    run = ghoard.api("--no-daemon", ISSUES, env=LIVES_1, rc=0)
    assert run.cache["detail"] == "revalidated" and fake.count() == 1


def test_nobody_else_s_old_answer(old, fake):
    for token in ("bob-token", None, "no-such-token"):
        assert not is_meanwhile(old.get(ISSUES, token=token))
        assert fake.requests[-1].token == token


@pytest.mark.parametrize("asked", ["no-cache", "max-age=0", "max-age=1", "only-if-cached", "no-store"])
def test_not_against_the_client_s_word(old, fake, asked):
    answer = old.get(ISSUES, headers={"Cache-Control": asked})
    assert not is_meanwhile(answer) and answer.status == (504 if asked == "only-if-cached" else 200)


def test_what_is_asked_every_time_is_never_served_old(short, fake):
    path = f"{REPO}/commits/main/status"
    fake.trouble(path, "status", code=200, body=b'{"state":"pending"}', headers={"ETag": '"1"'})
    for count in (1, 2):
        assert not is_meanwhile(short.get(path))
        assert fake.count() == count


# -- because GitHub fails
@pytest.fixture
def strict(make_daemon, ghoard, fake):
    """A daemon that serves nothing old while GitHub answers; its one answer has grown old."""
    settings(ghoard, stale_while_revalidate=0, first_byte_timeout=1)
    daemon = make_daemon(env=LIVES_1)
    daemon.first = daemon.get(ISSUES)
    grow_old()
    fake.forget()
    return daemon


SECONDARY = b'{"message":"You have exceeded a secondary rate limit. Please wait a few minutes."}'
NOW_AND = {
    "500": dict(code=500), "502": dict(code=502), "503": dict(code=503), "504": dict(code=504),
    "429": dict(code=429), "429 that says when": dict(code=429, headers={"Retry-After": "600"}),
    "403 that says when": dict(code=403, headers={"Retry-After": "600"}),
    "403 by its text": dict(code=403, body=SECONDARY),
}  # fmt: skip


@pytest.mark.parametrize("name", NOW_AND)
def test_when_github_fails(strict, fake, unix, name):
    fake.trouble(ISSUES, "status", **NOW_AND[name])
    answer = strict.get(ISSUES, unix=unix)
    assert answer.status == 200 and answer.body == strict.first.body
    code = NOW_AND[name]["code"]
    assert answer.cache == {"fwd": "stale", "fwd-status": code, "detail": "stale-if-error"}
    assert fake.count() == 1 and strict.get(ISSUES).body == strict.first.body


@pytest.mark.parametrize("status", [403, 429])
def test_when_the_limit_is_spent(strict, fake, status):
    fake.limits.set("alice-token", remaining=0, status=status)
    for count in (1, 2):
        answer = strict.get(ISSUES)
        assert answer.status == 200 and answer.body == strict.first.body
        assert answer.cache["detail"] in ("stale-if-error", "rate-limited")
    assert fake.count() == 1, "then nothing leaves until the reset"


@pytest.mark.parametrize("kind", ["no-answer", "close", "reset", "garbage", "cut", "cut-head", "until-abort"])
def test_when_there_is_no_answer(strict, fake, kind):
    fake.model.add_issue("octocat/hello-world", "So that there is a body to cut")
    fake.trouble(ISSUES, kind)
    answer = strict.get(ISSUES)
    assert answer.status == 200 and answer.body == strict.first.body
    assert answer.cache == {"fwd": "stale", "detail": "stale-if-error"}
    assert "a stored answer stands in" in strict.errors, "and it is said"


def test_when_nobody_listens(strict, fake):
    fake.down()
    fake.trouble(ISSUES, "close")  # ends the connection that is still open
    answer = strict.get(ISSUES)
    assert answer.body == strict.first.body and answer.cache == {"fwd": "stale", "detail": "stale-if-error"}


def test_when_the_name_does_not_resolve(make_daemon, ghoard, fake):
    settings(ghoard, stale_while_revalidate=0)
    port = fake.ports["tls"]
    env = LIVES_1 | {"GITHUB_API_URL": f"https://api.github.test:{port}"}
    first = make_daemon("--resolve", f"api.github.test:{port}:127.0.0.1", env=env)
    body = first.get(ISSUES).body
    assert len(json.loads(body)) == 7
    first.stop()
    grow_old()
    second = make_daemon(env=env)
    answer = second.get(ISSUES)
    assert answer.status == 200 and answer.body == body
    assert answer.cache == {"fwd": "stale", "detail": "stale-if-error"}
    unknown = second.get(REPO)
    assert unknown.status == 502 and "api.github.test" in unknown.json["message"]


@pytest.mark.parametrize("code", [401, 403, 404, 410, 451])
def test_a_plain_no_is_passed_on(strict, fake, unix, code):
    fake.trouble(ISSUES, "status", code=code, body=b'{"message":"No"}')
    answer = strict.get(ISSUES, unix=unix)
    assert (answer.status, answer.body) == (code, b'{"message":"No"}')
    assert answer.cache == {"fwd": "stale", "fwd-status": code}
    for kind in ("status", "close"):
        fake.calm()
        fake.trouble(ISSUES, kind)
        assert strict.get(ISSUES).status == 502, "nor is it served when GitHub fails after that"


@pytest.mark.parametrize("age, status", [(1, 200), (4, 502)])
def test_at_most_as_long_as_is_set(make_daemon, ghoard, fake, age, status):
    settings(ghoard, stale_while_revalidate=0, stale_if_error=2)
    daemon = make_daemon(env=LIVES_1)
    daemon.get(ISSUES)
    time.sleep(age + 0.3)
    fake.trouble(ISSUES, "status")
    assert daemon.get(ISSUES).status == status


def test_24_hours_is_the_most(ghoard):
    settings(ghoard, stale_if_error=86401)
    assert ghoard("config", "check").rc == 3
    settings(ghoard, stale_if_error=86400)
    assert ghoard("config", "check").rc == 0
