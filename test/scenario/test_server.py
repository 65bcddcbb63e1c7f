"""The daemon's server: HTTP/1.1 as clients speak it, on the unix socket and on loopback TCP."""

import gzip
import http.client
import json
import socket
import time

import pytest
from daemon import ask, drain, split
from rig import ISSUES, REPO

HEALTH = b"GET /_ghoard/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /_ghoard/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
UPLOAD = f"{REPO}/releases/1/assets"


def chunked(*parts):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts if p) + b"0\r\n\r\n"


# -- keep-alive
def test_one_connection_serves_many_requests(daemon, fake, unix):
    connection = daemon.open(unix)
    answers = [ask(connection, f"{ISSUES}/{n}") for n in range(1, 8)]
    sock = connection.sock
    answers += [ask(connection, f"{ISSUES}/{n}") for n in range(1, 8)]
    assert connection.sock is sock and sock is not None
    assert [a.json["number"] for a in answers] == [*range(1, 8)] * 2
    assert fake.count() == 7 and fake.connected == 1, "upstream connections are kept too"


def test_a_connection_outlives_refusals_and_writes(daemon):
    connection = daemon.open()
    assert ask(connection, "/no/such/path").status == 404
    sock = connection.sock
    assert ask(connection, f"{ISSUES}", method="POST", body=b'{"title":"x"}').status == 201
    assert ask(connection, "/_ghoard/nothing", token=None).status in (403, 404)
    assert ask(connection, ISSUES).status == 200 and connection.sock is sock


def test_the_client_may_ask_for_the_end(daemon, unix):
    answer, *more = split(daemon.raw(LAST, unix))
    assert answer.status == 200 and answer.headers["connection"] == "close" and not more


