"""`ghoard codeql`: what a check answers, by sources, configuration, event, age and trust."""

import base64
import json
import os
import shutil
import subprocess
import time

import pytest
from scanning import KEY, SHARED, Job, git, result, sarif


@pytest.fixture
def job(ghoard, tmp_path):
    return Job(ghoard, tmp_path / "job")


@pytest.fixture
def make_job(ghoard, tmp_path):
    return lambda name, sources: Job(ghoard, tmp_path / name, sources)


# ---- hits


def test_the_same_sources_need_no_second_scan(job):
    found = job.check(rc=1)
    assert (found["skip"], found["reason"], found["sarif_path"]) == (False, "miss-none", "")
    assert job.outputs["should_skip"] == "false"
    job.store()
    found = job.check(rc=0)
    assert found["skip"] and found["reason"] == "hit-commit" and found["matched_commit"] == job.head
    assert found["alerts"] == 2 and found["alerts_by"]["error"] == 1 and found["alerts_by"]["critical"] == 1
    assert found["trust"] == "local" and found["proven"] == 2 and 590 <= found["time_saved_seconds"] <= 600
    assert job.outputs == {
        "should_skip": "true",
        "reason": "hit-commit",
        "sarif_path": found["sarif_path"],
        "alerts": "2",
        "time_saved_seconds": str(found["time_saved_seconds"]),
        "matched_commit": job.head,
    }
    text = job("check", rc=0).out.decode()
    assert found["pinned"] is True and "pinned" not in text
    assert text.startswith("skip: hit-commit") and "critical 1" in text


def test_the_tree_decides_and_the_commit_is_a_label(job):
    job.scan()
    first = job.head
    second = job.commit("empty")
    found = job.check(rc=0)
    assert found["reason"] == "hit-tree" and found["matched_commit"] == first != second


def test_what_is_stored_is_clean_and_has_all_that_github_wants(job):
    job.scan()
    path = job.check(rc=0)["sarif_path"]
    text = open(path).read()
    run = json.loads(text)["runs"][0]
    assert (
        "jobRunUuid" not in text
        and "startTimeUtc" not in text
        and "revisionId" not in text
        and "runner-7" not in text
    )
    assert run["automationDetails"]["id"] == "/language:python/"
    assert run["invocations"] == [{"executionSuccessful": True}]
    assert run["properties"] == {"semmle.formatSpecifier": "sarif-latest"}
    assert all(r["partialFingerprints"]["primaryLocationLineHash"] for r in run["results"])
    job.store(sarif())
    assert len(list((job.scans / "sarif").iterdir())) == 1, "the same result twice is one file"


def test_the_category_of_the_action(job):
    job.key = tuple(k for k in KEY if k not in ("--category", "/language:python"))
    args = ("--matrix", '{"language": "python", "n": 1, "arch": "x64"}')
    job.check(*args, rc=1)
    job.store(None, *args)
    run = json.loads(open(job.check(*args, rc=0)["sarif_path"]).read())["runs"][0]
    assert (
        run["automationDetails"]["id"] == ".github/workflows/codeql.yml:analyze/arch:x64/language:python/n:/"
    )


def test_what_cannot_matter_is_a_hit(job, make_job, ghoard, tmp_path):
    job.scan()
    for file in job.tree.rglob("*.py"):
        os.utime(file, (1, 1))
    assert job.check(rc=0)["skip"]
    other = make_job("elsewhere/deeper", job)
    assert other.check(rc=0)["reason"] == "hit-commit", "another clone, another path"
    shutil.copytree(job.tree, tmp_path / "copy", symlinks=True)
    job.tree = tmp_path / "copy"
    assert job.check(rc=0)["skip"], "a restored copy"
    assert job.check(rc=0, ref="refs/heads/other")["skip"], "another branch"
    assert job.check(rc=0, GITHUB_RUN_ID="78", USER="other")["skip"], "another run and user"
    (job.tree / "README.md").write_text("prose\n")
    assert job.check(rc=0)["skip"], "prose is not read by python's extractor"
    shutil.rmtree(job.tree / ".git")
    (job.tree / "README.md").write_text("# An example\n")
    found = job.check(rc=0)
    assert found["skip"] and found["mode"] == "files", "a checkout without .git has the same key"


def test_time_saved_is_counted_once_a_job(job):
    job.scan()
    for _ in range(3):
        job.check(rc=0)
    saved = job.stats()["codeql_seconds_saved"]
    assert 590 <= saved <= 600
    job.check(rc=1, GITHUB_JOB="other-job")
    assert job.stats()["codeql_seconds_saved"] == saved, "another job is another configuration"
    job.check(rc=0, GITHUB_RUN_ID="78")
    stats = job.stats()
    assert 2 * 590 <= stats["codeql_seconds_saved"] <= 1200 and stats["codeql_hits"] == 4
    assert stats["codeql_stored"] == 1 and stats["codeql_scans"] == 4


# ---- sources


