"""The daemon on a machine with others: no credential of its own, no web pages, control by the socket."""

import http.client
import json
import os
import socket
import subprocess

import pytest
import rig
from daemon import split
from rig import ISSUES, REPO

SECRET = "/repos/octocat/secret"
SOCKET_ONLY = ["/_ghoard/stats", "/_ghoard/stop", "/_ghoard/cache/forget"]


# -- credentials
@pytest.mark.parametrize("name", ["GH_TOKEN", "GITHUB_TOKEN"])
def test_a_credential_is_never_added(make_daemon, fake, unix, name):
    daemon = make_daemon(token=None, env={name: "alice-token"})
    answer = daemon.get(ISSUES, token=None, unix=unix)
    assert answer.status == 200 and fake.requests[-1].header("Authorization") is None
    assert daemon.get("/user", token=None, unix=unix).status == 401
    assert daemon.get(SECRET, token=None, unix=unix).status == 404
    assert daemon.get(ISSUES, token=None, unix=unix, method="POST", body=b'{"title":"x"}').status == 401
    query = b'{"query":"{ viewer { login } }"}'
    assert daemon.get("/graphql", token=None, unix=unix, method="POST", body=query).status in (401, 403)
    assert not [r for r in fake.requests if r.header("Authorization") or r.header("Cookie")]


def test_another_s_answer_needs_another_s_token(daemon, fake, unix):
    assert daemon.get(SECRET).status == 200
    for token, status in ((None, 404), ("bob-token", 404), ("no-such-token", 401)):
        answer = daemon.get(SECRET, token=token, unix=unix)
        assert answer.status == status and b"For few eyes" not in answer.body
        answer = daemon.get(SECRET, token=token, unix=unix, headers={"Cache-Control": "only-if-cached"})
        assert b"For few eyes" not in answer.body


@pytest.mark.parametrize("scheme", ["token", "Bearer", "bearer"])
def test_the_client_s_own_token_is_passed_on(daemon, fake, scheme):
    answer = daemon.get("/user", token=None, headers={"Authorization": f"{scheme} bob-token"})
    assert answer.json["login"] == "bob" and fake.requests[-1].token == "bob-token"


def test_two_authorizations_are_not_guessed_at(daemon, fake):
    head = b"GET /user HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    both = b"Authorization: token alice-token\r\nAuthorization: token bob-token\r\n\r\n"
    answer = split(daemon.raw(head + both))[0]
    sent = [v for r in fake.requests for k, v in r.headers if k.lower() == "authorization"]
    assert answer.status == 400 and not sent or answer.json["login"] == "alice" and len(sent) == 1


def test_proxy_and_hop_by_hop_fields_stay_here(daemon, fake):
    given = {
        "Connection": "keep-alive, X-Hop",
        "X-Hop": "1",
        "Keep-Alive": "timeout=5",
        "Proxy-Authorization": "Basic c2VjcmV0",
        "Proxy-Connection": "keep-alive",
        "TE": "trailers",
        "Upgrade": "h2c",
        "X-Stays": "1",
    }
    for method, path in (("GET", ISSUES), ("POST", ISSUES)):
        daemon.get(path, headers=given, method=method, body=b"{}" if method == "POST" else None)
        asked = {k.lower() for k, _ in fake.requests[-1].headers}
        for name in ("x-hop", "keep-alive", "proxy-authorization", "proxy-connection", "te", "upgrade"):
            assert name not in asked, (method, name)
    assert fake.requests[-1].header("X-Stays") == "1"


# -- web pages
@pytest.mark.parametrize(
    "sent",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "garbage"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "CROSS-SITE"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "none"},
    ],
)
def test_web_pages_are_refused_on_tcp(daemon, fake, sent):
    for method, path in (("GET", ISSUES), ("POST", ISSUES), ("GET", "/_ghoard/health"), ("OPTIONS", ISSUES)):
        answer = daemon.get(path, headers=sent, method=method, body=b"{}" if method == "POST" else None)
        assert answer.status == 403
        assert not [n for n in answer.headers if n.startswith("access-control-")]
    assert fake.count() == 0


