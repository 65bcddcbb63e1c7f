"""Fixtures. Each test has its own stand-in, ports, HOME and cache, so that tests may run at once."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
pytest.register_assert_rewrite("rig", "daemon", "browser", "jobstep", "others")

import rig  # noqa: E402
from browser import browser  # noqa: E402, F401
from daemon import Daemon  # noqa: E402
from fake import Fake, Proxy  # noqa: E402
from fake.certs import Authority  # noqa: E402
from jobstep import step  # noqa: E402, F401
from others import ground, other  # noqa: E402, F401


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """The test CA: made once a session, for making keys takes time."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def fake(authority):
    """The stand-in GitHub, with a fresh model."""
    with Fake(authority=authority) as running:
        yield running


@pytest.fixture
def recorded(authority):
    """The stand-in, which also replays answers recorded from GitHub."""
    with Fake(authority=authority, recorded=True) as running:
        yield running


@pytest.fixture(scope="session")
def binary():
    if not rig.BINARY.exists():
        pytest.fail(f"{rig.BINARY} is missing: run make first, or name another one in GHOARD", pytrace=False)
    return rig.BINARY


@pytest.fixture
def ghoard(binary, fake, tmp_path):
    """The binary under test, pointed at `fake` over TLS."""
    return rig.Ghoard(tmp_path, fake)


@pytest.fixture
def make_ghoard(binary, tmp_path):
    """More binaries with other homes or addresses: make_ghoard("second", fake, url=…, ca=…)."""
    return lambda name, fake=None, **more: rig.Ghoard(tmp_path / name, fake, **more)


@pytest.fixture
def make_daemon(ghoard):
    """Daemons on `ghoard`'s folders: make_daemon("--rewrite", "all", listen=…, path=…, token=…, env=…)."""
    started = []

    def make(*args, on=None, **more):
        started.append(Daemon(on or ghoard, *args, **more))
        return started[-1]

    yield make
    for one in started:
        one.end()
    for one in started:
        one.check()


@pytest.fixture
def daemon(make_daemon):
    """`ghoard serve` on a unix socket and a free TCP port, asking `fake`."""
    return make_daemon()


@pytest.fixture(params=["tcp", "unix"])
def unix(request):
    """For tests that run once on each listener."""
    return request.param == "unix"


@pytest.fixture
def make_proxy(fake):
    """Proxies that know the stand-in as api.github.test:443, its second host as codeload.github.test:443."""
    started = []

    def make(**more):
        routes = {
            "api.github.test:443": ("127.0.0.1", fake.ports["tls"]),
            "codeload.github.test:443": ("127.0.0.1", fake.ports["assets"]),
        }
        started.append(Proxy(routes, **more).start())
        return started[-1]

    yield make
    for proxy in started:
        proxy.stop()
