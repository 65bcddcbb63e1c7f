"""HTTPS_PROXY and NO_PROXY: the API as api.github.test, a name that only the proxy knows."""

import pytest
from rig import ISSUES, REPO

API = "https://api.github.test"


@pytest.fixture
def behind(ghoard):
    ghoard.url = API
    return ghoard


def test_the_proxy_carries_the_tunnel_and_sees_no_request(behind, fake, make_proxy):
    proxy = make_proxy()
    run = behind("api", REPO, env={"HTTPS_PROXY": proxy.url}, rc=0)
    assert run.json["name"] == "hello-world"
    (tunnel,) = proxy.tunnels
    assert (tunnel.method, tunnel.target, tunnel.status) == ("CONNECT", "api.github.test:443", 200)
    assert "authorization" not in tunnel.headers
    assert tunnel.headers["host"] == "api.github.test:443"
    assert fake.requests[0].token == "alice-token" and fake.requests[0].header("Proxy-Authorization") is None


def test_pages_share_one_tunnel(behind, make_proxy):
    proxy = make_proxy()
    assert (
        len(behind("api", "--paginate", f"{ISSUES}?per_page=3", env={"HTTPS_PROXY": proxy.url}, rc=0).json)
        == 7
    )
    assert len(proxy.tunnels) == 1


def test_lower_case_works_too(behind, make_proxy):
    proxy = make_proxy()
    behind("api", REPO, env={"https_proxy": proxy.url}, rc=0)
    assert len(proxy.tunnels) == 1


def test_a_hit_needs_no_proxy(behind, make_proxy):
    proxy = make_proxy()
    for _ in range(2):
        behind("api", REPO, env={"HTTPS_PROXY": proxy.url}, rc=0)
    assert len(proxy.tunnels) == 1


@pytest.mark.parametrize("pattern", ["localhost", "example.test,localhost", " localhost , other.test", "*"])
def test_no_proxy_goes_straight(ghoard, fake, make_proxy, pattern):
    proxy = make_proxy()
    ghoard("api", REPO, env={"HTTPS_PROXY": proxy.url, "NO_PROXY": pattern}, rc=0)
    assert proxy.tunnels == [] and fake.count() == 1


@pytest.mark.parametrize("pattern", ["github.test", ".github.test", "api.github.test"])
def test_no_proxy_matches_the_name_and_what_is_below_it(behind, make_proxy, pattern):
    """Going straight, the name does not resolve: that the proxy saw nothing is the proof."""
    proxy = make_proxy()
    behind("api", REPO, env={"HTTPS_PROXY": proxy.url, "NO_PROXY": pattern}, rc=4)
    assert proxy.tunnels == []


@pytest.mark.parametrize("pattern", ["hub.test", "other.test", "api.github.test.example", "localhost", ""])
def test_no_proxy_matches_no_other_name(behind, make_proxy, pattern):
    proxy = make_proxy()
    behind("api", REPO, env={"HTTPS_PROXY": proxy.url, "NO_PROXY": pattern}, rc=0)
    assert len(proxy.tunnels) == 1


def test_user_and_password_of_the_proxy(behind, make_proxy):
    proxy = make_proxy(user="someone", password="p@ss:word")
    behind("api", REPO, env={"HTTPS_PROXY": proxy.url.replace("//", "//someone:p%40ss%3Aword@")}, rc=0)
    assert proxy.tunnels[-1].status == 200


def test_a_407_is_one_sentence_that_hides_the_password(behind, fake, make_proxy):
    proxy = make_proxy(user="someone", password="right")
    line = behind(
        "api", REPO, env={"HTTPS_PROXY": proxy.url.replace("//", "//someone:wrong-word@")}, rc=4
    ).one_line()
    assert "407" in line or "proxy" in line.lower()
    assert "wrong-word" not in line
    assert fake.count() == 0 and behind.entries() == []


@pytest.mark.parametrize("status", [403, 502, 503])
def test_a_refusal_is_one_sentence_that_names_the_proxy(behind, fake, make_proxy, status):
    proxy = make_proxy()
    proxy.refuse = status
    line = behind("api", REPO, env={"HTTPS_PROXY": proxy.url}, rc=4).one_line()
    assert "proxy" in line.lower() and fake.count() == 0


@pytest.mark.parametrize(
    "raw", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000]
)
def test_a_proxy_that_talks_nonsense(behind, make_proxy, raw):
    proxy = make_proxy()
    proxy.raw = raw
    assert behind("api", REPO, env={"HTTPS_PROXY": proxy.url}, rc=4).one_line()


def test_a_proxy_that_is_not_there(behind, fake):
    fake.down("assets")
    line = behind(
        "api", REPO, env={"HTTPS_PROXY": f"http://127.0.0.1:{fake.ports['assets']}"}, rc=4
    ).one_line()
    assert "proxy" in line.lower()


def test_the_certificate_is_checked_through_the_tunnel(behind, fake, make_proxy):
    proxy = make_proxy()
    fake.tls("wrong-host")
    proxy.routes["api.github.test:443"] = ("127.0.0.1", fake.ports["wrong-host"])
    assert behind("api", REPO, env={"HTTPS_PROXY": proxy.url}, rc=4).one_line()
    assert fake.count() == 0


def test_a_certificate_for_all_names_below(behind, fake, make_proxy):
    proxy = make_proxy()
    fake.tls("wildcard")
    proxy.routes["api.github.test:443"] = ("127.0.0.1", fake.ports["wildcard"])
    assert behind("api", REPO, env={"HTTPS_PROXY": proxy.url}, rc=0).json["name"] == "hello-world"


def test_a_redirect_to_another_host_loses_the_token(behind, fake, make_proxy):
    proxy = make_proxy()
    run = behind("api", f"{REPO}/tarball/main", env={"HTTPS_PROXY": proxy.url}, rc=0)
    assert run.out.startswith(b"asset /octocat/hello-world/legacy.tar.gz")
    assert [t.target for t in proxy.tunnels] == ["api.github.test:443", "codeload.github.test:443"]
    assert fake.find(listener="assets")[0].header("Authorization") is None
