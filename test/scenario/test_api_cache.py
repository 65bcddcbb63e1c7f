"""`ghoard api`: what is asked, what is answered from disk, what is stored, and how the flags behave."""

import json
import re

import pytest
from rig import ISSUES, REPO, SHORT, grow_old


# -- miss, hit, revalidation
def test_a_miss_asks_github_and_says_so(ghoard, fake):
    run = ghoard.api(REPO, rc=0)
    assert run.status == 200
    assert json.loads(run.body)["full_name"] == "octocat/hello-world"
    assert run.cache == {"fwd": "uri-miss", "fwd-status": 200, "stored": True}
    assert fake.count() == 1


def test_a_hit_comes_from_disk_and_asks_nobody(ghoard, fake):
    first = ghoard.api(REPO, rc=0)
    fake.forget()
    second = ghoard.api(REPO, rc=0)
    assert second.status == 200 and second.body == first.body
    assert second.cache["hit"] is True and second.cache["detail"] == "disk"
    assert 0 < second.cache["ttl"] <= 300
    assert 0 <= int(second.headers["age"]) < 60
    assert second.headers["x-from-cache"] == "1"
    assert second.headers["etag"] == first.headers["etag"]
    assert second.headers["date"] == first.headers["date"]
    assert fake.count() == 0


def test_the_body_is_github_s_bytes_unchanged(ghoard, fake):
    fake.model.set("octocat/hello-world", description='naïve ☃ \u2028 \U0001f5dd "\\/')
    bodies = {ghoard("api", REPO, rc=0).out for _ in range(2)}
    assert len(bodies) == 1
    ghoard.api(REPO, "--refresh", rc=0)
    assert fake.requests[-1].status == 304, "the ETag covers the bytes: a 304 says they are GitHub's own"
    assert json.loads(bodies.pop())["description"].endswith('"\\/')


def test_without_i_only_the_body_is_printed(ghoard):
    run = ghoard("api", ISSUES, rc=0)
    assert len(run.json) == 7 and run.err == ""


def test_silent_prints_nothing(ghoard, fake):
    assert ghoard("api", "--silent", REPO, rc=0).out == b""
    assert fake.count() == 1


def test_after_its_ttl_an_entry_is_revalidated_for_nothing(ghoard, fake):
    first = ghoard.api(ISSUES, *SHORT, rc=0)
    grow_old()
    second = ghoard.api(ISSUES, *SHORT, rc=0)
    assert second.status == 200 and second.body == first.body
    assert second.cache == {"fwd": "stale", "fwd-status": 304, "detail": "revalidated"}
    asked = fake.requests[-1]
    assert (asked.status, asked.cost) == (304, 0)
    assert asked.header("If-None-Match") == first.headers["etag"]
    fake.forget()
    assert ghoard.api(ISSUES, *SHORT, rc=0).cache["hit"] is True, "a 304 makes the entry fresh again"
    assert fake.count() == 0


def test_a_changed_answer_replaces_the_old_one(ghoard, fake):
    ghoard.api(ISSUES, *SHORT, rc=0)
    fake.model.add_issue("octocat/hello-world", "A newer one")
    grow_old()
    run = ghoard.api(ISSUES, *SHORT, rc=0)
    assert json.loads(run.body)[0]["title"] == "A newer one"
    assert run.cache["fwd"] == "stale" and run.cache["fwd-status"] == 200


def test_refresh_asks_even_when_fresh(ghoard, fake):
    ghoard.api(ISSUES, rc=0)
    run = ghoard.api(ISSUES, "--refresh", rc=0)
    assert run.cache == {"fwd": "request", "fwd-status": 304, "detail": "no-cache"}
    assert fake.count(billable=True) == 1 and fake.count() == 2


def test_what_goes_upstream_is_always_the_same(ghoard, fake):
    ghoard.api(REPO, "-H", "Accept: */*", "-H", "User-Agent: curl/8.0", *SHORT, rc=0)
    grow_old()
    ghoard.api(REPO, "-H", "Accept: application/json", *SHORT, rc=0)
    assert len(fake.requests) == 2
    for asked in fake.requests:
        assert asked.header("Accept") == "application/vnd.github+json"
        assert asked.header("Accept-Encoding") == "identity"
        assert asked.header("If-Modified-Since") is None
        assert "ghoard" in asked.header("User-Agent").lower() and "curl" not in asked.header("User-Agent")
        assert asked.token == "alice-token"


