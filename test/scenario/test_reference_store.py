"""Stores of the Python reference can be read, and what ghoard writes is what the reference requires."""

import base64
import json
import pathlib
import time

import pytest
from rig import ISSUES, REPO, cid, content_hash

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "reference" / "github-api-p2p"

# operation and arguments as `cache get` takes them, the reference's file name, data, validation fields,
# content_hash (a plain SHA-256, which the reference writes where its multiformats library is missing)
ENTRIES = {
    "repo": (
        ["get_repo_info", "octo", "hello"],
        "get_repo_info_octo_hello.json",
        {
            "name": "hello",
            "updatedAt": "2026-11-01T00:00:00Z",
            "pushedAt": "2026-11-02T00:00:00Z",
            "stargazerCount": 42,
            "ratio": 0.1,
            "big": 12345678901234567890,
        },
        {"updatedAt": "2026-11-01T00:00:00Z", "pushedAt": "2026-11-02T00:00:00Z"},
        "91b5fc71e373277da770d6c400d82953ab08e23554bbd2837737ac30f1e85364",
    ),
    "runner": (
        ["get_runner_status", "octo", "hello", "runner_id=3"],
        "get_runner_status_octo_hello_runner_id=3.json",
        {"id": 3, "name": "runner-17", "status": "online", "busy": False},
        {"status": "online", "busy": False},
        "79d81d93e7977ed3e0a52e9dd2d3cfa204cc5d44f97d8d094144c28bd7127ea0",
    ),
    "runs": (
        ["get_workflow_runs", "octo", "hello", "limit=20"],
        "get_workflow_runs_octo_hello_limit=20.json",
        [
            {
                "databaseId": 7,
                "status": "completed",
                "conclusion": "success",
                "updatedAt": "2026-11-03T00:00:00Z",
            }
        ],
        {"7": {"status": "completed", "conclusion": "success", "updatedAt": "2026-11-03T00:00:00Z"}},
        "ae73cc43cd7c9cbdd93bc8e63bc495f4d0735f67426f3b687844c5a7605bd481",
    ),
    "repos": (
        ["list_repos", "owner=octo", "limit=10"],
        "list_repos_limit=10_owner=octo.json",
        [
            {
                "name": "hello",
                "url": "https://github.com/octo/hello",
                "updatedAt": "2026-11-01T00:00:00Z",
                "pushedAt": "2026-11-02T00:00:00Z",
            },
            {"name": "naïve-☃", "updatedAt": None, "pushedAt": "2026-10-02T00:00:00Z"},
        ],
        {
            "hello": {"updatedAt": "2026-11-01T00:00:00Z", "pushedAt": "2026-11-02T00:00:00Z"},
            "naïve-☃": {"updatedAt": None, "pushedAt": "2026-10-02T00:00:00Z"},
        },
        "e155b4b2eed191b2b895402e73b04d519b0f3692f52cc768ca2e908f83bff03b",
    ),
    "prompt": (
        ["copilot_completion", 'why / is * fast? "x"'],
        'copilot_completion_why _ is _ fast? "x".json',
        {"text": "line\nline \u2028 \U0001f5dd\ufe0f"},
        None,
        None,
    ),
}


def write(ghoard, which, ttl=1_000_000_000, age=0, hashed=None, **more):
    """An entry as the reference writes it, in its older form: the key is in the name alone."""
    _, name, data, fields, plain = ENTRIES[which]
    ghoard.cache.mkdir(mode=0o700, exist_ok=True)
    hashed = hashed(fields) if hashed and fields else plain
    path = ghoard.cache / name
    path.write_text(
        json.dumps(
            {
                **more,
                "data": data,
                "timestamp": time.time() - age,
                "ttl": ttl,
                "content_hash": hashed,
                "validation_fields": fields,
            }
        )
    )
    return path


@pytest.mark.parametrize("which", ENTRIES)
def test_entries_of_the_reference_are_read(ghoard, fake, which):
    path = write(ghoard, which)
    before = path.read_bytes()
    asked, _, data, _, _ = ENTRIES[which]
    assert ghoard("cache", "get", *asked, rc=0).json == data
    assert path.read_bytes() == before and fake.count() == 0


@pytest.mark.parametrize("which", ["repo", "runs"])
def test_a_content_hash_may_be_a_cid(ghoard, which):
    write(ghoard, which, hashed=content_hash)
    asked, _, data, _, _ = ENTRIES[which]
    assert ghoard("cache", "get", *asked, rc=0).json == data


def test_big_numbers_come_through_unchanged(ghoard):
    write(ghoard, "repo")
    assert b"12345678901234567890" in ghoard("cache", "get", "get_repo_info", "octo", "hello", rc=0).out


def test_the_order_of_named_arguments_does_not_matter(ghoard):
    write(ghoard, "repos")
    for asked in (["limit=10", "owner=octo"], ["owner=octo", "limit=10"]):
        assert len(ghoard("cache", "get", "list_repos", *asked, rc=0).json) == 2


