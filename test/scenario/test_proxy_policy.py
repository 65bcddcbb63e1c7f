"""The daemon's answers: from the cache or not, whose they are, and what a client's directives do."""

import json
import time

import pytest
from rig import ISSUES, REPO, derived_etag

SECRET = "/repos/octocat/secret/issues"
QUERY = {"query": 'query One($n: String!) { repository(owner: "octocat", name: $n) { name description } }'}
HELLO = QUERY | {"variables": {"n": "hello-world"}}


def graphql(daemon, body, path="/graphql", **more):
    return daemon.get(path, method="POST", body=json.dumps(body).encode(), **more)


# -- miss and hit
def test_a_miss_and_a_hit_in_memory(daemon, fake, unix):
    first = daemon.get(ISSUES, unix=unix)
    assert first.status == 200
    assert first.cache["fwd"] == "uri-miss" and first.cache["fwd-status"] == 200 and first.cache["stored"]
    second = daemon.get(ISSUES, unix=unix)
    assert second.body == first.body and second.status == 200
    assert second.cache["hit"] is True and second.cache["detail"] == "memory"
    assert 0 < second.cache["ttl"] <= 300
    assert 0 <= int(second.headers["age"]) < 60 and second.headers["x-from-cache"] == "1"
    for name in ("etag", "date", "content-type", "cache-control"):
        assert second.headers[name] == first.headers[name]
    assert fake.count() == 1


def test_after_a_restart_it_is_on_disk(make_daemon, fake):
    daemon = make_daemon()
    first = daemon.get(ISSUES)
    assert daemon.stop() == 0
    daemon = make_daemon()
    second, third = daemon.get(ISSUES), daemon.get(ISSUES)
    assert second.body == third.body == first.body
    assert second.cache["detail"] == "disk" and third.cache["detail"] == "memory"
    assert fake.count() == 1


def test_both_listeners_and_the_command_share_the_entry(daemon, ghoard, fake):
    bodies = [daemon.get(ISSUES).body, daemon.get(ISSUES, unix=True).body]
    bodies.append(ghoard("--socket", daemon.socket, "api", ISSUES, rc=0).out)
    assert len(set(bodies)) == 1 and fake.count() == 1


def test_a_thousand_hits_on_one_connection(daemon, fake):
    connection = daemon.open()
    for _ in range(1000):
        connection.request("GET", REPO, headers={"Authorization": "token alice-token"})
        assert connection.getresponse().read()
    connection.close()
    assert fake.count() == 1


# -- whose it is
def test_two_tokens_are_never_mixed(daemon, fake):
    fake.model.add_token("owner-token", "octocat")
    for _ in range(3):
        assert daemon.get(REPO, token="owner-token").json["permissions"]["admin"] is True
        assert daemon.get(REPO, token="bob-token").json["permissions"]["admin"] is False
        assert "permissions" not in daemon.get(REPO, token=None).json
        for user in ("alice", "bob"):
            assert daemon.get("/user", token=f"{user}-token").json["login"] == user
        assert daemon.get(SECRET).status == 200
        assert daemon.get(SECRET, token="bob-token").status == 404
        assert daemon.get(SECRET, token=None).status == 404


def test_another_token_s_body_is_confirmed_by_a_304(daemon, fake):
    first = daemon.get(ISSUES)
    second = daemon.get(ISSUES, token="bob-token")
    assert second.body == first.body and second.cache["detail"] == "candidate"
    assert fake.requests[-1].status == 304 and fake.requests[-1].cost == 0
    assert daemon.get(ISSUES, token="bob-token").cache["hit"] is True


def test_on_one_connection_too(daemon):
    connection = daemon.open()
    for user in ("alice", "bob", "alice", "bob"):
        connection.request("GET", "/user", headers={"Authorization": f"token {user}-token"})
        assert json.loads(connection.getresponse().read())["login"] == user
    connection.close()


