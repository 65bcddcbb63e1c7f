"""`ghoard completion`: each shell really completes, and knows what the tables know."""

import re
import subprocess

import pytest

CASES = [
    ("ghoard ca", {"cache"}),
    ("ghoard co", {"codeql", "config", "completion"}),
    ("ghoard cache v", {"verify"}),
    ("ghoard --cache-dir x cod", {"codeql"}),
    ("ghoard codeql store --sar", {"--sarif"}),
    ("ghoard stop --no-d", {"--no-daemon"}),
]


def run(argv, home, **more):
    env = {"PATH": f"{home}:/usr/bin:/bin", "HOME": str(home), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, **more)


@pytest.fixture
def script(ghoard, tmp_path):
    def make(shell):
        path = tmp_path / f"_{shell}"
        path.write_bytes(ghoard("completion", shell, rc=0).out)
        return path

    return make


def bash(script, home, line):
    code = r"""source "$1"; COMP_LINE=$2; read -ra COMP_WORDS <<<"$2"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        f=$(complete -p ghoard | sed 's/.*-F \([^ ]*\).*/\1/'); $f; printf '%s\n' "${COMPREPLY[@]}" """
    done = run(["bash", "-c", code, "-", str(script("bash")), line], home)
    assert done.stderr == ""
    return set(done.stdout.split())


def zsh(script, home, line):
    """A zsh on a terminal of its own; what it lists is read from there."""
    code = f"""zmodload zsh/zpty; zpty t zsh -f -i
        zpty -w t "PS1=; stty -echo; autoload -U compinit; compinit -u -D; source {script('zsh')};
        zstyle ':completion:*' list-colors ''; bindkey '^I' complete-word; LISTMAX=0; echo REA''DY"
        zpty -r t line '*READY*'; zpty -w -n t '{line}'$'\\t'; sleep 0.7; zpty -w -n t $'\\t'; sleep 0.7
        while zpty -r -t t part; do print -rn -- "$part"; done; zpty -d t"""
    return run(["zsh", "-f", "-c", code], home).stdout


def fish(script, home, line):
    done = run(["fish", "-c", f"source {script('fish')}; complete -C '{line}'"], home)
    assert done.stderr == ""
    return {one.split("\t")[0] for one in done.stdout.splitlines()}


@pytest.mark.parametrize("line, wanted", CASES)
def test_bash(script, tmp_path, line, wanted):
    assert bash(script, tmp_path, line) == wanted


@pytest.mark.parametrize("line, wanted", CASES)
def test_fish(script, tmp_path, line, wanted):
    assert fish(script, tmp_path, line) == wanted


@pytest.mark.parametrize("line, wanted", CASES)
def test_zsh(script, tmp_path, line, wanted):
    out = zsh(script, tmp_path, line)
    begun = line.split()[-1]
    for word in wanted:
        assert word in out or word[len(begun) :] in out, out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_option_and_command_is_there(ghoard, shell):
    out = ghoard("completion", shell, rc=0).out.decode()
    listed = ghoard("help", rc=0).out.decode().split("commands:\n")[1].split("\ntopics:")[0]
    for command in re.findall(r"^  ([\w-]+)", listed, re.M):
        assert re.search(rf"\b{command}\b", out)
        for option in re.findall(
            r"^ +(?:-\w, |)--([\w-]+)", ghoard("help", command, rc=0).out.decode(), re.M
        ):
            assert re.search(rf"(--|-l ){option}\b", out), option


def test_an_unknown_shell(ghoard):
    assert "bash, zsh or fish" in ghoard("completion", "tcsh", rc=2).one_line()
