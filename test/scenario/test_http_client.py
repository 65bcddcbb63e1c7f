"""Every bad shape of an answer is refused with one sentence and never stored; a good one is understood."""

import json
import time

import pytest
from rig import ISSUES, REPO

BAD = [
    "cut",
    "cut-head",
    "cut-abort",
    "close",
    "garbage",
    "until-abort",
    "status-line",
    "status-number",
    "status-version",
    "bare-lf",
    "nul",
    "no-colon",
    "length-conflict",
    "length-twice",
    "length-negative",
    "length-plus",
    "length-hex",
    "length-huge",
    "transfer-unknown",
    "both",
    "big-head",
    "long-line",
    "endless-head",
    "informational-endless",
    "chunked-bad-size",
    "chunked-negative",
    "chunked-overflow",
    "chunked-no-crlf",
    "chunked-lf",
    "chunked-cut",
    "reset",
]
ODD = ["bare-cr", "space-colon", "fold", "length-list", "http10", "chunked-big-trailer"]
GOOD = [
    "until-close",
    "whole-abort",
    "informational",
    "odd-names",
    "chunked",
    "chunked-dribble",
    "chunked-trailers",
    "chunked-extension",
    "connection-close",
    "surprise-close",
]


@pytest.mark.parametrize("plain", [False, True], ids=["tls", "http"])
@pytest.mark.parametrize("shape", BAD)
def test_a_bad_shape_is_refused_and_never_stored(ghoard, fake, shape, plain):
    if plain and shape == "until-abort":
        pytest.skip("without TLS the end of the connection is all there is")
    if plain:
        ghoard.url = fake.http
    fake.trouble(ISSUES, shape)
    run = ghoard("api", ISSUES, rc=4)
    assert run.out == b"" and len(run.one_line()) > 20
    assert ghoard.entries() == []
    assert not list(ghoard.cache.rglob("*.tmp*"))
    fake.calm()
    assert len(ghoard("api", ISSUES, rc=0).json) == 7


@pytest.mark.parametrize("shape", ["cut", "both", "nul", "length-conflict", "chunked-bad-size", "garbage"])
def test_a_bad_shape_leaves_the_old_entry_alone(ghoard, fake, shape):
    first = ghoard("api", ISSUES, "--ttl", "1", rc=0)
    ((path, _),) = ghoard.entries()
    before = path.read_bytes()
    fake.model.add_issue("octocat/hello-world", "Would change the body")
    fake.trouble(ISSUES, shape)
    time.sleep(1.3)
    run = ghoard.api(ISSUES, "--ttl", "1", rc=0)
    assert run.body == first.out and run.cache["detail"] == "stale-if-error"
    assert path.read_bytes() == before


@pytest.mark.parametrize("plain", [False, True], ids=["tls", "http"])
@pytest.mark.parametrize("shape", GOOD)
def test_a_good_shape_is_understood_and_stored(ghoard, fake, shape, plain):
    if plain:
        ghoard.url = fake.http
    fake.trouble(ISSUES, shape)
    first = ghoard.api(ISSUES, rc=0)
    assert [i["number"] for i in json.loads(first.body)] == [7, 6, 5, 4, 3, 2, 1]
    assert (
        first.headers["content-type"] == "application/json; charset=utf-8"
    ), "a trailer must not replace a header"
    second = ghoard.api(ISSUES, rc=0)
    assert second.body == first.body and second.cache["hit"] is True


@pytest.mark.parametrize("shape", ODD)
def test_an_odd_shape_is_refused_or_understood_but_never_half(ghoard, fake, shape):
    fake.trouble(ISSUES, shape)
    run = ghoard("api", "-i", ISSUES)
    if run.rc == 4:
        assert run.one_line() and ghoard.entries() == []
    else:
        assert len(json.loads(run.body)) == 7 and "x-smuggled" not in run.headers and run.rc == 0


def test_sentences_tell_the_shapes_apart(ghoard, fake):
    said = {}
    for shape in ("cut", "length-conflict", "both", "big-head", "status-line", "chunked-bad-size"):
        fake.calm()
        fake.trouble(ISSUES, shape)
        said.setdefault(ghoard("api", ISSUES, rc=4).one_line(), []).append(shape)
    assert len(said) == 6, said


def test_a_204_has_no_body_whatever_it_claims(ghoard, fake):
    fake.trouble(ISSUES, "no-content-body")
    run = ghoard("api", ISSUES, rc=0)
    assert run.out == b"" and run.ms < 5000 and fake.count() == 1


def test_what_follows_an_answer_is_not_the_next_one(ghoard, fake):
    fake.trouble(f"{ISSUES}?per_page=3", "extra-bytes")
    run = ghoard("api", "--paginate", f"{ISSUES}?per_page=3")
    assert b"evil" not in run.out
    if run.rc == 0:
        assert [i["number"] for i in run.json] == [7, 6, 5, 4, 3, 2, 1]


def test_a_large_body_passes(ghoard, fake):
    fake.trouble("/large", "big-body", size=3 << 20)
    assert len(ghoard("api", "/large", rc=0).out) == 3 << 20


# -- connections
def test_pages_share_a_connection_and_a_dead_one_is_replaced_once(ghoard, fake):
    fake.trouble("/repositories/*", "dead", times=1)
    run = ghoard("api", "--paginate", f"{ISSUES}?per_page=3", rc=0)
    assert len(run.json) == 7
    assert fake.connected == 2