# -- writes
@pytest.mark.parametrize("unix_write", [False, True])
def test_a_write_invalidates_for_every_token(daemon, fake, unix_write):
    number = fake.model.repo("octocat/hello-world").id
    paths = [ISSUES, f"{ISSUES}?state=all", f"{ISSUES}/1", f"/repositories/{number}/issues"]
    for path in paths:
        for token in ("alice-token", "bob-token"):
            daemon.get(path, token=token)
    fake.forget()
    written = daemon.get(
        f"{ISSUES}/1", method="PATCH", body=b'{"title":"Renamed"}', unix=unix_write, token="bob-token"
    )
    assert written.status == 200 and written.cache == {"fwd": "method"}
    for path in paths:
        for token in ("alice-token", "bob-token"):
            answer = daemon.get(path, token=token)
            assert b"Renamed" in answer.body and "hit" not in answer.cache, (path, token)


def test_a_write_that_fails_invalidates_nothing(daemon, fake):
    daemon.get(ISSUES)
    assert daemon.get(ISSUES, method="POST", body=b"{}").status == 422
    assert daemon.get(ISSUES).cache["hit"] is True


def test_a_write_whose_outcome_is_unknown_invalidates(daemon, fake):
    daemon.get(ISSUES)
    fake.trouble(ISSUES, "close", method="POST")
    assert daemon.get(ISSUES, method="POST", body=b'{"title":"perhaps"}').status == 502
    assert b"perhaps" in daemon.get(ISSUES).body
    assert fake.count(ISSUES, method="POST") == 1, "a write is never sent twice"


# -- conditions
def test_a_client_s_own_etag_is_answered_from_the_cache(daemon, fake, unix):
    etag = daemon.get(ISSUES).headers["etag"]
    for asked in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = daemon.get(ISSUES, headers={"If-None-Match": asked}, unix=unix)
        assert answer.status == 304 and answer.body == b"" and answer.headers["etag"] == etag
        assert answer.cache["hit"] is True
    assert daemon.get(ISSUES, headers={"If-None-Match": '"other"'}).status == 200
    assert fake.count() == 1


def test_after_a_304_the_connection_goes_on(daemon):
    etag = daemon.get(ISSUES).headers["etag"]
    connection = daemon.open()
    for _ in range(3):
        given = {"Authorization": "token alice-token", "If-None-Match": etag}
        connection.request("GET", ISSUES, headers=given)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (304, b"")
        connection.request("GET", ISSUES, headers={"Authorization": "token alice-token"})
        assert len(json.loads(connection.getresponse().read())) == 7
    connection.close()


def test_another_token_s_etag_is_no_match(daemon, fake):
    bob = derived_etag(daemon.get(ISSUES).body, "bob-token")
    assert daemon.get(ISSUES, headers={"If-None-Match": bob}).status == 200


def test_with_nothing_held_it_is_passed_on_and_stores_nothing(daemon, ghoard, fake):
    body = ghoard("api", ISSUES, env={"CACHE_DIR": ghoard.home / "other"}, rc=0).out
    etag = derived_etag(body, "alice-token")
    fake.forget()
    answer = daemon.get(
        ISSUES, token=None, headers={"If-None-Match": etag, "Authorization": "token alice-token"}
    )
    assert etag in fake.requests[-1].header("If-None-Match")
    assert answer.status == 304 and answer.body == b"" and "stored" not in answer.cache
    assert not ghoard.entries()
    later = daemon.get(ISSUES)
    assert len(later.json) == 7 and later.cache["fwd"] == "uri-miss"


def test_if_modified_since_does_no_harm(daemon, fake):
    for _ in range(2):
        answer = daemon.get(REPO, headers={"If-Modified-Since": "Thu, 01 Jan 2037 00:00:00 GMT"})
        assert answer.status in (200, 304)
    assert daemon.get(REPO).json["full_name"] == "octocat/hello-world"


# -- Cache-Control of the client
@pytest.mark.parametrize("name,value", [("Cache-Control", "no-cache"), ("Cache-Control", "max-age=0")])
def test_no_cache_asks_github(daemon, fake, name, value):
    first = daemon.get(ISSUES)
    answer = daemon.get(ISSUES, headers={name: value})
    assert answer.status == 200 and answer.body == first.body and fake.count() == 2
    assert fake.requests[-1].status == 304 and fake.requests[-1].cost == 0
    assert answer.cache["fwd-status"] == 304 and "hit" not in answer.cache
    fake.model.add_issue("octocat/hello-world", "Brand new")
    assert b"Brand new" in daemon.get(ISSUES, headers={name: value}).body
    assert b"Brand new" in daemon.get(ISSUES).body, "and it is stored"


