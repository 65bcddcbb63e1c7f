"""Workflows run by nektos/act on this machine, without containers: what the runner did, step by step."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time


import rig
import scanning

ACTION = "OWNER/ghoard"  # as the examples call this repository
REF = "v1"
STAND_IN = """name: {name}
description: In place of CodeQL
inputs:
  languages: {{description: "", default: ""}}
  build-mode: {{description: "", default: ""}}
  queries: {{description: "", default: ""}}
  tools: {{description: "", default: ""}}
  category: {{description: "", default: ""}}
  output: {{description: "", default: ""}}
runs:
  using: composite
  steps:
    - shell: sh
      run: {run}
      env:
        OUTPUT: ${{{{ inputs.output }}}}
        CATEGORY: ${{{{ inputs.category }}}}
        PYTHONDONTWRITEBYTECODE: "1"
"""
SCAN = """
import json, os, pathlib, sys
sys.path.insert(0, {scenario!r})
import scanning
document = scanning.sarif([scanning.result()] if "os.system" in open("app.py").read() else [])
for run in document["runs"]:
    run["automationDetails"] = {{"id": os.environ["CATEGORY"] + "/"}}
folder = pathlib.Path(os.environ["OUTPUT"])
folder.mkdir(exist_ok=True)
(folder / "python.sarif").write_text(json.dumps(document))
print("SCANNED")
"""


class Log:
    """What act says with --json, one object a line."""

    def __init__(self, text, rc, seconds):
        self.text, self.rc, self.seconds = text, rc, seconds
        self.lines = []
        for line in text.splitlines():
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.lines.append({"msg": line, "level": "info"})

    def steps(self, job=None):
        """(name, result) of the workflow's own steps, in the order they ended."""
        found = []
        for line in self.lines:
            if line.get("stepResult") and line.get("stage") == "Main" and len(line.get("stepID", [])) == 1:
                if job is None or line.get("jobID") == job:
                    found.append((line["step"], line["stepResult"]))
        return found

    def said(self, step=None, job=None):
        """What the commands of a step printed, as the runner shows it; with masks."""
        return "".join(
            line["msg"] + ("" if line["msg"].endswith("\n") else "\n")
            for line in self.lines
            if line.get("raw_output")
            and (step is None or line.get("step") == step)
            and (job is None or line.get("jobID") == job)
        )

    def commands(self, name):
        """The messages of a workflow command that act carried out: warning, set-env, …"""
        return [line for line in self.lines if line.get("command") == name]

    def warnings(self):
        return [line.get("arg") or line["msg"] for line in self.commands("warning")]

    def __str__(self):
        return f"rc {self.rc}\n" + "\n".join(line["msg"] for line in self.lines)[-12000:]


class Runner:
    """A repository on a self-hosted runner: its files, its commits, and runs of its workflow."""

    def __init__(self, folder, fake, program):
        self.program, self.fake = program, fake
        self.tree, self.actions = folder / "repository", folder / "ghoard"
        # as short as a runner's own, so that a socket's path fits below it
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="act-"))
        self.tree.mkdir()
        self.actions.mkdir()
        shutil.copytree(rig.ROOT / "actions", self.actions / "actions")
        self._release()
        self._codeql(folder)
        scanning.git(self.tree, "init", "-q", "-b", "main")
        scanning.git(self.tree, "remote", "add", "origin", f"{fake.url}/octocat/hello-world.git")

    def _release(self):
        """The binary in the runner's tool cache, known to the actions' commit."""
        arch = {"x86_64": "x64", "aarch64": "arm64"}[os.uname().machine]
        place = self.home / ".cache" / "act" / "tool_cache" / "ghoard" / "0.1.0" / arch
        place.mkdir(parents=True)
        shutil.copy(rig.BINARY, place / "ghoard")
        (place.parent / f"{arch}.complete").touch()
        sum = hashlib.sha256(rig.BINARY.read_bytes()).hexdigest()
        (self.actions / "actions" / "SHA256SUMS").write_text(
            f"{sum} ghoard-0.1.0-linux-{os.uname().machine}/ghoard\n"
        )

    def _codeql(self, folder):
        """github/codeql-action with a script for CodeQL."""
        self.codeql = folder / "codeql-action"
        for name, run in (("init", "true"), ("analyze", 'python3 "$GITHUB_ACTION_PATH/scan.py"')):
            (self.codeql / name).mkdir(parents=True)
            (self.codeql / name / "action.yml").write_text(STAND_IN.format(name=name, run=run))
        text = SCAN.format(scenario=str(rig.ROOT / "test" / "scenario"))
        (self.codeql / "analyze" / "scan.py").write_text(text)

    def write(self, path, text):
        path = self.tree / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self, text="more"):
        scanning.git(self.tree, "add", "-A")
        scanning.git(self.tree, "commit", "-q", "--allow-empty", "-m", text)
        return scanning.git(self.tree, "rev-parse", "HEAD")

    def close(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def _file(self):
        """The one workflow there is."""
        (path,) = (self.tree / ".github" / "workflows").iterdir()
        return path.relative_to(self.tree)

    def __call__(self, event="push", rc=0, payload=None, secrets=None, env=None, seconds=120, more=()):
        """Run the workflows of an event; `payload` is the event's, `env` the whole runner's."""
        head = scanning.git(self.tree, "rev-parse", "HEAD")
        named = env and "HTTPS_PROXY" in env  # GitHub has its own name there
        origin = f"{'https://github.com' if named else self.fake.url}/octocat/hello-world.git"
        scanning.git(self.tree, "remote", "set-url", "origin", origin)
        (self.home / "event.json").write_text(json.dumps({"after": head, **(payload or {})}))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": self.home,
            "LANG": "C.UTF-8",
            "SSL_CERT_FILE": self.fake.ca,
            "NODE_EXTRA_CA_CERTS": self.fake.ca,
            "GIT_CONFIG_NOSYSTEM": "1",
            "DOCKER_HOST": "",
            # as the runner has it, and act has not
            "GITHUB_WORKFLOW_REF": f"{scanning.REPO}/{self._file()}@refs/heads/main",
            **(env or {}),
        }
        command = [
            *(self.program, event, "--json", "-P", "ubuntu-latest=-self-hosted", "--no-cache-server"),
            *("-P", "linux=-self-hosted", "-P", "self-hosted=-self-hosted"),
            *("--action-offline-mode", "--local-repository", f"{ACTION}@{REF}={self.actions}"),
            *("--local-repository", f"github/codeql-action@v4={self.codeql}"),
            *(() if named else ("--github-instance", self.fake.url[8:])),
            *("-e", self.home / "event.json", *more),
        ]
        for name, value in {"GITHUB_TOKEN": "alice-token", **(secrets or {})}.items():
            command += ["-s", f"{name}={value}"]
        begin = time.monotonic()
        done = subprocess.run(
            list(map(str, command)),
            cwd=self.tree,
            env={k: str(v) for k, v in environment.items()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
        )
        log = Log(done.stdout.decode(errors="replace"), done.returncode, time.monotonic() - begin)
        if rc is not None:
            assert log.rc == rc, log
        return log


def examples(path):
    """The whole workflows of a Markdown file: {name: text}."""
    found = {}
    for block in pathlib.Path(path).read_text().split("```yaml\n")[1:]:
        text = block.split("```")[0]
        if text.startswith("name: "):
            found[text.splitlines()[0].removeprefix("name: ")] = text
    return found