@pytest.mark.parametrize(
    "change",
    [
        lambda t: (t / "app.py").write_text("import os, sys\nos.system(sys.argv[2])\nprint(1)\n"),
        lambda t: (t / "lib" / "util.py").unlink(),
        lambda t: (t / "new.py").write_text("x = 1\n"),
        lambda t: (t / "vendored").mkdir() or (t / "vendored" / "x").write_text("#!/usr/bin/python3\n"),
        lambda t: (t / "app.py").chmod(0o755),
        lambda t: (t / "app.py").rename(t / "app2.py"),
        lambda t: (t / ".github" / "workflows" / "codeql.yml").write_text("on: [push]\n"),
        lambda t: (t / "query.ql").write_text("select 1\n"),
        lambda t: (t / "setup.cfg").write_text("[metadata]\n"),
        lambda t: (t / "link.py").symlink_to("app.py"),
    ],
)
def test_every_change_of_the_sources_misses(job, change):
    job.scan()
    change(job.tree)
    found = job.check(rc=1)
    assert found["reason"] == "miss-sources"
    job.commit()
    assert job.check(rc=1)["reason"] == "miss-sources"


def test_an_untracked_file_counts_ignored_or_not(job):
    (job.tree / ".gitignore").write_text("*.gen.py\n")
    job.commit()
    job.scan()
    (job.tree / "made.gen.py").write_text("x = 1\n")
    assert job.check(rc=1)["reason"] == "miss-sources"
    args = ("--ignore-untracked", "*.gen.py")
    assert job.check(*args, rc=1)["reason"] in ("miss-sources", "miss-config", "miss-none")
    job.store(None, *args)
    (job.tree / "made.gen.py").write_text("x = 2\n")
    assert job.check(*args, rc=0)["skip"]


# ---- the configuration


CONFIG = """name: c
queries:
  - uses: ./queries
query-filters:
  - exclude: {id: py/x}
threat-models: local
"""


def configured(job):
    """A job with everything that can be in a key."""
    (job.tree / "queries").mkdir()
    (job.tree / "queries" / "a.ql").write_text("select 1\n")
    job.commit()
    config = job.folder / "config.yml"
    config.write_text(CONFIG)
    job.config = config
    job.folder.joinpath("bin").mkdir()
    for tool in ("gcc", "javac"):
        (job.folder / "bin" / tool).write_text(f"#!/bin/sh\necho {tool} 1\n")
        (job.folder / "bin" / tool).chmod(0o755)
    job.env = {
        "PATH": f"{job.folder}/bin",
        "CODEQL_THREADS": "2",
        "ImageOS": "ubuntu24",
        "ImageVersion": "20261101.1",
    }
    job.key = (
        "--language python --build-mode manual --codeql-version 2.25.6 --queries security-extended "
        "--packs octo/pack@1.2.3 --category c --extra-key one"
    ).split() + ["--config-file", config, "--matrix", '{"language":"python"}']
    return job


def swap(job, name, value):
    at = job.key.index(name)
    job.key = job.key[: at + 1] + [value] + job.key[at + 2 :]


MUTATIONS = {
    "languages": lambda j: swap(j, "--language", "ruby"),
    "queries": lambda j: swap(j, "--queries", "security-and-quality"),
    "packs": lambda j: swap(j, "--packs", "octo/pack@1.2.4"),
    "tool-version": lambda j: swap(j, "--codeql-version", "2.25.7"),
    "build-mode": lambda j: swap(j, "--build-mode", "autobuild"),
    "category": lambda j: swap(j, "--category", "d"),
    "matrix": lambda j: swap(j, "--matrix", '{"language":"go"}'),
    "extra-key": lambda j: swap(j, "--extra-key", "two"),
    "config.query-filters": lambda j: j.config.write_text(CONFIG.replace("py/x", "py/y")),
    "config.threat-models": lambda j: j.config.write_text(CONFIG.replace("local", "remote")),
    "config.paths-ignore": lambda j: j.config.write_text(CONFIG + "paths-ignore: [x]\n"),
    "config-file-content": lambda j: j.config.write_text(CONFIG + "# a word\n"),
    "env.CODEQL_THREADS": lambda j: j.env.update(CODEQL_THREADS="3"),
    "env.CODEQL_EXTRACTOR_PYTHON_ANALYSIS_VERSION": lambda j: j.env.update(
        CODEQL_EXTRACTOR_PYTHON_ANALYSIS_VERSION="3"
    ),
    "env.LGTM_INDEX_FILTERS": lambda j: j.env.update(LGTM_INDEX_FILTERS="x"),
    "env.SEMMLE_JAVA_ARGS": lambda j: j.env.update(SEMMLE_JAVA_ARGS="x"),
    "env.CC": lambda j: j.env.update(CC="clang"),
    "env.CPPFLAGS": lambda j: j.env.update(CPPFLAGS="-DX"),
    "env.GOFLAGS": lambda j: j.env.update(GOFLAGS="-tags=x"),
    "env.CGO_ENABLED": lambda j: j.env.update(CGO_ENABLED="0"),
    "env.MAVEN_ARGS": lambda j: j.env.update(MAVEN_ARGS="-Px"),
    "env.RUSTFLAGS": lambda j: j.env.update(RUSTFLAGS="--cfg x"),
    "env.C_INCLUDE_PATH": lambda j: j.env.update(C_INCLUDE_PATH="/x"),
    "env.CCACHE_PATH": lambda j: j.env.update(CCACHE_PATH="/x"),
    "env.CMAKE_PREFIX_PATH": lambda j: j.env.update(CMAKE_PREFIX_PATH="/x"),
    "env.MAKEFLAGS": lambda j: j.env.update(MAKEFLAGS="DEBUG=1"),
    "env.PYTHONPATH": lambda j: j.env.update(PYTHONPATH="/x"),
    "image": lambda j: j.env.update(ImageOS="ubuntu22"),
    "image-version": lambda j: j.env.update(ImageVersion="20261108.1"),
    "os": lambda j: j.env.update(RUNNER_OS="macOS"),
    "arch": lambda j: j.env.update(RUNNER_ARCH="ARM64"),
    "job": lambda j: j.env.update(GITHUB_JOB="other"),
    "workflow": lambda j: j.env.update(GITHUB_WORKFLOW_REF="o/r/.github/workflows/other.yml@refs/heads/main"),
    "tool.gcc": lambda j: (j.folder / "bin" / "gcc").write_text("#!/bin/sh\necho gcc 2\n"),
    "tool.javac": lambda j: (j.folder / "bin" / "javac").unlink(),
    "dispatch-inputs": lambda j: setattr(j, "payload", {"inputs": {"deep": "true"}}),
    "source-root": lambda j: j.key.extend(["--source", "lib"]),
}


