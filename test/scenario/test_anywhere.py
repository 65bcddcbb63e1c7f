"""One file, copied to any Linux: what a machine lacks costs only the feature that needs it."""

import json
import os
import re
import subprocess
import time

import pytest
from bare import Bare, forget_launcher, launcher, needs_bare, unknown
from daemon import look
from ports import free_port
from rig import BINARY, ISSUES
from scanning import Job
from test_peers import eventually

pytestmark = needs_bare


@pytest.fixture(scope="module", autouse=True)
def _launcher():
    yield
    forget_launcher()


@pytest.fixture
def bare(binary, fake, tmp_path):
    """bare(dev=False, …): the binary on a machine that has that little."""
    return lambda **how: Bare(tmp_path, fake, **how)


# ---- what is tried: each is given a machine and a name for what it keeps there ----


def try_version(machine, name):
    assert machine("version", rc=0).out.startswith(b"ghoard ")


def try_api(machine, name):
    for hit in (None, True):
        run = machine("--no-daemon", "--cache-dir", f"/w/api-{name}", "api", "-i", ISSUES, rc=0)
        assert len(json.loads(run.body)) == 7 and run.cache.get("hit") == hit, run


def try_serve(machine, name):
    begin = machine.fake.count()
    socket = f"/w/{name}.sock"
    with machine.serve("--cache-dir", f"/w/served-{name}", socket=socket):
        for _ in range(2):
            run = machine("--socket", socket, "api", "-i", ISSUES, rc=0)
            assert len(json.loads(run.body)) == 7
        assert run.cache["hit"] is True and run.cache["detail"] == "memory", run
        assert machine("--socket", socket, "status", rc=0).out
        machine("--socket", socket, "stop", rc=0)
    assert machine.fake.count() == begin + 1


def try_cache(machine, name):
    machine("cache", "put", "list_repos", name, input=b'{"a": 1}', rc=0)
    run = machine("cache", "get", "list_repos", name, rc=0)
    assert run.json == {"a": 1}


def try_cred(machine, name):
    folder = {"CREDENTIALS_DIR": f"/w/cred-{name}"}
    machine("cred", "set", "A", input=b"a secret of some length", env=folder, rc=0)
    assert machine("cred", "get", "A", env=folder, rc=0).out == b"a secret of some length"


def try_codeql(machine, name):
    job = Job(machine, machine.w / f"job-{name}")
    job.env = {"CODEQL_CACHE_DIR": f"/w/codeql-{name}"}
    assert job.check(rc=1)["skip"] is False
    job.store()
    found = job.check(rc=0)
    assert found["skip"] and found["trust"] == "local" and found["alerts"] == 2
    job("fetch", "--out", machine.w / "out.sarif", rc=0)
    assert "runs" in json.loads((machine.w / "out.sarif").read_text())


TRIES = [try_version, try_api, try_serve, try_cache, try_cred, try_codeql]


def try_all(machine):
    for attempt in TRIES:
        attempt(machine, "it")


# ---- machines ----


def test_an_empty_root(bare):
    """Read-only, without /etc, /tmp, HOME and PATH, for a uid that nobody has; and a container it is."""
    try_all(bare())


def test_no_dev(bare):
    try_all(bare(dev=False))


def test_no_dev_in_the_background(bare):
    """Who reads what `serve --background` says sees its end while the daemon is still there."""
    machine = bare(dev=False)
    command = machine.command(["serve", "--listen", "none", "--background", "--idle-exit", "30"])
    command.remove("--unshare-pid")  # whose first process would take the daemon with it
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, timeout=40)
    assert done.returncode == 0 and time.monotonic() - begin < 10, done
    assert len(machine("api", ISSUES, rc=0).json) == 7
    machine("stop", rc=0)


def test_no_proc(bare):
    try_all(bare(proc=False))


# ---- old kernels ----


def test_a_kernel_of_2014(bare):
    """What came after Linux 3.17 answers ENOSYS."""
    try_all(bare(launch=unknown("bpf", 9999)))


def test_a_kernel_before_getrandom(bare):
    machine = bare(launch=unknown("getrandom", 9999))
    try_all(machine)
    assert "random" in machine("doctor").out.decode()


