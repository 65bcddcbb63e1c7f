"""One client's many requests and another's single one: who waits for whom."""

import concurrent.futures
import select
import threading
import time

import pytest
from daemon import ask, split
from rig import ISSUES, REPO

PAGES = 200


def ask_for(path, token):
    head = (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: token {token}\r\nConnection: close\r\n\r\n"
    )
    return head.encode()


class Crowd:
    """Many requests of one token at once, each on a connection of its own; answered when .over()."""

    def __init__(self, daemon, paths, token="alice-token"):
        self.socks = [daemon.plug(unix=True, timeout=60) for _ in paths]
        for sock, path in zip(self.socks, paths, strict=True):
            sock.sendall(ask_for(path, token))

    def waiting(self):
        """How many have no answer yet."""
        ready, _, _ = select.select(self.socks, [], [], 0)
        return len(self.socks) - len(ready)

    def over(self, seconds=60):
        """The statuses, once all are there."""
        until, got = time.monotonic() + seconds, []
        while self.waiting():
            assert time.monotonic() < until, f"{self.waiting()} of {len(self.socks)} are not answered"
            time.sleep(0.02)
        for sock in self.socks:
            data = b""
            while more := sock.recv(65536):
                data += more
            got += [a.status for a in split(data)]
        return got

    def close(self):
        for sock in self.socks:
            sock.close()