@pytest.mark.parametrize("field", MUTATIONS)
def test_every_input_of_the_configuration_misses(job, field):
    configured(job)
    job.payload = None
    job.scan(sarif())
    assert job.check(rc=0)["skip"]
    MUTATIONS[field](job)
    found = job.check(rc=1, payload=job.payload)
    assert not found["skip"] and found["reason"] in ("miss-config", "miss-sources", "miss-none")
    told = job("explain", "--json", rc=0, payload=job.payload).json
    assert field in [f["field"] for f in told["fields"]], told["fields"]


def test_a_query_of_the_configuration_is_an_input(job):
    configured(job)
    job.scan()
    (job.tree / "queries" / "a.ql").write_text("select 2\n")
    assert not job.check(rc=1)["skip"]
    told = job("explain", "--json", rc=0).json
    assert "file:./queries" in [f["field"] for f in told["fields"]]


@pytest.mark.parametrize("name", ["CODEQL_CACHE_TTL", "GITHUB_RUN_NUMBER", "HOME_OF_SOMETHING"])
def test_variables_that_do_not_reach_the_tool(job, name):
    job.scan()
    assert job.check(rc=0, **{name: "3600"})["skip"]


def test_the_image_and_tools_do_not_matter_without_a_build(job):
    job.scan()
    assert job.check(rc=0, ImageVersion="other", PATH="/nowhere", CC="clang", GOFLAGS="-x")["skip"]


@pytest.mark.parametrize("language", ["rust", "go", "c-cpp"])
def test_a_compiled_language_is_built_unless_it_is_said_not_to_be(job, language):
    job.key = ("--language", language, "--codeql-version", "2.25.6", "--category", "c")
    document = sarif([])
    pack = f"codeql/{'cpp' if language == 'c-cpp' else language}-queries"
    document["runs"][0]["tool"]["extensions"][0]["name"] = pack
    job.scan(document, RUSTFLAGS="--cfg one-hushed")
    assert job.check(rc=0, RUSTFLAGS="--cfg one-hushed")["skip"]
    assert not job.check(rc=1, RUSTFLAGS="--cfg two")["skip"]
    assert not job.check(rc=1, RUSTFLAGS="--cfg one-hushed", ImageVersion="other")["skip"]
    text = job("explain", "--json", rc=0).out
    assert b"env.RUSTFLAGS" in text and b"one-hushed" not in text


def test_a_variable_s_value_is_not_stored(job):
    job.scan(CODEQL_REGISTRIES_AUTH="hush-hush-token")
    everything = b"".join(
        p.read_bytes() for p in [*job.scans.rglob("*"), *job.temp.rglob("*")] if p.is_file()
    )
    assert b"hush-hush-token" not in everything and b"CODEQL_REGISTRIES_AUTH" in everything


@pytest.mark.parametrize(
    "args, word",
    [
        (("--packs", "octo/pack"), "octo/pack"),
        (("--packs", "octo/pack@~1.2"), "octo/pack"),
        (("--queries", "octo/repo/x@main"), "octo/repo"),
        (("--config-file", "octo/repo/config.yml@v1"), "octo/repo"),
    ],
)
def test_what_is_not_pinned_misses(job, args, word):
    found = job.check(*args, rc=1)
    assert found["reason"] == "miss-config" and word in found["detail"]
    job.check(*args, "--allow-unpinned", rc=1)
    job.store(None, *args, "--allow-unpinned")
    found = job.check(*args, "--allow-unpinned", rc=0)
    assert found["skip"] and found["pinned"] is False
    (line,) = [
        line
        for line in job("check", *args, "--allow-unpinned", rc=0).out.decode().splitlines()
        if line.startswith("not pinned")
    ]
    assert word in line
    assert job.check(*args, rc=1)["reason"] == "miss-config"


