"""`ghoard codeql store`: what is evidence and what is refused; hostile files; sudden ends and full disks."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time

import pytest
import rig
from scanning import SHARED, Job, git, result, sarif


@pytest.fixture
def job(ghoard, tmp_path):
    made = Job(ghoard, tmp_path / "job")
    made.check(rc=1)
    return made


def nothing_is_there(job):
    assert not job.entries() and job.check(rc=1)["skip"] is False
    assert not [p for p in (job.scans / "sarif").iterdir() if ".tmp-" in p.name]


# ---- no evidence


NO_EVIDENCE = {
    "runs are null": {"version": "2.1.0", "runs": None},
    "no runs": {"version": "2.1.0", "runs": []},
    "no runs at all": {"version": "2.1.0"},
    "results are null": (
        sarif(results=None, **{"results": None})
        if False
        else {"version": "2.1.0", "runs": [{**sarif()["runs"][0], "results": None}]}
    ),
    "no results": sarif(results=...),
    "a failed invocation": sarif(invocations=[{"executionSuccessful": True}, {"executionSuccessful": False}]),
    "an invocation that says nothing": sarif(invocations=[{}]),
    "one of two that says nothing": sarif(invocations=[{"executionSuccessful": True}, {"machine": "m"}]),
    "success is null": sarif(invocations=[{"executionSuccessful": None}]),
    "an exit code": sarif(invocations=[{"executionSuccessful": True, "exitCode": 2}]),
    "a signal": sarif(invocations=[{"executionSuccessful": True, "exitSignalName": "SIGKILL"}]),
    "a signal's number": sarif(invocations=[{"executionSuccessful": True, "exitSignalNumber": 9}]),
    "results in other files": sarif(
        [], externalPropertyFileReferences={"results": [{"location": {"uri": "r.sarif-external"}}]}
    ),
    "no tool": sarif(tool=""),
    "another version": {**sarif(), "version": "2.0.0"},
    "no version": {"runs": sarif()["runs"]},
    "two runs of one category": {"version": "2.1.0", "runs": sarif()["runs"] * 2},
    "another tool": sarif(tool="Semgrep"),
    "another version of the tool": sarif(version="2.25.7"),
    "a line that is not there": sarif(
        [result(line=99, partialFingerprints={"primaryLocationLineHash": "1:1"})]
    ),
    "a file that is not there": sarif(
        [result("gone.py", partialFingerprints={"primaryLocationLineHash": "c129715d7a2bc9a3:1"})]
    ),
    "another fingerprint": sarif(
        [result(partialFingerprints={"primaryLocationLineHash": "c129715d7a2bc9a3:1"})]
    ),
    "a fingerprint of another form": sarif([result(partialFingerprints={"primaryLocationLineHash": "zz"})]),
    "a path out of the tree": sarif(
        [result("../../../etc/passwd", partialFingerprints={"primaryLocationLineHash": "c129715d7a2bc9a3:1"})]
    ),
}


@pytest.mark.parametrize("what", NO_EVIDENCE)
def test_what_is_no_evidence_is_refused(job, what):
    assert job.store(NO_EVIDENCE[what], rc=1).one_line()
    nothing_is_there(job)


def test_an_invocation_that_ended_well_is_evidence(job):
    well = {"executionSuccessful": True, "exitCode": 0, "exitSignalName": None}
    job.store(sarif(invocations=[well], externalPropertyFileReferences={"artifacts": []}))
    assert job.check(rc=0)["skip"]
    job("clear", key=(), rc=0)
    job.check(rc=1)
    job.store(sarif(invocations=[]))
    assert job.check(rc=0)["skip"], "none is none that failed"


def test_null_members_are_absent(job):
    document = sarif(automationDetails=None, properties=None, artifacts=None, invocations=None)
    for one in document["runs"][0]["results"]:
        one.update(partialFingerprints=None, suppressions=None, level=None, kind=None)
    job.store(document)
    found = job.check(rc=0)
    assert found["alerts_by"]["error"] == 1 and found["proven"] == 2
    run = json.loads(open(found["sarif_path"]).read())["runs"][0]
    assert run["automationDetails"] == {"id": "/language:python/"}


@pytest.mark.parametrize("mode", ["diff-informed", "diff-informed,overlay", True])
def test_incremental_results_answer_nothing(job, mode):
    job.store(sarif(properties={"incrementalMode": mode}))
    assert job.check(rc=1)["reason"] == "partial"
    job.store()
    assert job.check(rc=0)["skip"], "they are kept apart and hide no whole one"


@pytest.mark.parametrize(
    "name, rc",
    [("/language:python", 0), ("/language:python/", 0), ("/language:python/run-5", 0), (None, 0),
     ("/language:ruby/", 1), ("/language:python/deeper/", 1), ("/language:pythonic", 1), ("python", 1)],
)  # fmt: skip
def test_the_category_of_the_sarif_is_the_key_s(job, name, rc):
    run = job.store(sarif(automationDetails={"id": name} if name else None), rc=rc)
    assert rc == 0 or "category" in run.one_line()


def test_a_folder_of_results(job, tmp_path):
    job.key = ("--language", "python,ruby", "--codeql-version", "2.25.6", "--build-mode", "none")
    job.check(rc=1)
    folder = tmp_path / "results"
    folder.mkdir()
    for name, rule in (("python", 0), ("ruby", 1)):
        document = sarif([result(rule=rule)], automationDetails={"id": f"/language:{name}"})
        (folder / f"{name}.sarif").write_text(json.dumps(document, indent=2))
    job.store(folder)
    found = job.check(rc=0)
    runs = json.loads(open(found["sarif_path"]).read())["runs"]
    assert found["alerts"] == 2 and [r["automationDetails"]["id"] for r in runs] == [
        "/language:python",
        "/language:ruby",
    ]
    for path in folder.iterdir():
        path.unlink()
    assert job.store(folder, rc=1).one_line()


@pytest.mark.parametrize(
    "args",
    [
        ("--started", "2026-11-22T10:00:00Z", "--finished", "2026-11-22T09:00:00Z"),
        ("--started", "1", "--finished", "4000000000"),
        ("--started", "1", "--finished", "2000000"),
        ("--started", "x", "--finished", "1763800000"),
        ("--started", "1763800000"),
    ],
)
def test_times_that_cannot_be(job, args):
    path = job.folder / "r.sarif"
    path.write_text(json.dumps(sarif()))
    assert job("store", "--sarif", path, *args, rc=2).one_line()


def test_both_forms_of_a_time(job):
    finished = int(time.time()) - 60
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(finished - 300))
    path = job.folder / "r.sarif"
    path.write_text(json.dumps(sarif()))
    job.age_records(finished - 300)
    job("store", "--sarif", path, "--started", text, "--finished", f"{finished}.5", rc=0)
    found = job.check(rc=0)
    assert 290 <= found["time_saved_seconds"] <= 301 and 59 <= found["age_seconds"] <= 70


def test_the_result_of_an_older_scan_is_refused(job):
    path, now = job.folder / "r.sarif", time.time()
    path.write_text(json.dumps(sarif()))
    os.utime(path, (now - 300, now - 300))
    assert "before this scan" in job.store(path, started=now - 200, rc=1).one_line()
    assert "before this scan" in job.store(path, started=now - 1, fresh=True, rc=1).one_line()
    (job.folder / "both").mkdir()
    (job.folder / "both" / "new.sarif").write_text(json.dumps(sarif(automationDetails={"id": "b"})))
    shutil.copy2(path, job.folder / "both" / "old.sarif")
    assert "old.sarif" in job.store(job.folder / "both", started=now - 200, rc=1).one_line()
    nothing_is_there(job)
    job.forget_runs()
    assert "before this scan" in job.store(path, started=now - 200, rc=1).one_line(), "without a record"
    job.store(path, started=now - 301)
    assert job.check(rc=0)["skip"]


# ---- the record of check


def test_what_the_build_leaves_beside_the_sources_does_not_matter(job):
    (job.tree / "build").mkdir()
    (job.tree / "build" / "made.py").write_text("x = 1\n")
    job.store()
    assert job.check(rc=1)["reason"] == "miss-sources"
    shutil.rmtree(job.tree / "build")
    assert job.check(rc=0)["skip"]


@pytest.mark.parametrize("change", ["other bytes", "gone", "as it was"])
def test_an_untracked_file_that_check_saw_is_as_it_was(job, change):
    """Its bytes are in the key, so a scan of others is no evidence for it."""
    made = job.tree / "made.py"
    made.write_text("a = 1\n")
    job.check(rc=1)
    if change == "as it was":
        job.store()
        assert job.check(rc=0)["skip"]
        return
    made.unlink() if change == "gone" else made.write_text("eval(input())\n")
    assert "dirty: made.py" in job.store(rc=1).one_line()
    made.write_text("a = 1\n")
    nothing_is_there(job)


def test_a_tracked_file_that_changed_is_dirty(job):
    (job.tree / "lib" / "util.py").write_text("changed = 1\n")
    run = job.store(sarif([result()]), rc=1)
    assert "dirty" in run.one_line() and "lib/util.py" in run.err
    git(job.tree, "checkout", "lib")
    nothing_is_there(job)


def test_a_removed_file_is_dirty(job):
    (job.tree / "lib" / "util.py").unlink()
    assert "dirty" in job.store(sarif([result()]), rc=1).one_line()


def test_the_configuration_is_that_of_the_check(job):
    """The CodeQL action sets variables of its own between the two."""
    job.store(CODEQL_ACTION_INIT_HAS_RUN="true", CODEQL_RAM="6914")
    assert job.check(rc=0)["skip"]


@pytest.mark.parametrize(
    "first, last, field",
    [
        (("--queries", "security-extended"), ("--queries", "security-and-quality"), "queries"),
        (("--queries", "security-extended"), (), "queries"),
        ((), ("--packs", "octo/pack@1.2.3"), "packs"),
        (("--extra-key", "one"), ("--extra-key", "two"), "extra-key"),
    ],
)
def test_the_record_of_another_check_of_the_job_is_none(job, first, last, field):
    job.check(*first, rc=1)
    job.check(*last, rc=1)
    assert field in job.store(None, *first, rc=1).one_line()
    nothing_is_there(job)
    job.check(*last, rc=1)
    job.store(None, *last)
    assert job.check(*last, rc=0)["skip"] and not job.check(*first, rc=1)["skip"]


def test_the_version_may_come_from_the_tool_cache_at_the_check(job, tmp_path):
    """The action installs its tool between the two."""
    cache = tmp_path / "tools" / "CodeQL"
    (cache / "2.25.6").mkdir(parents=True)
    job.key = ("--language", "python", "--build-mode", "none", "--category", "/language:python")
    job.env = {"RUNNER_TOOL_CACHE": tmp_path / "tools"}
    job.check(rc=1)
    (cache / "2.25.7").mkdir()
    job.store()


def test_a_record_is_for_one_store(job):
    assert list(job.temp.iterdir())
    job.store()
    assert not list(job.temp.iterdir())
    (job.tree / "made.py").write_text("x = 1\n")
    assert "no record" in job.store(rc=1).one_line()


def test_the_record_is_private_and_of_this_job(job):
    (record,) = job.temp.iterdir()
    assert record.stat().st_mode & 0o777 == 0o600
    assert "another job" in job.store(rc=1, GITHUB_RUN_ID="78").one_line()
    record.chmod(0o666)
    assert "only this user" in job.store(rc=1).one_line()
    record.unlink()
    record.symlink_to("/dev/null")
    assert job.store(rc=1).one_line()
    record.unlink()
    record.write_text("{")
    record.chmod(0o600)
    assert job.store(rc=1).one_line()
    nothing_is_there(job)


def test_without_a_record(job):
    job.forget_runs()
    job.store()
    assert job.check(rc=0)["skip"]
    job("clear", key=(), rc=0)
    (job.tree / "made.py").write_text("x = 1\n")
    job.forget_runs()
    assert "untracked" in job.store(rc=1).one_line()
    (job.tree / "made.py").unlink()
    (job.tree / "app.py").write_text("import os, sys\nos.system(sys.argv[1])\nprint(2)\n")
    assert "changed" in job.store(rc=1).one_line()
    shutil.rmtree(job.tree / ".git")
    assert "record" in job.store(rc=1).one_line()


def test_a_named_record(job, tmp_path):
    state = ("--state", tmp_path / "state.json")
    job.check(*state, rc=1, RUNNER_TEMP="")
    job.store(None, *state, RUNNER_TEMP="")
    assert job.check(rc=0)["skip"]
    assert job.store(None, "--state", tmp_path / "none.json", rc=1).one_line()


# ---- hostile files


def hostile(text):
    """(what, bytes) of files that are not what they should be."""
    good = json.dumps(sarif()).encode()
    yield "empty", b""
    yield "half", good[: len(good) // 2]
    yield "two", good + good
    yield "deep", b'{"version":"2.1.0","runs":' + b"[" * 100_000
    yield "deep objects", b'{"version":"2.1.0","x":' + b'{"a":' * 100_000
    yield "not UTF-8", good.replace(b"found", b"fo\xffnd")
    yield "lone surrogate", good.replace(b"found", b"\\ud800")
    yield "NUL", good.replace(b"found", b"fo\0nd")
    yield "a binary", bytes(range(256)) * 100
    yield "a list", b"[]"
    yield "a word", b"null"
    yield "twice the results", good.replace(b'"results":', b'"results": [], "results":')
    yield "twice, escaped", good.replace(b'"results":', b'"re\\u0073ults": [], "results":')
    for key, wrong in {
        "runs": 1,
        "tool": [],
        "results": {},
        "invocations": {},
        "automationDetails": [],
        "ruleId": 1,
        "level": "fatal",
    }.items():
        document = sarif()
        if key == "runs":
            document["runs"] = wrong
        elif key in ("ruleId", "level"):
            document["runs"][0]["results"][0][key] = wrong
        else:
            document["runs"][0][key] = wrong
        yield f"{key} of the wrong type", json.dumps(document).encode()
    document = sarif()
    document["runs"][0]["results"][0]["locations"] = [None]
    yield "a null location", json.dumps(document).encode()
    yield "many runs", json.dumps(
        {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": str(i)}}} for i in range(999)]}
    ).encode()


@pytest.mark.parametrize("what, data", list(hostile("")), ids=lambda v: v if isinstance(v, str) else "")
def test_hostile_files_are_refused(job, what, data):
    path = job.folder / "hostile.sarif"
    path.write_bytes(data)
    assert job.store(path, rc=6 if what == "many runs" else 1).one_line()
    nothing_is_there(job)


def test_a_million_results(job):
    path = job.folder / "million.sarif"
    with open(path, "w") as out:
        out.write(
            '{"version":"2.1.0","runs":[{"tool":{"driver":'
            '{"name":"CodeQL","semanticVersion":"2.25.6"}},"results":['
        )
        one = '{"ruleId":"x","message":{"text":"m"}}'
        for _ in range(1000):
            out.write(",".join([one] * 1000) + ",")
        out.write(one + "]}]}")
    begin = time.time()
    job.store(path)
    found = job.check(rc=0)
    assert found["alerts"] == 1_000_001 and time.time() - begin < 30
    path.write_text(
        json.dumps(sarif([])).replace(
            '"results": []', '"results": [' + ",".join([json.dumps(result())] * 270_000) + "]"
        )
    )
    job.forget_runs()
    job("clear", key=(), rc=0)
    job.check(rc=1)
    assert "25,000" in job.store(path, rc=6).one_line(), "more than can be proven"
    nothing_is_there(job)


def test_memory_is_bounded(job):
    """A file of 60 MB in 40 MiB of address space that is not the binary's own."""
    path = job.folder / "large.sarif"
    document = sarif([result()])
    document["runs"][0]["properties"]["filler"] = ["x" * 1000] * 60_000
    path.write_text(json.dumps(document))
    job.age_records(1763800000)
    process = subprocess.Popen(
        [
            rig.BINARY,
            "codeql",
            "store",
            *job.key,
            "--sarif",
            path,
            "--started",
            "1763800000",
            "--finished",
            "1763800100",
        ],
        env=job.ghoard.environment(None, job.environment()),
        cwd=job.tree,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = process.communicate(timeout=60)
    _, status, usage = 0, process.returncode, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert status == 0, err
    assert usage.ru_maxrss < 400 * 1024, "kilobytes, of all children so far: a loose bound"


# ---- sudden ends, several at once, full disks


@pytest.mark.timeout(180)
def test_kill_9_at_any_moment(job):
    """Storing is killed at 60 random moments: a check finds a whole result or none."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    path = job.folder / "r.sarif"
    path.write_text(json.dumps(sarif([result(), result(line=1, rule=1)] * 2000)))
    usual = job.store(path, name="r.sarif").ms / 1000
    args = [
        rig.BINARY,
        "codeql",
        "store",
        *job.key,
        "--sarif",
        path,
        "--started",
        str(int(time.time()) - 600),
    ]
    env = job.ghoard.environment(None, job.environment())
    hits = 0
    for _ in range(60):
        job.age_records(time.time() - 700)
        process = subprocess.Popen(
            [*args, "--finished", str(int(time.time()))], env=env, cwd=job.tree, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(chance.uniform(0, usual))
        process.send_signal(signal.SIGKILL)
        process.wait()
        found = job.check()
        assert found["skip"] and found["alerts"] == 4000 or found["reason"].startswith("miss"), found
        hits += found["skip"]
        if chance.random() < 0.2:
            job("clear", key=(), rc=0)
    assert hits > 0


def test_two_runs_at_once(job):
    path = job.folder / "r.sarif"
    path.write_text(json.dumps(sarif([result()] * 500)))
    finished = int(time.time())
    job.age_records(finished - 9)
    args = [
        rig.BINARY,
        "codeql",
        "store",
        *job.key,
        "--sarif",
        path,
        "--started",
        str(finished - 9),
        "--finished",
    ]
    env = job.ghoard.environment(None, job.environment())
    running = [
        subprocess.Popen([*args, str(finished)], env=env, cwd=job.tree, stdout=subprocess.DEVNULL)
        for _ in range(6)
    ]
    assert [p.wait(30) for p in running] == [0] * 6
    assert job.check(rc=0)["alerts"] == 500 and len(job.entries()) == 1


def test_a_full_disk(job, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", small], capture_output=True
    ).returncode:
        pytest.skip("this machine does not let one mount a tmpfs")
    try:
        env = {"CODEQL_CACHE_DIR": small / "codeql"}
        big = sarif([result(message={"text": "x" * 1000})] * 200)
        job.forget_runs()
        job.check(rc=1, **env)
        assert job.store(big, rc=6, **env).one_line()
        assert not [p for p in small.rglob("*") if ".tmp-" in p.name]
        assert job.check(rc=1, **env)["skip"] is False
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_folder_that_cannot_be_written(job, tmp_path):
    (tmp_path / "file").write_text("")
    env = {"CODEQL_CACHE_DIR": tmp_path / "file" / "codeql"}
    assert job.check(rc=1, **env)["reason"] == "no-store"
    assert job.store(rc=6, **env).one_line()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published SARIF samples are not beside this checkout")
@pytest.mark.parametrize(
    "path", sorted(SHARED.glob("*.sarif")) if SHARED.is_dir() else [], ids=lambda p: p.name
)
def test_published_files_do_no_harm(job, path):
    run = job.store(path, rc=None)
    assert run.rc in (0, 1) and (run.rc == 0 or run.one_line())
