"""`ghoard config`: what is in force, where it comes from, and what is wrong with it."""

import json

import pytest


@pytest.fixture
def write(ghoard):
    """write(text, "p2p-config.yml") puts a file into the checkout."""

    def put(text, name="cache-config.yml"):
        (ghoard.project / ".github").mkdir(exist_ok=True)
        (ghoard.project / ".github" / name).write_text(text)

    return put


def shown(ghoard, **more):
    return {s["key"]: s for s in ghoard("config", "show", "--json", rc=0, **more).json}


def test_show_says_where_each_value_comes_from(ghoard, write):
    write("cache:\n  max_size: 10\n  default_ttl: 1m\n")
    write("network:\n  connections:\n    max_peers: 7\n", "p2p-config.yml")
    found = shown(ghoard, env={"CACHE_DEFAULT_TTL": "9"})
    assert found["cache.max_size"]["value"] == "10"
    assert found["cache.max_size"]["origin"] == ".github/cache-config.yml:2"
    assert found["cache.default_ttl"] == {
        "key": "cache.default_ttl",
        "value": "9",
        "origin": "environment CACHE_DEFAULT_TTL",
    }
    assert found["network.connections.max_peers"]["origin"] == ".github/p2p-config.yml:3"
    assert found["cache.directory"]["origin"] == "environment CACHE_DIR"
    assert found["operation_ttls.list_repos"] == {
        "key": "operation_ttls.list_repos",
        "value": "600",
        "origin": "default",
    }
    assert len(found) > 100


def test_show_as_text_has_a_line_a_setting(ghoard):
    lines = ghoard("config", "show", "--cache-dir", "/some/where", rc=0).out.decode().splitlines()
    assert len(lines) == len(shown(ghoard)) and len({len(l[: l.index("  ")]) for l in lines}) > 1
    (line,) = [l for l in lines if l.startswith("cache.directory ")]
    assert line.split() == ["cache.directory", "/some/where", "--cache-dir"]
    (line,) = [l for l in lines if l.startswith("p2p.bootstrap_peers ")]
    assert line.split() == ["p2p.bootstrap_peers", "-", "default"]


def test_show_hides_the_proxy_s_password(ghoard):
    run = ghoard("config", "show", env={"HTTPS_PROXY": "http://me:hush@proxy:3128"}, rc=0)
    assert b"hush" not in run.out and b"proxy:3128" in run.out


def test_check_of_sound_settings(ghoard, write):
    assert ghoard("config", "check", rc=0).err == ""
    write("cache:\n  max_size: 10\n")
    assert ghoard("config", "check", "--json", rc=0).json["ok"] is True


@pytest.mark.parametrize(
    "text, words",
    [
        ("cache:\n  max_sise: 5\n", ["cache-config.yml", "2", "max_sise", "max_size"]),
        ("cache:\n  max_size: lots\n", ["cache-config.yml", "2", "max_size", "lots"]),
        ("cache: [\n", ["cache-config.yml"]),
        ("cache:\n  max_size: 0\n", ["max_size"]),
        ("cache:\n\tmax_size: 1\n", ["cache-config.yml", "2"]),
    ],
)
def test_check_names_file_line_and_remedy(ghoard, write, text, words):
    write(text)
    line = ghoard("config", "check", rc=3).one_line()
    assert all(word in line for word in words), line
    ghoard("api", "/user", rc=3)


@pytest.mark.parametrize(
    "env, words",
    [
        ({"GITHUB_API_URL": "ftp://x"}, ["GITHUB_API_URL"]),
        ({"GITHUB_API_URL": "http://api.github.com"}, ["GITHUB_API_URL"]),
        ({"HTTPS_PROXY": "socks5://x:1"}, ["HTTPS_PROXY"]),
        ({"GITHUB_CACHE_SIZE": "x"}, ["GITHUB_CACHE_SIZE"]),
    ],
)
def test_check_sees_what_only_use_would_show(ghoard, env, words):
    line = ghoard("config", "check", env=env, rc=3).one_line()
    assert all(word in line for word in words), line


def test_check_prints_warnings(ghoard, write):
    write("discovery:\n  methods:\n    dht: true\n", "p2p-config.yml")
    assert "dht" in ghoard("config", "check", rc=0).one_line()


def test_path_works_where_the_files_are_broken(ghoard, write):
    write("cache: [\n")
    found = ghoard("config", "path", "--json", rc=0).json
    assert [(f["path"], f["exists"]) for f in found[:2]] == [
        (".github/cache-config.yml", True),
        (".github/p2p-config.yml", False),
    ]
    assert [f["path"] for f in found[2:]] == ["/etc/ghoard/cache-config.yml", "/etc/ghoard/p2p-config.yml"]
    out = ghoard("config", "path", "--config-dir", "else/where", rc=0).out.decode()
    assert out.splitlines()[0].split() == ["absent", "else/where/cache-config.yml"]


@pytest.mark.parametrize("args", [[], ["frob"], ["show", "check"]])
def test_wrong_usage(ghoard, args):
    assert "show" in ghoard("config", *args, rc=2).one_line()


def test_inside_actions_a_warning_is_a_workflow_command(ghoard, write):
    write("discovery:\n  methods:\n    dht: true\n", "p2p-config.yml")
    run = ghoard("config", "check", env={"GITHUB_ACTIONS": "true"}, rc=0)
    assert run.one_line().startswith("::warning")


def test_json_is_json_even_with_odd_values(ghoard):
    found = shown(ghoard, env={"CACHE_BOOTSTRAP_PEERS": '/dns4/a"b/tcp/1,/ip4/1.2.3.4/tcp/5'})
    assert json.dumps(found["p2p.bootstrap_peers"]["value"])
    assert 'a"b' in found["p2p.bootstrap_peers"]["value"]