def test_an_unknown_version_misses_and_the_tool_cache_tells_it(job, tmp_path):
    job.key = ("--language", "python", "--build-mode", "none")
    assert "version" in job.check(rc=1)["detail"]
    cache = tmp_path / "tools" / "CodeQL"
    (cache / "2.25.6" / "x64").mkdir(parents=True)
    job.env = {"RUNNER_TOOL_CACHE": tmp_path / "tools"}
    job.scan()
    assert job.check(rc=0)["skip"]
    (cache / "2.25.7").mkdir()
    assert job.check(rc=1)["reason"] == "miss-config", "two versions: which one is used is not known"


def test_the_unpinned_are_believed_for_a_day(job):
    args = ("--packs", "octo/pack", "--allow-unpinned")
    env = {"CODEQL_CACHE_TTL": "7d"}
    job.check(*args, rc=1, **env)
    job.store(None, *args, finished=time.time() - 25 * 3600, **env)
    assert job.check(*args, rc=1, **env)["reason"] == "expired"


def test_age_is_bounded(job):
    job.check(rc=1)
    job.store(finished=time.time() - 25 * 3600, CODEQL_CACHE_TTL="30d")
    assert job.check(rc=1)["reason"] == "expired"
    assert job.check(rc=0, CODEQL_CACHE_TTL="2d")["skip"]
    (job.tree / ".github" / "cache-config.yml").write_text("operation_ttls:\n  codeql_results: 365d\n")
    job.forget_runs()
    job.check(rc=1)
    job.store(finished=time.time() - 8 * 86400)
    assert job.check(rc=1)["reason"] == "expired", "a checkout cannot make results live longer than a week"


# ---- events


def test_schedule_and_dispatch_scan(job):
    job.scan()
    assert job.check(rc=1, event="schedule")["reason"] == "event-schedule"
    assert job.check(rc=1, event="workflow_dispatch")["reason"] == "event-dispatch"


def test_a_scheduled_scan_is_stored_for_the_others(job):
    job.scan(event="schedule")
    assert job.check(rc=0)["skip"]


def test_the_daemon_shows_the_counts(job, daemon):
    job.scan()
    job.check(rc=0)
    stats = daemon.get("/_ghoard/stats", token=None, unix=True).json
    assert (stats["codeql_scans"], stats["codeql_checks"], stats["codeql_stored"]) == (1, 2, 1)
    assert stats["codeql_seconds_saved"] == job.stats()["codeql_seconds_saved"] > 0
    metrics = daemon.get("/_ghoard/metrics", token=None, unix=True).body.decode()
    assert "ghoard_codeql_hits_total 1" in metrics
    assert "CodeQL scans spared" in daemon.get("/_ghoard/", token=None, unix=True).body.decode()


@pytest.mark.parametrize("event", ["pull_request_target", "workflow_run", "issue_comment", "no_such_event"])
def test_untrusted_events_scan_unless_commit_and_ref_are_given(job, event):
    job.scan()
    assert job.check(rc=1, event=event)["reason"] == "event-untrusted"
    assert job.check("--commit", job.head, rc=1, event=event)["reason"] == "event-untrusted"
    assert job.check("--commit", job.head, "--ref", "refs/heads/main", rc=0, event=event)["skip"]


@pytest.mark.parametrize("event", ["pull_request_target", "workflow_run", "no_such_event"])
def test_what_an_untrusted_event_stored_answers_no_branch(job, event):
    args = ("--commit", job.head, "--ref", "refs/heads/other")
    of = {"event": event, "payload": pull("mallory/fork")["payload"] if "pull" in event else {}}
    job.check(*args, rc=1, **of)
    job.store(None, *args, **of)
    assert job.check(rc=1)["skip"] is False, "a push"
    assert job.check(rc=1, **pull("octocat/hello-world"))["skip"] is False
    assert job.check(*args, rc=0, **of)["skip"], "itself"


@pytest.mark.parametrize("ref", ["pull/7/head", "main", "refs/heads/", "refs/pull/x/merge", "refs/notes/x"])
def test_a_ref_is_a_whole_one(job, ref):
    for command in (("check",), ("explain",)):
        run = job(*command, "--commit", job.head, "--ref", ref, rc=2)
        assert "refs/heads/NAME" in run.one_line()


def test_merge_groups_skip_and_never_upload(job, fake):
    ref = "refs/heads/gh-readonly-queue/main/pr-1-abc"
    found = job.check(rc=0, event="merge_group", ref=ref)
    assert found["reason"] == "event-merge-group" and not found["upload"] and found["sarif_path"] == ""
    assert job.check("--fail-on", "high", rc=1, event="merge_group", ref=ref)["skip"] is False
    job.scan()
    found = job.check(rc=0, event="merge_group", ref=ref)
    assert found["reason"] == "hit-commit" and not found["upload"]
    assert b"not uploaded" in job("upload", rc=0, event="merge_group", ref=ref).out and fake.count() == 0


def pull(head_repo, number=5, sha="2" * 40):
    return {
        "event": "pull_request",
        "ref": f"refs/pull/{number}/merge",
        "payload": {
            "pull_request": {
                "number": number,
                "base": {"sha": "3" * 40},
                "head": {"sha": sha, "repo": head_repo and {"full_name": head_repo}},
            }
        },
    }


