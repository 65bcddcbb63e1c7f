"""Who may ask GitHub now: places, turns, limits told to writes, and what a write makes stale."""

import collections
import concurrent.futures
import contextlib
import http.client
import threading
import time

import pytest
import rig
from scripted import Scripted

ITEM = "/repos/o/r"
OK = (200, {"ETag": '"x"'}, b'{"a": 1}')
NO_WINDOW = "cache:\n  stale_while_revalidate: 0\n  default_ttl: 1\n"
LIMIT = (403, {"Retry-After": "100"}, b'{"message": "You have exceeded a secondary rate limit."}')


@pytest.fixture
def scripted(make_daemon, make_ghoard):
    """scripted(say): the upstream and a daemon that asks it."""
    started = []

    def make(say, config=""):
        upstream = Scripted(say)
        started.append(upstream)
        ghoard = make_ghoard("scripted", url=upstream.url)
        (ghoard.project / ".github").mkdir()
        (ghoard.project / ".github" / "cache-config.yml").write_text(config)
        return upstream, make_daemon(on=ghoard)

    yield make
    for upstream in started:
        upstream.close()


def all_at_once(daemon, requests):
    """The answers, in order, and how long it took."""
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(len(requests)) as pool:
        answers = list(pool.map(lambda r: daemon.get(*r[:2], **(r[2] if len(r) > 2 else {})), requests))
    return answers, time.monotonic() - begun


def beside(daemon, path):
    """A request that may still wait when the test ends."""

    def run():
        with contextlib.suppress(OSError, http.client.HTTPException):
            daemon.get(path)

    threading.Thread(target=run, daemon=True).start()
    time.sleep(0.5)


def limits(remaining, reset=3600):
    now = int(time.time())
    fields = {"Limit": 5000, "Remaining": remaining, "Used": 5000 - remaining, "Reset": now + reset}
    return {f"X-RateLimit-{k}": str(v) for k, v in fields.items()} | {"X-RateLimit-Resource": "core"}


# -- turns
def test_nobody_is_left_behind_when_the_limit_is_spent(scripted):
    def say(asked):
        time.sleep(0.3)
        return 200, limits(0), b"{}"

    upstream, daemon = scripted(say)
    answers, _ = all_at_once(daemon, [(f"/repos/o/r{n}", "alice-token") for n in range(250)])
    seen = collections.Counter(a.status for a in answers)
    assert set(seen) == {200, 429} and seen[200] == len(upstream.log) <= 100
    refused = next(a for a in answers if a.status == 429)
    assert 3500 < int(refused.headers["retry-after"]) <= 3600
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.cache == {"detail": "rate-limited"}


def test_all_places_are_used_to_the_end(scripted):
    gate = threading.Event()

    def say(asked):
        gate.wait(10)
        time.sleep(0.1)
        return OK

    upstream, daemon = scripted(say)
    threading.Timer(1.5, gate.set).start()  # the first answers come in one pass of the loop
    answers, took = all_at_once(daemon, [(f"/repos/o/r{n}", "alice-token") for n in range(300)])
    assert [a.status for a in answers] == [200] * 300
    assert 85 <= upstream.peak <= 100 and took < 6


def test_a_script_that_pages_does_not_starve_others(scripted):
    def say(asked):
        time.sleep(0.8)
        return OK

    upstream, daemon = scripted(say)
    with concurrent.futures.ThreadPoolExecutor(400) as pool:
        paging = [pool.submit(daemon.get, f"/repos/o/r/issues?page={n}") for n in range(400)]
        time.sleep(0.4)
        took = {}
        others = (("other token", "/user", "bob-token"), ("same token", "/emojis", "alice-token"))
        for name, path, token in others:
            begun = time.monotonic()
            assert daemon.get(path, token).status == 200
            took[name] = time.monotonic() - begun
        assert sum(not p.done() for p in paging) > 20, "the script was over too soon to tell"
        assert [p.result().status for p in paging] == [200] * 400
    assert took["other token"] < 1.4 and took["same token"] < 2.4


