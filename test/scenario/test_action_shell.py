"""The actions' files around `ghoard action`: run.sh, the runtime action, inputs; on a runner of few tools."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess

import pytest
import rig
from jobstep import get

ACTIONS = rig.ROOT / "actions"


def install():
    digest = hashlib.sha256(rig.BINARY.read_bytes()).hexdigest()
    return {"INSTALL_SOURCE": rig.BINARY.parent, "INSTALL_SHA256": digest}


OFF = "cache-status=disabled\nshould-skip-scan=false\n"


def program(step, text):
    """A ghoard of few words, as the release's."""
    folder = step.folder / "release"
    folder.mkdir(exist_ok=True)
    (folder / "ghoard").write_text(text)
    return {"INSTALL_SOURCE": folder, "INSTALL_SHA256": hashlib.sha256(text.encode()).hexdigest()}


def shell(step, name, uname=None, **more):
    """actions/run.sh in a PATH of its own."""
    place = step.folder / "bin"
    place.mkdir(exist_ok=True)
    if uname:
        (place / "uname").write_text(f"#!/bin/sh\necho {uname}\n")
        (place / "uname").chmod(0o755)
    env = step.ghoard.environment("alice-token", step.environment(**more))
    env["PATH"] = ":".join([str(place), *(step.folder / "path").read_text().split(), "/usr/bin", "/bin"])
    return subprocess.run(
        ["sh", ACTIONS / "run.sh", name], env=env, cwd=step.ghoard.project, capture_output=True, text=True
    )


@pytest.mark.parametrize("name", ["setup", "codeql", "save", "report"])
def test_another_system(step, name):
    run = shell(step, name, uname="Darwin")
    assert run.returncode == 0 and run.stdout.count("::warning") == 1 and "Linux" in run.stdout
    assert (step.folder / "output").read_text() == OFF and not list(step.temp.iterdir())


def test_another_system_has_no_credentials(step):
    run = shell(step, "inject", uname="Darwin")
    assert run.returncode == 1 and "::error" in run.stdout


DIES = {
    "no-interpreter": "#!/no/such/interpreter\n",
    "killed": '#!/bin/sh\n[ "$1" = version ] || kill -9 $$\n',
    "usage": '#!/bin/sh\n[ "$1" = version ] || exit 2\n',
    "gone": '#!/bin/sh\n[ "$1" = version ] || exit 2\nrm "$0"\n',
}


@pytest.mark.parametrize("how", DIES)
@pytest.mark.parametrize("name", ["setup", "codeql", "save", "report"])
def test_a_program_that_fails_fails_no_job(step, name, how):
    handed = step.temp / "runtime"
    handed.touch()
    run = shell(step, name, **program(step, DIES[how]), GHOARD_RUNTIME_FILE=handed)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("::warning") == 1 and "::error" not in run.stdout
    assert (step.folder / "output").read_text() == OFF and not handed.exists()


@pytest.mark.parametrize("how", DIES)
def test_no_credentials_of_a_program_that_fails(step, how):
    run = shell(step, "inject", **program(step, DIES[how]))
    # it told its own reason where it could
    assert run.returncode != 0 and ("::error" in run.stdout) == (how != "usage")


def test_nothing_that_installing_says_is_a_command(step):
    """A tool hands on what a server sent it."""
    (step.folder / "bin").mkdir()
    evil = "::set-output name=should-skip-scan::true"
    (step.folder / "bin" / "curl").write_text(f"#!/bin/sh\necho '{evil}' >&2\nexit 22\n")
    (step.folder / "bin" / "curl").chmod(0o755)
    run = shell(step, "codeql", INSTALL_SOURCE="https://localhost/x", INSTALL_SHA256="0" * 64)
    lines = run.stdout.splitlines()
    (word,) = {line.removeprefix("::stop-commands::") for line in lines if line.startswith("::stop-commands")}
    assert lines.index(f"::stop-commands::{word}") < lines.index(evil) < lines.index(f"::{word}::")
    assert len(word) == 12 and run.stdout.count("::warning") == 1


ODD = "::add-path::/evil\\rodd\\r::add-path::/evil"