def test_what_a_pull_request_stored_answers_pull_requests_only(job):
    job.scan(**pull("octocat/hello-world"))
    assert job.check(rc=0, **pull("octocat/hello-world", 6))["skip"]
    assert job.check(rc=0, **pull("mallory/fork"))["skip"]
    assert job.check(rc=1)["skip"] is False


def test_what_a_fork_stored_answers_only_itself(job):
    job.scan(**pull("mallory/fork"))
    assert job.check(rc=0, **pull("mallory/fork"))["skip"]
    assert job.check(rc=1, **pull("mallory/fork", 6))["skip"] is False
    assert job.check(rc=1, **pull("octocat/hello-world"))["skip"] is False
    assert job.check(rc=1, **pull(None))["skip"] is False
    assert job.check(rc=1)["skip"] is False


def test_a_branch_s_result_answers_everybody(job):
    job.scan()
    for who in ("octocat/hello-world", "mallory/fork", None):
        assert job.check(rc=0, **pull(who))["skip"]


# ---- what a checkout says is no command


@pytest.mark.parametrize(
    "name, shown",
    [
        (b"x\n::add-mask::rc", rb"x\x0a::add-mask::rc"),
        (b"x\r##[error]y", rb"x\x0d\x23#[error]y"),
        (b"\xff\xc2\x9b1m", rb"\xff\xc2\x9b1m"),
        ("\u2028\u00e9".encode(), rb"\xe2\x80\xa8" + "\u00e9".encode()),
    ],
)
def test_a_file_s_name_is_no_workflow_command(job, name, shown):
    os.symlink(b"/etc/passwd", os.fsencode(job.tree) + b"/" + name)
    for command, lines in (("check", 1), ("explain", 2)):
        out = job(command, rc=1).out
        assert shown in out and out.count(b"\n") == lines and b"\r" not in out, out


def test_a_tool_s_name_is_no_workflow_command(job):
    key = ("--tool", "Semgrep", "--tool-version", "1.2", "--category", "c")
    job.check(key=key, rc=1)
    run = job.store(sarif(tool="Semgrep\n::error::x", version="1.2"), key=key)
    assert run.out.count(b"\n") == 1 and rb"Semgrep\x0a::error::x" in run.out
    (job.tree / "new.py").write_text("x = 1\n")
    assert b"\n::" not in job("explain", key=key, rc=0).out


# ---- the gate, shadow mode, other tools


@pytest.mark.parametrize(
    "level, code",
    [("critical", 7), ("high", 7), ("error", 7), ("note", 7), ("any", 7)],
)
def test_the_gate(job, level, code):
    job.scan()
    run = job("check", "--fail-on", level, rc=code)
    assert run.out.startswith(b"skip: hit-commit")


@pytest.mark.parametrize("level", ["critical", "high", "error", "warning"])
def test_the_gate_is_open(job, level):
    job.scan(sarif([result(rule=1, line=1)]))
    assert job.check("--fail-on", level, rc=0)["alerts"] == 1
    assert job("check", "--fail-on", "worse", rc=2).one_line()


def test_shadow_mode_measures_false_skips(job):
    job.scan()
    found = job.check("--sample", "100%", rc=1)
    assert found["reason"] == "sample" and found["sarif_path"] == ""
    job.store()
    stats = job.stats()
    assert stats["codeql_sampled"] == 1 and stats["codeql_false_skip_rate"] == 0
    job.check("--sample", "100%", rc=1)
    run = job.store(sarif([result()]))
    assert "false skip" in run.err
    stats = job.stats()
    assert stats["codeql_sampled"] == 2 and stats["codeql_false_skips"] == 1
    assert stats["codeql_false_skip_rate"] == 0.5
    assert b"codeql_false_skip_rate" in job.ghoard("stats", rc=0).out
    assert job.check("--sample", "0%", rc=0)["skip"]
    assert job("check", "--sample", "lots", rc=2).one_line()


def test_any_sarif_tool(job):
    job.key = ("--tool", "Semgrep", "--tool-version", "1.69.0")
    document = sarif([result(rule=1, line=1)], tool="Semgrep OSS", version="1.69.0")
    job.scan(document, SEMGREP_RULES="p/ci")
    assert job.check(rc=0, SEMGREP_RULES="p/ci")["alerts"] == 1
    assert job.check(rc=1, SEMGREP_RULES="p/other")["reason"] == "miss-config"
    assert job.check(rc=0, SEMGREP_RULES="p/ci", CODEQL_THREADS="7")[
        "skip"
    ], "CodeQL's variables are not Semgrep's"
    job.check(rc=1)
    assert "not of Semgrep" in job.store(sarif(), rc=1).one_line()


# ---- trust


def keys(folder):
    """An Ed25519 pair as openssl writes it: (private PEM, public as base64 of DER)."""
    private = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True, check=True, text=True
    ).stdout
    public = subprocess.run(
        ["openssl", "pkey", "-pubout", "-outform", "DER"],
        input=private.encode(),
        capture_output=True,
        check=True,
    ).stdout
    return private, base64.b64encode(public).decode()


