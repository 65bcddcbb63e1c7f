"""`ghoard codeql upload`: against the stand-in, which really unpacks what it gets."""

import base64
import gzip
import json
import shutil
import subprocess

import pytest
from scanning import REPO, Job, git, result, sarif

PATH = f"/repos/{REPO}/code-scanning/sarifs"


@pytest.fixture
def job(ghoard, tmp_path):
    made = Job(ghoard, tmp_path / "job")
    made.scan()
    return made


def uploads(fake):
    return getattr(fake.model.repo(REPO), "uploads", [])


def test_the_stored_result_reaches_github(job, fake):
    run = job("upload", "--json", rc=0)
    (sent,) = uploads(fake)
    stored = open(job.check(rc=0)["sarif_path"], "rb").read()
    assert (
        sent["sarif"] == stored
        and json.loads(stored)["runs"][0]["automationDetails"]["id"] == "/language:python/"
    )
    assert (
        sent["commit_sha"] == job.head and sent["ref"] == "refs/heads/main" and sent["tool_name"] == "CodeQL"
    )
    assert run.json["status"] == "complete" and run.json["commit"] == job.head and not run.json["on_trust"]
    assert fake.count(PATH, method="POST") == 1 and fake.count(f"{PATH}/*", method="GET") == 2
    body = json.loads(fake.find(PATH, method="POST")[0].body)
    assert gzip.decompress(base64.b64decode(body["sarif"])) == stored
    assert job.stats()["codeql_uploaded"] == 1
    assert (
        f"uploaded: 2 results of CodeQL for {job.head} on refs/heads/main" in job("upload", rc=0).out.decode()
    )


def test_the_commit_is_head_s_whatever_was_scanned(job, fake):
    job.commit("empty")
    job("upload", rc=0)
    assert uploads(fake)[0]["commit_sha"] == job.head


def test_nothing_is_uploaded_that_is_not_known(job, fake):
    (job.tree / "app.py").write_text("print(2)\n")
    assert "miss-sources" in job("upload", rc=1).one_line() and fake.count() == 0


def test_nothing_is_uploaded_from_a_dirty_tree(job, fake):
    """The key is equal, for prose counts nowhere; the commit is not what is on disk all the same."""
    (job.tree / "README.md").write_text("other prose\n")
    assert job.check(rc=0)["skip"]
    assert "dirty" in job("upload", rc=1).one_line() and fake.count() == 0
    git(job.tree, "add", "-A")
    assert "dirty" in job("upload", rc=1).one_line() and fake.count() == 0, "staged changes"
    assert "dirty" in job("upload", "--commit", job.head, "--ref", "refs/heads/main", rc=1).one_line()
    job.commit("prose")
    job("upload", rc=0)


def test_the_ref_of_a_pull_request_s_head(job, fake):
    payload = {"pull_request": {"number": 5, "head": {"sha": job.head, "repo": {"full_name": REPO}}}}
    where = {"event": "pull_request", "ref": "refs/pull/5/merge", "payload": payload}
    job("upload", rc=0, **where)
    job("upload", rc=0, GITHUB_SHA="3" * 40, **where)
    assert [u["ref"] for u in uploads(fake)] == ["refs/pull/5/merge", "refs/pull/5/head"]


def test_any_other_pair_must_be_given(job, fake):
    assert "--ref" in job("upload", rc=2, GITHUB_SHA="3" * 40).one_line() and fake.count() == 0
    job("upload", "--ref", "refs/tags/v1", rc=0, GITHUB_SHA="3" * 40)
    assert uploads(fake)[0]["ref"] == "refs/tags/v1"
    assert "full ref" in job("upload", "--ref", "main", rc=2).one_line()


def test_a_head_without_a_commit_is_not_github_s(job, fake, monkeypatch):
    sha, head = job.head, job.tree / ".git" / "HEAD"
    monkeypatch.setattr(Job, "head", sha)  # GITHUB_SHA
    head.write_text("ref: refs/heads/unborn\n")
    assert "no commit" in job("upload", rc=2).one_line() and fake.count() == 0
    head.write_text("what is this\n")
    assert job("upload", rc=2, event="release").one_line() and fake.count() == 0
    assert b"taken on trust" in job("upload", rc=0).out


def test_without_git_the_commit_is_taken_on_trust(job, fake):
    shutil.rmtree(job.tree / ".git")
    run = job("upload", rc=0)
    assert uploads(fake)[0]["commit_sha"] == "1" * 40 and b"taken on trust" in run.out
    assert job("upload", rc=2, event="release").one_line()
    assert job("upload", "--commit", "4" * 40, "--ref", "refs/heads/main", rc=0, event="release")


@pytest.mark.parametrize(
    "status, word", [(403, "security-events"), (413, "too large"), (404, "404"), (503, "503")]
)
def test_github_refuses(job, fake, status, word):
    fake.trouble(PATH, "status", code=status, body=b'{"message":"No, thank you"}', method="POST")
    run = job("upload", rc=1)
    assert word in run.one_line() and "No, thank you" in run.err and not uploads(fake) or status


def test_code_scanning_is_off(job, fake):
    fake.model.repo(REPO).fields["code_scanning"] = False
    run = job("upload", rc=1)
    assert "Advanced Security" in run.one_line() and "security-events" in run.err


def test_github_cannot_process_it(job, fake):
    job("invalidate", rc=0)
    bad = sarif()
    bad["runs"][0]["tool"]["driver"]["rules"] = [{"id": "x", "properties": {"security-severity": "HIGH"}}]
    job.forget_runs()
    job.scan(bad)
    assert "not a number" in job("upload", rc=1).one_line()


def test_without_a_token(job, fake):
    assert "401" in job("upload", rc=1, token=None).err.splitlines()[-1]


def test_offline_and_away(job, fake):
    assert job("upload", rc=4, offline=True).one_line() and fake.count() == 0
    fake.down("tls")
    assert job("upload", rc=4).one_line()


def test_above_ten_megabytes(job, fake):
    """Bytes that do not compress, in a property that nobody looks at."""
    import os

    job("invalidate", rc=0)
    noise = base64.b64encode(os.urandom(11 << 20)).decode()
    job.forget_runs()
    job.check(rc=1)
    job.store(sarif([result()], properties={"noise": noise}))
    assert "10 MB" in job("upload", rc=6).one_line() and fake.count() == 0
    assert job.check(rc=0)["alerts"] == 1


def test_the_file_is_what_upload_sarif_wants(job, tmp_path):
    """github/codeql-action/upload-sarif: a name in .sarif, JSON, 2.1.0, a category in every run."""
    path = job.check(rc=0)["sarif_path"]
    assert path.endswith(".sarif")
    document = json.loads(open(path).read())
    assert document["version"] == "2.1.0" and all(r["automationDetails"]["id"] for r in document["runs"])
    unpacked = subprocess.run(
        ["gzip", "-dc"], input=gzip.compress(open(path, "rb").read()), capture_output=True
    )
    assert unpacked.returncode == 0


def test_a_commit_that_is_not_here(job, fake):
    """Whether these files are its nobody can tell: it is not vouched for by being named."""
    run = job("upload", "--commit", "1" * 40, "--ref", "refs/heads/main", rc=1)
    assert b"cannot be read" in run.out + run.err.encode() and uploads(fake) == []
