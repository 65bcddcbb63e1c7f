"""The daemon between two sides: addresses rewritten, large bodies streamed, and GitHub in trouble."""

import concurrent.futures
import json
import os
import socket
import time

import pytest
from daemon import drain, split
from rig import ISSUES, REPO

MIB = 1 << 20
PAGES = f"{ISSUES}?per_page=2"
UPLOAD = f"{REPO}/releases/1/assets"
ZIPBALL = f"{REPO}/zipball"


# -- addresses
def test_links_lead_back_to_the_listener(daemon, fake):
    for _ in range(2):
        link = daemon.get(PAGES).headers["link"]
        assert link.count(f"<{daemon.url}/repositories/") == 2 and fake.url not in link
    connection, path, titles = daemon.url, PAGES, []
    while path:
        answer = daemon.get(path)
        titles += [i["title"] for i in answer.json]
        following = [p for p in answer.headers.get("link", "").split(", ") if 'rel="next"' in p]
        path = following[0][1:].split(">")[0].removeprefix(connection) if following else None
    assert titles == [f"Issue {n}" for n in range(7, 0, -1)]


def test_links_follow_the_name_by_which_the_client_came(daemon, fake):
    daemon.get(PAGES)
    for host, unix, base in (
        (f"localhost:{daemon.port}", False, f"http://localhost:{daemon.port}"),
        ("127.0.0.1:81", True, "http://127.0.0.1:81"),
        ("localhost", True, "http://localhost"),
        ("api.github.com", True, fake.url),
        ("api.github.com", False, fake.url),
    ):
        answer = daemon.get(PAGES, headers={"Host": host}, unix=unix)
        assert answer.headers["link"].startswith(f"<{base}/repositories/"), host
    prefixed = daemon.get(f"/api/v3{PAGES}").headers["link"]
    assert prefixed.startswith(f"<{daemon.url}/api/v3/repositories/")
    assert fake.count() == 1


def test_location_is_rewritten_and_other_places_are_not(daemon, fake):
    fake.model.rename("octocat/hello-world", "hello-new-world")
    moved = daemon.get(REPO)
    number = fake.model.repo("octocat/hello-new-world").id
    assert moved.status == 301 and moved.headers["location"] == f"{daemon.url}/repositories/{number}"
    made = daemon.get(f"/repositories/{number}/issues", method="POST", body=b'{"title":"x"}')
    assert made.status in (201, 307) and made.headers["location"].startswith(f"{daemon.url}/repos")
    elsewhere = daemon.get("/repos/octocat/hello-new-world/zipball")
    assert elsewhere.status == 302 and elsewhere.headers["location"].startswith(fake.assets)


def test_bodies_stay_as_they_are(daemon, fake):
    assert daemon.get(REPO).json["url"] == f"{fake.url}{REPO}"


def test_rewrite_none(make_daemon, fake):
    daemon = make_daemon("--rewrite", "none")
    assert fake.url in daemon.get(PAGES).headers["link"]


def test_rewrite_all(make_daemon, ghoard, fake):
    daemon = make_daemon("--rewrite", "all")
    for unix in (False, True, False):
        answer = daemon.get(REPO, unix=unix)
        base = "http://localhost" if unix else daemon.url
        assert answer.json["url"] == f"{base}{REPO}" and fake.url.encode() not in answer.body
        assert int(answer.headers["content-length"]) == len(answer.body)
    assert daemon.get(REPO, unix=True, headers={"Host": "api.github.com"}).json["url"] == f"{fake.url}{REPO}"
    assert fake.count() == 1
    original = ghoard("--no-daemon", "api", REPO, rc=0)
    assert original.json["url"] == f"{fake.url}{REPO}", "the stored bytes stay GitHub's"
    etag = daemon.get(REPO).headers["etag"]
    assert daemon.get(REPO, headers={"If-None-Match": etag}).status == 304
    head = daemon.get(REPO, method="HEAD")
    assert head.status == 200 and head.body == b""


def test_rewrite_takes_three_words(ghoard):
    assert "--rewrite" in ghoard("serve", "--rewrite", "some", rc=2).one_line()


def test_a_longer_name_is_not_rewritten(make_daemon, fake):
    daemon = make_daemon("--rewrite", "all")
    fake.model.set("octocat/hello-world", description=f"{fake.url}5/x {fake.url}.evil.example/ {fake.url}/y")
    text = daemon.get(REPO).json["description"]
    assert text == f"{fake.url}5/x {fake.url}.evil.example/ {daemon.url}/y"