def test_a_full_last_page_is_asked_without_condition(ghoard, fake):
    page = f"{ISSUES}?per_page=7"
    first = ghoard.api(page, *SHORT, rc=0)
    assert "link" not in first.headers
    fake.model.add_issue("octocat/hello-world", "Opens page two")
    grow_old()
    second = ghoard.api(page, *SHORT, rc=0)
    assert fake.requests[-1].header("If-None-Match") is None
    assert 'rel="next"' in second.headers["link"]


# -- offline
def test_offline_answers_what_is_there(ghoard, fake):
    first = ghoard("api", ISSUES, *SHORT, rc=0)
    grow_old()
    fake.forget()
    run = ghoard.api(ISSUES, offline=True, rc=0)
    assert run.body == first.out
    assert run.cache["hit"] is True and run.cache["detail"] == "offline" and run.cache["ttl"] <= 0
    assert fake.count() == 0


def test_offline_with_nothing_there_is_exit_4(ghoard, fake):
    run = ghoard("api", ISSUES, offline=True, rc=4)
    assert run.out == b"" and run.one_line()
    assert fake.count() == 0


# -- what is not stored
def asked_twice(ghoard, fake, *args, rc=0, **more):
    """Runs it twice; both reach GitHub and nothing is kept. Returns the second run."""
    for _ in range(2):
        before = fake.count()
        run = ghoard.api(*args, rc=rc, **more)
        assert fake.count() > before, "it came from the cache"
        assert "stored" not in run.cache
    assert ghoard.entries() == []
    return run


def test_a_404_is_not_stored(ghoard, fake):
    run = asked_twice(ghoard, fake, "/repos/octocat/nowhere", rc=1)
    assert run.status == 404 and json.loads(run.body)["message"] == "Not Found"
    assert "404" in run.one_line()


def test_a_401_is_not_stored(ghoard, fake):
    assert asked_twice(ghoard, fake, REPO, rc=1, token="no-such-token").status == 401


@pytest.mark.parametrize("code", [204, 403, 410, 422, 451, 500])
def test_other_answers_are_not_stored(ghoard, fake, code):
    fake.trouble(REPO, "status", code=code)
    assert asked_twice(ghoard, fake, REPO, rc=0 if code < 400 else 1).status == code


@pytest.mark.parametrize(
    "headers",
    [
        {"Set-Cookie": "a=b"},
        {"Cache-Control": "no-store"},
        {"Cache-Control": "private, no-store"},
        {"Vary": "Accept, X-Something"},
        {"Vary": "*"},
    ],
)
def test_answers_that_ask_not_to_be_stored_are_not(ghoard, fake, headers):
    fake.alter(REPO, headers=headers)
    asked_twice(ghoard, fake, REPO)


@pytest.mark.parametrize(
    "path", ["/rate_limit", f"{REPO}/tarball/main", f"{REPO}/collaborators/alice/permission"]
)
def test_paths_that_are_never_stored(ghoard, fake, path):
    asked_twice(ghoard, fake, path)


def test_post_is_never_stored(ghoard, fake):
    for number in (8, 9):
        run = ghoard("api", ISSUES, "-f", "title=Made here", rc=0)
        assert run.json["number"] == number
    assert [(r.method, json.loads(r.body)) for r in fake.requests] == [("POST", {"title": "Made here"})] * 2
    assert ghoard.entries() == []


def test_a_write_is_seen_by_the_next_read(ghoard, fake):
    for token in ("alice-token", "bob-token"):
        assert len(ghoard("api", ISSUES, token=token, rc=0).json) == 7
    ghoard("api", "-X", "POST", ISSUES, "-f", "title=An eighth", rc=0)
    for token in ("alice-token", "bob-token"):
        assert len(ghoard("api", ISSUES, token=token, rc=0).json) == 8