def test_max_age_takes_what_is_young_enough(daemon, fake):
    daemon.get(ISSUES)
    assert daemon.get(ISSUES, headers={"Cache-Control": "max-age=60"}).cache["hit"] is True
    assert fake.count() == 1


def test_no_store_stores_nothing(daemon, ghoard, fake):
    for _ in range(2):
        answer = daemon.get(ISSUES, headers={"Cache-Control": "no-store"})
        assert len(answer.json) == 7 and "stored" not in answer.cache
    assert fake.count() == 2 and not ghoard.entries()
    assert daemon.get(ISSUES).cache["fwd"] == "uri-miss"


def test_only_if_cached(daemon, fake, unix):
    asked = {"Cache-Control": "only-if-cached"}
    answer = daemon.get(ISSUES, headers=asked, unix=unix)
    assert answer.status == 504 and answer.cache == {"detail": "only-if-cached"} and answer.json["message"]
    assert fake.count() == 0
    daemon.get(ISSUES)
    answer = daemon.get(ISSUES, headers=asked, unix=unix)
    assert answer.status == 200 and answer.cache["hit"] is True
    assert daemon.get(ISSUES, headers=asked, unix=unix, token="bob-token").status == 504


def test_a_secret_in_a_query_is_not_told(make_daemon):
    daemon = make_daemon("--log-level", "info")
    answer = daemon.get("/user?access_token=s3cr3t", headers={"Cache-Control": "only-if-cached"})
    assert answer.status == 504 and b"/user is not stored" in answer.body
    assert b"s3cr3t" not in answer.body and "s3cr3t" not in daemon.errors


def test_odd_accepts_take_no_room_for_ever(daemon, fake):
    """Whose breaker is found by Accept has few rows: anybody can fill them, and nobody can keep them."""
    for n in range(12):
        daemon.get(ISSUES, headers={"Accept": f"application/vnd.github.odd{n}+json"})
    daemon.get(REPO)
    daemon.get(ISSUES)
    answer = daemon.get(ISSUES, token="bob-token")
    assert answer.cache.get("detail") == "candidate" and answer.cache["fwd-status"] == 304


# -- GraphQL
def test_a_graphql_query_is_cached_by_its_body(daemon, fake, unix):
    first = graphql(daemon, HELLO, unix=unix)
    second = graphql(daemon, HELLO, unix=unix)
    assert first.json["data"]["repository"]["name"] == "hello-world" and second.body == first.body
    assert second.cache["hit"] is True and second.cache["ttl"] <= 60 and fake.count() == 1
    other = graphql(daemon, QUERY | {"variables": {"n": "secret"}}, unix=unix)
    assert other.json["data"]["repository"]["name"] == "secret" and fake.count() == 2
    assert graphql(daemon, QUERY | {"variables": {"n": "secret"}}, token="bob-token").body != other.body


MUTATION = 'mutation { addStar(input: {starrableId: "%d"}) { starrable { stargazerCount } } }'


TWO = "query Q { viewer { login } } " + MUTATION.replace("mutation", "mutation M")


@pytest.mark.parametrize("query", [MUTATION, TWO])
def test_a_mutation_is_never_cached_and_makes_entries_stale(daemon, ghoard, fake, query):
    repo = fake.model.repo("octocat/hello-world")
    graphql(daemon, HELLO)
    daemon.get(REPO)
    body = {"query": query % repo.id} | ({"operationName": "M"} if "query Q" in query else {})
    counts = [graphql(daemon, body).json["data"]["addStar"]["starrable"]["stargazerCount"] for _ in range(3)]
    assert counts == [43, 44, 45]
    assert fake.count("/graphql", method="POST") == 4
    assert daemon.get(REPO).json["stargazers_count"] == 45
    assert "hit" not in graphql(daemon, HELLO).cache


@pytest.mark.parametrize("body", [b"", b"not json", b'{"query":""}', b'{"query":"{"}', b'[]', b'{"a":1}'])
def test_a_graphql_body_in_doubt_passes_through(daemon, ghoard, fake, body):
    for _ in range(2):
        daemon.get("/graphql", method="POST", body=body)
    assert [r.body for r in fake.find("/graphql")] == [body] * 2 and not ghoard.entries()


