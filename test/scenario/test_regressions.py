"""What a review once found wrong: but for controls beside them, these tests failed on the program of then."""

import ctypes
import json
import os
import re
import subprocess

import pytest
from rig import BINARY, ISSUES, REPO, SHORT, grow_old

LABELS = f"{REPO}/labels"
SECRET = "/repos/octocat/secret"
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


def fresh(ghoard, path, **more):
    """Is it answered from disk, with nobody asked?"""
    return ghoard.api(path, rc=0, **more).cache.get("hit", False)


# -- another token's answer as a condition
@pytest.fixture
def full_page(ghoard, fake):
    """alice holds a page of two labels, which was the last one; then a third label came."""
    hello = fake.model.repo("octocat/hello-world")
    hello.labels.append({"id": 2, "name": "docs", "color": "0075ca", "default": True})
    assert "link" not in ghoard.api(f"{LABELS}?per_page=2", rc=0).headers
    hello.labels.append({"id": 3, "name": "later", "color": "ededed", "default": False})
    return f"{LABELS}?per_page=2"


def test_another_s_full_last_page_is_no_condition(ghoard, fake, full_page):
    run = ghoard.api(full_page, token="bob-token", rc=0)
    assert fake.requests[-1].header("If-None-Match") is None
    assert 'rel="next"' in run.headers["link"]


def test_another_s_full_last_page_hides_no_page(ghoard, full_page):
    run = ghoard("api", "--paginate", full_page, token="bob-token", rc=0)
    assert [label["name"] for label in run.json] == ["bug", "docs", "later"]


@pytest.fixture
def crowd(fake):
    """The first page of an organization's repositories, whose Link one can set for its first reader."""
    fake.model.add_user("crowd", "Organization")
    for name in ("one", "two", "three"):
        fake.model.add_repo(f"crowd/{name}")
    page = "/orgs/crowd/repos?per_page=2"
    return page, lambda url: fake.alter(page, headers={"Link": f'<{url}>; rel="next"'}, times=1)


def test_a_page_whose_next_one_is_doubtful_is_no_condition(ghoard, fake, crowd):
    page, link = crowd
    link(f"{fake.url}/somewhere/else?page=2")
    ghoard("api", page, rc=0)
    run = ghoard("api", "--paginate", page, token="bob-token", rc=0)
    assert fake.find(page, token="bob-token")[0].header("If-None-Match") is None
    assert [r["name"] for r in run.json] == ["one", "two", "three"]


def test_an_organization_is_known_by_its_number_too(ghoard, fake, crowd):
    page, link = crowd
    link(f"{fake.url}/organizations/5/repos?per_page=2&page=2")
    fake.trouble("/organizations/5/repos", "status", code=200, body=b'[{"name":"three"}]')
    ghoard("api", page, rc=0)
    run = ghoard("api", "--paginate", page, token="bob-token", rc=0)
    assert [r["name"] for r in run.json] == ["one", "two", "three"]
    assert fake.find(page, token="bob-token")[0].status == 304


def test_offline_another_s_fresh_answer_is_called_offline(ghoard):
    ghoard("api", ISSUES, rc=0)
    run = ghoard.api(ISSUES, token="bob-token", offline=True, rc=0)
    assert len(json.loads(run.body)) == 7
    assert run.cache["hit"] is True and run.cache["detail"] == "offline"


# -- answers that lead elsewhere
def test_an_answer_whose_next_page_is_elsewhere_is_not_stored(ghoard, fake):
    page = f"{ISSUES}?per_page=3"
    fake.alter(page, headers={"Link": f'<{fake.http}{ISSUES}?page=2>; rel="next"'})
    for count in (1, 2):
        run = ghoard.api(page, rc=0)
        assert "link" not in run.headers and "stored" not in run.cache
        assert fake.count() == count and ghoard.entries() == []


def test_a_stored_redirect_to_a_path_is_followed(ghoard, fake):
    fake.trouble("/start", "redirect", code=301, to=ISSUES)
    assert len(ghoard("api", "/start", rc=0).json) == 7
    fake.forget()
    assert len(ghoard("api", "/start", rc=0).json) == 7
    assert fake.count() == 0


def test_a_redirect_elsewhere_is_not_stored(ghoard, fake):
    fake.trouble("/start", "redirect", code=301, to=f"{fake.assets}/x")
    for count in (1, 2):
        assert ghoard("api", "/start", rc=0).out.startswith(b"asset /x")
        assert fake.count("/start") == count and ghoard.entries() == []


