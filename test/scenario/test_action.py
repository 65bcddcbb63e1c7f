"""`ghoard action`: what the composite actions call, in a job's environment."""

import json
import os
import pathlib
import re
import stat
import time

import pytest
import rig
import scanning
from jobstep import Step, get


def setup(step, **inputs):
    return step("setup", **{"ENABLE_P2P_CACHE": "false", "P2P_LISTEN_PORT": "9000", **inputs})


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


def test_nothing_in_the_daemon_s_log_is_a_command(step, fake):
    """It holds what clients and peers sent."""
    ends = []
    for _ in range(2):
        setup(step)
        said = ["::set-output name=x::y", "##[add-path]/evil", "::add-mask::a"]
        with open(pathlib.Path(step.exports["GHOARD_JOB"]) / "ghoard.log", "a") as log:
            log.write("\n".join(said))
        lines = step("report").out.decode().splitlines()
        stop = next(n for n, line in enumerate(lines) if line.startswith("::stop-commands::"))
        ends.append(lines[stop].removeprefix("::stop-commands::"))
        end = lines.index(f"::{ends[-1]}::")
        assert all(stop < lines.index(line) < end for line in said) and re.fullmatch("[0-9a-f]{32}", ends[-1])
        assert lines[end + 1] == "::endgroup::"
    assert ends[0] != ends[1], "a log could name the word that ends it"


def test_a_long_log(step, fake):
    """Its end is shown, from a line's start, and that it is the end."""
    setup(step)
    with open(pathlib.Path(step.exports["GHOARD_JOB"]) / "ghoard.log", "a") as log:
        log.writelines(f"line {n:06}\n" for n in range(100000))
    lines = step("report").out.decode().splitlines()
    shown = [line for line in lines if re.fullmatch(r"line \d{6}", line)]
    first = lines.index(shown[0])
    assert shown[-1] == "line 099999" and shown == lines[first : first + len(shown)]
    assert 5000 < len(shown) <= 65536 // 12
    assert lines[first - 2] == "::group::the daemon's log, its last 64 KiB"


def test_report_ends_no_other_daemon(step, daemon, fake):
    """A step has named another one."""
    for temp in (step.temp, step.folder / ("x" * 120)):
        temp.mkdir(exist_ok=True)
        step.temp = temp
        setup(step)
        own = pathlib.Path(step.exports["GHOARD_SOCKET"])
        step.exports["GHOARD_SOCKET"] = str(daemon.socket)
        step("report")
        assert not own.parent.exists() and not list(temp.glob("ghoard-*"))
        assert daemon.process.poll() is None


def test_a_second_setup_after_the_daemon_died(step):
    """The user's configuration of gh is still the user's."""
    user = step.folder / "gh-of-the-user"
    user.mkdir()
    (user / "config.yml").write_text("git_protocol: ssh\n")
    step.exports["GH_CONFIG_DIR"] = str(user)
    setup(step)
    first = step.exports["GHOARD_JOB"]
    (user / "config.yml").write_text("git_protocol: https\n")
    step.ghoard("stop", "--socket", step.exports["GHOARD_SOCKET"], rc=0)
    setup(step)
    assert step.exports["GHOARD_JOB"] != first and get(step).status == 200
    assert "https" in (pathlib.Path(step.exports["GH_CONFIG_DIR"]) / "config.yml").read_text()
    step.ghoard("stop", "--socket", step.exports["GHOARD_SOCKET"], rc=0)
    setup(step, GHOARD_IDLE_EXIT="soon")
    assert step.outputs["cache-status"] == "disabled" and step.exports["GH_CONFIG_DIR"] == str(user)
    step("report")
    assert step.exports["GH_CONFIG_DIR"] == str(user)


@pytest.mark.parametrize("level", ["error", "debug"])
def test_a_checkout_silences_no_warning(step, level):
    (step.ghoard.project / ".github").mkdir()
    (step.ghoard.project / ".github" / "p2p-config.yml").write_text(f"logging:\n  level: {level}\n")
    run = setup(step, GHOARD_IDLE_EXIT="soon")
    assert run.err.count("::warning") == 1, run


def test_why_it_is_off(step):
    """In the daemon's own words, once."""
    run = setup(step, GHOARD_IDLE_EXIT="soon")
    assert "the GitHub API cache is off in this job: --idle-exit takes" in run.err, run


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


@pytest.mark.parametrize("last", ["no key", "off", "hit"])
def test_save_takes_the_last_setup_only(job, last):
    """A setup that leaves nothing to keep does not leave the record of one before it either."""
    scan(job)
    strict = {"GHOARD_IN_EXTRA_KEY": "strict"}
    assert look(job, **strict)["should-skip-scan"] == "false"
    off = {"ENABLE_CODEQL_CACHE": "false"}
    more = {"no key": {"GHOARD_IN_CONFIG_FILE": "none.yml"}, "off": off, "hit": {}}
    assert (look(job, **more[last])["should-skip-scan"] == "true") == (last == "hit")
    result = job.folder / "results.sarif"
    result.write_text(json.dumps(scanning.sarif()))
    job.step("save", cwd=job.tree, SARIF=result, CACHE_KEY="")
    assert job.step.outputs["stored"] == "false"
    assert look(job, **strict)["should-skip-scan"] == "false"


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
    assert job.step("codeql", cwd=job.tree, ENABLE_CODEQL_CACHE="false").out.endswith(b"scan: disabled\n")


def test_wrong_words(job):
    """A wrong input is no reason to skip, nor to fail."""
    found = look(job, GHOARD_MATRIX="{")
    assert found["cache-status"] == "error" and found["should-skip-scan"] == "false"
    assert job.step("codeql", cwd=job.tree, GHOARD_MATRIX="{").out.endswith(b"scan: error\n")


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
    log = next(step.folder.rglob("audit.log"))
    log.write_bytes(log.read_bytes().replace(b"log_started", b"log_begun.."))
    (step.folder / "summary").write_text("")
    step("report")
    summary = (step.folder / "summary").read_text()
    assert "does not verify" in summary and "stands at line" not in summary