def test_http_1_0_ends_with_the_answer(daemon, unix):
    got = daemon.raw(f"GET {ISSUES} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode(), unix)
    (answer,) = split(got)
    assert answer.status == 200 and len(answer.json) == 7
    assert "transfer-encoding" not in answer.headers


def test_http_1_0_needs_no_host(daemon):
    (answer,) = split(daemon.raw(b"GET /_ghoard/health HTTP/1.0\r\n\r\n", unix=True))
    assert answer.status in (200, 421)


def test_http_1_0_may_keep_the_connection(daemon):
    begin = b"GET /_ghoard/health HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
    first, second = split(daemon.raw(begin + LAST))
    assert first.headers["connection"] == "keep-alive" and second.status == 200


def test_http_1_0_gets_no_chunks(daemon, fake):
    fake.trouble(f"{REPO}/zipball", "chunked")
    got = daemon.raw(f"GET {REPO}/zipball HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    (answer,) = split(got)
    assert "transfer-encoding" not in answer.headers


# -- pipelining
def three(paths):
    heads = [f"GET {p} HTTP/1.1\r\nHost: localhost\r\nAuthorization: token alice-token\r\n" for p in paths]
    heads[-1] += "Connection: close\r\n"
    return "\r\n".join(heads).encode() + b"\r\n"


@pytest.mark.parametrize("warm", [False, True])
def test_pipelined_requests_are_answered_in_order(daemon, fake, unix, warm):
    paths = [f"{ISSUES}/{n}" for n in (1, 2, 3)]
    if warm:
        for path in paths:
            daemon.get(path)
    else:
        fake.trouble(paths[0], "slow-head", delay=0.4)
    answers = split(daemon.raw(three(paths), unix))
    assert [a.json["number"] for a in answers] == [1, 2, 3]


def test_pipelined_requests_byte_by_byte(daemon, unix):
    with daemon.plug(unix) as sock:
        for byte in three([f"{ISSUES}/{n}" for n in (1, 2, 3)]):
            sock.sendall(bytes([byte]))
        answers = split(drain(sock))
    assert [a.json["number"] for a in answers] == [1, 2, 3]


def test_a_body_and_the_next_request_in_one_write(daemon, fake):
    body = b'{"title":"piped"}'
    post = b"POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: token alice-token\r\n" % ISSUES.encode()
    counted = post + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    coded = post + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body[:5], body[5:])
    first, second, third = split(daemon.raw(counted + coded + LAST))
    assert [first.status, second.status, third.status] == [201, 201, 200]
    assert [r.body for r in fake.find(ISSUES, "POST")] == [body, body]


def test_a_thousand_pipelined_requests(daemon):
    answers = split(daemon.raw(HEALTH * 999 + LAST))
    assert len(answers) == 1000 and all(a.status == 200 for a in answers)


# -- HEAD, bodies, Expect
def test_head_has_the_fields_and_no_body(daemon, fake, unix):
    whole = daemon.get(ISSUES)
    head = f"HEAD {ISSUES} HTTP/1.1\r\nHost: localhost\r\nAuthorization: token alice-token\r\n\r\n".encode()
    got = daemon.raw(head + LAST, unix)
    first, _, rest = got.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 ") and rest.startswith(b"HTTP/1.1 200 "), got
    assert f"Content-Length: {len(whole.body)}".lower().encode() in first.lower()
    assert fake.count() == 1, "HEAD is answered from the GET entry"


def test_head_of_something_not_stored_stores_nothing(daemon, ghoard, fake):
    answer = daemon.get(REPO, method="HEAD")
    assert answer.status == 200 and answer.body == b"" and fake.requests[-1].method in ("HEAD", "GET")
    assert fake.requests[-1].method == "GET" or not ghoard.entries()


@pytest.mark.parametrize("sizes", [[1] * 40, [10, 5000], [70000, 1, 300000]])
def test_a_chunked_request_body_arrives_whole(daemon, fake, unix, sizes):
    parts = [bytes([65 + n % 26]) * size for n, size in enumerate(sizes)]
    answer = daemon.get(UPLOAD, method="POST", body=iter(parts), chunked=True, unix=unix)
    assert answer.status in (404, 405)
    assert fake.find(UPLOAD, "POST")[0].body == b"".join(parts)


def test_chunk_extensions_and_trailers_are_not_passed_on(daemon, fake):
    head = f"POST {ISSUES} HTTP/1.1\r\nHost: localhost\r\nAuthorization: token alice-token\r\n".encode()
    body = b'{"title":"odd"}'
    coded = b'%x;name="value"\r\n%s\r\n0\r\nX-Late: evil\r\nAuthorization: token bob-token\r\n\r\n'
    got = daemon.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + coded % (len(body), body) + LAST)
    assert [a.status for a in split(got)] == [201, 200]
    asked = fake.find(ISSUES, "POST")[0]
    assert asked.body == body and asked.token == "alice-token" and asked.header("X-Late") is None


