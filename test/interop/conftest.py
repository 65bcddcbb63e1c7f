"""What the tests of real clients share: the daemon in front of the stand-in, and a script run twice."""

import contextlib
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "scenario")]
pytest.register_assert_rewrite("rig", "daemon", "exercise", "fleet")

import clients  # noqa: E402
import nodes  # noqa: E402
import rig  # noqa: E402
from daemon import Daemon  # noqa: E402
from fake import Fake  # noqa: E402
from fake.certs import Authority  # noqa: E402

HOSTS = ("api.github.com", "codeload.github.com", "objects.githubusercontent.com")
# With INTEROP_NO_CACHE=1 every test must fail: that is how one sees that they can.
NO_CACHE = "cache:\n  enabled: false\n"


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def fake(authority):
    """The stand-in GitHub with a release; 12 issues make four pages of three."""
    with Fake(authority=authority) as running:
        for n in range(8, 13):
            running.model.add_issue("octocat/hello-world", f"Issue {n}")
        running.model.add_release("octocat/hello-world", "v1.0")
        yield running


@pytest.fixture
def github(fake):
    """The loopback address on whose port 443 the stand-in answers by GitHub's own names."""
    address = f"127.5.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"
    try:
        fake.as_github(address)
    except PermissionError:
        pytest.skip("listening on port 443 is not allowed here: these clients need the names without a port")
    return address


@pytest.fixture
def make_daemon(fake, tmp_path):
    started = []

    def make(*args, url=None, config=None):
        ghoard = rig.Ghoard(tmp_path, fake, url=url)
        if config is None and os.environ.get("INTEROP_NO_CACHE"):
            config = NO_CACHE
        if config:
            (ghoard.project / ".github").mkdir()
            (ghoard.project / ".github" / "cache-config.yml").write_text(config)
        started.append(Daemon(ghoard, *args))
        return started[-1]

    yield make
    for one in started:
        one.end()
    for one in started:
        one.check()


@pytest.fixture
def daemon(make_daemon):
    """The daemon, asking the stand-in by its loopback address: for clients of the TCP listener."""
    return make_daemon()


@pytest.fixture
def named(make_daemon, github):
    """The daemon, asking the stand-in as api.github.com: for clients of the socket."""
    resolve = [a for host in HOSTS for a in ("--resolve", f"{host}:443:{github}")]
    return make_daemon(*resolve, url="https://api.github.com")


@pytest.fixture
def client():
    """client(NAME): the folder where clients.py put it; skips, or in CI fails, where it is missing."""

    def find(name):
        folder = clients.FOLDER / name
        if (folder / "ready").exists():
            return folder
        why = folder / "why"
        why = why.read_text() if why.exists() else f"{name}: not installed; `make interop` installs it"
        if os.environ.get("CI") and ((folder / "broken").exists() or not folder.exists()):
            pytest.fail(why, pytrace=False)
        pytest.skip(why)

    return find


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "client-home"
    folder.mkdir()
    return folder


@pytest.fixture
def program(home):
    """program(COMMAND…, env…): run one and give what it printed on stdout."""

    def run(*command, seconds=30, **env):
        env = {"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8", "NO_COLOR": "1", **env}
        done = subprocess.run(
            list(map(str, command)),
            cwd=home,
            env={k: str(v) for k, v in env.items()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=seconds,
        )
        said = f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        assert done.returncode == 0, f"{' '.join(map(str, command))} -> {done.returncode}\n{said}"
        return done.stdout

    return run


@pytest.fixture
def twice(fake):
    """twice(SCRIPT): run it twice; both print the same, and the second makes no request that GitHub would
    count, but for the paths in `always`, which are never stored. Returns what it printed."""

    def run(script, always=()):
        first = script()
        assert fake.count(billable=True) > 0, "the first pass asked nothing: it did not come by the daemon"
        fake.forget()
        second = script()
        assert first == second
        counted = [f"{r.method} {r.path}" for r in fake.find(billable=True)]
        assert counted == list(always), "these requests of the second pass count against the limit"
        return first

    return run


@pytest.fixture
def node():
    """node(KIND, …): a running node of another libp2p implementation; skips, or in CI fails, without it."""
    with contextlib.ExitStack() as started:

        def start(kind, **more):
            folder = clients.FOLDER / f"libp2p-{kind}"
            why = nodes.unavailable(kind)
            if why and os.environ.get("CI") and ((folder / "broken").exists() or not folder.exists()):
                pytest.fail(why, pytrace=False)
            if why:
                pytest.skip(why)
            return started.enter_context(nodes.Node(kind, **more))

        yield start
