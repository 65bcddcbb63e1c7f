"""Two daemons and a go node in three network namespaces, of which one is cut off and returns.

Each namespace has two links: one to the stand-in GitHub in the test's own namespace, one to a bridge between
the three, which is the one that is cut.
"""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import time

import fleet
import pytest
from rig import ISSUES, REPO
from test_peers_ghoard import connected

NAMES = ("one", "two", "three")


class Net:
    """Addresses 10.N.1.x lead to the test, 10.N.2.x to the other two; N is this process's, so that tests may
    run side by side."""

    def __init__(self):
        self.tag = f"gh{os.getpid() % 100_000}"
        self.net = f"10.{64 + os.getpid() % 128}"
        self.done = contextlib.ExitStack()

    @property
    def outside(self):
        return f"{self.net}.1.1"

    def ip(self, *args):
        subprocess.run(["ip", *args], check=True, capture_output=True, text=True, timeout=10)

    def undo(self, *args):
        self.done.callback(subprocess.run, ["ip", *args], capture_output=True, timeout=10)

    def __enter__(self):
        try:
            for bridge, address in (("a", f"{self.outside}/24"), ("p", None)):
                self.ip("link", "add", self.tag + bridge, "type", "bridge")
                self.undo("link", "del", self.tag + bridge)
                if address:
                    self.ip("addr", "add", address, "dev", self.tag + bridge)
                self.ip("link", "set", self.tag + bridge, "up")
            for n, name in enumerate(NAMES, 2):
                self.add(n, name)
        except BaseException:
            self.done.close()
            raise
        return self

    def add(self, n, name):
        space = f"{self.tag}-{name}"
        self.ip("netns", "add", space)
        self.undo("netns", "del", space)
        self.ip("-n", space, "link", "set", "lo", "up")
        for link, subnet in (("a", 1), ("p", 2)):
            outside, inside = f"{self.tag}{link}{n}", f"{link}0"
            self.ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", space)
            self.ip("link", "set", outside, "master", self.tag + link, "up")
            self.ip("-n", space, "link", "set", inside, "address", f"02:00:00:00:{subnet:02}:{n:02}")
            self.ip("-n", space, "addr", "add", f"{self.net}.{subnet}.{n}/24", "dev", inside)
            self.ip("-n", space, "link", "set", inside, "up")

    def inside(self, name):
        """The command that runs another in that namespace."""
        return ["ip", "netns", "exec", f"{self.tag}-{name}"]

    def address(self, name):
        return f"{self.net}.2.{NAMES.index(name) + 2}"

    def cut(self, name, how="down"):
        self.ip("link", "set", f"{self.tag}p{NAMES.index(name) + 2}", how)

    def join(self, name):
        self.cut(name, "up")

    def silence(self, name):
        """Every packet to and from it is dropped: no link goes down, no address is unknown."""
        n = NAMES.index(name) + 2
        for k, other in enumerate(NAMES, 2):
            for of in {2, 3, 4} - {k} if k == n else {n}:
                known = ("dev", "p0", "lladdr", f"02:00:00:00:02:{of:02}", "nud", "permanent")
                self.ip("-n", f"{self.tag}-{other}", "neigh", "replace", f"{self.net}.2.{of}", *known)
        self.drop("add", name)

    def drop(self, how, name):
        """How: add, or del to end it."""
        outside = [f"{self.tag}p{NAMES.index(name) + 2}"]
        for where, dev in ([], outside), (["-n", f"{self.tag}-{name}"], ["p0"]):
            argv = ["tc", *where, "qdisc", how, "dev", *dev, "root", "blackhole"]
            subprocess.run(argv, check=True, capture_output=True, text=True, timeout=10)

    def __exit__(self, *_):
        self.done.close()


@pytest.fixture
def net():
    try:
        with Net() as made:
            yield made
    except (OSError, subprocess.CalledProcessError) as why:
        said = getattr(why, "stderr", "") or str(why)
        pytest.skip(f"making network namespaces is not allowed here: {said.strip()}")


def test_the_rig(net, node):
    """Three nodes in three namespaces: they reach each other, and while one is cut off they do not."""
    running = {}
    for name in NAMES:
        running[name] = node("go", listen=f"/ip4/{net.address(name)}/tcp/9000", netns=net.inside(name))
    for name in ("two", "three"):
        running["one"].dial(running[name].addr)
    running["one"].ask("echo", peer=running["three"].peer, bytes=100_000)
    net.cut("three")
    waiting = running["one"].begin("echo", peer=running["three"].peer, bytes=100)
    running["one"].ask("echo", peer=running["two"].peer, bytes=100_000)
    time.sleep(2)
    assert not waiting.done(), "an echo crossed a link that is down"
    net.join("three")
    running["one"].end(waiting, "echo over a link that came back")


@pytest.fixture
def three(net, node, fake, tmp_path, request):
    """Daemons in `one` and `two`, a go member in `three`, all connected; and the net. Its parameter is after
    how many seconds of silence the daemons ping."""
    if fleet.no_peers():
        pytest.skip(fleet.no_peers())
    try:
        fake.as_github(net.outside)
    except PermissionError:
        pytest.skip("listening on port 443 is not allowed here")
    go = node("go", listen=f"/ip4/{net.address('three')}/tcp/9000", netns=net.inside("three"))
    go.ask("join", secret=fleet.SECRET, network_id=fleet.NETWORK)
    members, bootstrap = [], [go.addr]
    with contextlib.ExitStack() as ends:
        for name in ("one", "two"):
            members.append(
                fleet.Member(
                    tmp_path / name,
                    fake,
                    address=net.address(name),
                    bootstrap=bootstrap,
                    keepalive=getattr(request, "param", 60),
                    inside=net.inside(name),
                    url="https://api.github.com",
                    args=("--resolve", f"api.github.com:443:{net.outside}"),
                )
            )
            ends.callback(members[-1].end)
            bootstrap = [*bootstrap, members[-1].addr]
        for one in members:
            fleet.eventually(lambda one=one: one.peer in connected(go))
            go.ask("info", peer=one.peer)
        yield net, *members, go