@pytest.mark.parametrize("coded", [False, True])
def test_expect_100_continue(daemon, fake, unix, coded):
    body = json.dumps({"title": "waited for"}).encode()
    size = "Transfer-Encoding: chunked" if coded else f"Content-Length: {len(body)}"
    head = (
        f"POST {ISSUES} HTTP/1.1\r\nHost: localhost\r\nAuthorization: token alice-token\r\n{size}\r\n"
        "Expect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    with daemon.plug(unix) as sock:
        sock.sendall(head.encode())
        assert sock.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(chunked(body) if coded else body)
        (answer,) = split(drain(sock))
    assert answer.status == 201
    asked = fake.find(ISSUES, "POST")[0]
    assert asked.body == body and asked.header("Expect") is None


def test_a_refused_request_is_not_told_to_continue(daemon, fake):
    head = b"POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    answers = split(daemon.raw(head))
    assert answers[-1].status == 421
    assert fake.count() == 0


def test_a_client_that_takes_gzip_understands_the_answer(daemon):
    answer = daemon.get(ISSUES, headers={"Accept-Encoding": "gzip, deflate, br"})
    body = gzip.decompress(answer.body) if answer.headers.get("content-encoding") == "gzip" else answer.body
    assert len(json.loads(body)) == 7


# -- half-closed and vanishing clients
def test_a_half_closed_client_is_answered(daemon, fake, unix):
    """What printf | nc -N does: the whole request, then no more."""
    fake.trouble(ISSUES, "slow-head", delay=0.3)
    (answer,) = split(daemon.raw(three([ISSUES]), unix, half_close=True))
    assert answer.status == 200 and len(answer.json) == 7


def test_a_client_that_leaves_harms_nobody(daemon, fake):
    fake.trouble(ISSUES, "slow-head", delay=0.5)
    for _ in range(20):
        with daemon.plug() as sock:
            sock.sendall(three([ISSUES]))
    for _ in range(20):
        with daemon.plug() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.sendall(three([ISSUES])[:-20])
    assert daemon.get(REPO).status == 200
    time.sleep(0.8)
    assert len(daemon.get(ISSUES).json) == 7


# -- how long
def test_a_body_that_is_too_long_is_413(make_daemon, ghoard, fake, unix):
    folder = ghoard.project / ".github"
    folder.mkdir()
    (folder / "cache-config.yml").write_text("daemon:\n  max_request_body: 100KiB\n")
    daemon = make_daemon()
    fits = daemon.get(UPLOAD, unix=unix, method="POST", body=bytes(100 << 10))
    assert fits.status != 413 and fake.count() == 1
    head = f"POST {UPLOAD} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n".encode()
    for more in (b"Content-Length: 102401\r\n\r\n", b"Content-Length: 9999999999999\r\n\r\nabc"):
        (answer,) = split(daemon.raw(head + more, unix))
        assert answer.status == 413 and answer.headers["connection"] == "close"
    assert fake.count() == 1, "nothing was sent on"
    body = chunked(*[bytes(10 << 10)] * 11)
    head = f"POST {UPLOAD} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    (answer,) = split(daemon.raw(head + body, unix))
    assert answer.status == 413
    assert daemon.errors.count("413") == 3 and "max_request_body" in daemon.errors
    assert ("unix socket" if unix else "TCP") in daemon.errors


def test_refusals_are_logged_a_few_times_a_minute(daemon):
    for _ in range(40):
        assert split(daemon.raw(b"G T / HTTP/1.1\r\n\r\n"))[0].status == 400
    assert 5 <= daemon.errors.count("was refused with 400") <= 10


# -- how many
@pytest.mark.timeout(120)
def test_the_901st_connection_gets_503(daemon, fake):
    held = [daemon.plug(unix=n % 2 == 0) for n in range(900)]
    time.sleep(0.3)
    try:
        for unix in (False, True):
            (answer,) = split(daemon.raw(b"", unix))
            assert answer.status == 503 and answer.headers["connection"] == "close"
        held[0].sendall(HEALTH)
        assert held[0].recv(4096).startswith(b"HTTP/1.1 200 "), "the 900 are served as before"
        held.pop().close()
        time.sleep(0.3)
        assert daemon.get(ISSUES).status == 200, "one went, one may come"
    finally:
        for sock in held:
            sock.close()


def test_answers_to_a_hundred_clients_at_once(daemon):
    clients = [daemon.open(unix=n % 2 == 0) for n in range(100)]
    for client in clients:
        client.request("GET", f"{ISSUES}/3", headers={"Authorization": "token alice-token"})
    for client in clients:
        assert json.loads(client.getresponse().read())["number"] == 3
        client.close()


def test_every_answer_has_a_date(daemon):
    for path in ("/_ghoard/health", ISSUES):
        answer = daemon.get(path)
        assert answer.headers["date"].endswith(" GMT") and answer.version == 11
    refused = split(daemon.raw(b"nonsense\r\n\r\n"))[0]
    assert refused.headers["date"].endswith(" GMT")


def test_http_client_s_own_upload_of_a_file(daemon, fake, tmp_path):
    file = tmp_path / "asset"
    file.write_bytes(b"0123456789abcdef" * 10000)
    with open(file, "rb") as body:
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=20)
        connection.request("POST", UPLOAD, body=body)
        assert connection.getresponse().status in (401, 404, 405)
        connection.close()
    assert fake.requests[-1].body == file.read_bytes()
