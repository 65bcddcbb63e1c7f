"""Each way a handshake must fail has a sentence of its own, shown with a real certificate made for it."""

import pytest
from fake.certs import PROTOCOLS
from rig import REPO, grow_old

# what is wrong -> words of which at least one belongs into the sentence
SENTENCES = {
    "expired": ("expired",),
    "future": ("not yet valid", "not valid yet", "future"),
    "wrong-host": ("host", "name"),
    "unknown-ca": ("authority", "CA", "issuer", "unknown", "trust"),
    "tls13": ("TLS", "version", "suite"),
}
REFUSED = [
    "expired",
    "future",
    "wrong-host",
    "unknown-ca",
    "self-signed",
    "missing-intermediate",
    "not-a-ca",
    "sha1",
    *PROTOCOLS,
]
ACCEPTED = ["good", "rsa", "p384", "p256-chain", "rsa-chain", "p384-chain", "mixed-chain"]


def refused(ghoard, url, path=REPO, **more):
    """The sentence with which that server is refused; nothing may have been sent or stored."""
    run = ghoard("api", path, env={"GITHUB_API_URL": url, **more.pop("env", {})}, **more)
    assert run.rc in (3, 4) and run.out == b"" and ghoard.entries() == [], run
    return run.one_line().replace(url.rpartition(":")[2], "PORT")


@pytest.mark.parametrize("kind", ACCEPTED)
def test_good_certificates_are_accepted(ghoard, fake, kind):
    run = ghoard("api", REPO, env={"GITHUB_API_URL": fake.tls(kind)}, rc=0)
    assert run.json["name"] == "hello-world"
    assert fake.requests[-1].tls == "TLSv1.2"


@pytest.mark.parametrize("kind", REFUSED)
def test_bad_certificates_and_protocols_are_refused(ghoard, fake, kind):
    line = refused(ghoard, fake.tls(kind))
    assert fake.count() == 0, "a request left over a connection that was not verified"
    if kind in SENTENCES:
        assert any(word.lower() in line.lower() for word in SENTENCES[kind]), line


def test_each_failure_has_a_sentence_of_its_own(ghoard, fake, tmp_path):
    said = {
        kind: refused(ghoard, fake.tls(kind))
        for kind in ("expired", "future", "wrong-host", "unknown-ca", "tls13")
    }
    said["ip"] = refused(ghoard, fake.tls("good", "127.0.0.1"))
    said["no-bundle"] = refused(ghoard, fake.tls("good"), env={"SSL_CERT_FILE": tmp_path / "nowhere.pem"})
    assert len(set(said.values())) == len(said), said
    assert fake.count() == 0


def test_a_bundle_that_trusts_others_trusts_nobody_here(ghoard, fake):
    refused(ghoard, fake.url, env={"SSL_CERT_FILE": fake.authority.other_bundle})
    assert fake.count() == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no certificate at all\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n" + b"A" * 70000,
    ],
)
def test_a_broken_bundle_is_one_sentence(ghoard, fake, tmp_path, content):
    (tmp_path / "broken.pem").write_bytes(content)
    refused(ghoard, fake.url, env={"SSL_CERT_FILE": tmp_path / "broken.pem"})


def test_a_bundle_with_text_around_its_certificates(ghoard, fake, tmp_path):
    bundle = tmp_path / "with-text.pem"
    bundle.write_bytes(
        b"# Roots of the test\r\n\r\n" + fake.authority.bundle.read_bytes().replace(b"\n", b"\r\n") + b"# end"
    )
    ghoard("api", REPO, env={"SSL_CERT_FILE": bundle}, rc=0)
    assert fake.count() == 1


def test_a_folder_of_certificates(ghoard, fake, tmp_path):
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "root.pem").write_bytes(fake.authority.bundle.read_bytes())
    ghoard("api", REPO, env={"SSL_CERT_FILE": None, "SSL_CERT_DIR": folder}, rc=0)
    assert fake.count() == 1


@pytest.mark.parametrize(
    "name, value",
    [
        ("GIT_SSL_NO_VERIFY", "1"),
        ("NODE_TLS_REJECT_UNAUTHORIZED", "0"),
        ("PYTHONHTTPSVERIFY", "0"),
        ("CURL_INSECURE", "1"),
        ("GHOARD_INSECURE", "1"),
        ("GHOARD_TLS_VERIFY", "0"),
        ("SSL_VERIFY", "0"),
        ("SSL_NO_VERIFY", "1"),
    ],
)
def test_no_variable_turns_verification_off(ghoard, fake, name, value):
    refused(ghoard, fake.tls("unknown-ca"), env={name: value})
    assert fake.count() == 0


@pytest.mark.parametrize(
    "flag", ["-k", "--insecure", "--no-verify", "--tls-no-verify", "--no-check-certificate"]
)
def test_no_flag_turns_verification_off(ghoard, fake, flag):
    ghoard("api", flag, REPO, env={"GITHUB_API_URL": fake.tls("unknown-ca")}, rc=2)
    assert fake.count() == 0


def test_bad_certificates_do_not_spoil_a_hit(ghoard, fake):
    """A hit asks nobody, so nothing of TLS is loaded."""
    ghoard("api", REPO, rc=0)
    fake.down()
    assert ghoard("api", REPO, env={"SSL_CERT_FILE": "/nowhere"}, rc=0).json["name"] == "hello-world"


def test_no_old_answer_hides_a_bad_certificate(ghoard, fake):
    ghoard("api", "--ttl", "1", REPO, rc=0)
    grow_old()
    other = {"SSL_CERT_FILE": fake.authority.other_bundle}
    run = ghoard("api", "--ttl", "1", REPO, env=other)
    assert run.rc == 4 and run.out == b"" and "certificate" in run.err.lower()


def test_a_second_connection_resumes_the_session(ghoard, fake):
    fake.trouble("*", "connection-close")
    issues = ghoard("api", "--paginate", f"{REPO}/issues?per_page=3", rc=0).json
    assert len(issues) == 7 and fake.connected == 3
    assert [r.resumed for r in fake.requests] == [False, True, True]


def test_a_handshake_that_hangs_ends_in_a_deadline(ghoard, fake):
    (ghoard.project / ".github").mkdir()
    (ghoard.project / ".github" / "cache-config.yml").write_text("upstream:\n  tls_timeout: 1\n")
    run = ghoard("api", REPO, env={"GITHUB_API_URL": f"https://localhost:{fake.silent()}"}, rc=4)
    assert run.one_line()


def test_a_server_without_tls_is_one_sentence(ghoard, fake):
    assert refused(ghoard, f"https://localhost:{fake.ports['http']}")