def test_points_of_one_operation_hold_no_other_back(scripted):
    upstream, daemon = scripted(lambda asked: OK)
    connection = daemon.open()
    for n in range(900):
        connection.request("GET", f"/repos/o/r{n}", headers={"Authorization": "token alice-token"})
        assert connection.getresponse().read()
    beside(daemon, "/repos/o/late")
    assert daemon.get("/emojis").status == 200
    assert daemon.get("/repos/o/r901", token="bob-token").status == 200
    assert upstream.count("/repos/o/late") == 0 or time.time() % 60 < 10


def test_a_crowd_of_tokens_does_not_thaw_a_frozen_one(scripted):
    unknown = (401, limits(60), b"{}")
    upstream, daemon = scripted(lambda asked: LIMIT if asked.target == "/emojis" else unknown)
    assert daemon.get("/emojis").status == 403
    for n in range(80):
        daemon.get("/user", token=f"nobody-{n}")
    assert daemon.get(ITEM).status == 429 and upstream.count(ITEM) == 0


# -- streams obey, too
def test_no_more_than_a_hundred_writes_at_once(scripted):
    def say(asked):
        time.sleep(0.3)
        return 201, {}, asked.body

    upstream, daemon = scripted(say)
    big = b"x" * 300_000
    post = {"method": "POST", "body": big}
    posts = [(f"{ITEM}/issues/{n}/comments", "alice-token", post) for n in range(150)]
    answers, _ = all_at_once(daemon, posts)
    assert [(a.status, a.body == big) for a in answers] == [(201, True)] * 150
    assert upstream.peak <= 100


@pytest.mark.parametrize("method, path", [("POST", ITEM), ("HEAD", ITEM), ("GET", f"{ITEM}/collaborators")])
def test_a_limit_told_to_a_stream_holds_the_token(scripted, method, path):
    upstream, daemon = scripted(lambda asked: LIMIT)
    assert daemon.get(path, method=method, body=b"{}" if method == "POST" else None).status == 403
    for n, again in enumerate(("GET", "POST", "DELETE", "HEAD")):
        answer = daemon.get(f"/repos/o/other{n}", method=again, body=b"{}" if again == "POST" else None)
        assert answer.status == 429 and int(answer.headers["retry-after"]) > 90
    assert len(upstream.log) == 1
    assert daemon.get("/repos/o/other", token="bob-token").status == 403


def test_a_limit_met_by_head_is_no_refusal(scripted):
    spent = threading.Event()
    upstream, daemon = scripted(lambda asked: LIMIT if spent.is_set() else OK, NO_WINDOW)
    assert daemon.get(f"{ITEM}/labels").status == 200
    time.sleep(1.3)
    spent.set()
    assert daemon.get(f"{ITEM}/labels", method="HEAD").status == 403
    answer = daemon.get(f"{ITEM}/labels")
    assert answer.status == 200 and answer.cache["detail"] == "rate-limited"


def test_one_tokens_limit_is_not_waited_out_by_another(scripted):
    def say(asked):
        return (403, {"Retry-After": "8"}, b"{}") if "alice" in asked.headers["authorization"] else OK

    upstream, daemon = scripted(say)
    beside(daemon, ITEM)
    begun = time.monotonic()
    assert daemon.get(ITEM, token="bob-token").status == 200
    assert time.monotonic() - begun < 3


def test_a_failure_is_tried_twice_and_told_to_all(scripted):
    def say(asked):
        time.sleep(0.3)
        raise OSError

    upstream, daemon = scripted(say)
    upstream.server.handle_error = lambda *args: None
    answers, took = all_at_once(daemon, [(ITEM, "alice-token")] * 12)
    assert [a.status for a in answers] == [502] * 12
    assert len(upstream.log) <= 4 and took < 4  # each of the two tries may be made on two connections


