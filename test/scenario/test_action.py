"""`ghoard action`: what the composite actions call, in a job's environment; and the daemon that is kept."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import time

import daemon
import pytest
import rig
import scanning

ACTIONS = rig.ROOT / "actions"


class Step:
    """Steps of one job: `action NAME` with inputs as variables, and what the runner's files say after it."""

    def __init__(self, ghoard, folder):
        self.ghoard, self.folder, self.temp = ghoard, folder, folder / "t"
        self.temp.mkdir()
        self.exports = {}

    def environment(self, **inputs):
        for name in ("env", "output", "summary", "path"):
            (self.folder / name).touch()
        (self.folder / "output").write_text("")
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_ENV": self.folder / "env",
            "GITHUB_OUTPUT": self.folder / "output",
            "GITHUB_STEP_SUMMARY": self.folder / "summary",
            "GITHUB_PATH": self.folder / "path",
            "RUNNER_TEMP": self.temp,
            "GITHUB_REPOSITORY": scanning.REPO,
            **self.exports,
            **inputs,
        }

    def __call__(self, name, rc=0, cwd=None, **inputs):
        run = self.ghoard("action", name, env=self.environment(**inputs), rc=rc, cwd=cwd, timeout=60)
        self.exports |= self.read("env")
        return run

    def read(self, name):
        found, lines = {}, iter((self.folder / name).read_text().splitlines())
        for line in lines:
            name, mark = line.split("<<")
            found[name] = "\n".join(iter(lambda: next(lines), mark))
        return found

    @property
    def outputs(self):
        return self.read("output")


@pytest.fixture
def step(ghoard, tmp_path):
    made = Step(ghoard, tmp_path)
    yield made
    if made.exports.get("GHOARD_SOCKET"):
        ghoard("stop", "--socket", made.exports["GHOARD_SOCKET"])


def setup(step, **inputs):
    return step("setup", **{"ENABLE_P2P_CACHE": "false", "P2P_LISTEN_PORT": "9000", **inputs})


def get(step, path=rig.REPO, timeout=20):
    connection = daemon.UnixConnection(step.exports["GHOARD_SOCKET"], timeout)
    try:
        return daemon.ask(connection, path)
    finally:
        connection.close()


def worker(step):
    run = step.ghoard("status", "--json", "--socket", step.exports["GHOARD_SOCKET"], rc=0)
    return run.json["pid"]


# ---- setup and report ----


