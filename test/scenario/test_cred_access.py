"""Who may have a credential: the token is shown to GitHub, by this process, where the vault's owner says."""

import json
import socketserver
import subprocess
import threading
import time

import pytest
from credrig import Vault
from rig import BINARY

REPO = "octocat/hello-world"


@pytest.fixture
def vault(make_ghoard, fake, tmp_path):
    """Policy `require`, asked at the stand-in."""
    fake.model.add_repo("octocat/locked", private=True, readers=("alice",))
    made = Vault(make_ghoard("plain"), tmp_path / "credentials", "--upstream", fake.url, "--ca-file", fake.ca)
    made.set("FREE", "for all")
    for repo in (REPO, "octocat/locked"):
        made.set("T", f"of {repo}", "--scope", "repo", "--filter", repo)
    return made


def asked(fake):
    return [r for r in fake.requests if "/repos/" in r.path or "/installation/" in r.path]


def test_writers_and_readers(vault, fake):
    # octocat owns hello-world; alice can read it as everybody can, and reads the private one
    fake.model.add_token("octocat-token", "octocat")
    assert vault("get", "T", "--repo", REPO, token="octocat-token", rc=0).out == f"of {REPO}".encode()
    run = vault("get", "T", "--repo", REPO, token="alice-token", rc=1)
    assert "everybody" in run.err and not run.out
    assert (
        vault("get", "T", "--repo", "octocat/locked", token="alice-token", rc=0).out == b"of octocat/locked"
    )
    assert "404" in vault("get", "T", "--repo", "octocat/locked", token="bob-token", rc=1).err
    assert "401" in vault("get", "T", "--repo", REPO, token="nobody", rc=1).err
    assert "no token" in vault("get", "T", "--repo", REPO, rc=1).err
    assert vault("get", "FREE", rc=0).out == b"for all"
    told = [(e["action"], e["details"]["access"]) for e in vault.audit() if e["action"].startswith("access")]
    assert told == [
        ("access_granted", "shown"),
        ("access_denied", "refused"),
        ("access_granted", "shown"),
        ("access_denied", "refused"),
        ("access_denied", "refused"),
        ("access_denied", "no token"),
        ("access_granted", "not needed"),
    ]


class Door(socketserver.BaseRequestHandler):
    """A proxy that lets nobody through, and keeps whom they asked for."""

    def handle(self):
        self.server.seen.append(self.request.recv(4096).split(b"\r\n")[0].decode())


@pytest.fixture
def door():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Door) as server:
        server.seen = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("server", ["https://ghes.corp", "https://octocorp.ghe.com/", "github.com"])
def test_a_token_of_another_server_is_not_for_github_com(make_ghoard, tmp_path, door, server):
    """Without an upstream of the owner's it is github.com that is asked, which this token is not for."""
    vault = Vault(make_ghoard("plain"), tmp_path / "credentials")
    vault.set("T", "value", "--scope", "repo", "--filter", REPO)
    proxy = ("--repo", REPO, "--proxy", f"http://127.0.0.1:{door.server_address[1]}")
    env = {"GITHUB_SERVER_URL": server, "GITHUB_API_URL": "https://ghes.corp/api/v3"}
    for access in ("prefer", "require"):
        run = vault("get", "T", *proxy, "--access", access, token="ghs_enterprise", env=env, rc=1)
        assert "upstream.url" in run.err and "/etc/ghoard" in run.err and server in run.err
        assert not run.out
    assert door.seen == []
    assert [e["details"]["access"] for e in vault.audit(action="access_denied")] == ["refused"] * 2
    # its own token may go there, and where the owner says
    run = vault("get", "T", *proxy, token="ghs_x", env={"GITHUB_SERVER_URL": "https://GitHub.com"}, rc=None)
    assert door.seen[-1].startswith("CONNECT api.github.com:443")
    vault("get", "T", *proxy, "--upstream", "https://ghes.corp/api/v3", token="ghs_y", env=env, rc=None)
    assert door.seen[-1].startswith("CONNECT ghes.corp:443")


def test_scope_and_expiry_come_first(vault, fake):
    vault.set("OLD", "x", "--scope", "repo", "--filter", REPO, "--ttl", "1s")
    time.sleep(1.1)
    before = len(fake.requests)
    assert "expired" in vault("get", "OLD", "--repo", REPO, token="octocat-token", rc=1).err
    assert "another" in vault("get", "T", "--repo", "o/r", token="octocat-token", rc=1).err
    assert len(fake.requests) == before


def test_a_yes_is_remembered(vault, fake):
    fake.model.add_token("octocat-token", "octocat")
    before = len(fake.requests)
    for _ in range(3):
        vault("get", "T", "--repo", REPO, token="octocat-token", rc=0)
    assert len(fake.requests) == before + 1
    # a revoked token lives on for that minute, another one does not
    fake.model.revoke("octocat-token")
    vault("get", "T", "--repo", REPO, token="octocat-token", rc=0)
    (vault.folder / ".access").unlink()
    vault("get", "T", "--repo", REPO, token="octocat-token", rc=1)
    # what is planted there counts nothing
    (vault.folder / ".access").write_text(f"y {time.time_ns() // 1000} {'0' * 64} {'0' * 64}\n")
    vault("get", "T", "--repo", REPO, token="octocat-token", rc=1)