# -- what a write makes stale
@pytest.mark.parametrize(
    "write, read",
    [
        ("/user/starred/a/b", "/user/starred"),
        ("/user/starred/a/b", "/user/starred/a/b"),
        ("/orgs/o/teams/t/repos/o/r", "/orgs/o/teams/t/repos"),
        ("/orgs/o/teams/t/repos/o/r", "/orgs/o/teams/t/repos/o/r"),
        ("/gists/5/star", "/gists/5"),
        ("/gists/5", "/gists?page=2"),
        (f"{ITEM}/%69ssues", f"{ITEM}/issues"),
        (f"{ITEM}/./issues", f"{ITEM}/issues"),
        (f"{ITEM}/topics", ITEM),
        (f"{ITEM}/contents/a.txt", f"{ITEM}/commits"),
        (f"{ITEM}/pulls/5/merge", f"{ITEM}/branches"),
        (f"{ITEM}/issues/5/labels", f"{ITEM}/issues"),
        (f"{ITEM}/issues/5", "/repositories/42/issues"),
    ],
)
def test_after_a_write_it_is_asked_again(scripted, write, read):
    upstream, daemon = scripted(lambda asked: OK)
    for token in ("alice-token", "bob-token"):
        daemon.get(read, token=token)
        assert daemon.get(read, token=token).cache.get("hit")
    asked = upstream.count(read, "GET")
    assert daemon.get(write, method="PUT", body=b"{}").status == 200
    for token in ("alice-token", "bob-token"):
        assert not daemon.get(read, token=token).cache.get("hit")
    assert upstream.count(read, "GET") == asked + 2


def test_a_write_leaves_others_alone(scripted):
    upstream, daemon = scripted(lambda asked: OK)
    for path in ("/repos/o/other/issues", f"{ITEM}/labels", "/users/x/repos"):
        daemon.get(path)
    daemon.get(f"{ITEM}/issues/5", method="PATCH", body=b"{}")
    for path in ("/repos/o/other/issues", f"{ITEM}/labels", "/users/x/repos"):
        assert daemon.get(path).cache.get("hit")


def test_the_row_is_there_before_the_writers_answer(scripted, make_daemon):
    """Who hears that a write was done, and asks another daemon of the store, gets no answer from before."""
    version = [0]

    def say(asked):
        if asked.method == "PUT":
            version[0] += 1
        return 200, {"ETag": f'"{version[0]}"'}, b"%d" % version[0]

    upstream, one = scripted(say)
    two = make_daemon(on=one.ghoard, path=one.ghoard.folder / "two.sock")
    write, read = one.open(), two.open()
    for _ in range(150):
        write.request("PUT", ITEM, body=b"{}", headers={"Authorization": "token alice-token"})
        done = write.getresponse().read()
        read.request("GET", ITEM, headers={"Authorization": "token alice-token"})
        assert read.getresponse().read() == done


# -- conditions of the client
def test_a_condition_goes_along_where_nothing_is_kept(scripted):
    upstream, daemon = scripted(lambda asked: (304, {"ETag": '"x"'}, b""))
    answer = daemon.get(f"{ITEM}/collaborators", headers={"If-None-Match": '"x"'})
    assert answer.status == 304 and upstream.log[0].headers["if-none-match"] == '"x"'


def test_a_condition_of_a_write_is_githubs_to_judge(scripted):
    upstream, daemon = scripted(lambda asked: OK)
    for tag in ("*", '"x"'):
        answer = daemon.get(ITEM, method="PUT", body=b"{}", headers={"If-None-Match": tag})
        assert answer.status == 200 and upstream.log[-1].headers["if-none-match"] == tag


def test_a_get_that_says_it_has_no_body(scripted):
    upstream, daemon = scripted(lambda asked: OK)
    for _ in range(2):
        answer = daemon.get(ITEM, headers={"Content-Length": "0"})
    assert answer.cache.get("hit") and len(upstream.log) == 1
    assert rig.cache_status(answer.headers["cache-status"])["detail"] == "memory"


# -- .epochs
def test_a_full_list_of_writes_makes_questions_not_stale_answers(scripted):
    upstream, daemon = scripted(lambda asked: OK)
    daemon.get("/repos/o/first")
    connection = daemon.open()
    for n in range(4300):
        path = "/repos/o/first" if n == 100 else f"/repos/o/r{n}"
        connection.request("PUT", path, body=b"{}", headers={"Authorization": f"token t{n % 30}"})
        assert connection.getresponse().read()
    assert len((daemon.ghoard.cache / ".epochs").read_text().splitlines()) <= 4096
    daemon.get("/repos/o/first")
    assert upstream.count("/repos/o/first", "GET") == 2