def test_a_request_that_changes_something_is_not_sent_twice(ghoard, fake):
    fake.trouble(ISSUES, "close", method="POST")
    ghoard("api", ISSUES, "-f", "title=Once", rc=4)
    assert fake.count(method="POST") == 1


def test_connection_close_is_honoured(ghoard, fake):
    fake.trouble("*", "connection-close")
    assert len(ghoard("api", "--paginate", f"{ISSUES}?per_page=3", rc=0).json) == 7
    assert fake.connected == 3


@pytest.mark.parametrize("shape, args", [("no-answer", {"delay": 300}), ("slow-body", {"delay": 300})])
def test_silence_ends_in_a_deadline(ghoard, fake, shape, args):
    (ghoard.project / ".github").mkdir()
    (ghoard.project / ".github" / "cache-config.yml").write_text("upstream:\n  first_byte_timeout: 1\n")
    fake.trouble(ISSUES, shape, **args)
    run = ghoard("api", ISSUES, rc=4)
    assert 900 < run.ms < 5000
    assert run.out == b"" and run.one_line() and ghoard.entries() == []


def test_a_slow_answer_within_the_deadline_is_fine(ghoard, fake):
    fake.trouble(ISSUES, "slow-head", delay=1.5)
    assert len(ghoard("api", ISSUES, rc=0).json) == 7
    fake.calm()
    fake.trouble(REPO, "slow-body", delay=1.5)
    assert ghoard("api", REPO, rc=0).json["name"] == "hello-world"


def test_the_other_address_family_is_tried(ghoard, fake):
    """The stand-in listens on 127.0.0.1; `localhost` may name ::1 first."""
    assert ghoard("api", REPO, rc=0).json["name"] == "hello-world"


def test_ipv6_loopback(ghoard, fake):
    try:
        port = fake.also_on("::1")
    except OSError:
        pytest.skip("no IPv6 on this machine")
    assert (
        ghoard("api", REPO, env={"GITHUB_API_URL": f"http://[::1]:{port}"}, rc=0).json["name"]
        == "hello-world"
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1",
        "http://example.test",
        "ftp://localhost",
        "localhost",
        "https://",
        "http://[::1",
        "http://127.0.0.1.example.test",
        "http://user:word@example.test",
    ],
)
def test_plain_http_is_for_loopback_alone(ghoard, url):
    run = ghoard("api", REPO, env={"GITHUB_API_URL": url})
    assert run.rc in (2, 3) and run.one_line() and run.ms < 3000


# -- redirects
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed(ghoard, fake, code):
    fake.trouble("/start", "redirect", code=code, to=fake.url + ISSUES)
    assert len(ghoard("api", "/start", rc=0).json) == 7
    fake.trouble("/relative", "redirect", code=code, to=ISSUES)
    assert len(ghoard("api", "/relative", rc=0).json) == 7


@pytest.mark.parametrize("code, method", [(303, "GET"), (307, "POST"), (308, "POST")])
def test_redirects_keep_or_change_the_method(ghoard, fake, code, method):
    fake.trouble("/start", "redirect", code=code, to=fake.url + ISSUES)
    ghoard("api", "-X", "POST", "/start", "-f", "title=Moved", rc=0)
    last = fake.requests[-1]
    assert (last.path, last.method) == (ISSUES, method)
    assert last.body == (fake.requests[0].body if method == "POST" else b"")


def test_five_redirects_and_not_a_sixth(ghoard, fake):
    for n in range(5):
        fake.trouble(f"/hop/{n}", "redirect", to=fake.url + (f"/hop/{n + 1}" if n < 4 else ISSUES))
    assert len(ghoard("api", "/hop/0", rc=0).json) == 7
    fake.trouble("/hop/-1", "redirect", to=f"{fake.url}/hop/0")
    fake.forget()
    run = ghoard("api", "/hop/-1")
    assert run.rc != 0 and run.one_line() and fake.count() <= 6


def test_a_redirect_loop_ends(ghoard, fake):
    fake.trouble("/loop", "redirect", to=f"{fake.url}/loop")
    run = ghoard("api", "/loop")
    assert run.rc != 0 and run.one_line() and fake.count() <= 6


def test_a_redirect_to_another_host_loses_the_token(ghoard, fake):
    fake.model.add_release("octocat/hello-world", "v1")
    key = fake.model.repo("octocat/hello-world").releases[0]["asset"]["id"]
    run = ghoard("api", f"{REPO}/releases/assets/{key}", "-H", "Accept: application/octet-stream", rc=0)
    assert run.out.startswith(b"asset /assets/")
    (last,) = fake.find(listener="assets")
    assert last.header("Authorization") is None and last.header("Cookie") is None
    assert fake.requests[0].token == "alice-token"


def test_a_redirect_from_tls_to_plain_http_is_not_followed(ghoard, fake):
    fake.trouble("/start", "redirect", to=fake.http + ISSUES)
    ghoard("api", "/start")
    assert fake.count("/start", token="alice-token") == 1
    assert [r for r in fake.find(listener="http") if r.header("Authorization")] == []


@pytest.mark.parametrize("to", [None, "", "http://[", "gopher://localhost/", "//"])
def test_a_redirect_to_nowhere_is_one_sentence(ghoard, fake, to):
    fake.trouble("/start", "redirect", to=to)
    run = ghoard("api", "/start")
    assert fake.count("/start") >= 1
    if to != "":
        assert run.rc in (1, 4) and run.one_line()
    assert ghoard.entries() == []