@pytest.mark.parametrize("name", ["setup", "inject"])
@pytest.mark.parametrize("code", [0, 1])
def test_what_a_tool_says_ends_without_a_newline(step, name, code):
    """Commands hold again after it; as a reason it is one line. A runner takes CR for a line's end, too."""
    (step.folder / "bin").mkdir()
    (step.folder / "bin" / "chmod").write_text(
        f"#!/bin/sh\nprintf '{ODD}' >&2\n/bin/chmod \"$@\"\nexit {code}\n"
    )
    (step.folder / "bin" / "chmod").chmod(0o755)
    good = '#!/bin/sh\n[ "$1" = version ] || echo ::add-mask::secret\n'
    run = shell(step, name, **program(step, good))
    lines = run.stdout.splitlines()
    (word,) = {line.removeprefix("::stop-commands::") for line in lines if line.startswith("::stop-commands")}
    end = lines.index(f"::{word}::")
    assert all(n < end for n, line in enumerate(lines) if line.startswith("::add-path"))
    (said,) = lines[end + 1 :]
    if code:
        assert "odd" in said and said.startswith(("::warning", "::error"))
    else:
        assert said == "::add-mask::secret"


def test_a_folder_that_cannot_be_written(step):
    run = shell(step, "save", RUNNER_TEMP="/proc/self")
    assert run.returncode == 0 and "/proc/self cannot be written" in run.stdout


@pytest.mark.parametrize("name", ["setup", "codeql", "save", "report", "inject"])
def test_what_runs_is_what_was_verified(step, name):
    """Others may write in the tool cache, also between the look at a program and its start."""
    tools = step.folder / "tools"
    good = '#!/bin/sh\n[ "$1" = version ] || echo "good $2"\n'
    swap = f"""#!/bin/sh
for f in {tools}/ghoard/*/*/ghoard; do
	printf '#!/bin/sh\\necho evil\\n' >"$f.new" && chmod 755 "$f.new" && mv "$f.new" "$f"
done
exec /bin/rm "$@"
"""
    (step.folder / "bin").mkdir()
    (step.folder / "bin" / "rm").write_text(swap)  # run.sh calls it between the two
    (step.folder / "bin" / "rm").chmod(0o755)
    for _ in range(2):
        run = shell(step, name, **program(step, good), RUNNER_TOOL_CACHE=tools)
        assert run.returncode == 0 and run.stdout.endswith(f"good {name}\n"), run.stdout
    (kept,) = tools.glob("ghoard/*/*/ghoard")
    assert "evil" in kept.read_text(), "nothing was swapped"


@pytest.mark.parametrize("name", ["codeql", "save", "report", "inject"])
def test_each_action_works_alone(step, name):
    """And leaves `ghoard` for the steps that follow, once."""
    listed = json.dumps([{"name": "ONE_KEY", "value": "first-value"}])
    for _ in range(2):
        run = shell(step, name, **install(), CREDENTIALS_JSON=listed, CREDENTIAL_NAMES="", SARIF="x")
        assert run.returncode == 0 and "::warning" not in run.stdout, run.stdout + run.stderr
        found = (step.folder / "path").read_text().split()
        assert len(found) == (name != "report")
        assert sorted(map(str, step.temp.glob("ghoard-bin.*"))) == found
    for folder in found:
        assert (pathlib.Path(folder) / "ghoard").read_bytes() == rig.BINARY.read_bytes()


def test_run_sh(step):
    run = shell(step, "setup", **install(), ENABLE_P2P_CACHE="false")
    assert run.returncode == 0, run.stderr
    step.exports |= step.read("env")
    (path,) = (step.folder / "path").read_text().splitlines()
    assert (pathlib.Path(path) / "ghoard").read_bytes() == rig.BINARY.read_bytes()
    assert get(step).status == 200