def test_our_own_page_and_a_typed_address_are_let_in(daemon):
    own = daemon.url
    for sent in ({"Origin": own}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
        assert daemon.get("/_ghoard/health", headers=sent).status == 200
    assert daemon.get(ISSUES, headers={"Origin": "https://evil.example"}, unix=True).status == 200


@pytest.mark.parametrize("path", [ISSUES, "/user", "/rate_limit", f"{REPO}/nothing"])
def test_cors_headers_are_not_passed_on(daemon, path):
    for _ in range(2):
        for unix in (False, True):
            found = daemon.get(path, unix=unix).headers
            assert not [n for n in found if n.startswith("access-control-")]


# -- names
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:9014",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "api.github.com.evil.example",
        "xapi.github.com",
        "github.com.",
        "10.0.0.1",
        "[::2]",
        "0.0.0.0",
        "169.254.169.254",
        "metadata.google.internal",
    ],
)
def test_a_foreign_host_is_misdirected(daemon, fake, unix, host):
    for path in (ISSUES, "/_ghoard/health", "/_ghoard/metrics"):
        answer = daemon.get(path, headers={"Host": host}, unix=unix)
        assert answer.status == 421, (path, answer)
    assert fake.count() == 0


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:80", "[::1]:9014", "api.github.com"]
)
def test_our_names_are_answered(daemon, unix, host):
    assert daemon.get(ISSUES, headers={"Host": host}, unix=unix).status == 200


def test_the_upstream_s_name_is_answered(make_daemon, make_ghoard, fake):
    name = f"localhost:{fake.ports['tls']}"
    assert make_daemon().get(ISSUES, headers={"Host": name}).status == 200


def test_an_absolute_target_elsewhere_is_misdirected(daemon, fake, unix):
    for target in (b"http://evil.example/user", b"https://evil.example/", b"http://localhost@evil.example/"):
        for host in (b"localhost", b"evil.example"):
            head = b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (target, host)
            assert split(daemon.raw(head, unix))[0].status in (400, 421)
    assert fake.count() == 0


def test_an_absolute_target_of_ours_is_answered(daemon, unix):
    """RFC 9112 §3.2.2: a server takes the absolute form; its authority counts, not Host."""
    head = f"GET http://localhost{ISSUES} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert split(daemon.raw(head.encode(), unix))[0].status == 200


# -- control
def test_health_and_metrics_are_for_anybody(daemon, unix):
    health = daemon.get("/_ghoard/health", token=None, unix=unix)
    assert (health.status, health.body) == (200, b"ok\n")
    metrics = daemon.get("/_ghoard/metrics", token=None, unix=unix)
    assert metrics.status == 200 and metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"# TYPE ghoard_" in metrics.body


def test_metrics_hold_no_path_and_no_token(daemon, ghoard):
    for token in ("alice-token", "bob-token", "no-such-token"):
        daemon.get(SECRET, token=token)
        daemon.get(f"{ISSUES}?page=1&private=words", token=token)
    text = daemon.get("/_ghoard/metrics").body.decode()
    for word in ("-token", "octocat", "secret", "hello-world", "words", str(ghoard.home), str(ghoard.cache)):
        assert word not in text, word


@pytest.mark.parametrize("path", SOCKET_ONLY)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_rest_is_the_socket_s(daemon, fake, path, method):
    answer = daemon.get(path, method=method)
    assert answer.status in (403, 404)
    assert daemon.get("/_ghoard/health").status == 200, "it still runs"
    assert fake.count() == 0


def test_stats_on_the_socket(daemon):
    daemon.get(ISSUES)
    daemon.get(ISSUES)
    found = daemon.get("/_ghoard/stats", token=None, unix=True)
    assert found.status == 200 and found.headers["content-type"].startswith("application/json")
    assert isinstance(found.json, dict) and "alice-token" not in json.dumps(found.json)


