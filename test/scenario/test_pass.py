"""Hosts to which GitHub sends its clients: passed through on the socket, without what is not theirs."""

import os

import pytest
from daemon import split

HOSTS = ("api.github.com", "codeload.github.com", "objects.githubusercontent.com", "uploads.github.com")
TARBALL = "/octocat/hello-world/legacy.tar.gz/refs/heads/main"
CLOSE = "Connection: close"


@pytest.fixture
def named(make_daemon, make_ghoard, fake):
    """The daemon of an api.github.com that is the stand-in."""
    address = f"127.6.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"
    try:
        fake.as_github(address)
    except PermissionError:
        pytest.skip("listening on port 443 is not allowed here: these hosts have no other port")
    resolve = [a for host in HOSTS for a in ("--resolve", f"{host}:443:{address}")]
    return make_daemon(*resolve, on=make_ghoard("named", fake, url="https://api.github.com"))


def ask(daemon, host, target, *lines, method="GET", body=b"", unix=True):
    head = "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", *(lines or (CLOSE,)), "", ""])
    return split(daemon.raw(head.encode() + body, unix=unix))[-1]


SECRETS = ("Authorization: token alice-token", "Cookie: a=b", CLOSE)


def test_a_download_is_passed_through_without_secrets(named, fake):
    answer = ask(named, "codeload.github.com", TARBALL, *SECRETS)
    assert answer.status == 200 and set(answer.body.split()) == {b"asset", TARBALL.encode()}
    assert answer.cache == {"fwd": "bypass"}
    (seen,) = fake.find(TARBALL)
    assert seen.header("Authorization") is None and seen.header("Cookie") is None
    assert seen.header("Host") == "codeload.github.com" and "alice-token" not in named.errors


def test_uploads_get_the_token(named, fake):
    ask(named, "uploads.github.com", TARBALL, *SECRETS)
    (seen,) = fake.find(TARBALL)
    assert seen.header("Authorization") == "token alice-token" and seen.header("Cookie") == "a=b"


def test_what_the_clients_connection_names_stays_here(named, fake):
    lines = ["X-Hop: 1", "X-Stay: 2", "Connection: close, X-Hop", "Keep-Alive: timeout=5", "TE: trailers"]
    ask(named, "codeload.github.com", TARBALL, *lines)
    (seen,) = fake.find(TARBALL)
    assert seen.header("X-Hop") is None and seen.header("X-Stay") == "2"
    assert seen.header("Keep-Alive") is None and seen.header("TE") is None


def test_nothing_of_it_is_kept(named, fake):
    for _ in range(4):
        ask(named, "codeload.github.com", TARBALL)
    assert fake.count(TARBALL) == 4 and not named.ghoard.entries()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_is_written_to_a_host_of_downloads(named, fake, method):
    answer = ask(named, "codeload.github.com", TARBALL, CLOSE, "Content-Length: 2", method=method, body=b"hi")
    assert answer.status == 421 and fake.count() == 0


@pytest.mark.parametrize("host", HOSTS[1:])
def test_not_on_tcp(named, fake, host):
    assert ask(named, host, TARBALL, unix=False).status == 421 and fake.count() == 0


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "githubusercontent.com",
        "xgithubusercontent.com",
        "githubusercontent.com.evil.example",
        "codeload.github.com.evil.example",
        "blob.core.windows.net",
        "169.254.169.254",
    ],
)
def test_other_hosts_are_not_ours(named, fake, host):
    assert ask(named, host, TARBALL).status == 421 and fake.count() == 0


def test_the_host_is_down(named, fake):
    fake.down("github")
    answer = ask(named, "codeload.github.com", TARBALL)
    assert answer.status == 502 and b"did not answer" in answer.body
