"""Hosts to which GitHub sends its clients: passed through on the socket, without what is not theirs."""

import os

import pytest
from daemon import split
from scripted import Scripted

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


# -- an Enterprise Server: one host for the API and the rest
@pytest.fixture
def server(make_daemon, make_ghoard):
    """(upstream, daemon, its authority) of one that has its API below /api/v3."""
    upstream = Scripted(lambda asked: (200, {"ETag": '"x"'}, b'{"at": "%s"}' % asked.target.encode()))
    ghoard = make_ghoard("server", url=f"{upstream.url}/api/v3")
    yield upstream, make_daemon(on=ghoard), upstream.url.removeprefix("http://")
    upstream.close()


BESIDE = ["/api/uploads/repos/o/r/releases/1/assets?name=a", "/o/r/archive/main.zip", "/storage/x"]
BESIDE += ["/o/r/releases/download/v1/a", "/_codeload/o/r/zip/main"]


@pytest.mark.parametrize("target", BESIDE)
def test_beside_the_api_of_a_server(server, target):
    upstream, daemon, authority = server
    for _ in range(2):
        answer = ask(daemon, authority, target, *SECRETS)
        assert answer.status == 200 and answer.cache == {"fwd": "bypass"}
    assert [a.target for a in upstream.log] == [target] * 2
    assert upstream.log[0].headers["authorization"] == "token alice-token"
    assert ask(daemon, authority, target, unix=False).status in (200, 421) and not daemon.ghoard.entries()


@pytest.mark.parametrize("target", ["/api/v3/repos/o/r", "/repos/o/archive", "/repos/o/r/releases"])
def test_the_api_of_a_server(server, target):
    upstream, daemon, authority = server
    for _ in range(2):
        answer = ask(daemon, authority, target, SECRETS[0], CLOSE)
    assert answer.cache["hit"] is True
    assert [a.target for a in upstream.log] == ["/api/v3" + target.removeprefix("/api/v3")]


def test_the_command_asks_a_server_through_the_daemon(server):
    upstream, daemon, _ = server
    daemon.ghoard("--socket", daemon.socket, "api", "/repos/o/r", rc=0)
    assert [a.target for a in upstream.log] == ["/api/v3/repos/o/r"]
    assert daemon.get("/repos/o/r", unix=True).cache["hit"] is True


@pytest.mark.parametrize("any_address", [False, True])
def test_called_by_an_address(make_daemon, fake, any_address):
    """With --listen-any: a name would let a web page in by DNS, an address cannot."""
    daemon = make_daemon("--listen-any", listen="0.0.0.0:0") if any_address else make_daemon()
    for host in ("192.0.2.7:9014", "[2001:db8::1]:9014"):
        answer = ask(daemon, host, "/repos/octocat/hello-world", *SECRETS, unix=False)
        assert answer.status == (200 if any_address else 421)
    assert ask(daemon, "rebound.example", "/repos/octocat/hello-world", unix=False).status == 421
