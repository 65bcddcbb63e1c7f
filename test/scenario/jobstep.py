"""A job's steps as `ghoard action` sees them: the runner's files, and what one step leaves to the next."""

import daemon
import pytest
import rig
import scanning


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


def get(step, path=rig.REPO, timeout=20):
    connection = daemon.UnixConnection(step.exports["GHOARD_SOCKET"], timeout)
    try:
        return daemon.ask(connection, path)
    finally:
        connection.close()