def test_setup(step, fake):
    run = setup(step, GITHUB_CACHE_SIZE="77", CACHE_DEFAULT_TTL="9")
    assert "::warning" not in run.err
    outputs = step.outputs
    assert outputs["cache-status"] == "fallback" and outputs["peer-count"] == "0"
    assert outputs["cache-dir"] == str(step.ghoard.cache) == step.exports["CACHE_DIR"]
    assert step.exports["GITHUB_CACHE_SIZE"] == "77" and step.exports["CACHE_DEFAULT_TTL"] == "9"
    assert step.exports["P2P_LISTEN_PORT"] == "9000" and step.exports["ENABLE_P2P_CACHE"] == "false"
    folder = pathlib.Path(step.exports["GHOARD_JOB"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and folder.parent in (step.temp, pathlib.Path("/tmp"))
    assert get(step).status == 200 and get(step).cache["hit"]
    again = step.exports["GHOARD_SOCKET"]
    setup(step)
    assert step.exports["GHOARD_SOCKET"] == again, "a second setup of the job starts a second daemon"


def test_report_ends_it(step, fake):
    step.exports["GH_CONFIG_DIR"] = str(step.folder / "gh-of-the-user")
    setup(step)
    get(step), get(step)
    socket, folder = step.exports["GHOARD_SOCKET"], step.exports["GHOARD_JOB"]
    assert step.exports["GH_CONFIG_DIR"] == f"{folder}/gh"
    run = step("report")
    assert b"total_requests" in run.out
    assert "api_calls_saved | 1" in (step.folder / "summary").read_text()
    assert step.exports["GH_CONFIG_DIR"] == str(step.folder / "gh-of-the-user")
    assert step.exports["GHOARD_SOCKET"] == step.exports["GHOARD_API_URL"] == ""
    assert not os.path.exists(socket) and not os.path.exists(folder)


def test_gh_configuration_is_a_copy(step):
    own = step.ghoard.home / ".config" / "gh"
    own.mkdir(parents=True)
    text = "git_protocol: ssh\nhttp_unix_socket: /old\naliases:\n    co: pr checkout"
    (own / "config.yml").write_text(text)
    (own / "hosts.yml").write_text("github.com:\n    oauth_token: x\n")
    setup(step)
    there = pathlib.Path(step.exports["GH_CONFIG_DIR"])
    lines = (there / "config.yml").read_text().splitlines()
    assert lines == [
        "git_protocol: ssh",
        "aliases:",
        "    co: pr checkout",
        f"http_unix_socket: '{step.exports['GHOARD_SOCKET']}'",
    ]
    assert (there / "hosts.yml").read_text() == (own / "hosts.yml").read_text()
    assert stat.S_IMODE((there / "hosts.yml").stat().st_mode) == 0o600
    assert (own / "config.yml").read_text() == text


def test_gh_configuration_of_another_shape(step):
    own = step.ghoard.home / ".config" / "gh"
    own.mkdir(parents=True)
    (own / "config.yml").write_text("{git_protocol: ssh}\n")
    run = setup(step)
    assert "not as gh writes it" in run.err
    text = (pathlib.Path(step.exports["GH_CONFIG_DIR"]) / "config.yml").read_text()
    assert text == f"http_unix_socket: '{step.exports['GHOARD_SOCKET']}'\n"


def test_a_long_temp_folder(step):
    """A socket's path has 107 bytes."""
    step.temp = step.folder / ("x" * 120)
    step.temp.mkdir()
    setup(step)
    folder, socket = step.exports["GHOARD_JOB"], pathlib.Path(step.exports["GHOARD_SOCKET"])
    assert pathlib.Path(folder).parent == step.temp, "the runner does not find it at the job's end"
    assert socket.parent.parent == pathlib.Path("/tmp") and get(step).status == 200
    assert re.fullmatch("ghoard-[0-9a-f]{12}", socket.parent.name), "a name of the clock's"
    for place in (folder, socket.parent):
        assert stat.S_IMODE(os.stat(place).st_mode) == 0o700
    step("report")
    assert not os.path.exists(folder) and not socket.parent.exists()


@pytest.mark.parametrize("wrong", ["RUNNER_TEMP", "CACHE_DEFAULT_TTL"])
def test_disabled(step, wrong):
    run = setup(step, **{wrong: None if wrong == "RUNNER_TEMP" else "soon"})
    assert step.outputs["cache-status"] == "disabled" and step.outputs["peer-count"] == "0"
    assert run.err.count("::warning") == 1 and wrong in run.err, run
    assert "GHOARD_SOCKET" not in step.exports


def test_two_jobs_at_once(step, make_ghoard, fake):
    """Their own sockets and ports, one store."""
    other = Step(step.ghoard, step.folder / "second") if (step.folder / "second").mkdir() is None else None
    setup(step), setup(other)
    try:
        assert step.exports["GHOARD_API_URL"] != other.exports["GHOARD_API_URL"]
        assert get(step).status == 200 and get(other).cache["detail"] == "disk"
    finally:
        step.ghoard("stop", "--socket", other.exports["GHOARD_SOCKET"])


def test_the_token_file_is_gone(step):
    """Whoever reads it or not, it does not outlive the step."""
    for name in ("setup", "codeql", "report"):
        file = step.folder / f"runtime-{name}"
        file.write_text('{"results_url": "https://results.invalid", "runtime_token": "t"}')
        file.chmod(0o600)
        step(name, ENABLE_P2P_CACHE="false", GHOARD_RUNTIME_FILE=file, ENABLE_CODEQL_CACHE="false")
        assert not file.exists(), name


# ---- what is kept between setup and save ----


@pytest.fixture
def job(ghoard, step):
    made = scanning.Job(ghoard, step.folder / "job")
    made.step = step
    step.exports |= {k: str(v) for k, v in made.environment().items() if not k.startswith("GITHUB_OUTPUT")}
    step.exports["RUNNER_TEMP"] = str(step.temp)
    return made


KEY = {
    "GHOARD_IN_LANGUAGES": "python",
    "GHOARD_IN_VERSION": scanning.VERSION,
    "GHOARD_IN_BUILD_MODE": "none",
    "GHOARD_IN_CATEGORY": "/language:python",
    "GHOARD_MATRIX": "null",
}


def look(job, **more):
    job.step("codeql", cwd=job.tree, **{**KEY, **more})
    return job.step.outputs


def scan(job):
    found = look(job)
    assert found["should-skip-scan"] == "false", found
    path = job.folder / "results.sarif"
    path.write_text(json.dumps(scanning.sarif()))
    job.step("save", cwd=job.tree, SARIF=path, GHOARD_MATRIX="null")
    return job.step.outputs


def test_scan_save_skip(job, fake):
    assert scan(job) == {"stored": "true", "alerts": "2"}
    found = look(job)
    assert found["cache-status"] == "success" and found["should-skip-scan"] == "true"
    assert found["cached-result"].endswith(".sarif") and os.path.exists(found["cached-result"])
    assert found["cache-key"].startswith("ghoard-codeql-") and found["reason"] == "hit-commit"
    assert found["cache-dir"] == str(job.scans) == job.step.exports["CODEQL_CACHE_DIR"]
    (upload,) = fake.model.repo(scanning.REPO).uploads
    assert upload["commit_sha"] == job.head


def test_state_file(job):
    found = look(job)
    path = job.step.temp / f"{found['cache-key']}.json"
    assert str(path) == job.step.exports["GHOARD_CODEQL_STATE"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    record = json.loads(path.read_text())
    assert record["key"] == found["cache-key"] and abs(record["started"] - time.time()) < 60
    result = job.folder / "results.sarif"
    result.write_text(json.dumps(scanning.sarif()))
    for mode, stored in ((0o644, "false"), (0o600, "true")):
        path.chmod(mode)
        job.step("save", cwd=job.tree, SARIF=result)
        assert job.step.outputs["stored"] == stored, "a record that others could have written is believed"


def test_save_without_a_scan(job):
    scan(job)
    look(job)
    for more in ({}, {"SARIF": job.folder / "results.sarif", "CACHE_KEY": "ghoard-codeql-none"}):
        job.step("save", cwd=job.tree, GHOARD_CODEQL_STATE="", **more)
        assert job.step.outputs["stored"] == "false"


@pytest.mark.parametrize("how", ["refused", "failed", "offline"])
def test_no_upload_no_skip(job, fake, how):
    scan(job)
    repo = fake.model.repo(scanning.REPO)
    if how == "refused":
        fake.model.tokens["alice-token"].read_only = True
    elif how == "failed":
        repo.fields["upload_faults"] = ["odd"]
    else:
        fake.down()
    found = look(job)
    assert found["should-skip-scan"] == "false" and found["cached-result"] == ""
    assert found["reason"] == "upload-failed" and found["cache-status"] == "success"


def test_skip_without_an_upload(job, fake):
    scan(job)
    assert look(job, GHOARD_IN_UPLOAD="false")["should-skip-scan"] == "true"
    assert look(job, GITHUB_EVENT_NAME="merge_group")["should-skip-scan"] == "true"
    assert not getattr(fake.model.repo(scanning.REPO), "uploads", [])


def test_caching_switched_off(job):
    scan(job)
    assert look(job, ENABLE_CODEQL_CACHE="false") == {
        "cache-status": "disabled",
        "should-skip-scan": "false",
        "cached-result": "",
        "cache-dir": "",
        "cache-key": "",
        "reason": "",
    }


def test_wrong_words(job):
    """A wrong input is no reason to skip, nor to fail."""
    found = look(job, GHOARD_MATRIX="{")
    assert found["cache-status"] == "error" and found["should-skip-scan"] == "false"


# ---- credentials ----


def inject(step, rc=0, **inputs):
    """stdout is a pipe here, as the runner's is."""
    inputs = {"CREDENTIALS_JSON": "[]", "CREDENTIAL_NAMES": "", "RUNNER_ID": "", **inputs}
    run = step("inject", rc=rc, **inputs)
    return run, step.outputs


def test_inject(step):
    listed = json.dumps([{"name": "ONE_KEY", "value": "first-value", "scope": "repo", "ttl_hours": 1}])
    run, outputs = inject(step, CREDENTIALS_JSON=listed)
    assert outputs == {"credentials-injected": "1", "status": "success"}
    assert b"::add-mask::first-value" in run.out
    assert step.exports["ONE_KEY"] == "first-value"
    assert step.exports["CREDENTIALS_DIR"] == str(step.ghoard.home / ".credentials")


def test_inject_nothing(step):
    assert inject(step)[1] == {"credentials-injected": "0", "status": "error"}


def test_inject_some(step):
    listed = json.dumps([{"name": "ONE_KEY", "value": "first-value"}])
    _, outputs = inject(step, CREDENTIALS_JSON=listed, CREDENTIAL_NAMES="NOT_THERE", rc=1)
    assert outputs == {"credentials-injected": "1", "status": "partial"}


def test_anchor_in_the_summary(step):
    inject(step, CREDENTIALS_JSON=json.dumps([{"name": "ONE_KEY", "value": "first-value"}]))
    (step.folder / "summary").write_text("")
    step("report")
    assert "audit log stands at line" in (step.folder / "summary").read_text()


# ---- the shell around it ----


def install():
    digest = hashlib.sha256(rig.BINARY.read_bytes()).hexdigest()
    return {"INSTALL_SOURCE": rig.BINARY.parent, "INSTALL_SHA256": digest}


def shell(step, name, uname=None, **more):
    """actions/run.sh in a PATH of its own."""
    place = step.folder / "bin"
    place.mkdir(exist_ok=True)
    if uname:
        (place / "uname").write_text(f"#!/bin/sh\necho {uname}\n")
        (place / "uname").chmod(0o755)
    env = step.ghoard.environment("alice-token", step.environment(**more))
    env["PATH"] = f"{place}:/usr/bin:/bin"
    return subprocess.run(
        ["sh", ACTIONS / "run.sh", name], env=env, cwd=step.ghoard.project, capture_output=True, text=True
    )


@pytest.mark.parametrize("name", ["setup", "codeql", "save", "report"])
def test_another_system(step, name):
    run = shell(step, name, uname="Darwin")
    assert run.returncode == 0 and run.stdout.count("::warning") == 1 and "Linux" in run.stdout
    assert step.outputs == {} and not list(step.temp.iterdir())


def test_another_system_has_no_credentials(step):
    run = shell(step, "inject", uname="Darwin")
    assert run.returncode == 1 and "::error" in run.stdout


def test_run_sh(step):
    run = shell(step, "setup", **install(), ENABLE_P2P_CACHE="false")
    assert run.returncode == 0, run.stderr
    step.exports |= step.read("env")
    (path,) = (step.folder / "path").read_text().splitlines()
    assert (pathlib.Path(path) / "ghoard").read_bytes() == rig.BINARY.read_bytes()
    assert get(step).status == 200


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
