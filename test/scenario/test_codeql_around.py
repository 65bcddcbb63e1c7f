"""`ghoard codeql`: what a scan reads around its sources, and what only some tools do not read."""

import shutil

import pytest
from scanning import Job, git, result, sarif

BUILT = ("--language", "cpp", "--codeql-version", "2.25.6", "--build-mode", "manual", "--category", "c")


@pytest.fixture
def job(ghoard, tmp_path):
    return Job(ghoard, tmp_path / "job")


def program(path, text="#!/bin/sh\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_another_tool_reads_more_than_an_extractor(job):
    """What CodeQL's extractor of Python does not read a scanner for secrets does."""
    (job.tree / "gui.js").write_text("go()\n")
    job.commit()
    job.key = ("--tool", "gitleaks", "--tool-version", "8.18.0", "--language", "python", "--build-mode", "none")
    job.scan(sarif([result(line=1)], tool="gitleaks", version="8.18.0"))
    assert job.check(rc=0)["skip"]
    for name in ("README.md", "gui.js"):
        (job.tree / name).write_text("AKIAIOSFODNN7EXAMPLE\n")
        assert job.check(rc=1)["reason"] == "miss-sources", name
        git(job.tree, "checkout", "-q", name)
