"""curl, over both listeners."""

import pytest
from conftest import NO_CACHE
from rig import ISSUES, REPO

AUTH = ("-H", "Authorization: token alice-token")
PAGES = [REPO, f"{ISSUES}?per_page=3&page=2", "/user", "/repos/octocat/secret/contents/plan.txt"]


def asker(program, client, *how, base):
    client("curl")

    def script():
        return "".join(program("curl", "-sS", "--fail", *how, *AUTH, base + page) for page in PAGES)

    return script


def check(printed):
    assert '"full_name":"octocat/hello-world"' in printed.replace(": ", ":")
    assert all(f'"Issue {n}"' in printed for n in (7, 8, 9)) and "plan.txt" in printed


def test_over_tcp(daemon, program, client, twice):
    check(twice(asker(program, client, base=daemon.url)))


@pytest.mark.parametrize("prefix", ["", "/api/v3"])
def test_over_the_socket(named, program, client, twice, prefix):
    how = ("--unix-socket", named.socket)
    check(twice(asker(program, client, *how, base=f"http://api.github.com{prefix}")))


def test_graphql_over_tcp(daemon, program, client, twice):
    client("curl")
    body = '{"query":"{repository(owner:\\"octocat\\",name:\\"hello-world\\"){stargazerCount}}"}'
    printed = twice(lambda: program("curl", "-sS", "--fail", *AUTH, "-d", body, f"{daemon.url}/graphql"))
    assert '"stargazerCount": 42' in printed or '"stargazerCount":42' in printed


def test_without_a_cache_the_second_pass_is_counted(make_daemon, fake, program, client):
    """What the tests of this folder look at does move."""
    script = asker(program, client, base=make_daemon(config=NO_CACHE).url)
    assert script() == script()
    assert fake.count(billable=True) == 2 * len(PAGES)