@pytest.mark.parametrize("path", ["/_ghoard/stop", "/_ghoard/cache/forget"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_what_changes_something_takes_a_post(daemon, path, method):
    answer = daemon.get(path, unix=True, method=method)
    assert answer.status == 405
    assert daemon.get("/_ghoard/health", unix=True).status == 200


def test_stop_by_post(daemon):
    assert daemon.get("/_ghoard/stop", token=None, unix=True, method="POST", body=b"").status == 200
    assert daemon.wait(timeout=5) == 0


@pytest.mark.parametrize(
    "path", ["/_ghoard/nothing", "/_ghoardx", "/_ghoard/../user", "/_ghoard//stop", "/_ghoard/%73top"]
)
def test_unknown_control_paths_go_nowhere(daemon, fake, unix, path):
    assert daemon.get(path, unix=unix, method="POST", body=b"").status in (400, 403, 404)
    assert not [r for r in fake.requests if r.path.startswith("/user")]
    assert daemon.get("/_ghoard/health").status == 200


def test_control_paths_never_reach_github(daemon, fake, unix):
    for path in ("/_ghoard/health", "/_ghoard/stats", "/_ghoard/nothing", "/_ghoard", "/_ghoard?x"):
        daemon.get(path, unix=unix)
    assert fake.count() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can play another user")
def test_another_user_cannot_use_the_socket(daemon):
    os.chmod(daemon.socket.parent, 0o755)
    program = (
        "import socket,sys; s=socket.socket(socket.AF_UNIX)\n"
        "try: s.connect(sys.argv[1]); print('in')\n"
        "except PermissionError: print('out')"
    )
    command = ["/usr/bin/env", "python3", "-c", program, daemon.socket]
    run = subprocess.run(command, user=65534, group=65534, capture_output=True)
    assert run.stdout.strip() in (b"out", b"") and b"in\n" not in run.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can play another user")
def test_a_command_sends_no_token_to_another_user_s_socket(ghoard, fake, tmp_path):
    """Somebody listens where the daemon's socket is expected: `api` falls back to asking GitHub itself."""
    path = tmp_path / "other.sock"
    program = (
        "import socket,sys\ns=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()\n"
        "print('up',flush=1)\nwhile True:\n c,_=s.accept(); c.settimeout(2)\n"
        " try: print(c.recv(9999),flush=1)\n except OSError: pass"
    )
    os.chmod(tmp_path, 0o777)
    for parent in list(tmp_path.parents)[:-2]:
        os.chmod(parent, 0o755)
    other = subprocess.Popen(
        ["/usr/bin/python3", "-c", program, path], user=65534, group=65534, stdout=subprocess.PIPE
    )
    try:
        if other.stdout.readline() != b"up\n":
            pytest.skip("another user cannot run python here")
        os.chmod(path, 0o777)
        run = ghoard("--socket", path, "api", ISSUES, rc=0)
        assert len(run.json) == 7 and fake.count() == 1
        assert ghoard("--socket", path, "status").rc == 1
    finally:
        other.kill()
        heard = other.communicate()[0]
    assert b"alice-token" not in heard


def test_nothing_of_a_token_is_logged(make_daemon, fake):
    daemon = make_daemon("--log-level", "debug")
    daemon.get(ISSUES)
    daemon.get("/user?access_token=query-token", token="bob-token")
    daemon.raw(b"GET / HTTP/1.1\r\nAuthorization: token alice-token\r\nbroken\r\n\r\n")
    fake.down()
    daemon.get(REPO)
    assert daemon.errors and rig.BINARY
    for word in ("alice-token", "bob-token", "daemon-token", "query-token"):
        assert word not in daemon.errors


def test_the_socket_survives_a_flood_of_junk(daemon):
    for n in range(200):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(daemon.socket))
            sock.sendall(os.urandom(n * 20 + 1))
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    connection.request("GET", "/_ghoard/health")
    assert connection.getresponse().read() == b"ok\n"
    connection.close()
