"""contrib/: the systemd units and the runner's hooks."""

import os
import re
import shutil
import subprocess
import time

import pytest
from bare import forget_launcher, launcher
from rig import BINARY, ISSUES, ROOT

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
        env={"PATH": os.environ["PATH"]} | env,
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


def test_systemd_understands_the_units(tmp_path):
    """But for the program's place and the user, which this machine need not have."""
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/usr/local/bin/ghoard", str(BINARY)).replace("=runner", "=root")
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.glob("ghoard.*"))],
        capture_output=True,
        text=True,
        timeout=60,
    )
    ours = [line for line in done.stderr.splitlines() if "ghoard" in line]
    assert done.returncode == 0 and not ours, done.stderr


def members(group):
    """The system calls of one of systemd's groups, and of those that it names."""
    told = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    found = set()
    for line in told.stdout.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            found |= members(word)
        elif word and not word.startswith("#"):
            found.add(word)
    return found


def forbidden_by(unit):
    """launch.c's flags for the unit's SystemCallFilter."""
    allowed = set()
    for value in re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(), re.M):
        named = set().union(*(members(group) for group in value.lstrip("~").split()))
        allowed = allowed - named if value.startswith("~") else allowed | named
    macros = subprocess.run(
        ["gcc", "-E", "-dM", "-include", "sys/syscall.h", "-xc", "/dev/null"], capture_output=True, text=True
    ).stdout
    numbers = {name: int(n) for name, n in re.findall(r"#define __NR_(\w+) (\d+)\n", macros)}
    free = sorted({numbers[name] for name in allowed | {"execve"} if name in numbers})
    assert len(free) > 200
    gaps = zip([-1, *free], [*free, 1024])
    return [flag for a, b in gaps if b - a > 1 for flag in ("-p", f"{a + 1}-{b - 1}")]


def test_the_service_works_under_its_own_filter(ghoard, fake):
    socket = ghoard.folder / "g.sock"
    command = [launcher()[0], *forbidden_by(UNITS / "ghoard.service"), BINARY, "serve"]
    command += ["--socket", socket, "--cache-dir", ghoard.cache, "--listen", "none"]
    process = subprocess.Popen(command, env=ghoard.environment(), stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 15
        while ghoard("--socket", socket, "status").rc != 0:
            assert process.poll() is None and time.monotonic() < end
        for _ in range(2):
            run = ghoard("--socket", socket, "api", "-i", ISSUES, rc=0)
        assert run.cache["detail"] == "memory" and len(ghoard.entries()) == 1
    finally:
        process.terminate()
        assert process.wait(10) == 0
        forget_launcher()
    assert process.stderr.read() == ""


def test_what_the_cache_saved_ends_the_log(ghoard, daemon):
    for _ in range(3):
        daemon.get(ISSUES)
    path = os.pathsep.join([str(BINARY.parent), os.environ["PATH"]])
    places = {"GHOARD_HOST_SOCKET": str(daemon.socket), "GHOARD_HOST_CACHE": str(ghoard.cache)}
    done = hook("job-completed.sh", PATH=path, **places)
    assert done.returncode == 0 and re.search(r"total_hits +2\b", done.stdout), done
