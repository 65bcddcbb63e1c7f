"""Scans that come from another runner: asked for through the two daemons, signed, or not at all."""

import json

import pytest
from rogue import CACHE, Rogue, group_key
from scanning import Job, git, result, sarif
from test_codeql_check import keys
from test_daemon_limits import cpu
from test_share import SECRET, about, members, until


@pytest.fixture
def runners(make_ghoard, make_daemon, fake, tmp_path):
    """Two runners with a daemon each, which are members of one group, and a checkout of the same commit."""
    private, public = keys(tmp_path)
    made = []

    def make(name, to=None, trusted=public):
        home = make_ghoard(name, fake)
        (home.project / ".github").mkdir(exist_ok=True)
        (home.project / ".github" / "p2p-config.yml").write_text(
            "network:\n  listen:\n    addresses: [127.0.0.1]\n"
        )
        env = {"CACHE_P2P_SHARED_SECRET": SECRET, "GHOARD_CODEQL_TRUSTED_KEYS": trusted}
        if to is not None:
            env["CACHE_BOOTSTRAP_PEERS"] = until(lambda: about(to).get("addrs"))[0]
        daemon = make_daemon("--p2p-port", "0", on=home, token="alice-token", env=env)
        until(lambda: about(daemon).get("addrs"))
        job = Job(home, tmp_path / name, made[0][0] if made else None)
        job.env = {"GHOARD_CODEQL_TRUSTED_KEYS": trusted, "GHOARD_SOCKET": daemon.socket}
        job.daemon = daemon
        made.append((job, daemon))
        if to is not None:
            until(lambda: members(to) and members(daemon))
        return job

    make.private = private
    return make


def test_a_signed_scan_of_another_runner_is_replayed(runners):
    one = runners("one")
    one.scan(GHOARD_CODEQL_KEY=runners.private)
    two = runners("two", to=one.daemon)
    found = two.check(rc=0)
    assert found["reason"] == "hit-commit" and found["trust"] == "signed"
    assert json.loads(open(found["sarif_path"]).read())["runs"][0]["results"]
    assert found["sarif_path"].startswith(str(two.scans))
    one.daemon.stop()
    assert two.check(rc=0)["skip"], "it is kept"


def test_a_large_one(runners):
    one = runners("one")
    text = "x" * 3000
    many = [result(message={"text": f"{i} {text}"}) for i in range(1500)]
    one.scan(sarif(many), GHOARD_CODEQL_KEY=runners.private)
    two = runners("two", to=one.daemon)
    assert two.check(rc=0)["alerts"] == 1500


def named(job):
    """The key of its scan, and the SARIF's file."""
    (entry,) = job.entries()
    (file,) = (job.scans / "sarif").iterdir()
    return json.loads(entry.read_text())["cache_key"], file


def test_who_asks_again_and_again_costs_next_to_nothing(runners):
    """SARIF is read as it is sent: neither its size nor how often it is asked for holds others up."""
    one = runners("one")
    many = [result(message={"text": f"{i} " + "x" * 3000}) for i in range(2300)]
    one.scan(sarif(many), GHOARD_CODEQL_KEY=runners.private)
    key, file = named(one)
    text = file.read_bytes()
    assert len(text) > 7 << 20
    addr = until(lambda: about(one.daemon).get("addrs"))[0]
    with Rogue.dial(addr, key=group_key(SECRET)).join() as rogue:
        assert rogue.ask(key=key)[0]["answer"] == "hit"
        header, body = rogue.ask(cid=file.stem)
        assert header["answer"] == "hit" and body == text
        used, rogue.refills = cpu(one.daemon), False
        for _ in range(100):
            stream = rogue.open(CACHE)
            stream.say({"type": "cache_request", "cid": file.stem})
            assert stream.header()["answer"] in ("hit", "busy")
            stream.reset()
        assert cpu(one.daemon) - used < 1
    assert one.daemon.peak < 16 << 20


def test_damaged_ones_are_not_taken(runners):
    one = runners("one")
    one.scan(GHOARD_CODEQL_KEY=runners.private)
    _, file = named(one)
    two = runners("two", to=one.daemon)
    text = file.read_bytes()
    file.write_bytes(text.replace(b"found", b"f0und"))
    assert not two.check(rc=1)["skip"]
    assert about(two.daemon)["sharing"]["bad_body"] == 1 and not two.entries()
    file.write_bytes(b"")
    assert not two.check(rc=1)["skip"]
    file.write_bytes(text + b" " * (8 << 20))
    assert not two.check(rc=1)["skip"]
    file.write_bytes(text)
    assert two.check(rc=0)["skip"]


def test_one_without_a_signature_stays_where_it_is(runners):
    one = runners("one")
    one.scan()
    two = runners("two", to=one.daemon)
    assert two.check(rc=1)["reason"] == "miss-none"
    assert about(one.daemon)["sharing"]["served"] == 0


def test_one_signed_by_a_key_that_is_not_trusted_here(runners, tmp_path):
    (tmp_path / "other").mkdir()
    _, other = keys(tmp_path / "other")
    one = runners("one")
    one.scan(GHOARD_CODEQL_KEY=runners.private)
    two = runners("two", to=one.daemon, trusted=other)
    assert not two.check(rc=1)["skip"]
    assert not two.entries()


def test_a_pull_requests_scan_is_not_shared(runners):
    one = runners("one")
    head = {"sha": one.head, "repo": {"full_name": "octocat/hello-world"}}
    payload = {"pull_request": {"base": {"sha": "1" * 40}, "head": head}}
    pull = {"event": "pull_request", "ref": "refs/pull/1/merge", "payload": payload}
    one.scan(GHOARD_CODEQL_KEY=runners.private, **pull)
    two = runners("two", to=one.daemon)
    assert not two.check(rc=1, **pull)["skip"]
    assert about(one.daemon)["sharing"]["served"] == 0


def test_other_sources_or_offline_ask_for_nothing_that_helps(runners):
    one = runners("one")
    one.scan(GHOARD_CODEQL_KEY=runners.private)
    two = runners("two", to=one.daemon)
    assert not two.check(rc=1, offline=True)["skip"], "offline is the disk alone"
    (two.tree / "app.py").write_text("print(3)\n")
    assert not two.check(rc=1)["skip"]
    git(two.tree, "checkout", "-q", ".")
    assert two.check(rc=0)["skip"]


def test_what_is_no_key_and_who_may_ask(runners):
    one = runners("one")
    for query in ("", "?key=", "?cid=../../x", "?key=a%00b", "?key=codeql_tree:x"):
        assert one.daemon.get("/_ghoard/scan" + query, token=None, unix=True).status == 404
    assert one.daemon.get("/_ghoard/scan?key=codeql_tree:x", token=None).status == 403