def test_fields_behave_as_in_gh(ghoard, fake):
    ghoard(
        "api",
        "-X",
        "PATCH",
        f"{ISSUES}/1",
        "-f",
        "body=7",
        "-F",
        "locked=true",
        "-F",
        "n=7",
        "-F",
        "x=null",
        rc=0,
    )
    assert json.loads(fake.requests[-1].body) == {"body": "7", "locked": True, "n": 7, "x": None}
    ghoard("api", "-X", "GET", ISSUES, "-f", "state=all", rc=0)
    assert fake.requests[-1].target == f"{ISSUES}?state=all"
    ghoard("api", "-X", "POST", ISSUES, "--input", "-", input=b'{"title":"From stdin"}', rc=0)
    assert json.loads(fake.requests[-1].body) == {"title": "From stdin"}


# -- GraphQL
def query(text):
    return "/graphql", "-f", f"query={text}"


def test_a_graphql_query_is_cached_by_its_body(ghoard, fake):
    first = ghoard.api(*query("query { viewer { login } }"), rc=0)
    second = ghoard.api(*query("query { viewer { login } }"), rc=0)
    assert second.body == first.body and json.loads(first.body)["data"]["viewer"]["login"] == "alice"
    assert second.cache["hit"] is True and fake.count() == 1
    ghoard.api(*query("query { viewer { name } }"), rc=0)
    assert fake.count() == 2
    assert (
        json.loads(ghoard.api(*query("query { viewer { login } }"), token="bob-token").body)["data"][
            "viewer"
        ]["login"]
        == "bob"
    )


def test_a_graphql_mutation_or_error_is_not_stored(ghoard, fake):
    number = fake.model.repo("octocat/hello-world").id
    for stars in (43, 44):
        star = (
            f'mutation {{ addStar(input: {{starrableId: "{number}"}}) {{ starrable {{ stargazerCount }} }} }}'
        )
        run = ghoard("api", *query(star), rc=0)
        assert run.json["data"]["addStar"]["starrable"]["stargazerCount"] == stars
    for _ in range(2):
        assert ghoard("api", *query('{ repository(owner: "octocat", name: "nowhere") { name } }')).json[
            "errors"
        ]
    assert fake.count() == 4 and ghoard.entries() == []


# -- redirects
def test_a_renamed_repository_is_followed_and_kept(ghoard, fake):
    fake.model.rename("octocat/hello-world", "hello-earth")
    run = ghoard("api", REPO, rc=0)
    assert run.json["name"] == "hello-earth"
    assert [r.status for r in fake.requests] == [301, 200]
    assert fake.requests[1].path.startswith("/repositories/")
    fake.forget()
    assert ghoard("api", REPO, rc=0).out == run.out
    assert fake.count() == 0


# -- HEAD, Accept, versions
def test_head_is_answered_from_the_entry_and_stores_nothing(ghoard, fake):
    cold = ghoard("api", "-i", "-X", "HEAD", ISSUES, rc=0)
    assert cold.status == 200 and cold.body == b"" and ghoard.entries() == []
    ghoard.api(ISSUES, rc=0)
    fake.forget()
    warm = ghoard.api("-X", "HEAD", ISSUES, rc=0)
    assert warm.status == 200 and warm.body == b"" and warm.cache["hit"] is True
    assert fake.count() == 0


def test_accepts_of_one_class_share_an_entry(ghoard, fake):
    for accept in (
        "",
        "*/*",
        "application/json",
        "application/vnd.github+json",
        "application/vnd.github.v3+json",
    ):
        ghoard("api", ISSUES, *(["-H", f"Accept: {accept}"] if accept else []), rc=0)
    assert fake.count() == 1


def test_accepts_of_other_classes_keep_apart(ghoard, fake):
    path = f"{REPO}/contents/README.md"
    for _ in range(2):
        assert ghoard("api", path, rc=0).json["name"] == "README.md"
        assert (
            ghoard("api", path, "-H", "Accept: application/vnd.github.raw+json", rc=0).out
            == b"# hello-world\n\nHello.\n"
        )
    assert fake.count() == 2


def test_api_versions_keep_apart(ghoard, fake):
    for version in ("2022-11-28", "2026-03-10") * 2:
        run = ghoard.api(ISSUES, "-H", f"X-GitHub-Api-Version: {version}", rc=0)
        assert run.headers["x-github-api-version-selected"] == version
    assert fake.count() == 2