def waits(member, path, **more):
    begin = time.monotonic()
    answer = member.get(path, **more)
    assert answer.status == 200
    return answer, time.monotonic() - begin


def about(member):
    return json.loads(member.run("peers", "ls", "--json", rc=0).out)


def lists(member, other):
    return other.peer in [p["id"] for p in about(member)["peers"]]


def hears(member, other, path):
    """an announcement of what the other fetches

    That the other lists it says nothing: a connection whose end is not known yet stands there for 40 s.
    """

    def count():
        return about(member)["sharing"]["heard"]

    before = count()
    assert other.get(path).status == 200
    time.sleep(0.3)
    return count() > before


@pytest.mark.timeout(300)
def test_one_is_cut_off_and_returns(three, fake):
    net, one, two, go = three
    # together: what one fetched the other two have
    assert one.get(REPO).status == 200
    fleet.eventually(lambda: [m for m in go.ask("heard")["heard"] if m["type"] == "cache_entry"])
    time.sleep(0.3)
    fake.forget()
    answer, _ = waits(two, REPO)
    assert answer.cache.get("detail") == "p2p" and fake.count() == 0
    # `two` is cut off: it answers from disk and API, in time; the others go on
    net.cut("two")
    answer, took = waits(two, REPO)
    assert answer.cache.get("hit") and took < 1
    answer, took = waits(two, ISSUES)
    assert answer.cache.get("fwd") == "uri-miss" and took < 2, "a partition held a request up"
    before = len(go.ask("heard")["heard"])
    answer, took = waits(one, f"{REPO}/issues/8")
    assert took < 2
    fleet.eventually(lambda: len(go.ask("heard")["heard"]) > before)
    fleet.eventually(lambda: two.peer not in connected(go), seconds=90)
    assert json.loads(two.run("stats", "--format", "json", rc=0).out)
    # and returns: dialled again by itself, and served from what the others hold
    net.join("two")
    fleet.eventually(lambda: two.peer in connected(go), seconds=90)
    go.ask("info", peer=two.peer)
    pages = itertools.count(20)
    fleet.eventually(lambda: hears(two, one, f"{ISSUES}?per_page={next(pages)}"), seconds=90)
    assert one.get(f"{REPO}/releases").status == 200
    time.sleep(0.3)
    fake.forget()
    answer, _ = waits(two, f"{REPO}/releases")
    assert answer.cache.get("detail") == "p2p" and fake.count() == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("three", [2], indirect=True)
def test_packets_are_dropped(three, fake):
    """Nothing says that `two` is gone: requests fall through in time, keep-alive finds out, it returns."""
    if not shutil.which("tc"):
        pytest.skip("tc, which drops the packets, is not installed")
    net, one, two, go = three
    paths = [f"{ISSUES}?per_page={n}" for n in range(40, 46)]
    heard = about(one)["sharing"]["heard"]
    for path in paths:
        assert two.get(path).status == 200
    fleet.eventually(lambda: about(one)["sharing"]["heard"] >= heard + len(paths))
    late = about(one)["sharing"]["late"]
    net.silence("two")
    begin = time.monotonic()
    for path in paths:
        answer, took = waits(one, path)
        assert answer.cache.get("fwd") == "uri-miss" and took < 0.5, took
    assert lists(one, two) and lists(two, one), "nobody was told"
    assert about(one)["sharing"]["late"] > late, "`two` was waited for"
    for path in (f"{REPO}/issues/9", paths[0]):
        assert waits(two, path)[1] < 0.5
    # a ping after 2 s of silence, 10 s for its answer
    fleet.eventually(lambda: not lists(one, two) and not lists(two, one), seconds=25)
    assert 9 < time.monotonic() - begin < 20
    net.drop("del", "two")
    fleet.eventually(lambda: lists(one, two) and lists(two, one), seconds=90)
    pages = itertools.count(50)
    fleet.eventually(lambda: hears(two, one, f"{ISSUES}?per_page={next(pages)}"), seconds=30)
    assert one.get(f"{REPO}/releases").status == 200
    time.sleep(0.3)
    fake.forget()
    assert waits(two, f"{REPO}/releases")[0].cache.get("detail") == "p2p" and fake.count() == 0


def test_the_go_node_is_cut_off(three, made_entry, fake):
    """It announced an entry and cannot be reached: the request is answered within its budget, by the API."""
    net, one, _, go = three
    go.ask("announce", key=go.ask("put", file=str(made_entry))["key"])
    time.sleep(0.3)
    net.cut("three")
    answer, took = waits(one, REPO)
    assert answer.cache.get("fwd") == "uri-miss" and took < 1


@pytest.fixture
def made_entry(make_daemon, net, fake):
    """The entry file that a daemon of the same token and upstream, and no peer, has of the repository."""
    daemon = make_daemon("--resolve", f"api.github.com:443:{net.outside}", url="https://api.github.com")
    assert daemon.get(REPO, unix=True).status == 200
    daemon.stop()
    return daemon.ghoard.entries()[0][0]


def test_the_namespaces_are_gone():
    """None that this run made is left behind."""
    left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    assert f"gh{os.getpid() % 100_000}-" not in left
