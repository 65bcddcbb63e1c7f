"""The process that keeps a job's sockets: daemons that die, rest or cannot start, and who may look."""

import fcntl
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

import daemon
import pytest
import rig
from bare import forget_launcher, launcher, unknown
from jobstep import get
from others import needs_other
from test_action import setup, worker
from test_cred_jobs import memory_has


@pytest.fixture(scope="module", autouse=True)
def _launcher():
    yield
    forget_launcher()


def parent(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def children(pid):
    """Those that live."""
    try:
        found = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(child) for child in found if not ended(child)]


def ended(pid):
    try:
        return ") Z " in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def until(true, seconds=10):
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
    return found


def slow(step, fake, delay):
    """A connection that waits for its answer."""
    fake.trouble(rig.ISSUES, "slow-head", delay=delay)
    connection = daemon.UnixConnection(step.exports["GHOARD_SOCKET"], 20)
    connection.request("GET", rig.ISSUES)
    until(lambda: fake.count(path="*/issues") > 0)
    return connection


# ---- replaced ----


def test_killed_while_clients_ask(step, fake):
    """Nobody is refused: a client waits in the socket's queue, or loses the answer it was getting."""
    setup(step)
    get(step)
    refused, answered, over = [], [], threading.Event()

    def ask():
        while not over.is_set():
            try:
                answered.append(get(step).status)
            except (ConnectionRefusedError, FileNotFoundError) as why:
                refused.append(why)
            except OSError:
                pass  # its answer was under way
            except Exception as why:  # http.client: the line was cut
                assert "closed" in str(why) or "Incomplete" in repr(why) or "Status" in repr(why), why

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    killed = set()
    for _ in range(4):
        killed.add(worker(step))
        os.kill(worker(step), signal.SIGKILL)
        time.sleep(0.3)
    over.set()
    for thread in threads:
        thread.join(20)
    assert len(killed) == 4 and len(answered) > 20
    assert not refused, f"{len(refused)} refused, {len(answered)} answered"
    assert set(answered) == {200}
    log = pathlib.Path(step.exports["GHOARD_JOB"]) / "ghoard.log"
    assert log.read_text().count("ended by signal 9") == 4


def test_killed_amid_fifty_requests(step, fake):
    """Those that it was answering are lost; each later one is served, also at the same moment."""
    setup(step)
    pid = worker(step)
    fake.trouble(rig.ISSUES, "slow-head", delay=2)
    lost, served, wrong = [], [], []

    def ask(n):
        try:
            lost.append(get(step, f"{rig.ISSUES}?page={n}", 30).status)
        except (OSError, http.client.HTTPException):
            lost.append(None)
        try:
            served.append(get(step, timeout=30).status)
        except (OSError, http.client.HTTPException) as why:
            wrong.append(why)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    until(lambda: fake.count(path="*/issues") > 0)
    time.sleep(0.3)
    os.kill(pid, signal.SIGKILL)
    for thread in threads:
        thread.join(40)
    assert lost == [None] * 50, "they were answered before"
    assert not wrong and served == [200] * 50


def test_a_new_daemon_has_the_token_still(step, fake):
    """The file was read once, by the process that keeps the sockets."""
    file = step.folder / "runtime"
    file.write_text(json.dumps({"results_url": f"{fake.http}/", "runtime_token": fake.caches.token()}))
    file.chmod(0o600)
    setup(step, ENABLE_P2P_CACHE="true", CACHE_P2P_SHARED_SECRET="s" * 40, GHOARD_RUNTIME_FILE=file)
    assert step.outputs["cache-status"] == "success" and not file.exists()

    until(lambda: len(fake.caches.keys()) == 1, 15)
    os.kill(worker(step), signal.SIGKILL)
    until(lambda: len(fake.caches.keys()) == 2, 15)