def test_an_installation_must_list_it(vault, fake):
    fake.model.add_token("ghs_installation", "octocat")
    assert vault("get", "T", "--repo", REPO, token="ghs_installation", rc=0).out
    assert any("/installation/repositories" in r.path for r in fake.requests)
    fake.model.add_token("ghs_other", "bob")
    assert "does not list" in vault("get", "T", "--repo", "octocat/locked", token="ghs_other", rc=1).err


@pytest.mark.parametrize("policy, rc", [("prefer", 0), ("require", 1)])
def test_no_answer(vault, fake, policy, rc):
    fake.trouble(f"/repos/{REPO}", "slow-head", delay=6)
    begin = time.monotonic()
    run = vault("get", "T", "--repo", REPO, "--access", policy, token="octocat-token", rc=rc)
    first = time.monotonic() - begin
    assert 1.5 < first < 4, first
    line = vault.audit()[-1]
    assert line["details"]["access"] == "no answer"
    if policy == "prefer":
        assert run.out == f"of {REPO}".encode() and "noted" in run.err
        begin = time.monotonic()
        vault("get", "T", "--repo", REPO, "--access", policy, token="octocat-token", rc=0)
        assert time.monotonic() - begin < 1, "asked again within 10 s"


@pytest.mark.parametrize("code, rc", [(500, 0), (503, 0), (429, 1), (401, 1), (403, 1), (404, 1), (301, 1)])
def test_what_an_answer_means(vault, fake, code, rc):
    fake.trouble(f"/repos/{REPO}", "status", code=code, body=b'{"message":"No"}')
    vault("get", "T", "--repo", REPO, token="octocat-token", rc=rc)


def test_a_hostile_job_gains_nothing(vault, make_ghoard, fake, tmp_path):
    """Its own server says yes to everything; its variables and its checkout point there."""
    from fake import Fake
    from fake.certs import Authority

    (tmp_path / "evil").mkdir()
    with Fake(authority=Authority(tmp_path / "evil")) as evil:
        evil.model.add_token("anything", "octocat")
        config = vault.ghoard.project / ".github"
        config.mkdir()
        checkout = f"upstream:\n  url: {evil.url}\ncredentials:\n  access: off\n  ca_file: {evil.ca}\n"
        env = {
            "GITHUB_API_URL": evil.url,
            "GITHUB_SERVER_URL": evil.url,
            "SSL_CERT_FILE": evil.ca,
            "SSL_CERT_DIR": tmp_path / "evil",
            "HTTPS_PROXY": evil.url.replace("https", "http"),
            "https_proxy": evil.url.replace("https", "http"),
            "ALL_PROXY": evil.url.replace("https", "http"),
            "GHOARD_SOCKET": tmp_path / "evil" / "socket",
            "NO_PROXY": "*",
        }
        for text in ("", checkout):
            (config / "cache-config.yml").write_text(text)
            before = len(evil.requests)
            run = vault("get", "T", "--repo", REPO, token="anything", env=env, rc=1)
            assert not run.out and "401" in run.err
            assert len(evil.requests) == before, "the job's own server was asked"


def test_policy_off_asks_nobody(vault, fake):
    before = len(fake.requests)
    assert vault("get", "T", "--repo", REPO, "--access", "off", rc=0).out
    assert len(fake.requests) == before
    assert vault.audit()[-1]["details"]["access"] == "off"
    vault("get", "T", "--access", "maybe", rc=3)


@pytest.mark.parametrize("given", [[{"name": "T", "value": "mine"}], [{"name": "T", "value": ""}]])
def test_a_brought_value_is_no_way_to_its_namesake(vault, given):
    env = {"GITHUB_REPOSITORY": REPO, "INPUT": json.dumps(given)}
    _, defined, _, _ = vault.step("--access", "require", "--from-json-env", "INPUT", env=env)
    assert f"of {REPO}" not in defined.values()
    assert all(
        e["details"]["scope"] == "global" for e in vault.audit(action="access_granted", credential="T")
    )


@pytest.mark.parametrize("code", [401, 403, 404, 429])
def test_a_spent_limit_is_no_way_in(vault, fake, code):
    fake.trouble(f"/repos/{REPO}", "status", code=code, headers={"retry-after": "60"}, body=b"{}")
    run = vault("get", "T", "--repo", REPO, "--access", "prefer", token="octocat-token", rc=1)
    assert not run.out and "limit" in run.err


@pytest.mark.parametrize("token", ["nobody\n", "no body", "nobody\x7f"])
def test_a_token_that_cannot_be_sent(vault, fake, token):
    before = len(fake.requests)
    run = vault("get", "T", "--repo", REPO, "--access", "prefer", token=token, rc=1)
    assert not run.out and len(fake.requests) == before


def test_a_job_cannot_silence_us(vault, fake):
    before = len(fake.requests)
    run = vault("get", "T", "--repo", REPO, "--access", "prefer", "--offline", token="nobody", rc=1)
    assert not run.out and "offline" in run.err
    env = vault.ghoard.environment("nobody", vault.env)
    for most in range(4, 24):
        command = f'ulimit -n {most}; exec "$0" cred get {" ".join(map(str, vault.flags))} T --repo {REPO}'
        command += " --access prefer"
        got = subprocess.run(["sh", "-c", command, BINARY], env=env, capture_output=True)
        assert got.returncode != 0 and not got.stdout, most
    assert all(not r.path.startswith("/repos/") or r.status == 401 for r in fake.requests[before:])