@pytest.mark.parametrize("first", ["bpf", "getrandom"])
def test_peers_on_an_old_kernel(bare, first):
    port, secret = free_port(), "a shared secret that is long enough to be one"
    env = {"ENABLE_P2P_CACHE": "true", "CACHE_P2P_SHARED_SECRET": secret, "GHOARD_MDNS": "false"}
    machine = bare(launch=unknown(first, 9999), env=env | {"P2P_LISTEN_PORT": port})
    with machine.serve() as served:
        peer = machine("peers", "id", "--socket", "/w/g.sock", rc=0).out.decode().split()[0]
        addr = f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer}"
        run = machine("peers", "ping", addr, env={"CACHE_DIR": "/w/other"}, rc=0)
        assert peer in run.out.decode() and "no peers" not in served.errors, run


def test_peers_without_random_numbers(dull, fake):
    """The daemon is there; that it has no peers is said."""
    dull.more |= {"P2P_LISTEN_PORT": free_port(), "ENABLE_P2P_CACHE": "true", "GHOARD_MDNS": "false"}
    dull.more |= {"CACHE_P2P_SHARED_SECRET": "x" * 40}
    with dull.serve() as served:
        eventually(lambda: f"no peers: {NEED}" in served.errors)
        dull("--socket", "/w/g.sock", "status", rc=0)


def test_a_container_that_forbids_what_it_does_not_know(bare):
    """Docker before 20.10 answers EPERM to calls younger than itself."""
    try_all(bare(launch=("-p", unknown("bpf", 9999)[1])))


@pytest.mark.parametrize("part", range(3))
def test_each_young_call_alone(bare, part):
    """One call that is not there, all others being: no fallback leads to a call that is younger still."""
    machine, first = bare(), launcher()[1]["getrandom"]
    calls = [*range(first, first + 17), *range(424, 470)]
    for number in calls[part::3]:
        one = machine.but(*unknown(number))
        for attempt in (try_version, try_cache, try_cred):
            attempt(one, number)


@pytest.mark.parametrize("name", ["getrandom", "statx", "mlock2", "faccessat2", "close_range", "membarrier"])
def test_each_call_that_a_libc_would_use(bare, name):
    try_all(bare(launch=unknown(name)))


# ---- no random numbers: neither getrandom nor /dev/urandom ----


@pytest.fixture
def dull(bare):
    return bare(dev=False, launch=unknown("getrandom", 9999))


NEED = "random numbers need getrandom(2) or /dev/urandom; opening /dev/random: No such file"


def test_without_random_numbers_only_secrets_are_lost(dull, fake):
    try_version(dull, "it")
    try_cache(dull, "it")
    assert NEED in dull("cred", "set", "A", input=b"a secret of some length", rc=6).one_line()
    assert not list(dull.w.glob("cred/*.enc")), "and nothing is kept under a key that is none"
    assert f"fail  random numbers: {NEED}" in dull("doctor", rc=1).out.decode()
    plain = {"GITHUB_API_URL": fake.http}
    for hit in (None, True):
        run = dull("api", "-i", ISSUES, env=plain, rc=0)
        assert len(json.loads(run.body)) == 7 and run.cache.get("hit") == hit


def test_tls_without_random_numbers(dull, fake):
    run = dull("--no-daemon", "api", ISSUES, rc=6)
    assert NEED in run.err and fake.count() == 0


def test_serve_without_random_numbers(dull, fake):
    plain = {"GITHUB_API_URL": fake.http}
    dull.more |= plain
    with dull.serve() as served:
        for _ in range(2):
            run = dull("--socket", "/w/g.sock", "api", "-i", ISSUES, rc=0)
        assert run.cache["detail"] == "memory"
        assert "?key=" not in dull("--socket", "/w/g.sock", "status", rc=0).out.decode()
        dull("--socket", "/w/g.sock", "stop", rc=0)
        assert served.process.wait(10) == 0
        (line,) = served.errors.splitlines()
        assert f"warning: the page is on the socket alone: {NEED}" in line


def test_codeql_without_random_numbers(dull):
    try_codeql(dull, "it")


# ---- other wants ----


