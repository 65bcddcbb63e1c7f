"""What the CodeQL scenarios share: a repository, a SARIF file, the commands in the job's environment."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time

SHARED = pathlib.Path(__file__).resolve().parent.parent.parent.parent / "shared" / "data" / "sarif"
VERSION = "2.25.6"
KEY = (
    "--language",
    "python",
    "--codeql-version",
    VERSION,
    "--build-mode",
    "none",
    "--category",
    "/language:python",
)
REPO = "octocat/hello-world"


def git(folder, *args):
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b.c",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b.c",
    }
    run = subprocess.run(["git", "-C", str(folder), *args], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, f"git {args}: {run.stderr}"
    return run.stdout.strip()


def result(path="app.py", line=2, rule=0, **more):
    return {
        "rule": {"id": RULES[rule]["id"], "index": rule, "toolComponent": {"index": 0}},
        "message": {"text": "found"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": path, "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": line},
                }
            }
        ],
        **more,
    }


RULES = [
    {
        "id": "py/command-line-injection",
        "defaultConfiguration": {"level": "error"},
        "properties": {"security-severity": "9.8"},
    },
    {"id": "py/unused-import", "defaultConfiguration": {"level": "note"}},
]


def sarif(results=None, tool="CodeQL", version=VERSION, **more):
    """As CodeQL writes it: the rules are in an extension, and much differs from run to run."""
    run = {
        "tool": {
            "driver": {"name": tool, "semanticVersion": version, "rules": []},
            "extensions": [{"name": "codeql/python-queries", "rules": RULES}],
        },
        "invocations": [
            {"executionSuccessful": True, "startTimeUtc": str(time.time()), "machine": "runner-7"}
        ],
        "versionControlProvenance": [{"repositoryUri": "https://github.test/o/r", "revisionId": "0" * 40}],
        "properties": {"jobRunUuid": str(time.time()), "semmle.formatSpecifier": "sarif-latest"},
        "results": [result(), result(line=1, rule=1)] if results is None else results,
        **more,
    }
    return {"version": "2.1.0", "runs": [{k: v for k, v in run.items() if v is not ...}]}


class Job:
    """One job on a runner: a checkout, a folder for temporary files, and `ghoard codeql` in it."""

    def __init__(self, ghoard, folder, sources=None):
        self.ghoard, self.tree, self.temp = ghoard, folder / "checkout", folder / "temp"
        self.folder, self.env, self.key = folder, {}, KEY
        self.temp.mkdir(parents=True)
        if sources is None:
            self.tree.mkdir()
            git(self.tree, "init", "-q", "-b", "main")
            (self.tree / "app.py").write_text("import os, sys\nos.system(sys.argv[1])\nprint(1)\n")
            (self.tree / "lib").mkdir()
            (self.tree / "lib" / "util.py").write_text("def twice(x):\n    return 2 * x\n")
            (self.tree / "README.md").write_text("# An example\n")
            (self.tree / ".github" / "workflows").mkdir(parents=True)
            (self.tree / ".github" / "workflows" / "codeql.yml").write_text("on: push\n")
            self.commit("first")
        else:
            git(folder, "clone", "-q", sources.tree, self.tree)
        self.output = folder / "output"

    def commit(self, text="more"):
        git(self.tree, "add", "-A")
        git(self.tree, "commit", "-q", "--allow-empty", "-m", text)
        return self.head

    @property
    def head(self):
        return git(self.tree, "rev-parse", "HEAD")

    def environment(self, event="push", ref="refs/heads/main", payload=None, **more):
        self.output.write_text("")
        (self.folder / "event.json").write_text(json.dumps(payload or {}))
        return {
            "GITHUB_REPOSITORY": REPO,
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": self.folder / "event.json",
            "GITHUB_REF": ref,
            "GITHUB_SHA": self.head if (self.tree / ".git").exists() else "1" * 40,
            "GITHUB_WORKFLOW_REF": f"{REPO}/.github/workflows/codeql.yml@{ref}",
            "GITHUB_JOB": "analyze",
            "GITHUB_RUN_ID": "77",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_OUTPUT": self.output,
            "RUNNER_TEMP": self.temp,
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            **self.env,
            **more,
        }

    def __call__(
        self, command, *args, key=None, rc=None, token="alice-token", timeout=60, offline=False, **event
    ):
        return self.ghoard(
            "codeql",
            command,
            *(self.key if key is None else key),
            *args,
            env=self.environment(**event),
            cwd=self.tree,
            token=token,
            rc=rc,
            timeout=timeout,
            offline=offline,
        )

    def check(self, *args, rc=None, **more):
        return self("check", "--json", *args, rc=rc, **more).json

    def age_records(self, started, *more):
        """As if the check had been before the scan, which tests do not wait for."""
        for path in [*self.temp.glob("ghoard-codeql-*.json"), *more]:
            if not path.is_file() or path.is_symlink() or path.stat().st_mode & 0o022:
                continue
            text = re.sub(r'"started":\d+', f'"started":{int(started * 1e6)}', path.read_text())
            path.write_text(text)

    def store(
        self,
        document=None,
        *args,
        name="results.sarif",
        started=None,
        finished=None,
        rc=0,
        fresh=False,
        **more,
    ):
        path = self.folder / name
        if not isinstance(document, (str, pathlib.Path)):
            path.write_text(json.dumps(sarif() if document is None else document))
        elif SHARED in pathlib.Path(document).parents:
            shutil.copyfile(document, path)  # as if it was written just now
        else:
            path = document
        finished = time.time() if finished is None else finished
        started = finished - 600 if started is None else started
        if not fresh:
            self.age_records(started, *(a for a in args if isinstance(a, pathlib.Path)))
        return self(
            "store",
            "--sarif",
            path,
            "--started",
            int(started),
            "--finished",
            int(finished),
            *args,
            rc=rc,
            **more,
        )

    def scan(self, document=None, **more):
        """check, which must say scan, and then store."""
        found = self.check(rc=1, **more)
        self.store(document, **more)
        return found

    @property
    def outputs(self):
        found, lines = {}, iter(self.output.read_text().splitlines())
        for line in lines:
            name, mark = line.split("<<")
            found[name] = "\n".join(iter(lambda: next(lines), mark))
        return found

    @property
    def scans(self):
        return self.ghoard.home / ".cache" / "codeql"

    def entries(self):
        return sorted((self.scans / "github_cache").glob("codeql_tree-*.json"))

    def stats(self):
        return self.ghoard("stats", "--json", rc=0).json

    def forget_runs(self):
        shutil.rmtree(self.temp)
        self.temp.mkdir()
