"""`ghoard help`, `ghoard version` and the man pages: made from the rows that the parser uses."""

import re
import shutil
import subprocess

import pytest
from rig import ROOT

COMMANDS = ["api", "cache", "config", "stats", "doctor", "version", "help"]
TOPICS = ["options", "settings", "environment", "operations", "exit-codes"]


def text(ghoard, *args):
    return ghoard("help", *args, rc=0).out.decode()


def test_help_lists_commands_and_topics(ghoard):
    out = text(ghoard)
    assert [c for c in COMMANDS + TOPICS if not re.search(rf"^  {c} +\S", out, re.M)] == []
    assert ghoard("--help", rc=0).out.decode() == out == ghoard("help", "--help", rc=0).out.decode()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(ghoard, command):
    out = text(ghoard, command)
    assert f"usage: ghoard {command}" in out and "--roff" not in out
    assert all(len(line) <= 110 for line in out.splitlines())
    if command != "help":
        assert ghoard(command, "--help", rc=0).out.decode() == out


@pytest.mark.parametrize("command", ["api", "cache", "stats"])
def test_every_option_that_help_shows_is_taken(ghoard, command):
    found = re.findall(r"^ +(?:-(\w), |)--([\w-]+)( [A-Z:=]+)?", text(ghoard, command), re.M)
    assert found
    for letter, name, value in found:
        for option in [f"--{name}"] + ([f"-{letter}"] if letter else []):
            if value:
                assert "needs a value" in ghoard(command, option, rc=2).one_line()
            else:
                run = ghoard(command, option, "--no-such", rc=2)
                assert "no-such" in run.one_line()


def test_a_long_text_is_filled_and_an_example_is_kept(ghoard):
    lines = text(ghoard, "api").split("options:")[0].splitlines()
    assert max(map(len, lines)) <= 78 and max(map(len, lines)) > 60
    assert "  get OP [ARG...] [K=V...] [--stale]\n  put OP" in text(ghoard, "cache")


@pytest.mark.parametrize("topic", TOPICS)
def test_topics(ghoard, topic):
    out = text(ghoard, topic)
    wanted = {
        "options": ["--cache-dir DIR", "--offline", "-h, --help"],
        "settings": ["cache.max_size = 5000", "GITHUB_CACHE_SIZE", "security.access_control.peer_allowlist"],
        "environment": ["GH_TOKEN", "CACHE_DIR", "cache.directory", "SSL_CERT_FILE"],
        "operations": ["/repos/{o}/{r}/actions/runs", "get_workflow_runs", "120 s", "never stored"],
        "exit-codes": ["  5  ", "damaged"],
    }[topic]
    assert [w for w in wanted if w not in out] == []


def test_help_settings_has_every_setting(ghoard):
    keys = [s["key"] for s in ghoard("config", "show", "--json", rc=0).json]
    out = text(ghoard, "settings")
    assert [k for k in keys if f"\n  {k} = " not in out] == []


@pytest.mark.parametrize("args", [["nothing"], ["api", "cache"], ["--roff", "nothing"]])
def test_wrong_usage(ghoard, args):
    assert ghoard("help", *args, rc=2).one_line()


def test_version(ghoard):
    lines = ghoard("version", rc=0).out.decode().splitlines()
    assert re.fullmatch(r"ghoard \d+\.\d+\.\d+", lines[0])
    assert all(name in lines[1] for name in ("BearSSL", "cJSON", "libsodium", "libyaml", "zlib", "musl"))
    assert ghoard("--version", rc=0).out.decode().splitlines() == lines
    assert "ghoard " + ghoard("version", "--json", rc=0).json["version"] == lines[0]


def test_version_and_help_want_no_settings_and_no_folder(ghoard):
    (ghoard.project / ".github").mkdir()
    (ghoard.project / ".github" / "cache-config.yml").write_text("cache: [\n")
    ghoard("version", env={"HOME": None, "CACHE_DIR": None}, rc=0)
    ghoard("help", env={"HOME": None, "CACHE_DIR": None}, rc=0)
    assert not ghoard.cache.exists()


# ---- the man pages


@pytest.mark.parametrize("name", ["commands", *TOPICS])
def test_each_part_of_a_man_page_is_sound_alone(ghoard, name):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    part = ghoard("help", "--roff", name, rc=0).out
    assert all(len(line) <= 110 for line in part.decode().splitlines())
    page = b".Dd January 1, 2026\n.Dt X 1\n.Os\n.Sh NAME\n.Nm x\n.Nd y\n.Sh DESCRIPTION\n" + part
    run = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"], input=page, capture_output=True)
    assert run.returncode == 0, run.stdout.decode() + run.stderr.decode()


@pytest.mark.parametrize("page, words", [
    ("ghoard.1", ["--paginate", "cache.max_size", "asked again every time", "GH_TOKEN", "--config-dir"]),
    ("ghoard-config.5", ["discovery.methods.dht", "A checkout may not set it.", "CACHE_DEFAULT_TTL"]),
])
def test_the_pages_read_as_they_should(page, words):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    run = subprocess.run(
        ["mandoc", "-T", "utf8", "-O", "width=200", str(ROOT / "src" / "man" / page)],
        capture_output=True, check=True,
    )
    read = re.sub(r".\x08", "", run.stdout.decode())
    assert [w for w in words if w not in read] == [] and "<" not in re.sub(r"< DATA", "", read)