def test_what_gh_asks_of_graphql_is_in_the_key(daemon, fake):
    body = json.dumps(HELLO).encode()
    for features in ("merge_queue", "merge_queue,other", None):
        answer = daemon.get("/graphql", method="POST", body=body, headers={"GraphQL-Features": features})
        assert answer.status == 200 and "hit" not in answer.cache
    assert fake.count() == 3


def test_a_graphql_error_is_not_kept(daemon, fake):
    wrong = {"query": "{ nothing }"}
    for _ in range(2):
        assert graphql(daemon, wrong).json["errors"]
    assert fake.count() == 2


# -- GHES paths
def test_ghes_paths(daemon, fake, unix):
    first = daemon.get(ISSUES)
    answer = daemon.get(f"/api/v3{ISSUES}", unix=unix)
    assert answer.body == first.body and answer.cache["hit"] is True
    assert daemon.get("/api/v3/user", unix=unix).json["login"] == "alice"
    assert graphql(daemon, HELLO, "/api/graphql", unix=unix).status == 200
    assert graphql(daemon, HELLO).cache["hit"] is True
    assert [r.path for r in fake.requests] == [ISSUES, "/user", "/graphql"]
    assert daemon.get("/api/v3", unix=unix).status in (200, 404)


# -- what is not for a cache
@pytest.mark.parametrize("path", ["/rate_limit", f"{REPO}/collaborators/alice/permission"])
def test_some_things_are_never_stored(daemon, ghoard, fake, path):
    for _ in range(2):
        assert "hit" not in daemon.get(path).cache
    assert fake.count(path) == 2 and not ghoard.entries()


def test_other_methods_and_odd_paths_pass_through(daemon, fake):
    assert daemon.get(f"{REPO}/contents/new.txt", method="PUT", body=b'{"content":"aGk="}').status == 201
    assert fake.model.repo("octocat/hello-world").files["new.txt"] == b"hi"
    assert daemon.get(f"{REPO}/labels/bug", method="DELETE").status == 204
    assert daemon.get("/no/such/thing", method="PROPFIND").status in (404, 405)


def test_a_raw_file_and_its_json_are_two(daemon, fake):
    path = f"{REPO}/contents/README.md"
    for _ in range(2):
        assert daemon.get(path, headers={"Accept": "application/vnd.github.raw"}).body.startswith(b"# hello")
        assert daemon.get(path).json["encoding"] == "base64"
    assert fake.count() == 2


# -- one flight, and the limits
def test_identical_requests_in_flight_are_one(daemon, fake):
    fake.trouble(ISSUES, "slow-head", delay=0.5)
    clients = [daemon.open() for _ in range(20)]
    for client in clients:
        client.request("GET", ISSUES, headers={"Authorization": "token alice-token"})
    assert len({client.getresponse().read() for client in clients}) == 1
    assert fake.count() == 1


def test_a_304_for_one_client_s_own_copy_is_not_shared(daemon, ghoard, fake):
    body = ghoard("api", ISSUES, env={"CACHE_DIR": ghoard.home / "other"}, rc=0).out
    tag = derived_etag(body, "alice-token")
    fake.trouble(ISSUES, "slow-head", delay=0.5)
    first, second = daemon.open(), daemon.open()
    headers = {"Authorization": "token alice-token"}
    first.request("GET", ISSUES, headers=headers | {"If-None-Match": tag})
    time.sleep(0.2)
    second.request("GET", ISSUES, headers=headers)
    assert first.getresponse().status == 304
    answer = second.getresponse()
    assert answer.status == 200 and len(json.loads(answer.read())) == 7


def test_at_zero_no_request_leaves(daemon, fake):
    fake.limits.set("alice-token", remaining=1)
    daemon.get(ISSUES)
    fake.forget()
    assert daemon.get(REPO).status in (403, 429, 503) and fake.count() == 0


def test_a_long_life_keeps_the_store_small(make_daemon, ghoard, fake):
    (ghoard.project / ".github").mkdir()
    (ghoard.project / ".github" / "cache-config.yml").write_text("cache:\n  max_size: 20\n")
    daemon = make_daemon()
    for page in range(1, 60):
        assert daemon.get(f"{ISSUES}?page={page}").status == 200
    deadline = time.monotonic() + 10
    while len(ghoard.entries()) > 22 and time.monotonic() < deadline:
        daemon.get(f"{ISSUES}?page=1&n={time.monotonic()}")
        time.sleep(0.3)
    assert len(ghoard.entries()) <= 22
