"""The daemon where something runs out: descriptors, places, memory."""

import json
import pathlib
import resource
import socket
import time

import pytest
from daemon import split
from rig import ISSUES
from scripted import Scripted


def cpu(daemon):
    """Seconds of processor time it has used."""
    fields = pathlib.Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


# -- descriptors
def test_the_limit_is_raised(make_daemon):
    daemon = make_daemon(files=(200, 1024))
    soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    assert soft == hard == 1024


def test_few_descriptors_leave_some_for_the_work(make_daemon):
    held = []
    few = make_daemon(files=(64, 64))
    assert "open files" in few.errors
    try:
        held = [few.plug() for _ in range(100)]
        time.sleep(0.3)
        (answer,) = split(few.raw(b""))
        assert answer.status == 503
        held[0].sendall(f"GET {ISSUES} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        got = b""
        while more := held[0].recv(65536):
            got += more
        assert split(got)[0].status == 200, "GitHub could be asked"
    finally:
        for sock in held:
            sock.close()


def test_without_descriptors_it_waits(daemon):
    """They may run out behind its back: it neither spins nor fills the log, and goes on later."""
    first = daemon.open()
    daemon.get(ISSUES)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (16, 1024))
    held = [daemon.plug() for _ in range(40)]
    time.sleep(0.3)
    used, lines = cpu(daemon), daemon.errors.count("\n")
    time.sleep(1.5)
    assert cpu(daemon) - used < 0.3
    assert daemon.errors.count("\n") == lines <= 2 and "accepting a connection" in daemon.errors
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (1024, 1024))
    assert daemon.get("/_ghoard/health").status == 200
    for sock in held:
        sock.close()
    first.close()


# -- places
@pytest.fixture
def crowded(daemon):
    """All places are taken by clients that say nothing."""
    held = [daemon.plug() for _ in range(900)]
    time.sleep(0.3)
    (answer,) = split(daemon.raw(b""))
    assert answer.status == 503
    yield daemon
    for sock in held:
        sock.close()


@pytest.mark.timeout(120)
def test_the_owner_s_commands_still_reach_it(crowded, ghoard, fake):
    run = ghoard.api(ISSUES, "--socket", crowded.socket, rc=0)
    assert run.status == 200 and len(json.loads(run.body)) == 7
    assert fake.count(ISSUES) == 1 and "doing without" in run.one_line()
    posted = ghoard("api", ISSUES, "-f", "title=x", "--socket", crowded.socket, rc=0)
    assert posted.json["title"] == "x" and fake.count(ISSUES) == 2, "asked once"
    assert ghoard("cache", "clear", "--socket", crowded.socket, rc=0).err == ""
    assert ghoard("status", "--json", "--socket", crowded.socket, rc=0).json["clients"] > 900
    assert ghoard("stop", "--socket", crowded.socket, rc=0)
    assert crowded.wait() == 0


@pytest.mark.timeout(120)
def test_the_reserve_is_for_control_alone(crowded):
    for request in (b"", b"GET /user HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /_gh"):
        begin = time.monotonic()
        (answer,) = split(crowded.raw(request, unix=True))
        assert answer.status == 503 and answer.headers["connection"] == "close"
        assert time.monotonic() - begin < 3
    (answer,) = split(crowded.raw(b"GET /_ghoard/health HTTP/1.1\r\nHost: localhost\r\n\r\n", unix=True))
    assert answer.status == 200 and answer.headers["connection"] == "close", "one request each"
    held = [crowded.plug(unix=True) for _ in range(16)]
    for sock in held:
        sock.sendall(b"GET /_ghoard/health HTTP/1.1\r\nHost: loca")
    (answer,) = split(crowded.raw(b"GET /_ghoard/health HTTP/1.1\r\nHost: x\r\n\r\n", unix=True))
    assert answer.status == 503, "the reserve is bounded"
    for sock in held:
        assert sock.recv(4096).startswith(b"HTTP/1.1 503 ")