def test_signed_results(job, make_job, ghoard, tmp_path):
    private, public = keys(tmp_path)
    job.scan(GHOARD_CODEQL_KEY=private)
    found = job.check(rc=0, GHOARD_CODEQL_KEY=private)
    assert found["trust"] == "signed"
    entry = json.loads(job.entries()[0].read_bytes())["ghoard"]
    assert len(base64.b64decode(entry["sig"])) == 64
    other, _ = keys(tmp_path)
    assert job.check(rc=1, GHOARD_CODEQL_KEY=other)["reason"] == "untrusted"
    job.forget_runs()
    shutil.rmtree(job.scans)
    job.scan()
    assert job.check(rc=1, GHOARD_CODEQL_KEY=private)["reason"] == "unsigned"
    assert job("check", rc=3, GHOARD_CODEQL_KEY="nonsense").one_line()


def test_only_the_public_key_is_there(job, tmp_path):
    private, public = keys(tmp_path)
    _, other = keys(tmp_path)
    job.scan(GHOARD_CODEQL_KEY=private)
    trusted = {"GHOARD_CODEQL_TRUSTED_KEYS": f"{other},{public}"}
    assert job.check(rc=0, **trusted)["trust"] == "signed"
    assert job.check(rc=1, GHOARD_CODEQL_TRUSTED_KEYS=other)["reason"] == "untrusted"
    run = job.store(sarif([]), **trusted)
    assert run.out.startswith(b"kept what is there"), "whoever cannot sign does not replace what is signed"
    assert job.check(rc=0, **trusted)["alerts"] == 2
    assert job("check", rc=3, GHOARD_CODEQL_TRUSTED_KEYS="nonsense").one_line()
    (job.tree / ".github" / "cache-config.yml").write_text(f"codeql:\n  trusted_keys: ['{other}']\n")
    run = job("check", "--json", rc=1, **trusted)
    assert run.json["reason"] == "miss-sources" and "trusted_keys" in run.err, "a checkout names no keys"


def test_a_restored_cache_needs_a_signature(job, tmp_path):
    job.scan()
    shutil.copytree(job.scans, tmp_path / "saved")
    shutil.rmtree(job.scans)
    shutil.copytree(tmp_path / "saved", job.scans)
    os.chmod(job.scans / "github_cache", 0o700)
    assert job.check(rc=1)["reason"] == "unsigned"


def test_files_restored_into_the_same_folder_need_a_signature(job, tmp_path):
    job.scan()
    assert job.check(rc=0)["trust"] == "local"
    for path in job.entries():
        shutil.copy2(path, tmp_path / path.name)
        path.unlink()
        shutil.copy2(tmp_path / path.name, path)
    assert job.check(rc=1)["reason"] == "unsigned"


def test_a_restored_cache_with_a_signature(job, tmp_path):
    private, _ = keys(tmp_path)
    job.scan(GHOARD_CODEQL_KEY=private)
    shutil.copytree(job.scans, tmp_path / "saved")
    shutil.rmtree(job.scans)
    shutil.copytree(tmp_path / "saved", job.scans)
    assert job.check(rc=0, GHOARD_CODEQL_KEY=private)["trust"] == "signed"


def edited(job, change):
    """Every entry, changed: what a forger or a broken disk could do."""
    for path in (job.scans / "github_cache").glob("*.json"):
        text = path.read_text()
        assert change(text) != text or "codeql_scan" in path.name
        path.write_text(change(text))