def test_what_is_not_there_is_exit_1(ghoard):
    assert ghoard("cache", "get", "get_repo_info", "octo", "nowhere", rc=1).out == b""


def test_an_old_entry_is_a_miss_unless_stale_is_allowed(ghoard):
    write(ghoard, "repo", ttl=300, age=400)
    assert ghoard("cache", "get", "get_repo_info", "octo", "hello", rc=1).out == b""
    assert ghoard("cache", "get", "get_repo_info", "octo", "hello", "--stale", rc=0).json["name"] == "hello"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"data": 1}',
        '{"data": {}, "timestamp": "x", "ttl": 5}',
        '{"data": ' + "[" * 100000,
    ],
)
def test_a_broken_entry_is_a_miss(ghoard, text):
    write(ghoard, "repo").write_text(text)
    ghoard("cache", "get", "get_repo_info", "octo", "hello", rc=1)


def test_a_wrong_content_hash_is_never_served(ghoard):
    path = write(ghoard, "repo")
    path.write_text(path.read_text().replace("91b5fc71", "00b5fc71"))
    ghoard("cache", "get", "get_repo_info", "octo", "hello", rc=1)


def test_an_entry_by_name_never_answers_a_request(ghoard, fake):
    write(ghoard, "repo")
    ghoard("api", "/repos/octo/hello", rc=1)
    ghoard("api", "/repos/octo/hello", offline=True, rc=4)


def required(entry):
    """What the reference reads with Python's json, by name and type."""
    assert {"cache_key", "data", "timestamp", "ttl", "content_hash", "validation_fields"} <= set(entry)
    assert list(entry)[-1] == "data"
    assert isinstance(entry["timestamp"], (int, float)) and abs(entry["timestamp"] - time.time()) < 60
    assert isinstance(entry["ttl"], (int, float))
    if entry["validation_fields"] is None:
        assert entry["content_hash"] is None
    else:
        assert entry["content_hash"] == content_hash(entry["validation_fields"])


def test_what_api_writes_is_what_the_reference_requires(ghoard, fake):
    for path in (
        REPO,
        ISSUES,
        f"{REPO}/actions/runs",
        f"{REPO}/actions/runners/1",
        f"{REPO}/actions/workflows",
        "/user/repos",
    ):
        out = ghoard("api", path, rc=0).out
        entry = ghoard.entry(path)
        required(entry)
        assert entry["data"] == json.loads(out)
        own = entry["ghoard"]
        assert own["v"] == 1 and own["status"] == 200 and own["cid"] == cid(out) and own["encoding"] == "json"
        assert len(own["auth"]) == 32 and len(own["proof"]) == 32
        assert not {n.lower() for n, _ in own["headers"]} & {
            "x-oauth-scopes",
            "x-ratelimit-remaining",
            "x-github-request-id",
        }


def test_the_file_s_tail_is_the_body_itself(ghoard):
    out = ghoard("api", REPO, rc=0).out
    ((path, _),) = ghoard.entries()
    assert path.read_bytes().rstrip().endswith(b'"data":' + out + b"}")


def test_a_body_that_is_no_json_is_base64(ghoard, fake):
    path = f"{REPO}/contents/README.md"
    out = ghoard("api", path, "-H", "Accept: application/vnd.github.raw+json", rc=0).out
    entry = ghoard.entry(path)
    assert entry["ghoard"]["encoding"] == "base64" and base64.b64decode(entry["data"]) == out
    assert entry["ghoard"]["cid"] == cid(out)


@pytest.mark.parametrize("which", ENTRIES)
def test_put_and_get_by_name(ghoard, which):
    asked, _, data, _, _ = ENTRIES[which]
    text = json.dumps(data).encode()
    ghoard("cache", "put", *asked, "--ttl", "60", input=text, rc=0)
    assert ghoard("cache", "get", *asked, rc=0).json == data
    found = [e for _, e in ghoard.entries()]
    assert len(found) == 1 and found[0]["ttl"] == 60 and found[0]["data"] == data
    required(found[0])
    operation, *rest = asked
    assert found[0]["cache_key"] == ":".join(
        [operation, *[a for a in rest if "=" not in a], *sorted(a for a in rest if "=" in a)]
    )


def test_put_computes_the_reference_s_fields_and_hash(ghoard):
    for which in ("repo", "runner", "runs", "repos"):
        asked, _, data, fields, _ = ENTRIES[which]
        ghoard("cache", "put", *asked, input=json.dumps(data).encode(), rc=0)
        (entry,) = [e for _, e in ghoard.entries() if e["cache_key"].startswith(asked[0] + ":")]
        assert entry["validation_fields"] == fields and entry["content_hash"] == content_hash(fields)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the reference's own files do not stand beside the checkout")
@pytest.mark.parametrize("which", ["repo", "runner", "runs", "repos"])
def test_files_that_the_reference_itself_wrote(ghoard, which):
    asked, name, data, _, _ = ENTRIES[which]
    ghoard.cache.mkdir(mode=0o700)
    (ghoard.cache / name).write_bytes((SHARED / name).read_bytes())
    assert ghoard("cache", "get", *asked, rc=0).json == data
