"""Multicast DNS between network namespaces: two daemons find each other and share, other responders read
what is announced under the group's name and are read, and who is no member gets nothing by that name."""

import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import sys

import clients
import fleet
import pytest
from rig import REPO
from test_peers_ghoard import connected
from test_peers_net import net  # noqa: F401

SCRIPT = pathlib.Path(__file__).resolve().parent / "mdns_script.py"
PORT = 9100


def service(secret):
    """The name that the page of formats derives from the group key."""
    group = hashlib.pbkdf2_hmac("sha256", secret.encode(), b"github-cache-p2p", 100_000, 32)
    one = hmac.digest(hmac.digest(bytes(32), group, "sha256"), b"ghoard mdns 1\x01", "sha256")
    return f"_p2p-{one[:8].hex()}._udp.local."


@pytest.fixture
def lan(net, fake, tmp_path):  # noqa: F811
    """lan("one", …): a daemon in that namespace with mDNS on and no address of any other."""
    if fleet.no_peers():
        pytest.skip(fleet.no_peers())
    try:
        fake.as_github(net.outside)
    except PermissionError:
        pytest.skip("listening on port 443 is not allowed here")
    with contextlib.ExitStack() as ends:

        def make(name, **more):
            more["env"] = {"GHOARD_MDNS": "true", **more.get("env", {})}
            one = fleet.Member(
                tmp_path / name,
                fake,
                address=net.address(name),
                inside=net.inside(name),
                url="https://api.github.com",
                args=("--resolve", f"api.github.com:443:{net.outside}"),
                **more,
            )
            ends.callback(one.end)
            return one

        yield make


def members(one):
    report = json.loads(one.run("peers", "ls", "--json", rc=0).out)
    return [p["id"] for p in report["peers"] if p["kind"] == "member"]


def responder(net, name, *args):  # noqa: F811
    """The other responder, in that namespace; its packages are those of the py node."""
    folder = clients.FOLDER / "libp2p-py"
    if not (folder / "zeroconf").exists():
        pytest.skip("python-zeroconf is not installed; `make interop PEERS=1` installs it")
    return subprocess.Popen(
        [*map(str, net.inside(name)), sys.executable, SCRIPT, *args],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_daemons_find_each_other(lan, fake):
    one, two = lan("one"), lan("two")
    fleet.eventually(lambda: members(one) == [two.peer] and members(two) == [one.peer], seconds=15)
    first = one.get(REPO)
    assert first.status == 200
    fake.forget()
    answer = two.get(REPO)
    assert answer.cache.get("detail") == "p2p" and answer.body == first.body and fake.count() == 0


def test_what_is_announced(lan, net):  # noqa: F811
    """zeroconf and dnspython read the record: one peer id, the LAN's addresses, none of loopback."""
    one = lan("one")
    name = service(one.secret)
    with responder(net, "three", "browse", name, net.address("three")) as there:
        out, err = there.communicate(timeout=60)
    assert there.returncode == 0, err
    said = json.loads(out)
    full = f"dnsaddr={one.addr}"
    wire = said["wire"]
    assert wire and wire["strings"] == [full], said
    assert wire["pointer"] == wire["owner"] and wire["owner"].endswith(name) and wire["ttl"] == 120
    assert len(wire["owner"].split(".")[0]) == 32
    assert said["zeroconf"]["name"] == wire["owner"]
    (text,) = map(bytes.fromhex, said["zeroconf"]["text"])
    assert text[0] == len(full) and text[1:].decode() == full


def test_what_another_responder_announces_is_dialled(lan, net, node):  # noqa: F811
    """A go member that zeroconf speaks for is found; so is one of no group, which stays outside."""
    go = node("go", listen=f"/ip4/{net.address('three')}/tcp/9000", netns=net.inside("three"))
    go.ask("join", secret=fleet.SECRET, network_id=fleet.NETWORK)
    one = lan("one")
    with responder(net, "three", "announce", service(one.secret), net.address("three"), go.addr) as there:
        assert there.stdout.readline() == "announced\n", there.stderr.read()
        fleet.eventually(lambda: one.peer in connected(go), seconds=20)
        fleet.eventually(lambda: members(one) == [go.peer])
        there.communicate("", timeout=20)


def test_the_name_alone_opens_nothing(lan, net, node):  # noqa: F811
    """A stranger that announces itself under the group's name is dialled, and gets no entry."""
    go = node("go", listen=f"/ip4/{net.address('three')}/tcp/9000", netns=net.inside("three"))
    go.ask("join", secret="another secret that is also long enough", network_id=fleet.NETWORK)
    one = lan("one")
    with responder(net, "three", "announce", service(one.secret), net.address("three"), go.addr) as there:
        assert there.stdout.readline() == "announced\n", there.stderr.read()
        fleet.eventually(lambda: one.peer in connected(go), seconds=20)
        assert one.get(REPO).status == 200
        assert members(one) == [] and not [m for m in go.ask("heard")["heard"] if m["type"] == "cache_entry"]
        there.communicate("", timeout=20)
