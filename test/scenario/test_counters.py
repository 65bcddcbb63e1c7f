"""What the counters say of requests that are answered together, or with an old answer."""

import concurrent.futures
import time

import pytest
from scripted import Scripted

CONFIG = "cache:\n  stale_while_revalidate: %d\n  default_ttl: 1\n"


@pytest.fixture
def upstream():
    running = Scripted(lambda asked: (200, {}, b'{"a":1}'))
    yield running
    running.close()


def start(make_daemon, make_ghoard, upstream, window):
    ghoard = make_ghoard("counted", url=upstream.url)
    (ghoard.project / ".github").mkdir()
    (ghoard.project / ".github" / "cache-config.yml").write_text(CONFIG % window)
    return make_daemon(on=ghoard)


def stats(daemon):
    return daemon.get("/_ghoard/stats", token=None, unix=True).json


def test_a_renewal_is_nobody_s_request(make_daemon, make_ghoard, upstream):
    daemon = start(make_daemon, make_ghoard, upstream, 600)
    daemon.get("/x/y")
    time.sleep(1.2)
    answer = daemon.get("/x/y")
    assert answer.cache["detail"] == "stale-while-revalidate"
    until = time.monotonic() + 5
    while len(upstream.log) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.2)
    s = stats(daemon)
    assert len(upstream.log) == 2 and s["upstream_requests"] == 2
    assert (s["total_requests"], s["hits_stale"], s["misses"], s["api_calls_saved"]) == (2, 1, 1, 1)
    assert s["named"]["route.other"] == 2


def test_who_waits_for_what_stands_in(make_daemon, make_ghoard, upstream):
    daemon = start(make_daemon, make_ghoard, upstream, 0)
    daemon.get("/x/y")
    time.sleep(1.2)

    def fail(asked):
        time.sleep(0.5)
        return 502, {}, b"{}"

    upstream.say = fail
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: daemon.get("/x/y"), range(4)))
    assert len(upstream.log) == 2 and all(a.json == {"a": 1} for a in answers)
    for answer in answers:
        assert answer.cache["fwd"] == "stale" and answer.cache["detail"] == "stale-if-error"
    assert sum("collapsed" in a.cache for a in answers) == 3
    s = stats(daemon)
    assert (s["total_requests"], s["hits_stale"], s["misses"]) == (5, 4, 1)