@pytest.mark.timeout(120)
def test_memory_that_cannot_be_told_is_warned_of(crowded, ghoard):
    held = [crowded.plug(unix=True) for _ in range(16)]
    run = ghoard("cache", "clear", "--socket", crowded.socket, rc=0)
    assert "memory" in run.one_line()
    for sock in held:
        sock.close()


# -- memory
BIG = b'["' + b"a" * (8 << 20) + b'"]'
GET = b"GET /repos/o/big HTTP/1.1\r\nHost: localhost\r\nAuthorization: token alice-token\r\n\r\n"


@pytest.fixture
def upstream():
    running = Scripted(lambda asked: (200, {}, BIG if "big" in asked.target else b"{}"))
    yield running
    running.close()


@pytest.fixture
def big(make_daemon, make_ghoard, upstream):
    """A daemon of an upstream with a large answer."""
    return make_daemon(on=make_ghoard("big", url=upstream.url))


def reader(daemon, data):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.settimeout(20)
    sock.connect(("127.0.0.1", daemon.port))
    sock.sendall(data)
    return sock


def length_of_answer(sock):
    """The body's length, read to its end and compared."""
    head, got = b"", 0
    while b"\r\n\r\n" not in head:
        head += sock.recv(65536)
    body = head.partition(b"\r\n\r\n")[2]
    got = len(body)
    while got < len(BIG):
        more = sock.recv(1 << 20)
        assert more and more.strip(b'a"[]') == b""
        got += len(more)
    return got


@pytest.mark.timeout(120)
@pytest.mark.parametrize("warm", [True, False])
def test_many_who_do_not_read(big, warm):
    """The body is there once, not once a client: also of an answer that all of them waited for."""
    big.get("/repos/o/big" if warm else "/repos/o/other")
    before = big.peak
    held = [reader(big, GET) for _ in range(60)]
    time.sleep(2)
    assert big.peak - before < (24 << 20 if warm else 64 << 20)
    for sock in held[:3]:
        assert length_of_answer(sock) == len(BIG)
    for sock in held:
        sock.close()


@pytest.mark.timeout(120)
def test_the_entry_goes_and_its_readers_stay(big, upstream):
    big.get("/repos/o/big")
    sock = reader(big, GET)
    time.sleep(0.5)
    assert big.get("/_ghoard/cache/forget", token=None, unix=True, method="POST").status == 200
    assert big.get("/repos/o/big").body == BIG
    assert length_of_answer(sock) == len(BIG)
    sock.sendall(GET.replace(b"/big", b"/r"))
    assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
    sock.close()


@pytest.mark.timeout(120)
def test_repeats_for_who_does_not_read(make_daemon, make_ghoard):
    body = b'"' + b"b" * (60 << 10) + b'"'
    upstream = Scripted(lambda asked: (200, {}, body))
    daemon = make_daemon(on=make_ghoard("again", url=upstream.url))
    with daemon.plug(unix=True) as sock:
        for _ in range(5):
            sock.sendall(GET)
            got = b""
            while not got.endswith(b'b"'):
                got += sock.recv(1 << 20)
    before = daemon.peak
    held = [daemon.plug(unix=True) for _ in range(150)]
    for sock in held:
        sock.sendall(GET * 12)
    time.sleep(2)
    s = daemon.get("/_ghoard/stats", token=None, unix=True).json
    assert s["repeats"] > 100, s["repeats"]
    assert daemon.peak - before < 64 << 20
    for sock in held:
        sock.close()
    upstream.close()


@pytest.mark.timeout(120)
def test_bodies_that_never_end(big):
    """What may be a key is collected, but not without bound."""
    big.get("/repos/o/r")
    before = big.peak
    head = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n"
    held = [big.plug() for _ in range(200)]
    for sock in held:
        sock.sendall(head + b'{"query":"' + b" " * (900 << 10))
    time.sleep(3)
    assert big.peak - before < 100 << 20
    assert "too many bodies" in big.errors
    assert big.get("/repos/o/r").status == 200
    for sock in held:
        sock.close()