# -- what a write makes stale
@pytest.mark.parametrize("code", [500, 502, 504])
def test_a_write_that_failed_in_between_may_have_happened(ghoard, fake, code):
    ghoard("api", f"{ISSUES}/1", rc=0)
    fake.trouble(f"{ISSUES}/1", "status", code=code, method="PATCH")
    ghoard("api", "-X", "PATCH", f"{ISSUES}/1", "-f", "title=Perhaps", rc=1)
    assert not fresh(ghoard, f"{ISSUES}/1")


def test_a_write_under_a_name_in_another_case(ghoard):
    assert len(ghoard("api", LABELS, rc=0).json) == 1
    ghoard("api", "/repos/Octocat/Hello-World/labels", "-f", "name=new", rc=0)
    assert len(ghoard("api", LABELS, rc=0).json) == 2


def test_a_write_by_the_repository_s_number(ghoard, fake):
    assert len(ghoard("api", ISSUES, rc=0).json) == 7
    number = fake.model.repo("octocat/hello-world").id
    ghoard("api", f"/repositories/{number}/issues", "-f", "title=An eighth", rc=0)
    assert len(ghoard("api", ISSUES, rc=0).json) == 8


def test_a_write_that_cannot_be_noted_is_warned_of(ghoard, fake):
    """Root may write anywhere, but for the capability that is taken away here."""
    ghoard("api", ISSUES, rc=0)
    before = sorted(p.name for p in ghoard.cache.rglob("*"))
    ghoard.cache.chmod(0o500)
    try:
        run = subprocess.run(
            [BINARY, "api", ISSUES, "-f", "title=An eighth"],
            env=ghoard.environment("alice-token"),
            capture_output=True,
            timeout=20,
            preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0),
        )
    finally:
        ghoard.cache.chmod(0o700)
    assert run.returncode == 0 and json.loads(run.stdout)["number"] == 8
    assert re.search(rf"stored answers below {ISSUES} may be served", run.stderr.decode()), run.stderr
    assert sorted(p.name for p in ghoard.cache.rglob("*")) == before, "it could be written"


def mutation(fake):
    """addStar, spelt so that the word does not stand in the body."""
    number = fake.model.repo("octocat/hello-world").id
    text = f'mutation {{ addStar(input: {{starrableId: "{number}"}}) {{ starrable {{ stargazerCount }} }} }}'
    body = json.dumps({"query": text}).replace("mutation", "\\u006dutation").encode()
    assert b"mutation" not in body
    return body


def test_a_mutation_in_disguise_is_a_mutation(ghoard, fake):
    assert ghoard("api", REPO, rc=0).json["stargazers_count"] == 42
    for stars in (43, 44):
        run = ghoard("api", "-X", "POST", "/graphql", "--input", "-", input=mutation(fake), rc=0)
        assert run.json["data"]["addStar"]["starrable"]["stargazerCount"] == stars
        assert ghoard("api", REPO, rc=0).json["stargazers_count"] == stars


# -- what a refusal says of what is stored
def test_a_401_to_a_write_is_a_401(ghoard, fake):
    ghoard("api", REPO, rc=0)
    fake.model.revoke("alice-token")
    ghoard("api", ISSUES, "-f", "title=Mine", rc=1)
    assert ghoard.api(REPO, rc=1).status == 401


def test_a_404_to_head_speaks_of_the_repository(ghoard, fake):
    ghoard("api", SECRET, rc=0)
    ghoard("api", f"{SECRET}/issues", *SHORT, rc=0)
    fake.model.remove_reader("octocat/secret", "alice")
    grow_old()
    assert ghoard.api("-X", "HEAD", f"{SECRET}/issues", *SHORT, rc=1).status == 404
    run = ghoard.api(SECRET, rc=1)
    assert run.status == 404 and b"For few eyes" not in run.out


# -- keys and storing
def test_two_servers_below_one_address_keep_apart(ghoard, fake):
    for turn in range(2):
        for name in ("ghes1", "ghes2"):
            target = f"/{name}/user"
            if not turn:
                fake.trouble(target, "status", code=200, body=json.dumps({"login": name}).encode())
            run = ghoard.api("/user", env={"GITHUB_API_URL": f"{fake.http}/{name}"}, rc=0)
            assert json.loads(run.body)["login"] == name
            assert fake.requests[-1].path == (
                "/ghes2/user" if turn else target
            ), "the second time nobody is asked"
    assert fake.count() == 2 and len(ghoard.entries()) == 2


NOT_STORED = [{"Cache-Control": "private, no-store"}, {"Set-Cookie": "a=b"}]


