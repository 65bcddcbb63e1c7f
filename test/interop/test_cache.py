"""The official client of the Actions cache beside ghoard's, on one stand-in, which it shows to be right."""

import json
import os
import shutil

import pytest
import rig
from conftest import HERE

SECRET = "an invented secret of the tests, long enough"


@pytest.fixture
def runtime(fake, tmp_path):
    """What a JavaScript action has in its environment."""
    (tmp_path / "runner").mkdir()
    return {
        "ACTIONS_RESULTS_URL": f"{fake.http}/",
        "ACTIONS_CACHE_URL": f"{fake.http}/",
        "ACTIONS_RUNTIME_TOKEN": fake.caches.token(),
        "ACTIONS_CACHE_SERVICE_V2": "true",
        "GITHUB_REPOSITORY": "octocat/hello-world",
        "GITHUB_RUN_ID": "77",
        "GITHUB_WORKSPACE": str(tmp_path / "runner"),
        "RUNNER_TEMP": str(tmp_path / "runner"),
    }


@pytest.fixture
def official(client, program, home, runtime):
    """official(WHAT, env…): what the script found."""
    folder = client("actions-cache")

    def run(what, **env):
        # the packages are found beside the script, and what it packs lies in its own folder
        for name in ("node_modules", "package.json"):
            if not (home / name).exists():
                os.symlink(folder / name, home / name)
        shutil.copy(HERE / "cache.mjs", home / "cache.mjs")
        env = {**runtime, "GITHUB_WORKSPACE": home, "WHAT": what, **env}
        program("node", home / "cache.mjs", **env, seconds=60)
        return json.loads((home / "done.json").read_text())

    return run


def test_the_official_client_is_content_with_the_stand_in(official, fake):
    found = official("roundtrip")
    assert found["feature"] is True and found["none"] is None and found["other"] is None
    assert found["id"] > 0 and found["again"] in (-1, "ReserveCacheError")
    assert found["exact"] == "a-1" and found["newest"] == "a-2"
    assert found["text"] == "kept by the official client"
    assert fake.caches.keys() == ["a-1", "a-2"]


def test_a_token_that_only_reads(official, fake):
    token = fake.caches.token(scopes=(("refs/heads/main", 1),))
    found = official("roundtrip", ACTIONS_RUNTIME_TOKEN=token)
    assert found["id"] == -1 and found["exact"] is None and fake.caches.keys() == []


def test_each_reads_what_the_other_kept(official, fake, runtime, tmp_path, home):
    ghoard = rig.Ghoard(tmp_path / "one", fake)
    ghoard.api("/repos/octocat/hello-world", rc=0)
    env = {**runtime, "GHOARD_PERSIST_SECRET": SECRET}
    assert ghoard("cache", "persist", "save", env=env, rc=0)
    (kept,) = fake.caches.entries
    name = {"KEY": kept["key"], "VERSION": kept["version"], "FILE": home / "archive"}
    assert official("receive", **name)["key"] == "ghoard-api-77"
    assert (home / "archive").read_bytes() == kept["data"]
    # the same bytes, key and version, this time kept by the official client
    fake.caches.entries = []
    assert official("send", **name)["ok"] is True
    (again,) = fake.caches.entries
    assert again is not kept and again["data"] == kept["data"] and again["version"] == kept["version"]
    other = rig.Ghoard(tmp_path / "two", fake)
    found = other("cache", "persist", "restore", "--json", env=env, rc=0).json
    assert found == {"restored": True, "key": "ghoard-api-77", "entries": 1}


def test_both_ask_alike(official, fake, runtime, tmp_path, home):
    """The same calls in the same order, with the same members, and the same header that makes a blob."""
    ghoard = rig.Ghoard(tmp_path / "one", fake)
    ghoard.api("/repos/octocat/hello-world", rc=0)
    fake.forget()
    env = {**runtime, "GHOARD_PERSIST_SECRET": SECRET}
    ghoard("cache", "persist", "save", env=env, rc=0)
    ghoard("cache", "persist", "restore", env=env, rc=0)
    ours = [seen(r) for r in fake.requests]
    fake.forget()
    fake.caches.entries = []
    (home / "archive").write_bytes(b"x" * 100)
    official("send", KEY="k", VERSION="v", FILE=home / "archive")
    official("receive", KEY="k", VERSION="v", FILE=home / "other")
    theirs = [seen(r) for r in fake.requests]
    ours[3] = (*ours[3][:2], ours[3][2] - {"restore_keys"}, *ours[3][3:])  # the script gives none
    assert ours == theirs


def seen(request):
    members = frozenset(json.loads(request.body)) if "twirp" in request.path else frozenset()
    kind = request.header("content-type") if request.method != "GET" else None
    return (
        request.method,
        request.path.rpartition("/")[0],
        members,
        kind,
        (request.header("authorization") or "").partition(" ")[0],
        request.header("x-ms-blob-type"),
    )
