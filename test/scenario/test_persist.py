"""`ghoard cache persist` and `ghoard codeql persist`: sealed archives that go from job to job."""

import json
import re
import shutil

import pytest
from rig import ISSUES, REPO
from scanning import Job

SECRET = "an invented secret of the tests, long enough"
REF = "refs/heads/main"


@pytest.fixture
def runner(fake):
    """The environment in which an action of a job calls ghoard: runner(run=…, scopes=…)."""

    def make(run="77", scopes=((REF, 3),), secret=SECRET, **more):
        return {
            "ACTIONS_RESULTS_URL": fake.url + "/",
            "ACTIONS_RUNTIME_TOKEN": fake.caches.token(scopes=scopes),
            "GHOARD_PERSIST_SECRET": secret,
            "GITHUB_RUN_ID": run,
            "GITHUB_REPOSITORY": "octocat/hello-world",
            **more,
        }

    return make


@pytest.fixture
def homes(make_ghoard, fake):
    """Two runners of the same token; the first has answers to keep."""
    first, second = make_ghoard("first", fake), make_ghoard("second", fake)
    first.api(REPO, rc=0)
    first.api(ISSUES, rc=0)
    return first, second


def save(ghoard, env, rc=0, *more):
    return ghoard("cache", "persist", "save", "--json", *more, env=env, rc=rc).json


def restore(ghoard, env, rc=0, *more):
    return ghoard("cache", "persist", "restore", "--json", *more, env=env, rc=rc).json


# ---- API answers


def test_answers_go_from_run_to_run(homes, runner, fake):
    first, second = homes
    assert save(first, runner()) == {"saved": True, "key": "ghoard-api-77", "entries": 2}
    assert fake.caches.keys() == ["ghoard-api-77"]
    fake.forget()
    assert restore(second, runner(run="78")) == {"restored": True, "key": "ghoard-api-77", "entries": 2}
    assert second.api(REPO, rc=0).cache["detail"] == "disk", "its own token's: the proof travelled along"
    assert fake.count(REPO) == 0
    text = first("cache", "persist", "restore", env=runner(), rc=0).out.decode()
    assert text == "restored: 0 entries, ghoard-api-77\n", "all of it is here already"
    assert list(first.cache.glob("*persist*")) == [], "no temporary file stays"


def test_what_the_service_sees(homes, runner, fake):
    first, _ = homes
    save(first, runner())
    create, put, finalize = [r for r in fake.requests if "twirp" in r.path or "_blobs" in r.path]
    assert create.header("authorization").startswith("Bearer ey") and create.method == "POST"
    assert put.method == "PUT" and put.header("authorization") is None, "a signed URL gets no token"
    assert put.header("x-ms-blob-type") == "BlockBlob"
    assert isinstance(json.loads(finalize.body)["size_bytes"], str)
    (entry,) = fake.caches.entries
    assert entry["data"][:8] == b"GHSEAL\0\1"
    for word in (b"octocat", b"hello-world", b"cache_key", b"etag"):
        assert word not in entry["data"], "nothing is legible"


def test_the_newest_by_prefix_and_the_exact_one_first(homes, runner, fake):
    first, second = homes
    for run in ("1", "2", "3"):
        save(first, runner(run=run))
    assert restore(second, runner(run="9"))["key"] == "ghoard-api-3"
    assert restore(second, runner(run="2"))["key"] == "ghoard-api-2"
    fake.caches.camel = True
    assert restore(second, runner(run="9"))["key"] == "ghoard-api-3"
    assert save(first, runner(run="4"))["saved"]


def test_an_entry_is_kept_once(homes, runner):
    first, second = homes
    save(first, runner())
    assert "kept already" in save(first, runner(), rc=1)["reason"]


def test_without_the_secret_nothing_happens(homes, runner, fake):
    first, _ = homes
    for secret in (None, ""):
        run = first("cache", "persist", "save", env=runner(secret=secret), rc=1)
        assert "GHOARD_PERSIST_SECRET is not set" in run.out.decode() and run.err == ""
    run = first("cache", "persist", "restore", env=runner(secret="short"), rc=1)
    assert "openssl rand -hex 32" in run.out.decode()
    assert fake.count("/twirp/*") == 0


def test_tokens_that_may_not(homes, runner, fake):
    first, second = homes
    save(first, runner())
    fake.forget()
    assert "may not write" in save(first, runner(run="78", scopes=((REF, 1),)), rc=1)["reason"]
    assert fake.count("/twirp/*") == 0, "it is not even tried"
    assert restore(second, runner(scopes=((REF, 1),)))["restored"]
    assert "ACTIONS_CACHE_MODE" in save(first, runner(ACTIONS_CACHE_MODE="read"), rc=1)["reason"]
    assert "ACTIONS_CACHE_MODE" in restore(first, runner(ACTIONS_CACHE_MODE="none"), rc=1)["reason"]
    assert "read" in restore(first, runner(ACTIONS_CACHE_MODE="write-only"), rc=1)["reason"]
    enterprise = runner(GITHUB_SERVER_URL="https://github.example.com")
    assert "Enterprise" in restore(first, enterprise, rc=1)["reason"]
    assert "runtime token" in restore(first, runner(ACTIONS_RUNTIME_TOKEN=None), rc=1)["reason"]
    assert "401" in restore(first, runner(ACTIONS_RUNTIME_TOKEN="a.e30.b"), rc=1)["reason"]


