"""gh, the distribution's and a current one, over its setting http_unix_socket."""

import pytest

REPO = "octocat/hello-world"
QUERY = """
query($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) { nameWithOwner issues(first: 5) { nodes { title } } }
}
"""


@pytest.fixture(params=["gh", "gh-current"])
def gh(request, client, named, program, home):
    """gh(ARGUMENTS…): what it printed; it knows the daemon from its own config.yml and has alice's token."""
    folder = client(request.param)
    config = home / "gh"
    config.mkdir()
    (config / "config.yml").write_text(f"git_protocol: https\nhttp_unix_socket: {named.socket}\n")
    command = "gh" if request.param == "gh" else folder / "gh"
    quiet = {"GH_NO_UPDATE_NOTIFIER": "1", "GH_PROMPT_DISABLED": "1", "GH_TELEMETRY": "false"}

    def run(*arguments):
        return program(command, *arguments, GH_CONFIG_DIR=config, GH_TOKEN="alice-token", **quiet)

    return run


def test_api(gh, twice):
    printed = twice(lambda: gh("api", f"repos/{REPO}", "--jq", ".full_name, .permissions.pull"))
    assert printed == f"{REPO}\ntrue\n"


def test_api_paginate(gh, fake, twice):
    pages = f"repos/{REPO}/issues?per_page=3"
    printed = twice(lambda: gh("api", "--paginate", pages, "--jq", ".[].number"))
    assert printed.split() == [str(n) for n in range(12, 0, -1)]


def test_api_graphql(gh, twice):
    printed = twice(
        lambda: gh("api", "graphql", "-f", f"query={QUERY}", "-f", "owner=octocat", "-f", "name=hello-world")
    )
    assert f'"nameWithOwner":"{REPO}"' in printed and '"Issue 5"' in printed


def test_repo_view(gh, twice):
    printed = twice(lambda: gh("repo", "view", REPO))
    assert "My first repository on GitHub!" in printed and "# hello-world" in printed


def test_repo_view_json(gh, twice):
    printed = twice(lambda: gh("repo", "view", REPO, "--json", "nameWithOwner,description,stargazerCount"))
    assert '"stargazerCount":42' in printed


def hosts(fake):
    return [r.header("Host") for r in fake.requests if r.header("Host") != "api.github.com"]


def test_release_download(gh, fake, home, twice):
    """The asset's own address leads to another host for a while only, and is therefore asked every time."""
    asset = fake.model.repo(REPO).releases[0]["asset"]["id"]

    def script():
        gh("release", "download", "v1.0", "-R", REPO, "-p", "file.bin", "-D", home, "--clobber")
        return (home / "file.bin").read_bytes()

    printed = twice(script, always=[f"GET /repos/{REPO}/releases/assets/{asset}"])
    assert printed == f"asset /assets/{asset}\n".encode() * 20
    (there,) = [r for r in fake.requests if r.header("Host") == "objects.githubusercontent.com"]
    assert there.token is None, "the token went to the host of the assets"


def test_release_download_archive(gh, fake, home, twice):
    def script():
        gh("release", "download", "v1.0", "-R", REPO, "--archive", "tar.gz", "-D", home, "--clobber")
        return (home / "archive.tar.gz").read_bytes()

    printed = twice(script, always=[f"GET /repos/{REPO}/tarball/v1.0"])
    assert printed.startswith(b"asset /octocat/hello-world/")
    (there,) = [r for r in fake.requests if r.header("Host") == "codeload.github.com"]
    assert there.token is None, "the token went to the host of the archives"
