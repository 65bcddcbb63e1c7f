"""@octokit/rest with its paginate plugin, and @actions/github: base address of the TCP listener."""

import json
import shutil

import clients
import pytest
from conftest import HERE


@pytest.fixture(params=list(clients.NPM))
def node(request, client, program):
    """node(SCRIPT, env…): the JSON it printed. The script lies where its packages are found."""
    folder = client(request.param)

    def run(script, **env):
        shutil.copy(HERE / script, folder / script)
        return json.loads(program("node", folder / script, TOKEN="alice-token", **env))

    return run


def check(printed):
    assert printed["repo"] == "octocat/hello-world" and printed["login"] == "alice"
    assert printed["issues"] == list(range(12, 0, -1))
    assert printed["stars"] == 42


def test_octokit_rest(daemon, node, twice):
    check(twice(lambda: node("octokit.mjs", BASE_URL=daemon.url)))


def test_actions_github(daemon, node, twice):
    env = {"GITHUB_API_URL": daemon.url, "GITHUB_GRAPHQL_URL": f"{daemon.url}/graphql"}
    check(twice(lambda: node("actions.mjs", **env)))