def test_settings_are_those_of_the_start(step, fake):
    """A checkout comes after setup, and may bring others, or broken ones."""
    setup(step)
    pid = worker(step)
    (step.ghoard.project / ".github").mkdir()
    broken = step.ghoard.project / ".github" / "cache-config.yml"
    broken.write_text("cache: [\n")
    os.kill(pid, signal.SIGKILL)
    assert get(step).status == 200
    broken.unlink()


# ---- resting ----


def test_idle_exit(step, fake):
    """The daemon ends, its sockets do not: whoever asks next is answered by another one. Twice."""
    setup(step, GHOARD_IDLE_EXIT="1")
    pid = worker(step)
    keeper = parent(pid)
    for _ in range(2):
        until(lambda: ended(pid))
        assert get(step).status == 200, "over the socket"
        assert parent(worker(step)) == keeper and worker(step) != pid
        pid = worker(step)
        until(lambda: ended(pid))
        assert step.ghoard("api", rig.REPO, env={"GITHUB_API_URL": step.exports["GHOARD_API_URL"]}).rc == 0
        pid = worker(step)
    until(lambda: ended(pid))
    socket = step.exports["GHOARD_SOCKET"]
    step("report")
    assert not os.path.exists(socket)
    until(lambda: ended(keeper))


def test_a_client_that_waits_holds_off_an_idle_exit(step, fake):
    """One that has connected and not asked yet is not sent away."""
    setup(step, GHOARD_IDLE_EXIT="1")
    connection = daemon.UnixConnection(step.exports["GHOARD_SOCKET"], 20)
    connection.connect()
    time.sleep(2.5)
    assert daemon.ask(connection, rig.REPO).status == 200
    connection.close()


def test_idle_exit_without_a_keeper(step):
    """Somebody killed it alone: nobody would answer on the sockets of a daemon that rests, so none does."""
    setup(step, GHOARD_IDLE_EXIT="2")
    pid, socket = worker(step), step.exports["GHOARD_SOCKET"]
    os.kill(parent(pid), signal.SIGKILL)
    assert get(step).status in (200, 403)
    until(lambda: ended(pid))
    assert not os.path.exists(socket)
    step.exports.clear()


@pytest.mark.parametrize("how", ["emptied", "SIGTERM"])
def test_the_end_while_nobody_serves(step, how):
    setup(step, GHOARD_IDLE_EXIT="1")
    pid, socket = worker(step), step.exports["GHOARD_SOCKET"]
    keeper = parent(pid)
    until(lambda: ended(pid))
    os.unlink(socket) if how == "emptied" else os.kill(keeper, signal.SIGTERM)
    until(lambda: ended(keeper))
    assert not os.path.exists(socket)
    step.exports.clear()


def test_a_long_temp_folder_is_emptied(step):
    """By the runner, which knows nothing of a socket in /tmp."""
    step.temp = step.folder / ("x" * 120)
    step.temp.mkdir()
    setup(step)
    socket, keeper = step.exports["GHOARD_SOCKET"], parent(worker(step))
    shutil.rmtree(step.exports["GHOARD_JOB"])
    until(lambda: ended(keeper) and not os.path.exists(socket))
    assert socket.startswith("/tmp/ghoard-") and not os.path.exists(os.path.dirname(socket))
    step.exports.clear()


def test_the_job_s_folder_is_emptied(step):
    """As runners do at a job's end, where nobody ran `report`."""
    setup(step)
    pid = worker(step)
    keeper = parent(pid)
    os.unlink(step.exports["GHOARD_SOCKET"])
    until(lambda: ended(pid) and ended(keeper))
    step.exports.clear()


def test_sigterm_while_a_daemon_is_started_anew(step):
    """The keeper pauses after two deaths in a row; who comes then cannot hear it yet."""
    setup(step)
    pid = worker(step)
    keeper, socket = parent(pid), step.exports["GHOARD_SOCKET"]
    os.kill(pid, signal.SIGKILL)
    second = until(lambda: [child for child in children(keeper) if child != pid])
    os.kill(*second, signal.SIGKILL)
    until(lambda: ended(*second))
    os.kill(keeper, signal.SIGTERM)
    until(lambda: ended(keeper))
    assert not os.path.exists(socket)
    step.exports.clear()


