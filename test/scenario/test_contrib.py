"""contrib/: the systemd units and the runner's hooks."""

import os
import re
import shutil
import subprocess
import time

import pytest
from rig import BINARY, ROOT

UNITS = ROOT / "contrib/systemd"
HOOKS = ROOT / "contrib/hooks"


@pytest.fixture
def activated(ghoard, tmp_path):
    """systemd's own tool listens, and becomes `ghoard serve` with the first connection."""
    started = []

    def start(*args):
        argv = [
            "systemd-socket-activate",
            "-l",
            str(start.path),
            *[f"--setenv={k}" for k in ghoard.environment()],
            str(BINARY),
            "serve",
            *args,
        ]
        started.append(
            subprocess.Popen(
                argv, env=ghoard.environment(), cwd=tmp_path, stderr=subprocess.PIPE, text=True
            )
        )
        end = time.monotonic() + 10
        while not start.path.exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        return started[-1]

    start.path = tmp_path / "given.sock"
    yield start
    for one in started:
        one.kill()
        one.wait(10)


def test_a_service_manager_s_socket(ghoard, activated):
    path = str(activated.path)
    process = activated("--socket", path, "--listen", "none")
    for _ in range(2):
        out = ghoard("--socket", path, "status", "--json", rc=0).json
        assert out["pid"] == process.pid and out["socket"] == path
    process.terminate()
    assert process.wait(10) == 0
    assert activated.path.exists()  # it is the manager's


def test_a_socket_elsewhere_is_refused(activated, tmp_path):
    process = activated("--socket", str(tmp_path / "other.sock"), "--listen", "none")
    subprocess.run(
        [
            "python3",
            "-c",
            "import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])",
            str(activated.path),
        ],
        check=True,
    )
    assert process.wait(10) == 3
    assert "give --socket the first" in process.stderr.read()


def test_the_service_is_hardened(tmp_path):
    for unit in UNITS.iterdir():
        shutil.copy(unit, tmp_path)
    done = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--threshold=20",
            str(tmp_path / "ghoard.service"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    score = float(re.search(r"exposure level.*: ([\d.]+)", done.stdout)[1])
    assert done.returncode == 0 and score <= 2.0


def hook(name, **env):
    return subprocess.run(
        ["sh", str(HOOKS / name)],
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_hooks_never_fail_a_job(tmp_path):
    for name in ("job-started.sh", "job-completed.sh"):
        done = hook(name, GHOARD_HOST_SOCKET=str(tmp_path / "none"), GITHUB_ENV="/nonexistent/x")
        assert done.returncode == 0


def test_a_job_finds_the_host_s_daemon(daemon, tmp_path):
    variables = tmp_path / "env"
    assert (
        hook("job-started.sh", GHOARD_HOST_SOCKET=str(daemon.socket), GITHUB_ENV=str(variables)).returncode
        == 0
    )
    assert variables.read_text() == f"GHOARD_SOCKET={daemon.socket}\n"