# -- pages
def test_paginate_merges_the_pages_over_one_connection(ghoard, fake):
    run = ghoard("api", "--paginate", f"{ISSUES}?per_page=3", rc=0)
    assert [i["number"] for i in run.json] == [7, 6, 5, 4, 3, 2, 1]
    assert fake.count() == 3 and fake.connected == 1
    fake.forget()
    again = ghoard("api", "--paginate", f"{ISSUES}?per_page=3", rc=0)
    assert again.out == run.out and fake.count() == 0


def test_link_stays_as_github_sent_it(ghoard, fake):
    expected = f"<{fake.url}/repositories/"
    for _ in range(2):
        link = ghoard.api(f"{ISSUES}?per_page=3", rc=0).headers["link"]
        assert link.startswith(expected) and 'rel="next"' in link and 'rel="last"' in link


def test_a_link_elsewhere_is_neither_kept_nor_followed(ghoard, fake):
    fake.alter(f"{ISSUES}?per_page=3", headers={"Link": f'<{fake.http}{ISSUES}?page=2>; rel="next"'})
    ghoard("api", "--paginate", f"{ISSUES}?per_page=3")
    assert fake.count(listener="http") == 0
    assert "link" not in ghoard.api(f"{ISSUES}?per_page=3", rc=0).headers


# -- lifetimes
def test_states_are_asked_every_time_by_etag(ghoard, fake):
    sha = fake.model.add_commit("octocat/hello-world", "state")
    fake.model.add_status("octocat/hello-world", sha, "pending")
    path = f"{REPO}/commits/{sha}/status"
    assert ghoard("api", path, rc=0).json["state"] == "pending"
    ghoard("api", path, rc=0)
    assert [(r.status, r.cost) for r in fake.requests] == [(200, 1), (304, 0)]
    fake.model.add_status("octocat/hello-world", sha, "success")
    fake.model.repo("octocat/hello-world").statuses.pop()
    assert ghoard("api", path, rc=0).json["state"] == "success"


@pytest.mark.parametrize(
    "path, operation, ttl",
    [
        (REPO, "get_repo_info", 300),
        ("/user/repos", "list_repos", 600),
        (f"{REPO}/actions/workflows", "list_workflows", 300),
        (f"{REPO}/actions/runs", "get_workflow_runs", 120),
        (f"{REPO}/actions/runners", "list_runners", 300),
        (f"{REPO}/actions/runners/1", "get_runner_status", 60),
    ],
)
def test_operations_have_their_lifetimes(ghoard, path, operation, ttl):
    ghoard("api", path, rc=0)
    entry = ghoard.entry(path)
    assert entry["ttl"] == ttl and entry["cache_key"].startswith(f"{operation}:{path}:")


# -- usage
@pytest.mark.parametrize(
    "args", [(), ("--no-such-flag", REPO), (REPO, "--ttl"), (REPO, "--ttl", "soon"), (REPO, "one-too-many")]
)
def test_wrong_usage_is_exit_2(ghoard, fake, args):
    assert ghoard("api", *args, rc=2).out == b""
    assert fake.count() == 0


def test_a_broken_setting_is_exit_3_and_names_the_place(ghoard, fake):
    (ghoard.project / ".github").mkdir()
    (ghoard.project / ".github" / "cache-config.yml").write_text("cache:\n  enabled: true\n   max_size: [\n")
    line = ghoard("api", REPO, rc=3).one_line()
    assert "cache-config.yml" in line and re.search(r"\bline [34] column \d", line)
    assert fake.count() == 0


def test_recorded_answers_of_github_come_back_unchanged(recorded, make_ghoard):
    ghoard = make_ghoard("recorded", recorded)
    token = "1".zfill(40)
    wanted = {}
    for scenario, path, status, _ in recorded.recorded.paths():
        if status == 200 and path not in wanted and not path.endswith("README.md"):
            run = ghoard("api", path, token=token, rc=0)
            wanted[path] = run.out
            assert run.json is not None and b"https://api.github.com" not in run.out, scenario
    assert len(wanted) > 15
    store = {e["ghoard"]["url"].removeprefix(recorded.url) for _, e in ghoard.entries()}
    recorded.forget()
    for path, out in wanted.items():
        assert ghoard("api", path, token=token, rc=0).out == out
    assert not [r.target for r in recorded.requests if r.cost and r.target in store]