def test_killed_while_it_ends(step, fake):
    """It was stopped, and finishes an answer: nobody is to come after it."""
    setup(step)
    pid = worker(step)
    keeper, log = parent(pid), pathlib.Path(step.exports["GHOARD_JOB"]) / "ghoard.log"
    connection = slow(step, fake, 5)
    step.ghoard("stop", "--socket", step.exports.pop("GHOARD_SOCKET"), rc=0)
    os.kill(pid, signal.SIGKILL)
    until(lambda: ended(keeper))
    connection.close()
    assert "started anew" not in log.read_text()


def test_sigterm_to_the_whole_group(step, fake):
    """It reaches the daemon directly and handed on: that is to ask once, and no answer is cut."""
    setup(step)
    pid = worker(step)
    keeper, connection = parent(pid), slow(step, fake, 2)
    assert os.getpgid(pid) == keeper
    os.kill(keeper, signal.SIGSTOP)  # else both may come as one
    os.killpg(keeper, signal.SIGTERM)
    time.sleep(0.1)
    os.kill(keeper, signal.SIGCONT)
    assert connection.getresponse().status == 200
    connection.close()
    until(lambda: ended(keeper))
    step.exports.clear()


def test_a_later_sigterm(step, fake):
    """Somebody asks again: at once."""
    setup(step)
    keeper, connection = parent(worker(step)), slow(step, fake, 15)
    os.kill(keeper, signal.SIGTERM)
    time.sleep(1)
    assert not ended(keeper)
    os.kill(keeper, signal.SIGTERM)
    until(lambda: ended(keeper), 5)
    connection.close()
    step.exports.clear()


@pytest.mark.parametrize("what", ["SIGCHLD ignored", "SIGTERM blocked"])
def test_signals_as_a_caller_had_them(step, what):
    """What a process ignores or blocks it leaves to those that it starts."""

    def before():
        if "SIGCHLD" in what:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        else:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    command = [rig.BINARY, "action", "setup"]
    env = step.ghoard.environment("alice-token", step.environment(ENABLE_P2P_CACHE="false"))
    subprocess.run(command, env=env, cwd=step.ghoard.project, preexec_fn=before, check=True, timeout=20)
    step.exports |= step.read("env")
    pid = worker(step)
    keeper = parent(pid)
    os.kill(pid, signal.SIGKILL)
    assert worker(step) != pid
    os.kill(keeper, signal.SIGTERM)
    until(lambda: ended(keeper))
    step.exports.clear()


# ---- when a keeper gives up ----


def kept(step, *prefix, options=("--respawn",), keep=()):
    """`serve --respawn` as setup starts it; (its run, what it said). keep: descriptors that it inherits."""
    command = [*prefix, rig.BINARY, "serve", "--background", *options, "--listen", "none"]
    command += ["--socket", step.folder / "k.sock"]
    how = {"env": step.ghoard.environment("alice-token"), "cwd": step.ghoard.project, "pass_fds": keep}
    with open(step.folder / "k.log", "wb") as errors:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, timeout=20, **how)
    return run, step.folder / "k.sock", lambda: (step.folder / "k.log").read_text()


