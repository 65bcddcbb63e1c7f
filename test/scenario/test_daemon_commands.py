"""Commands beside a running daemon: what they change it knows, and all count into the same numbers."""

import concurrent.futures
import json
import time

import pytest
from rig import ISSUES, REPO

LABELS = f"{REPO}/labels"


@pytest.fixture
def both(make_daemon, ghoard):
    """A daemon on the default socket, where every command finds it."""
    return make_daemon(path=ghoard.cache / "ghoard.sock")


def memory(daemon):
    return daemon.get("/_ghoard/stats", token=None, unix=True).json["memory_entries"]


def warm(daemon, *paths, token="alice-token"):
    for path in paths:
        daemon.get(path, token=token)
        answer = daemon.get(path, token=token)
        assert answer.cache["hit"] is True and answer.cache["detail"] == "memory"


# -- the daemon's memory after a command
def test_rm_by_key(both, ghoard, fake):
    warm(both, ISSUES, LABELS)
    warm(both, ISSUES, token="bob-token")
    ghoard("cache", "rm", ghoard.entry(LABELS)["cache_key"], rc=0)
    fake.forget()
    assert "hit" not in both.get(LABELS).cache and fake.count() == 1
    for token in ("alice-token", "bob-token"):
        assert both.get(ISSUES, token=token).cache["hit"] is True, "the others are there still"


def test_rm_by_prefix(both, ghoard, fake):
    warm(both, ISSUES, f"{ISSUES}/1", LABELS)
    ghoard("cache", "rm", "--prefix", "other:" + ISSUES, rc=0)
    fake.forget()
    for path in (ISSUES, f"{ISSUES}/1"):
        assert "hit" not in both.get(path).cache
    assert both.get(LABELS).cache["hit"] is True and fake.count() == 2


def test_rm_of_nothing_changes_nothing(both, ghoard, fake):
    warm(both, ISSUES)
    ghoard("cache", "rm", "no:such:key")
    assert both.get(ISSUES).cache["hit"] is True and fake.count() == 1


def test_clear(both, ghoard, fake):
    warm(both, ISSUES, LABELS)
    assert memory(both) == 2
    ghoard("cache", "clear", rc=0)
    assert memory(both) == 0 and ghoard.entries() == []
    fake.forget()
    assert both.get(ISSUES).cache["fwd"] == "uri-miss"
    assert fake.requests[0].header("If-None-Match") != both.get(ISSUES).headers["etag"]


def test_import_brings_what_is_newer(both, ghoard, make_ghoard, fake, tmp_path):
    """The other machine asked later; its answer carries this token's proof."""
    warm(both, ISSUES)
    fake.model.add_issue("octocat/hello-world", "Brand new")
    elsewhere, archive = make_ghoard("elsewhere", fake), tmp_path / "a.car"
    assert b"Brand new" in elsewhere("api", ISSUES, rc=0).out
    elsewhere("cache", "export", archive, rc=0)
    assert b"Brand new" not in both.get(ISSUES).body
    ghoard("cache", "import", archive, rc=0)
    fake.forget()
    answer = both.get(ISSUES)
    assert b"Brand new" in answer.body and answer.cache["hit"] is True and fake.count() == 0


def test_put_is_there_at_once(both, ghoard):
    for data in (b"one", b"two"):
        ghoard("cache", "put", "copilot_completion", "x", "m=1", input=data, rc=0)
        assert ghoard("cache", "get", "copilot_completion", "x", "m=1", rc=0).out == data
    warm(both, ISSUES)


def test_a_damaged_file_is_not_hidden_by_memory_for_ever(both, ghoard, fake):
    """verify finds it on disk; memory still has the good bytes; after a restart it is asked again."""
    warm(both, ISSUES)
    ((path, entry),) = ghoard.entries()
    path.write_bytes(path.read_bytes().replace(b"Issue 1", b"Issue X"))
    ghoard("cache", "verify", rc=5)
    assert b"Issue X" not in both.get(ISSUES).body
    ghoard("cache", "clear", rc=0)
    assert b"Issue X" not in both.get(ISSUES).body and entry["ttl"] == 300


@pytest.mark.parametrize("command", [["stats"], ["status"], ["cache", "ls"], ["cache", "verify"], ["doctor"]])
def test_what_only_looks_changes_nothing(both, ghoard, fake, command):
    warm(both, ISSUES)
    ghoard(*command)
    assert memory(both) == 1
    answer = both.get(ISSUES)
    assert answer.cache["detail"] == "memory" and fake.count(ISSUES) == 1