@pytest.fixture
def crowd(daemon):
    made = []

    def make(paths, **more):
        made.append(Crowd(daemon, paths, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def timed(daemon, path, token, timeout=20):
    begin, connection = time.monotonic(), daemon.open(timeout=timeout)
    try:
        return ask(connection, path, token), time.monotonic() - begin
    finally:
        connection.close()


def wait_until(true, seconds=10):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


# -- a paginating script
@pytest.mark.parametrize("token", ["alice-token", "bob-token"], ids=["same token", "other token"])
def test_a_script_with_ten_connections(daemon, fake, token):
    """200 pages at 10 a time, 0.1 s each: a miss and a hit of another client go in between."""
    fake.trouble(ISSUES, "slow-head", delay=0.1)
    assert daemon.get(REPO, token=token).status == 200
    done, over = [], threading.Event()

    def script():
        with concurrent.futures.ThreadPoolExecutor(10) as ten:
            pages = [f"{ISSUES}?per_page=1&page={n}" for n in range(PAGES)]
            done.extend(a.status for a in ten.map(daemon.get, pages))
        over.set()

    thread = threading.Thread(target=script)
    thread.start()
    try:
        wait_until(lambda: fake.count() > 20)
        took = []
        for n in range(1, 8):
            answer, seconds = timed(daemon, f"{ISSUES}/{n}", token)
            assert answer.status == 200 and answer.cache["fwd"] == "uri-miss"
            took.append(seconds)
            answer, seconds = timed(daemon, REPO, token)
            assert answer.cache["hit"] is True
            took.append(seconds)
        assert not over.is_set(), "the script still ran"
        assert max(took) < 0.5, took
    finally:
        thread.join(60)
    assert done == [200] * PAGES


def test_a_pipelining_script(daemon, fake):
    """200 requests written at once on one connection hold up that connection and nobody else."""
    fake.trouble(ISSUES, "slow-head", delay=0.02)
    with daemon.plug(unix=True, timeout=60) as sock:
        asked = [ask_for(f"{ISSUES}?page={n}", "alice-token") for n in range(PAGES)]
        sock.sendall(b"".join(a.replace(b"Connection: close\r\n", b"") for a in asked))
        wait_until(lambda: fake.count() > 3)
        _, seconds = timed(daemon, REPO, "alice-token")
        assert seconds < 0.5 and fake.count() < PAGES


# -- the limit of 100 at once
@pytest.fixture
def slow(fake):
    """GitHub takes two seconds for each page."""
    fake.trouble(ISSUES, "slow-head", delay=2)
    return lambda n, kind="": [f"{ISSUES}?per_page=1&page={i}{kind}" for i in range(n)]


def test_at_most_100_at_once(daemon, fake, slow, crowd):
    many = crowd(slow(115))
    assert many.over(100) == [200] * 115
    times = sorted(r.time for r in fake.requests)
    assert min(times[n + 100] - times[n] for n in range(15)) > 1.8, "the 101st when the first is back"


def test_hits_do_not_wait_for_the_limit(daemon, slow, crowd, fake):
    daemon.get(REPO)
    many = crowd(slow(300))
    wait_until(lambda: fake.count() >= 100)
    answer, seconds = timed(daemon, REPO, "alice-token")
    assert answer.cache["hit"] is True and seconds < 1
    assert many.waiting() > 100


@pytest.mark.xfail(
    strict=True,
    reason="one queue, and it is badly woken: with 100 before it and answers of 2 s the miss took 42 s (same "
    "token) and 48 s (other token), where a place was free after 2 s",
)
@pytest.mark.parametrize(
    "token, crowded", [("alice-token", 150), ("bob-token", 350)], ids=["same token", "other token"]
)
def test_another_s_miss_beside_the_limit(daemon, fake, slow, crowd, token, crowded):
    """A hundred of alice's are at GitHub, others wait: another token's goes with the next place that is free,
    of the same token with those that wait."""
    crowd(slow(crowded))
    wait_until(lambda: fake.count() >= 100)
    answer, seconds = timed(daemon, REPO, token, timeout=5)
    assert answer.status == 200 and seconds < 3.8


@pytest.mark.xfail(
    strict=True,
    reason="layer_api.talk_come_back sets the same timer for all who come back in one pass, so that one of "
    "the queue leaves: 300 requests of 0.3 s took 34 s and not 1 s, of 1 s 17 s and more",
)
def test_nobody_is_forgotten_in_the_queue(daemon, fake, crowd):
    """Of 300 a hundred leave, then a hundred more, and not one after the other."""
    fake.trouble(ISSUES, "slow-head", delay=0.3)
    many = crowd([f"{ISSUES}?page={n}" for n in range(300)])
    assert many.over(5) == [200] * 300


@pytest.mark.xfail(
    strict=True, reason="layer_api.talk_ask does not look at the queue: who comes later goes first"
)
def test_who_comes_later_does_not_go_first(daemon, fake, crowd):
    """Where places are free and somebody waits, he has them."""
    fake.trouble(f"{ISSUES}*", "slow-head", delay=0.5)
    many = crowd([f"{ISSUES}?page={n}" for n in range(200)])
    wait_until(lambda: fake.count() >= 102)
    time.sleep(1)
    later = crowd([f"{ISSUES}?late={n}" for n in range(20)])
    assert later.over(30) == [200] * 20
    assert many.waiting() == 0, f"{many.waiting()} that came before still wait"


# -- the 900 points a minute
@pytest.fixture
def spent(daemon, fake, crowd):
    """Alice has spent her 900 points of this minute; one request of hers waits for the next."""
    if time.time() % 60 > 30:
        time.sleep(60.5 - time.time() % 60)
    asked = [ask_for(f"{ISSUES}?page={n}", "alice-token") for n in range(900)]
    asked = [a.replace(b"Connection: close\r\n", b"") for a in asked]
    with daemon.plug(unix=True, timeout=60) as sock:
        for n in range(0, 900, 50):
            sock.sendall(b"".join(asked[n : n + 50]))
            wait_until(lambda n=n: fake.count() == n + 50, 30)
        one = crowd([f"{ISSUES}?page=901"])
        time.sleep(0.3)
        assert fake.count() == 900 and one.waiting() == 1
        yield one


@pytest.mark.timeout(150)
def test_points_are_counted_by_token(spent, daemon, fake):
    answer, seconds = timed(daemon, f"{ISSUES}/1", "bob-token")
    assert answer.status == 200 and seconds < 1
    hit, seconds = timed(daemon, f"{ISSUES}?page=1", "alice-token")
    assert hit.cache["hit"] is True and seconds < 1, "what she has, she gets"
    assert spent.waiting() == 1 and fake.count(token="alice-token") == 900


@pytest.mark.timeout(150)
@pytest.mark.xfail(
    strict=True, reason="a flight that waits for its token's next minute takes other tokens along: 54.7 s"
)
def test_nobody_waits_for_another_s_points(spent, daemon):
    """The very path that alice's waiting request is for: bob has no need of her body."""
    answer, seconds = timed(daemon, f"{ISSUES}?page=901", "bob-token", timeout=3)
    assert answer.status == 200 and seconds < 1