@pytest.mark.parametrize("headers", NOT_STORED)
def test_a_304_that_forbids_it_is_served_and_not_stored(ghoard, fake, headers):
    first = ghoard("api", ISSUES, *SHORT, rc=0)
    ((path, _),) = ghoard.entries()
    before = path.read_bytes()
    fake.alter(ISSUES, headers=headers)
    grow_old()
    for count in (2, 3):
        run = ghoard.api(ISSUES, *SHORT, rc=0)
        assert run.status == 200 and run.body == first.out
        assert (fake.count(), fake.requests[-1].status) == (count, 304)
    assert path.read_bytes() == before


@pytest.mark.parametrize("headers", NOT_STORED)
def test_a_304_to_another_token_that_forbids_it_is_not_stored(ghoard, fake, headers):
    first = ghoard("api", ISSUES, rc=0)
    fake.alter(ISSUES, headers=headers)
    for _ in range(2):
        run = ghoard.api(ISSUES, token="bob-token", rc=0)
        assert run.body == first.out and "stored" not in run.cache
        assert fake.requests[-1].status == 304
    assert len(ghoard.entries()) == 1 and fake.count() == 3


# -- no query in an error
WORD = "hunter2hunter2"


def unsaid(run):
    assert run.rc == 4 and WORD not in run.err, run
    return run.one_line()


@pytest.mark.parametrize("shape", ["close", "garbage", "cut"])
@pytest.mark.parametrize("args", [(), ("--paginate",), ("-X", "POST")])
def test_a_failure_shows_no_query(ghoard, fake, args, shape):
    fake.trouble("/user", shape)
    assert "/user" in unsaid(ghoard("api", *args, f"/user?access_token={WORD}"))


@pytest.mark.parametrize("args", [(), ("--paginate",)])
def test_a_refused_connection_shows_no_query(ghoard, fake, args):
    fake.down()
    unsaid(ghoard("api", *args, f"/user?access_token={WORD}"))


@pytest.mark.parametrize("query", ["access_token", "q"])
def test_offline_shows_no_query(ghoard, query):
    assert "/user" in unsaid(ghoard("api", f"/user?{query}={WORD}", offline=True))


@pytest.mark.parametrize("how", ["down", "close"])
def test_a_signed_target_that_fails_is_not_shown(ghoard, fake, how):
    fake.trouble("/start", "redirect", to=f"{fake.assets}/signed?sig={WORD}")
    fake.trouble("/signed", "close")
    if how == "down":
        fake.down("assets")
    assert "/signed" in unsaid(ghoard("api", "/start"))


def test_a_next_page_elsewhere_is_not_shown_with_its_query(ghoard, fake):
    fake.alter(ISSUES, headers={"Link": f'<{fake.http}{ISSUES}?sig={WORD}>; rel="next"'})
    assert WORD not in ghoard("api", "--paginate", ISSUES).err


# -- on the wire
@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH"])
def test_a_method_that_expects_a_body_says_that_there_is_none(ghoard, fake, method):
    fake.trouble("/user/starred/octocat/hello-world", "status", code=204)
    ghoard("api", "-X", method, "/user/starred/octocat/hello-world", rc=0)
    (asked,) = fake.requests
    assert asked.method == method and asked.header("Content-Length") == "0"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_other_methods_say_nothing_of_a_body(ghoard, fake, method):
    fake.trouble("/user/starred/octocat/hello-world", "status", code=204)
    ghoard("api", "-X", method, "/user/starred/octocat/hello-world", rc=0)
    (asked,) = fake.requests
    assert asked.header("Content-Length") is None and asked.header("Transfer-Encoding") is None


@pytest.mark.parametrize("short_of", [0, 1])
def test_a_head_as_long_as_one_may_be_is_printed(ghoard, fake, short_of):
    fake.trouble(ISSUES, "full-head", size=(64 << 10) - short_of)
    for args in ((), ("--refresh",), ("-X", "HEAD", "--refresh"), ("--paginate", "--refresh")):
        run = ghoard.api(*args, ISSUES, rc=0)
        assert run.err == "" and len(run.headers["x-fill"]) > 60000 and "cache-status" in run.headers


def test_a_name_below_localhost_needs_no_resolver(ghoard, fake):
    url = f"http://api.ghe.localhost:{fake.ports['http']}"
    assert ghoard("api", REPO, env={"GITHUB_API_URL": url}, rc=0).json["name"] == "hello-world"
    assert fake.requests[-1].header("Host") == url.removeprefix("http://")


# -- on the terminal
@pytest.mark.parametrize("args", [("help", "settings"), ("help",), ("--version",)])
def test_a_reader_that_has_seen_enough_is_no_error(ghoard, args):
    """As in `ghoard help settings | head -1`, only that the reader has gone for certain."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        run = subprocess.run(
            [BINARY, *args],
            env=ghoard.environment("alice-token"),
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=20,
        )
    finally:
        os.close(writing)
    assert (run.returncode, run.stderr) == (0, b"")