# -- large bodies
@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_of_20_mib_is_streamed(daemon, fake, unix, chunked):
    daemon.get(ISSUES)
    data, before = os.urandom(20 * MIB), daemon.peak
    body = iter([data[n : n + MIB] for n in range(0, len(data), MIB)]) if chunked else data
    answer = daemon.get(UPLOAD, method="POST", body=body, chunked=chunked, unix=unix)
    assert answer.status in (404, 405)
    assert fake.find(UPLOAD)[0].body == data
    assert daemon.peak - before < 3 * MIB


def test_an_upload_to_github_that_does_not_read(make_daemon, fake):
    """The client is held back; nothing piles up here."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        daemon = make_daemon(env={"GITHUB_API_URL": f"http://127.0.0.1:{deaf.getsockname()[1]}"})
        daemon.get("/_ghoard/health")
        before, sent = daemon.peak, 0
        with daemon.plug(timeout=2) as sock:
            head = f"POST {UPLOAD} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {64 * MIB}\r\n\r\n"
            sock.sendall(head.encode())
            try:
                while sent < 64 * MIB:
                    sent += sock.send(bytes(MIB))
            except TimeoutError:
                pass
        assert sent < 32 * MIB and daemon.peak - before < 3 * MIB


def test_a_large_graphql_body_passes_through(daemon, fake):
    body = json.dumps({"query": "{ viewer { login } }", "variables": {"x": "y" * (3 * MIB)}}).encode()
    for _ in range(2):
        answer = daemon.get("/graphql", method="POST", body=body)
        assert answer.status == 200 and answer.json["data"]["viewer"]["login"] == "alice", answer
    assert [len(r.body) for r in fake.find("/graphql")] == [len(body)] * 2


def slowly(daemon, path, unix):
    """Ask, read nothing for two seconds, then everything."""
    with daemon.plug(unix, timeout=30) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: token alice-token\r\n"
        sock.sendall(f"{head}Connection: close\r\n\r\n".encode())
        time.sleep(2)
        return split(drain(sock))[0]


def test_a_download_to_a_slow_reader_is_held_back(daemon, fake, unix):
    fake.trouble(ZIPBALL, "big-body", size=40 * MIB, headers={"Content-Type": "application/zip"})
    daemon.get(ISSUES)
    before = daemon.peak
    answer = slowly(daemon, ZIPBALL, unix)
    assert answer.status == 200 and len(answer.body) == 40 * MIB
    assert daemon.peak - before < 4 * MIB


def test_a_json_answer_too_large_to_keep_is_passed_on(daemon, ghoard, fake, unix):
    fake.trouble(ISSUES, "big-body", size=24 * MIB)
    answer = slowly(daemon, ISSUES, unix=unix)
    assert answer.status == 200 and len(answer.body) == 24 * MIB
    assert "stored" not in answer.cache and not ghoard.entries()


def test_one_of_unknown_length_too(daemon, ghoard, fake):
    fake.trouble(ISSUES, "big-chunked", size=24 * MIB)
    answer = slowly(daemon, ISSUES, unix=False)
    assert answer.status == 200 and len(answer.body) == 24 * MIB
    assert not ghoard.entries()


def test_who_waited_for_it_asks_alone(daemon, ghoard, fake):
    fake.trouble(ISSUES, "big-chunked", size=17 * MIB, delay=1)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda token: daemon.get(ISSUES, token), ["alice-token"] * 3 + ["bob-token"]))
    assert [(a.status, len(a.body)) for a in answers] == [(200, 17 * MIB)] * 4
    assert fake.count() == 4 and not ghoard.entries()


def test_the_command_prints_it(ghoard, fake):
    fake.trouble(ISSUES, "big-body", size=17 * MIB)
    assert len(ghoard("api", ISSUES, rc=0).out) == 17 * MIB
    assert not ghoard.entries()


def test_a_reader_that_leaves_a_download(daemon, fake):
    fake.trouble(ZIPBALL, "big-body", size=20 * MIB)
    for _ in range(10):
        with daemon.plug() as sock:
            sock.sendall(f"GET {ZIPBALL} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            sock.recv(1000)
    assert daemon.get(ISSUES).status == 200 and daemon.peak < 40 * MIB


# -- GitHub in trouble
BAD = [
    "close", "reset", "garbage", "cut-head", "status-line", "status-number", "bare-lf", "nul", "bare-cr",
    "space-colon", "no-colon", "fold", "length-conflict", "length-negative", "length-huge", "both",
    "transfer-unknown", "big-head", "endless-head", "informational-endless",
]  # fmt: skip
TORN = ["cut", "cut-abort", "until-abort", "chunked-cut", "chunked-bad-size", "chunked-no-crlf"]
TORN += ["chunked-overflow"]


@pytest.mark.parametrize("kind", BAD)
def test_what_github_never_says_is_502(daemon, ghoard, fake, kind):
    fake.trouble(ISSUES, kind)
    answer = daemon.get(ISSUES)
    assert answer.status == 502 and answer.json["message"]
    assert answer.headers["content-type"].startswith("application/json") and answer.cache
    assert "hit" not in answer.cache and "stored" not in answer.cache and not ghoard.entries()
    fake.calm()
    assert len(daemon.get(ISSUES).json) == 7


@pytest.mark.parametrize("kind", TORN)
@pytest.mark.parametrize("path", [ISSUES, "/rate_limit", "/graphql"])
def test_an_answer_that_breaks_off_is_never_whole(daemon, ghoard, fake, kind, path):
    """502 where nothing was passed on yet; otherwise the connection is cut, so that the client sees it."""
    method = "POST" if path == "/graphql" else "GET"
    whole = daemon.get(path, method=method, body=b'{"query":"{viewer{login}}"}')
    size, before = len(whole.body), len(ghoard.entries())
    fake.trouble(f"{path}", kind)
    body = b'{"query":"{viewer{login}}"}'
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Authorization: token bob-token\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    got = daemon.raw(head.encode() + body)
    first, _, rest = got.partition(b"\r\n\r\n")
    if first.startswith(b"HTTP/1.1 502 "):
        assert json.loads(rest)["message"]
    elif b"chunked" in first.lower():
        assert not rest.endswith(b"0\r\n\r\n")
    else:
        assert f"Content-Length: {size}".encode() not in first or len(rest) < size
    assert len(ghoard.entries()) == before


def test_github_out_of_reach(daemon, ghoard, fake, unix):
    fake.down()
    answer = daemon.get(ISSUES, unix=unix)
    assert answer.status == 502 and "localhost" in answer.json["message"] and not ghoard.entries()
    head = f"POST {ISSUES} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 13\r\n\r\n"
    assert split(daemon.raw(head.encode() + b'{"title":"x"}', unix))[0].status == 502
    fake.up()
    assert daemon.get(ISSUES, unix=unix).status == 200


def test_an_answer_before_the_body_is_heard(daemon, fake, unix):
    """Answered while the client still sends: it must be able to finish, and to read why (RFC 9112 §9.6)."""
    fake.down()
    with daemon.plug(unix) as sock:
        sock.sendall(f"POST {ISSUES} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n".encode())
        for _ in range(6):
            time.sleep(0.1)
            sock.sendall(b"x" * 10000)
        assert drain(sock).startswith(b"HTTP/1.1 502 ")


def test_github_too_slow_is_504(make_daemon, ghoard, fake):
    folder = ghoard.project / ".github"
    folder.mkdir()
    (folder / "cache-config.yml").write_text("upstream:\n  first_byte_timeout: 1\n")
    daemon = make_daemon()
    fake.trouble(ISSUES, "no-answer")
    begin = time.monotonic()
    answer = daemon.get(ISSUES)
    assert answer.status == 504 and answer.json["message"] and time.monotonic() - begin < 10
    assert not ghoard.entries()


@pytest.mark.parametrize("code", [500, 502, 503])
def test_when_github_fails_the_old_answer_serves(daemon, fake, code):
    first = daemon.get(ISSUES)
    fake.trouble(ISSUES, "status", code=code)
    answer = daemon.get(ISSUES, headers={"Cache-Control": "max-age=0"})
    assert (answer.status, answer.cache.get("detail")) in ((200, "stale-if-error"), (code, None))
    assert answer.status != 200 or answer.body == first.body


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 422, 451, 500, 503])
def test_an_error_is_passed_on_as_it_is(daemon, ghoard, fake, unix, code):
    fake.trouble(ISSUES, "status", code=code, body=b'{"message":"No"}', headers={"X-Told": "yes"})
    answer = daemon.get(ISSUES, unix=unix)
    assert (answer.status, answer.body, answer.headers["x-told"]) == (code, b'{"message":"No"}', "yes")
    assert answer.cache["fwd-status"] == code and "stored" not in answer.cache and not ghoard.entries()


GOOD = ["chunked", "chunked-dribble", "until-close", "informational", "odd-names", "http10"]


@pytest.mark.parametrize("kind", GOOD)
def test_good_answers_in_odd_dress(daemon, fake, unix, kind):
    fake.trouble(ISSUES, kind)
    for _ in range(2):
        assert len(daemon.get(ISSUES, unix=unix).json) == 7
    assert fake.count() == 1