def test_branches_see_their_own_and_the_default_ones(homes, runner):
    first, second = homes
    feature = (("refs/heads/feature", 3), (REF, 1))
    save(first, runner(run="1", scopes=feature))
    assert "none yet" in restore(second, runner(), rc=1)["reason"], "main does not see a branch's"
    save(first, runner(run="2"))
    assert restore(second, runner(run="9", scopes=feature))["key"] == "ghoard-api-1"
    other = (("refs/heads/other", 3), (REF, 1))
    assert restore(second, runner(run="9", scopes=other))["key"] == "ghoard-api-2"


def test_the_file_that_hands_the_token_over(homes, runner, tmp_path):
    first, second = homes
    env = runner()
    hand = tmp_path / "runtime.json"

    def put(mode=0o600, **more):
        said = {"results_url": env["ACTIONS_RESULTS_URL"], "runtime_token": env["ACTIONS_RUNTIME_TOKEN"]}
        hand.write_text(json.dumps({**said, **more}))
        hand.chmod(mode)

    bare = {**env, "ACTIONS_RESULTS_URL": None, "ACTIONS_RUNTIME_TOKEN": None, "GHOARD_RUNTIME_FILE": hand}
    put()
    assert save(first, bare, 0, "--keep-runtime")["saved"] and hand.exists()
    assert restore(second, bare)["restored"] and not hand.exists(), "read once and unlinked"
    assert restore(second, bare, rc=1)["reason"].startswith("the job's runtime token is not to be had")
    put(cache_mode="read")
    assert "ACTIONS_CACHE_MODE" in save(first, bare, rc=1)["reason"]
    put(mode=0o644)
    assert "0600" in restore(second, bare, rc=1)["reason"] and not hand.exists()
    hand.write_text("{")
    hand.chmod(0o600)
    assert "no results_url" in restore(second, bare, rc=1)["reason"]
    put()
    (tmp_path / "link").symlink_to(hand)
    assert restore(second, {**bare, "GHOARD_RUNTIME_FILE": tmp_path / "link"}, rc=1)["reason"]


# ---- damage


def change(fake, how):
    (entry,) = fake.caches.entries
    entry["data"] = how(entry["data"])


@pytest.mark.parametrize(
    "how",
    [
        lambda d: d[:-1],
        lambda d: d[: 24 + 65564],
        lambda d: d[:24],
        lambda d: b"",
        lambda d: d[:100] + bytes([d[100] ^ 1]) + d[101:],
        lambda d: d + b"x",
        lambda d: d[:24] + d[24 + 65564 :],
        lambda d: b"not an archive at all, but long enough to be taken for one" * 3,
    ],
)
def test_a_changed_archive_is_no_archive(homes, runner, fake, how):
    first, second = homes
    first("cache", "put", "list_repos", "x", input=b"y" * 200_000, rc=0)
    save(first, runner())
    change(fake, how)
    run = second("cache", "persist", "restore", "--json", env=runner(), rc=1)
    assert re.search("archive", run.json["reason"]) and run.json["restored"] is False
    assert second.entries() == [], "nothing of it was taken"


def test_another_secret_and_another_key(homes, runner, fake):
    first, second = homes
    save(first, runner())
    assert "another secret" in restore(second, runner(secret=SECRET + "!"), rc=1)["reason"]
    fake.caches.entries[0]["key"] = "ghoard-api-99"
    assert "another secret or name" in restore(second, runner(run="99"), rc=1)["reason"]


# ---- a service that fails


def test_the_service_is_down_or_refuses(homes, runner, fake):
    first, second = homes
    save(first, runner())
    fake.trouble("/twirp/*", "status", code=429, headers={"Retry-After": "7"}, body=b"{}")
    assert "429" in restore(second, runner(), rc=1)["reason"]
    assert fake.count("/twirp/*GetCache*") == 1, "429 is not tried again"
    fake.calm()
    fake.trouble("/twirp/*", "status", code=403, body=b'{"code":"permission_denied","msg":"not today"}')
    assert "not today" in restore(second, runner(), rc=1)["reason"]
    fake.calm()
    fake.trouble("/twirp/*", "status", code=200, body=b"<html>")
    assert "JSON" in restore(second, runner(), rc=1)["reason"]
    fake.calm()
    fake.trouble("/_blobs/*", "cut")
    assert restore(second, runner(), rc=1)["restored"] is False
    assert second.entries() == []
    fake.calm()
    fake.trouble("/twirp/*", "redirect", to="https://elsewhere.test/", code=307)
    assert "307" in restore(second, runner(), rc=1)["reason"], "the token follows no redirect"