def test_no_home(bare, fake):
    """Nothing says where to keep anything, and no passwd says whose home it is."""
    nowhere = {"CACHE_DIR": None, "CREDENTIALS_DIR": None, "CODEQL_CACHE_DIR": None}
    machine = bare(env=nowhere)
    try_version(machine, "it")
    run = machine("--no-daemon", "api", ISSUES, rc=0)
    assert len(run.json) == 7
    assert "no home folder" in run.one_line() and "answers are not kept" in run.err
    assert "set CACHE_DIR or HOME" in machine("cache", "ls", rc=6).one_line()
    assert "set CREDENTIALS_DIR or HOME" in machine("cred", "ls", rc=3).one_line()
    assert "give --socket" in machine("serve", "--listen", "none", rc=3).err
    with machine.serve():
        assert len(machine("--socket", "/w/g.sock", "api", ISSUES, rc=0).json) == 7


def test_a_home_that_cannot_be_written(bare, fake):
    nowhere = {"CACHE_DIR": None, "CREDENTIALS_DIR": None, "CODEQL_CACHE_DIR": None, "HOME": "/w"}
    machine = bare(env=nowhere, write=False)
    run = machine("--no-daemon", "api", ISSUES, rc=0)
    assert len(run.json) == 7 and "Read-only file system" in run.err
    assert "Read-only" in machine("cache", "put", "list_repos", "x", input=b"{}", rc=6).one_line()
    assert "Read-only" in machine("cred", "set", "A", input=b"x" * 20, rc=6).one_line()
    assert not list(machine.w.iterdir())


FULL = ("--size", "65536", "--tmpfs", "/full")


def test_a_full_disk(bare, tmp_path):
    """What is asked is answered; that it is not kept is said."""
    fill = tmp_path / "fill"
    fill.write_bytes(bytes(65536))
    machine = bare(env={"CACHE_DIR": "/full/cache"})
    with open(fill, "rb") as data:
        machine.mounts += [*FULL, "--file", str(data.fileno()), "/full/fill"]
        run = machine("--no-daemon", "api", ISSUES, rc=0, files=[data.fileno()])
        assert len(run.json) == 7 and "No space left" in run.err, run
        data.seek(0)
        run = machine("cache", "put", "list_repos", "x", input=b"{}", rc=6, files=[data.fileno()])
        assert "No space left" in run.one_line()


@pytest.mark.parametrize("closed", ["0", "1", "2", "012"])
def test_closed_streams(bare, closed):
    """Answers that nobody can read fail, as where the disk is full; the rest works."""
    shut = bare(launch=[flag for fd in closed for flag in ("-c", fd)])
    if "0" not in closed:
        shut("cache", "put", "list_repos", "x", input=b'{"a": 1}', rc=0)
    else:
        shut("cache", "put", "list_repos", "x", rc=6)
        bare()("cache", "put", "list_repos", "x", input=b'{"a": 1}', rc=0)
    run = shut("cache", "get", "list_repos", "x", rc=6 if "1" in closed else 0)
    assert run.out == (b"" if "1" in closed else b'{"a": 1}')
    shut("--no-daemon", "api", ISSUES, rc=6 if "1" in closed else 0)
    shut("cache", "get", "list_repos", "none", rc=1)
    assert bare()("cache", "verify", rc=0)


def test_closed_streams_are_nobody_s(ghoard, fake):
    """No file of ours gets their numbers: what is meant for the log would be written into it."""
    socket = ghoard.folder / "g.sock"
    command = [launcher()[0], "-c", "0", "-c", "1", "-c", "2", BINARY, "serve", "--listen", "none"]
    process = subprocess.Popen([*command, "--socket", socket], env=ghoard.environment(), cwd=ghoard.project)
    try:
        end = time.monotonic() + 15
        while ghoard("--socket", socket, "status").rc != 0:
            assert process.poll() is None and time.monotonic() < end
        assert [os.readlink(look(process.pid, "fd") / str(fd)) for fd in range(3)] == ["/"] * 3
        assert len(ghoard("--socket", socket, "api", ISSUES, rc=0).json) == 7
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_few_files(bare):
    """Sixteen open files are enough for one command; the daemon says how many clients they are."""
    machine = bare(launch=("-n", "16"))
    for attempt in (try_version, try_api, try_cache, try_cred, try_codeql):
        attempt(machine, "it")
    with bare(launch=("-n", "64")).serve() as served:
        assert len(bare()("--socket", "/w/g.sock", "api", ISSUES, rc=0).json) == 7
        assert re.search(r"no more than 64 open files are allowed .*fewer than \d+ clients", served.errors)
