"""The metrics, judged by Prometheus' own checker."""

import shutil
import subprocess

import pytest
from rig import ISSUES, REPO

PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(not PROMTOOL, reason="no promtool: apt-get install prometheus")


def check(text):
    """What promtool finds, a line each; [] if all is well."""
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, timeout=30)
    said = (done.stdout + done.stderr).decode().splitlines()
    assert (done.returncode == 0) == (said == []), done
    return said


def traffic(daemon, fake):
    """Something in every counter that one can reach: hits, misses, candidates, writes, refusals, errors."""
    for token in ("alice-token", "bob-token", None, "no-such-token"):
        for path in (ISSUES, ISSUES, REPO, "/user", "/rate_limit", f"{REPO}/nothing", "/search/issues?q=x"):
            daemon.get(path, token=token)
    daemon.get(ISSUES, method="POST", body=b'{"title":"x"}')
    daemon.get("/graphql", method="POST", body=b'{"query":"{ viewer { login } }"}')
    fake.trouble(REPO, "status", code=502)
    daemon.get(REPO, headers={"Cache-Control": "no-cache"})


@pytest.mark.parametrize("busy", [False, True], ids=["fresh", "after traffic"])
def test_metrics_of_the_daemon(daemon, fake, unix, busy):
    if busy:
        traffic(daemon, fake)
    text = daemon.get("/_ghoard/metrics", token=None, unix=unix).body
    assert text.count(b"\n# TYPE ") > 10 and check(text) == []


@pytest.mark.parametrize("busy", [False, True], ids=["fresh", "after traffic"])
def test_stats_as_prometheus(ghoard, daemon, fake, busy):
    if busy:
        traffic(daemon, fake)
    text = ghoard("stats", "--format", "prometheus", rc=0).out
    assert text.count(b"\n# TYPE ") > 10 and check(text) == []


def test_the_daemon_and_the_command_name_the_same(ghoard, daemon, fake):
    """A recording rule works on either, and the counters have the same values."""
    traffic(daemon, fake)
    one = daemon.get("/_ghoard/metrics", token=None).body.decode()
    two = ghoard("stats", "--format", "prometheus", rc=0).out.decode()

    def counters(text):
        return sorted(line for line in text.splitlines() if "_total" in line and line[0] != "#")

    assert counters(one) == counters(two) and counters(one)


def test_the_checker_can_say_no():
    assert check(b"# TYPE a counter\na 1\n") and check(b"a 1\na 1\n") and check(b"a{ 1\n")
    assert check(b"# HELP a_total Words.\n# TYPE a_total counter\na_total 1\n") == []
