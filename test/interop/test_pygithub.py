"""PyGithub: it refuses addresses of another host in answers, hence --rewrite all."""

import json
import sys

from conftest import HERE


def test_pygithub(make_daemon, client, program, twice):
    folder = client("pygithub")
    daemon = make_daemon("--rewrite", "all")

    def script():
        env = {"PYTHONPATH": folder, "BASE_URL": daemon.url, "TOKEN": "alice-token"}
        return json.loads(program(sys.executable, HERE / "pygithub_script.py", **env))

    printed = twice(script)
    assert printed["repo"] == "octocat/hello-world" and printed["login"] == "alice"
    assert printed["issues"] == list(range(12, 0, -1))
    assert printed["text"] == "# hello-world\n\nHello.\n"
    assert printed["url"].startswith(f"{daemon.url}/repos/")
