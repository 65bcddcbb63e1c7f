"""go-github: a small program, built by clients.py."""

import json

import pytest


@pytest.mark.parametrize("way", ["plain", "enterprise"])
def test_go_github(daemon, client, program, twice, way):
    folder = client("go-github")
    env = {"BASE_URL": daemon.url, "TOKEN": "alice-token", "WAY": way}
    printed = twice(lambda: json.loads(program(folder / "list", **env)))
    assert printed == {
        "repo": "octocat/hello-world",
        "login": "alice",
        "issues": list(range(12, 0, -1)),
    }