FORGERIES = {
    "counts": lambda t: t.replace('"error":1', '"error":0', 1).replace('"critical":1', '"critical":0', 1),
    "another repository": lambda t: t.replace("octocat/hello-world", "octocat/hello-worlds"),
    "another tree": lambda t: t.replace('"fingerprint":"', '"fingerprint":"0', 1),
    "future": lambda t: t.replace('"timestamp":1', '"timestamp":3', 1).replace(
        '"finished":1', '"finished":3', 1
    ),
    "longer life": lambda t: t.replace('"ttl":86400', '"ttl":8640000', 1),
    "a full one": lambda t: t.replace('"class":"full"', '"class":"pull"'),
    "another event": lambda t: t.replace('"event":"push"', '"event":"pull"'),
    "no version": lambda t: t.replace('"version":"2.25.6"', '"version":""'),
    "cut": lambda t: t[: len(t) // 2],
    "empty": lambda t: "",
    "not JSON": lambda t: "x" * len(t),
    "deep": lambda t: "[" * 5000,
}


@pytest.mark.parametrize("how", FORGERIES)
def test_a_forged_entry_under_a_key_is_never_a_skip(job, tmp_path, how):
    private, _ = keys(tmp_path)
    job.scan(GHOARD_CODEQL_KEY=private)
    edited(job, FORGERIES[how])
    found = job.check(rc=1, GHOARD_CODEQL_KEY=private)
    assert found["skip"] is False and found["reason"] in (
        "untrusted",
        "damaged",
        "miss-none",
        "miss-config",
        "unsigned",
    )
    job("ls", rc=0, key=())
    job("ls", "--json", rc=0, key=())


def test_an_edited_entry_without_keys(job):
    """Whoever can write the folder can forge an unsigned entry; what does not hold together is still seen."""

    def scan_of(text):
        return text.index('"scan":')

    job.scan()
    (path,) = job.entries()
    good = path.read_text()
    at = scan_of(good)
    fewer = good[:at] + good[at:].replace('"error":1', '"error":0', 1)
    path.write_text(fewer)
    assert fewer != good and job.check(rc=1)["reason"] == "damaged"
    job.store()
    good = path.read_text()
    at = scan_of(good)
    future = good[:at].replace('"timestamp":1', '"timestamp":3', 1) + good[at:].replace(
        '"finished":1', '"finished":3', 1
    )
    path.write_text(future)
    assert job.check(rc=1)["reason"] == "damaged"
    path.write_text(good.replace('"ttl":86400', '"ttl":864000', 1))
    assert job.check(rc=0)["skip"]
    path.write_text(path.read_text().replace('"timestamp":1', '"timestamp":0', 1))
    assert job.check(rc=1)["skip"] is False


def test_a_signed_entry_is_bound_to_its_name(job, tmp_path):
    private, _ = keys(tmp_path)
    job.scan(GHOARD_CODEQL_KEY=private)
    (path,) = job.entries()
    text = path.read_bytes()
    (job.tree / "app.py").write_text("import os\n")
    job.scan(sarif([]), GHOARD_CODEQL_KEY=private)
    (other,) = [p for p in job.entries() if p != path]
    other.write_bytes(text)
    assert job.check(rc=1, GHOARD_CODEQL_KEY=private)["skip"] is False


def test_other_bytes_of_the_sarif_are_damage(job):
    job.scan()
    (path,) = (job.scans / "sarif").iterdir()
    path.write_text(path.read_text().replace('"startLine": 2', '"startLine": 3'))
    assert job.check(rc=1)["reason"] == "damaged"
    assert not job.entries() and list((job.scans / "github_cache" / "corrupt").iterdir())


def test_what_the_reference_wrote_is_listed_and_no_evidence(job):
    job.check(rc=1)
    key = f"codeql:codeql_scan:octocat/hello-world:{job.head}:0123456789abcdef:python"
    entry = {
        "cache_key": key,
        "timestamp": time.time(),
        "ttl": 86400,
        "content_hash": None,
        "validation_fields": None,
        "data": {
            "commit_sha": job.head,
            "scan_config_hash": "0123456789abcdef",
            "results": {"runs": []},
            "timestamp": time.time(),
            "scan_duration": 300,
            "alerts_count": 0,
            "severity_breakdown": {},
            "sarif_location": None,
        },
    }
    folder = job.scans / "github_cache"
    (folder / (key.replace(":", "_").replace("/", "_") + ".json")).write_text(json.dumps(entry))
    assert job.check(rc=1)["skip"] is False
    (row,) = job("ls", "--json", rc=0, key=()).json
    assert row["key"] == key and row["state"] == "no evidence"
    tree = f"codeql_tree:octocat/hello-world:{'0' * 64}"
    entry["cache_key"] = tree
    job.store()
    (path,) = job.entries()
    path.write_text(json.dumps(entry))
    assert job.check(rc=1)["skip"] is False


def test_the_reference_can_read_what_is_written(job):
    job.scan()
    (label,) = (job.scans / "github_cache").glob("codeql_codeql_scan_*.json")
    entry = json.loads(label.read_bytes())
    assert entry["cache_key"].startswith(f"codeql:codeql_scan:octocat/hello-world:{job.head}:")
    assert label.name == entry["cache_key"].replace(":", "_").replace("/", "_") + ".json"
    assert set(entry["data"]) == {
        "commit_sha",
        "scan_config_hash",
        "results",
        "timestamp",
        "scan_duration",
        "alerts_count",
        "severity_breakdown",
        "sarif_location",
    }
    assert entry["data"]["alerts_count"] == 2 and entry["data"]["scan_duration"] == 600
    assert os.path.exists(entry["data"]["sarif_location"])


def test_the_commit_s_entry_never_decides(job):
    job.scan()
    for path in job.entries():
        path.unlink()
    assert job.check(rc=1)["skip"] is False


# ---- proof


def test_a_result_of_another_tree_is_a_miss(job):
    job.scan()
    (path,) = job.entries()
    entry = json.loads(path.read_bytes())
    sarif_file = job.scans / "sarif" / f"{entry['ghoard']['scan']['sarif']}.sarif"
    text = sarif_file.read_text()
    wrong = json.loads(text)
    wrong["runs"][0]["results"][0]["partialFingerprints"]["primaryLocationLineHash"] = "c129715d7a2bc9a3:1"
    forged = job.folder / "forged.sarif"
    forged.write_text(json.dumps(wrong))
    job.forget_runs()
    job.check(rc=0)
    run = job.store(forged, rc=1)
    assert "app.py:2" in run.one_line() and "other sources" in run.err


# ---- life


def test_invalidate_ls_clear(job):
    job.scan()
    (job.tree / "app.py").write_text("print(1)\n")
    job.commit("again")
    job.scan(sarif([]))
    rows = job("ls", "--json", rc=0, key=()).json
    assert sorted(r["state"] for r in rows) == ["label", "label", "local", "local"]
    assert job("invalidate", "--json", rc=0).json == {"removed": 2}
    assert job.check(rc=1)["skip"] is False
    (key,) = [r["key"] for r in job("ls", "--json", rc=0, key=()).json if r["state"] == "local"]
    assert job("invalidate", "--json", key, rc=0).json == {"removed": 1}
    assert job("invalidate", rc=1).one_line()
    job.store(sarif([]))
    assert job.check(rc=0)["skip"]
    assert job("clear", "--json", rc=0, key=()).json["removed"] >= 2
    assert not [p for p in job.scans.rglob("*") if p.is_file() and not p.name.startswith(".")]
    assert job.check(rc=1)["skip"] is False


def test_explain_names_what_changed(job):
    assert job("explain", rc=1).out.startswith(b"miss-none")
    job.scan()
    assert b"are the same" in job("explain", rc=0).out
    (job.tree / "app.py").write_text("print(2)\n")
    (job.tree / "lib" / "util.py").unlink()
    (job.tree / "new.py").write_text("")
    (job.tree / "README.md").write_text("other prose\n")
    told = job("explain", "--json", rc=0).json
    assert {(p["change"], p["path"]) for p in told["paths"]} == {
        ("changed", "app.py"),
        ("removed", "lib/util.py"),
        ("added", "new.py"),
    }
    assert told["reason"] == "miss-sources" and not told["fields"] and all(p["why"] for p in told["paths"])
    assert {"tool-version", "languages", "build-mode", "category", "workflow", "job", "os", "arch"} <= set(
        told["configuration"]
    )
    text = job("explain", rc=0).out.decode()
    assert "changed app.py" in text and "added   new.py" in text
    told = job("explain", "--json", "--queries", "security-extended", rc=0).json
    assert told["fields"] == [{"field": "queries", "was": None, "is": "security-extended"}]


def test_fetch(job, tmp_path):
    assert (
        job("fetch", "--out", tmp_path / "x.sarif", rc=1).one_line() and not (tmp_path / "x.sarif").exists()
    )
    job.scan()
    stored = open(job.check(rc=0)["sarif_path"], "rb").read()
    job("fetch", "--out", tmp_path / "x.sarif", rc=0)
    assert (tmp_path / "x.sarif").read_bytes() == stored == job("fetch", "--out", "-", rc=0).out
    assert job("fetch", rc=2).one_line()


def test_check_writes_the_result_too(job, tmp_path):
    out = tmp_path / "out.sarif"
    assert job.check("--out", out, rc=1)["sarif_path"] == "" and not out.exists()
    job.store()
    found = job.check("--out", out, rc=0)
    assert found["sarif_path"] == str(out) == job.outputs["sarif_path"]
    assert out.read_bytes() == open(job.check(rc=0)["sarif_path"], "rb").read()
    assert job.check("--out", tmp_path / "no" / "such", rc=1)["reason"] == "no-store"
    assert job("check", "--out", "-", rc=2).one_line()


def test_nobody_is_asked(job, fake):
    job.scan(offline=True)
    assert job.check(rc=0, offline=True)["skip"] and fake.count() == 0


def test_it_can_be_switched_off(job):
    job.scan()
    assert job.check(rc=1, ENABLE_CODEQL_CACHE="false")["reason"] == "disabled"


@pytest.mark.parametrize(
    "args",
    [
        ["no-such"],
        ["check", "x"],
        ["ls", "--language", "go"],
        ["store"],
        ["fetch", "--sample", "1%"],
    ],
)
def test_wrong_usage(job, args):
    assert job(*args, key=(), rc=2).one_line()


def test_no_repository_is_known(job):
    assert "GITHUB_REPOSITORY" in job("check", rc=2, GITHUB_REPOSITORY="").one_line()


def test_a_conflict_is_a_miss(job):
    git(job.tree, "checkout", "-q", "-b", "other")
    (job.tree / "app.py").write_text("print('other')\n")
    job.commit()
    git(job.tree, "checkout", "-q", "main")
    (job.tree / "app.py").write_text("print('main')\n")
    job.commit()
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "-C", job.tree, *who, "merge", "other"], capture_output=True, check=False)
    assert job.check(rc=1)["reason"] == "conflict"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published SARIF samples are not beside this checkout")
@pytest.mark.parametrize(
    "name, counts",
    [
        ("codeql-2.5.4.sarif", {"note": 57, "error": 11, "warning": 4}),
        ("codeql-python-2.5.8.sarif", {"error": 2, "high": 2}),
        ("rules-in-extensions.sarif", {"warning": 5}),
    ],
)
def test_published_samples(job, name, counts):
    document = json.loads((SHARED / name).read_bytes())
    for run in document["runs"]:
        run["tool"]["driver"].update(name="CodeQL", semanticVersion="2.25.6")
        for one in run["results"]:
            one.pop("partialFingerprints", None)  # their sources are not here
    job.scan(document)
    found = job.check(rc=0)["alerts_by"]
    assert {k: v for k, v in found.items() if v} == counts