def test_the_version_of_codeql_is_the_one_that_init_gets():
    """`store` keeps no scan of another one than the key's: an example that pins one alone keeps nothing."""
    for path in ("README.md", "actions/README.md", "test/interop/reference.yml"):
        text = (rig.ROOT / path).read_text().replace('/\\\n            codeql-bundle', "/codeql-bundle")
        pinned = set(re.findall(r"codeql-version:? (\d\S+)", text))
        given = re.findall(r'tools: "?https://\S+/codeql-bundle-v([\d.]+)/codeql-bundle-linux64.tar', text)
        assert len(given) == text.count("uses: github/codeql-action/init@") and set(given) == pinned, path


REFERENCE = {
    "setup-github-cache": (
        {
            **{"enable-p2p": "true", "cache-size": "5000", "cache-ttl": "300", "p2p-port": "9000"},
            **{"enable-peer-discovery": "true", "github-token": None},
        },
        ("cache-status", "peer-count", "cache-dir"),
    ),
    "setup-codeql-cache": (
        {
            **{"enable-caching": "true", "cache-ttl": "86400", "github-token": None},
            **{"commit-sha": "${{ github.sha }}"},
        },
        ("cache-status", "should-skip-scan", "cached-result", "cache-dir"),
    ),
    "inject-credentials": (
        {"credentials": "[]", "credential-names": "", "github-token": None, "runner-id": ""},
        ("credentials-injected", "status"),
    ),
}


@pytest.mark.parametrize("name", REFERENCE)
def test_inputs_of_the_reference(name):
    """Each input and output, with the default; None: it is required."""
    text = (ACTIONS / name / "action.yml").read_text()
    inputs, _, rest = text.partition("\noutputs:\n")
    for key, default in REFERENCE[name][0].items():
        (found,) = re.findall(rf"^  {key}:\n    description: .*\n    (.*)$", inputs, re.M)
        assert found in ("required: true",) if default is None else (
            found.removeprefix("default: ").strip('"') == default
        ), key
    for key in REFERENCE[name][1]:
        assert re.search(rf"^  {key}:$", rest, re.M), key
    assert "${{" not in re.search(r"\n      run: (.*)", rest)[1], "an input in the text of a script"


def test_a_setup_without_a_key_names_no_other(step):
    """An empty cache-key is the last setup's: what had none, or did not run, must not be that one."""
    text = (ACTIONS / "setup-codeql-cache" / "action.yml").read_text()
    assert "${{ steps.run.outputs.cache-key || 'none' }}" in text
    step("save", SARIF=step.folder, CACHE_KEY="none", GHOARD_CODEQL_STATE=step.folder / "output")
    assert step.outputs["stored"] == "false"


def test_version():
    """The version that is installed is the one that make builds."""
    (built,) = re.findall(r"^VERSION\s*:= (\S+)$", (rig.ROOT / "Makefile").read_text(), re.M)
    assert f"INSTALL_VERSION={built}\n" in (ACTIONS / "run.sh").read_text()


def test_place_replaces_what_a_checkout_brought(step):
    tree = step.folder / "workspace"
    (tree / ".ghoard-runtime").mkdir(parents=True)
    (tree / ".ghoard-runtime" / "index.js").write_text("steal()")
    env = {"PATH": "/usr/bin:/bin", "GITHUB_WORKSPACE": tree, "GITHUB_OUTPUT": step.folder / "output"}
    subprocess.run(["sh", ACTIONS / "runtime" / "place.sh"], env=env, check=True)
    there = (tree / ".ghoard-runtime" / "index.js").read_text()
    assert there == (ACTIONS / "runtime" / "index.js").read_text()
    assert (step.folder / "output").read_text() == "ready=true\n"


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_the_token_is_handed_over(step):
    env = {
        **{"PATH": os.environ["PATH"], "RUNNER_TEMP": step.temp, "GITHUB_OUTPUT": step.folder / "output"},
        **{"ACTIONS_RESULTS_URL": "https://results.invalid/", "ACTIONS_RUNTIME_TOKEN": "t-1"},
    }
    subprocess.run(["node", ACTIONS / "runtime" / "index.js"], env=env, check=True)
    (file,) = step.temp.iterdir()
    assert (step.folder / "output").read_text() == f"file={file}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text()) == {
        "results_url": "https://results.invalid/",
        "runtime_token": "t-1",
    }