@pytest.mark.parametrize("how", [[], ["--no-daemon"]], ids=["through the daemon", "beside it"])
def test_a_write_by_the_command(both, ghoard, fake, how):
    for token in ("alice-token", "bob-token"):
        warm(both, ISSUES, token=token)
    ghoard(*how, "api", ISSUES, "-f", "title=Brand new", rc=0)
    for token in ("alice-token", "bob-token"):
        assert b"Brand new" in both.get(ISSUES, token=token).body


@pytest.mark.parametrize("how", [[], ["--no-daemon"]], ids=["through the daemon", "beside it"])
def test_a_refusal_that_the_command_heard(both, ghoard, fake, how):
    warm(both, ISSUES, "/user")
    fake.model.revoke("alice-token")
    assert ghoard(*how, "api", "-i", LABELS, rc=1).status == 401
    for path in (ISSUES, "/user"):
        assert both.get(path).status == 401


def test_a_refresh_through_the_daemon(both, ghoard, fake):
    warm(both, ISSUES)
    fake.model.add_issue("octocat/hello-world", "Brand new")
    assert b"Brand new" in ghoard("api", "--refresh", ISSUES, rc=0).out
    answer = both.get(ISSUES)
    assert b"Brand new" in answer.body and answer.cache["hit"] is True and fake.count() == 2


def test_stop_and_a_new_one(both, ghoard, make_daemon, fake):
    warm(both, ISSUES)
    ghoard("stop", rc=0)
    assert both.wait(5) == 0
    assert ghoard("--json", "status", rc=1).json["running"] is False
    again = make_daemon(path=ghoard.cache / "ghoard.sock")
    assert ghoard("--json", "status", rc=0).json["pid"] == again.pid
    assert memory(again) == 0 and again.get(ISSUES).cache["detail"] == "disk" and fake.count() == 1


# -- the counters
def total(ghoard, name="total_requests"):
    return ghoard("stats", "--json", rc=0).json[name]


def test_counters_survive_a_restart(make_daemon, ghoard):
    daemon = make_daemon()
    for _ in range(3):
        daemon.get(ISSUES)
    before = ghoard("stats", "--json", rc=0).json
    assert before["total_requests"] == 3 and before["hits_memory"] == 2
    daemon.stop()
    assert ghoard("stats", "--json", rc=0).json == before
    daemon = make_daemon()
    now = daemon.get("/_ghoard/stats", token=None, unix=True).json
    assert {k: now[k] for k in before if k.startswith(("total", "hits", "miss", "upstream"))} == {
        k: v for k, v in before.items() if k.startswith(("total", "hits", "miss", "upstream"))
    }
    daemon.get(ISSUES)
    assert total(ghoard) == 4 and total(ghoard, "hits_disk") == 1


def test_counters_survive_being_killed(make_daemon, ghoard):
    daemon = make_daemon()
    for _ in range(5):
        daemon.get(ISSUES)
    daemon.kill()
    assert total(ghoard) == 5 and total(ghoard, "hits_memory") == 4


@pytest.mark.timeout(90)
def test_counters_of_many_processes_add_up(make_daemon, ghoard, fake):
    """Two daemons and forty commands at once: no count is lost, none is counted twice."""
    daemons = [make_daemon(path=ghoard.folder / f"{n}.sock") for n in range(2)]
    for one in daemons:
        one.get(ISSUES)
    begun = total(ghoard)

    def hits(daemon):
        connection = daemon.open()
        for _ in range(500):
            connection.request("GET", ISSUES, headers={"Authorization": "token alice-token"})
            connection.getresponse().read()
        connection.close()

    with concurrent.futures.ThreadPoolExecutor(8) as many:
        work = [many.submit(hits, one) for one in daemons for _ in range(2)]
        work += [many.submit(ghoard, "--no-daemon", "api", ISSUES, rc=0) for _ in range(40)]
        for one in work:
            one.result()
    assert total(ghoard) == begun + 4 * 500 + 40
    told = [json.loads(one.get("/_ghoard/stats", token=None, unix=True).body) for one in daemons]
    assert {t["total_requests"] for t in told} == {total(ghoard)}, "each shows the sum"
    s = ghoard("stats", "--json", rc=0).json
    assert s["hits_memory"] + s["hits_disk"] + s["misses"] + s["candidates_confirmed"] == s["total_requests"]
    assert s["upstream_requests"] == fake.count()


def test_a_damaged_file_of_counters(make_daemon, ghoard):
    """Its numbers are lost; the daemon runs and counts."""
    daemon = make_daemon()
    daemon.get(ISSUES)
    daemon.stop()
    (ghoard.cache / ".stats").write_bytes(b"\xff" * 100)
    daemon = make_daemon()
    for _ in range(2):
        assert daemon.get(ISSUES).status == 200
    time.sleep(0.1)
    assert total(ghoard) == 2