@pytest.mark.parametrize("options", [(), ("--respawn",)], ids=["alone", "kept"])
@pytest.mark.parametrize("kernel", ["new", "old", "forbids"])
def test_what_its_caller_had_open(step, options, kernel):
    """A lock that the caller has taken goes with the caller, as does a pipe whose end somebody waits for."""
    launch = {"new": [], "old": unknown("close_range"), "forbids": ["-p", unknown("close_range")[1]]}[kernel]
    prefix = [launcher()[0], *launch]
    reads, writes = os.pipe()
    lock = os.open(step.folder / "lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    high = fcntl.fcntl(writes, fcntl.F_DUPFD, 700)
    run, socket, said = kept(step, *prefix, options=options, keep=(writes, lock, high))
    step.exports["GHOARD_SOCKET"] = str(socket)
    assert run.returncode == 0, said()
    for fd in (writes, lock, high):
        os.close(fd)
    os.set_blocking(reads, False)
    assert os.read(reads, 1) == b"", "it is open still"
    os.close(reads)
    with open(step.folder / "lock", "wb") as again:
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert get(step).status in (200, 403)


def test_no_keeper_leaves_no_socket(step):
    """The socket is made, and then the keeper cannot begin: without signalfd."""
    run, socket, said = kept(step, launcher()[0], "-p", unknown("signalfd4")[1])
    assert run.returncode != 0 and "keeper" in said()
    assert not socket.exists()


def test_none_is_started_anew_before_one_has_served(step):
    """A daemon that cannot start is not tried again: here its first file ends it (SIGXFSZ)."""
    step.ghoard("cache", "put", "list_repos", "x", input=b"[]", rc=0)
    run, socket, said = kept(step, "prlimit", "--fsize=0")
    assert run.returncode == 6 and run.stdout == b""
    assert "started anew" not in said()
    assert not socket.exists()


def test_it_gives_up_on_one_that_dies_at_once(step):
    """After twenty deaths in a row, and with them goes the socket: clients are refused, not kept waiting."""
    run, socket, said = kept(step)
    assert run.returncode == 0
    step.exports["GHOARD_SOCKET"] = str(socket)
    keeper, deaths = parent(worker(step)), 0
    while not ended(keeper) and deaths < 30:
        for pid in children(keeper):
            os.kill(pid, signal.SIGKILL)
            deaths += 1
            until(lambda: pid not in children(keeper))
        time.sleep(0.01)
    step.exports.clear()
    assert deaths == 21 and said().count("started anew") == 20
    assert not socket.exists()


# ---- what others of the same user see ----

SECRETS = {
    "GH_TOKEN": "gh-token-of-the-job",
    "GITHUB_TOKEN": "github-token-of-the-job",
    "CACHE_P2P_SHARED_SECRET": "p2p-secret-of-the-job" * 2,
    "GHOARD_PERSIST_SECRET": "persist-secret-of-the-job" * 2,
}


@needs_other
def test_secrets_are_not_lying_about(other, tmp_path):
    """Every step of a job runs as this user: none of them is shown what setup was given."""
    inputs = {
        **{"RUNNER_TEMP": other.home, "CACHE_DIR": other.home / "c", "GITHUB_ENV": other.home / "env"},
        **{"GITHUB_API_URL": "http://127.0.0.1:9", "GHOARD_MDNS": "false", "RUNNER_TRACKING_ID": "github_1"},
    }
    run = other.run(other.binary, "action", "setup", env={**inputs, **SECRETS})
    assert b"GitHub API cache: success" in run.stdout, run
    (socket,) = other.home.glob("ghoard-*/ghoard.sock")
    try:
        status = other.run(other.binary, "status", "--json", "--socket", socket)
        pid = json.loads(status.stdout)["pid"]
        for one in (pid, parent(pid)):
            for what in ("environ", "maps", "mem"):
                seen = other.run("head", "-c1", f"/proc/{one}/{what}")
                assert seen.returncode != 0 and seen.stdout == b"", (one, what)
            try:
                shown = pathlib.Path(f"/proc/{one}/environ").read_bytes()
                memory = [name for name, value in SECRETS.items() if memory_has(one, value.encode())]
            except PermissionError:
                continue  # even we are not shown it
            assert [v for v in SECRETS.values() if v.encode() in shown] == []
            assert shown.strip(b"\0") == b"RUNNER_TRACKING_ID=github_1", "a runner of root's asks for that"
            assert "GHOARD_PERSIST_SECRET" not in memory
    finally:
        other.run(other.binary, "stop", "--socket", socket)