def test_a_passing_failure_is_tried_again(homes, runner, fake):
    first, second = homes
    fake.trouble("/_blobs/*", "status", times=1, code=503)
    assert save(first, runner())["saved"]
    assert [r.status for r in fake.find("/_blobs/*", method="PUT")] == [503, 201]
    fake.trouble("/twirp/*GetCache*", "close", times=1)
    assert restore(second, runner())["restored"]
    assert fake.count("/twirp/*GetCache*") == 2
    (entry,) = fake.caches.entries
    there = f"{fake.url}/_blobs/{entry['id']}?sig={entry['sig']}"
    fake.trouble("/_blobs/*", "redirect", times=1, to=there, code=302)
    assert restore(second, runner())["restored"], "a download may be moved"
    assert all(r.header("authorization") is None for r in fake.find("/_blobs/*"))


# ---- CodeQL


def test_a_scan_goes_from_job_to_job(make_ghoard, fake, tmp_path, runner):
    one = Job(make_ghoard("one", fake), tmp_path / "a")
    one.env |= runner()
    one.scan()
    found = one("persist", "save", "--json", rc=0).json
    assert found["saved"] and found["entries"] == 1
    key = re.fullmatch(r"ghoard-codeql-([0-9a-f]{32,64})-([0-9a-f]{64})", found["key"])
    assert key, found
    two = Job(make_ghoard("two", fake), tmp_path / "b", one)
    two.env |= runner()
    two.check(rc=1)
    assert two("persist", "restore", "--json", rc=0).json == {
        "restored": True,
        "key": found["key"],
        "entries": 1,
    }
    said = two.check(rc=0)
    assert said["skip"] and said["trust"] == "local" and said["alerts"] == 2
    # another commit of the same sources, and another tree of the same configuration
    (two.tree / "app.py").write_text("print(2)\n")
    two.commit()
    assert two.check(rc=1)["skip"] is False
    assert two("persist", "restore", "--json", rc=0).json["entries"] == 0, "by prefix, and all is here"
    assert "kept already" in one("persist", "save", rc=1).out.decode()


def test_what_init_exports_is_of_no_matter(make_ghoard, fake, tmp_path, runner):
    """codeql-action/init sets variables that were not there when check looked: the key is still check's."""
    one = Job(make_ghoard("one", fake), tmp_path / "a")
    one.env |= runner()
    one.scan()
    one.env |= {"CODEQL_RAM": "6914", "CODEQL_THREADS": "2", "CODEQL_ACTION_VERSION": "4.31.0"}
    assert one("persist", "save", "--json", rc=0).json["saved"]
    two = Job(make_ghoard("two", fake), tmp_path / "b", one)
    two.env |= runner()
    assert two("persist", "restore", "--json", rc=0).json["restored"]
    assert two.check(rc=0)["skip"]
    one.key = (*one.key, "--queries", "security-extended")
    assert "no scan of this configuration" in one("persist", "save", rc=1).out.decode()


def test_only_this_stores_own_evidence_is_saved(make_ghoard, fake, tmp_path, runner):
    """What merely lies in the folder must not become evidence by a trip through the service."""
    one = Job(make_ghoard("one", fake), tmp_path / "a")
    one.env |= runner()
    one.scan()
    two = Job(make_ghoard("two", fake), tmp_path / "b", one)
    two.env |= runner()
    folder = two.ghoard.home / ".cache" / "codeql"
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(one.ghoard.home / ".cache" / "codeql", folder)
    assert two.check(rc=1)["skip"] is False, "a copied folder is no evidence"
    assert "no scan of this configuration" in two("persist", "save", rc=1).out.decode()
    assert fake.caches.keys() == []


def test_where_keys_are_trusted_an_unsigned_scan_stays_none(make_ghoard, fake, tmp_path, runner):
    one = Job(make_ghoard("one", fake), tmp_path / "a")
    one.env |= runner()
    one.scan()
    one("persist", "save", rc=0)
    two = Job(make_ghoard("two", fake), tmp_path / "b", one)
    two.env |= runner(GHOARD_CODEQL_KEY="11" * 32)
    assert two("persist", "restore", "--json", rc=0).json["entries"] == 0
    assert two.check(rc=1)["skip"] is False


def test_a_signed_scan_stays_signed(make_ghoard, fake, tmp_path, runner):
    key = {"GHOARD_CODEQL_KEY": "11" * 32}
    one = Job(make_ghoard("one", fake), tmp_path / "a")
    one.env |= runner(**key)
    one.scan()
    one("persist", "save", rc=0)
    two = Job(make_ghoard("two", fake), tmp_path / "b", one)
    two.env |= runner(**key)
    assert two("persist", "restore", "--json", rc=0).json["entries"] == 1
    assert two.check(rc=0)["trust"] == "signed"
