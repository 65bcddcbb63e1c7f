"""A hostile peer's messages: with another secret, and as a member that lies about entries, time and load."""

import base64
import concurrent.futures
import contextlib
import ctypes
import itertools
import json
import os
import re
import sys
import time

import pytest
import rig
from cryptography.fernet import Fernet
from hostile import OWN, addr_of, announced, copy, is_well, place, wait  # noqa: F401
from rogue import CACHE, WINDOW, Identity, Listener, Over, Rogue, connect, give, group_key, uvarint

PATHS = [f"{rig.ISSUES}?per_page={n}" for n in range(1, 60)]


def ended(rogue):
    wait(rogue.over.is_set)
    return True


@pytest.fixture
def files(place, fake):
    """files(path): the entry that another daemon of the same token made of it: (file, body)."""
    donor = place("donor")

    def get(path=rig.ISSUES):
        return copy(donor, path)

    return get


def test_another_secret(place):
    one = place("one")
    wrong = group_key("another-invented-secret-of-the-tests-0003")
    me = Identity()
    with Rogue.dial(addr_of(one), key=wrong, identity=me) as rogue:
        rogue.control = rogue.open(CACHE)
        rogue.control.say(rogue.peer_info())
        assert rogue.control.all() == b"" and ended(rogue)
    assert one.sharing["bad_seal"] == 1 and "sealed with another key" in one.errors
    with pytest.raises(Over):  # left alone for a minute, with the right key too
        one.join(me)
    is_well(one)


def test_replayed_and_reflected(place):
    """A member's message said again by another, and the daemon's own said back to it."""
    one = place("one")
    with one.join() as member:
        sealed = member.seal(1, json.dumps(member.peer_info()).encode())
    with one.dial() as thief:
        thief.open(CACHE).send(sealed)
        assert ended(thief)
    with one.dial() as mirror:
        mirror.control = mirror.open(CACHE)
        mirror.control.say(mirror.peer_info())
        its = mirror.control.sealed()
        mirror.control.send(uvarint(len(its)) + its)
        assert ended(mirror)
    with one.join() as member:  # a record of a body as a header, a header of another version
        member.control.send(member.seal(2, json.dumps(member.peer_info()).encode()))
        assert ended(member)
    with one.join() as member:
        sealed = member.seal(1, b"{}")
        member.control.send(sealed[:1] + b"\x02" + sealed[2:])
        assert ended(member)
    assert one.sharing["bad_seal"] == 3
    is_well(one)


def test_messages_out_of_order_and_form(place):
    one = place("one")
    for said in (
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"type":"cache_entry","entries":[{}]}',
        b'{"type":"cache_entry","entries":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"type":"invalidate","prefixes":"/repos/o/r","time":1}',
        b'{"type":"peer_info","network_id":7,"time":1}',
    ):
        with one.join() as member:
            member.control.say(said)
            assert ended(member), said
    with one.dial() as stranger:  # an announcement before peer_info
        stranger.control = stranger.open(CACHE)
        stranger.announce({"key": "k", "url": "u", "cid": "c", "auth": "a", "timestamp": 1, "ttl": 1})
        assert ended(stranger)
    with one.dial() as stranger:
        stranger.control = stranger.open(CACHE)
        stranger.control.say(stranger.peer_info(network_id="another"))
        assert ended(stranger)
    with one.join() as member:  # what is not known is passed over, what does not fit is an error's answer
        member.control.say({"type": "of the future", "entries": 7})
        member.control.say({"type": "error", "code": "x" * 256, "message": "y" * 256})
        stream = member.open(CACHE)
        stream.say({"type": "peer_info", "network_id": "n", "time": 1})
        assert stream.header()["type"] == "error"
        assert member.ask(key="x" * 3000)[0]["answer"] in ("miss", "busy")
        assert member.ask(cid="../../etc/passwd")[0]["answer"] == "miss"
        for key in ("../../.peer_key", "/etc/passwd", "a\\u0000b", "get_repo_info:/repos/../..:0", "%s%n"):
            with contextlib.suppress(Over):
                assert member.ask(key=key)[0].get("answer") in ("miss", "busy", None)
    is_well(one)


def test_who_calls_itself_ghoard_and_is_silent(place):
    """After 5 s; who does not is a plain peer."""
    one = place("one")
    with one.dial() as plain, Rogue(connect(addr_of(one)), True, key=one.key) as liar:
        liar.agent = "ghoard/0.1.0"
        liar.up()
        wait(lambda: liar.over.is_set(), 8)
        wait(lambda: [p["kind"] for p in one.peers()] == ["plain"])
        assert not plain.over.is_set()
    assert "calls itself ghoard" in one.errors
    is_well(one)


def test_announcements_that_are_none(place, files, fake):
    """Keys that do not fit their url, urls elsewhere, times ahead, too many hops: dropped."""
    one = place("one")
    file, body = files()
    real = announced(file, len(body))
    other = announced(files(rig.REPO)[0], 10)
    now = time.time()
    bad = [
        {"key": other["key"]},
        {"key": real["key"][:-1] + "g"},
        {"key": real["key"].replace("issues", "pulls")},
        {"key": "get_repo_info" + real["key"][real["key"].index(":") :]},
        {"url": "https://api.github.com" + rig.ISSUES},
        {"url": "http://169.254.169.254/latest"},
        {"url": real["url"] + "/../../secret"},
        {"timestamp": now + 120},
        {"timestamp": 1},
        {"ttl": 0},
        {"hops": 3},
        {"hops": 255},
        {"key": real["key"] + "x" * 2000, "url": real["url"] + "x" * 2000},
    ]
    with one.join() as member:
        for change in bad:
            member.announce({**real, **change})
        wait(lambda: one.sharing["dropped"] == len(bad))
        assert one.sharing["heard"] == 0
        assert one.daemon.get(rig.ISSUES, token=OWN).body == body
        member.announce({**real, "timestamp": now + 30, "ttl": 10**9})
        wait(lambda: one.sharing["heard"] == 1)
    is_well(one)


LIES = {
    "another body, its CID": lambda f, b: ({**f, "ghoard": {**f["ghoard"], "cid": rig.cid(b"[1]")}}, b"[1]"),
    "another body, the right CID": lambda f, b: (f, b"[2]" + b[3:]),
    "another body, nobody's proof": lambda f, b: (
        {**f, "ghoard": {**f["ghoard"], "cid": rig.cid(b"[3]"), "proof": "0" * 32}},
        b"[3]",
    ),
    "of the future": lambda f, b: ({**f, "timestamp": time.time() + 3600}, b),
    "a longer life": lambda f, b: ({**f, "ttl": 10**6}, b),
    "another status": lambda f, b: ({**f, "ghoard": {**f["ghoard"], "status": 301}}, b),
    "a header more": lambda f, b: (
        {**f, "ghoard": {**f["ghoard"], "headers": [*f["ghoard"]["headers"], ["link", "<http://evil/>"]]}},
        b,
    ),
    "another tag": lambda f, b: (
        {**f, "ghoard": {**f["ghoard"], "auth": "0" * 32, "cid": rig.cid(b"[4]")}},
        b"[4]",
    ),
    "nobody's": lambda f, b: (
        {**f, "ghoard": {**f["ghoard"], "auth": "public", "cid": rig.cid(b"[5]")}},
        b"[5]",
    ),
    "another key": lambda f, b: ({**f, "cache_key": f["cache_key"].replace("issues", "pulls")}, b),
    "another variant": lambda f, b: ({**f, "ghoard": {**f["ghoard"], "variant": {"accept": "x"}}}, b),
    "no file": lambda f, b: ({"cache_key": f["cache_key"], "ghoard": f["ghoard"]}, b),
    "a size that is not": lambda f, b: (f, b + b" "),
}


@pytest.mark.parametrize("lie", LIES)
def test_entries_that_lie(place, files, fake, lie):
    """What was announced truly is answered falsely: the client has GitHub's words, and soon."""
    one = place("one")
    file, body = files()
    with one.join() as member:
        told, sent = LIES[lie](file, body)
        member.answer = lambda stream, request: give(stream, told, sent)
        member.announce(announced(file, len(body)))
        wait(lambda: one.sharing["heard"] == 1)
        fake.forget()
        begin = time.monotonic()
        got = one.daemon.get(rig.ISSUES, token=OWN)
        assert got.body == body and time.monotonic() - begin < 2
        assert member.asked and fake.count() == 1, "GitHub had the last word"
        assert got.cache.get("detail") != "p2p" and "evil" not in str(got.fields)
    is_well(one)


def test_the_truth_is_believed(place, files, fake):
    """The same member, not lying: so the tests above would see it if a lie were served."""
    one = place("one")
    file, body = files()
    with one.join() as member:
        member.answer = lambda stream, request: give(stream, file, body)
        member.announce(announced(file, len(body)))
        wait(lambda: one.sharing["heard"] == 1)
        fake.forget()
        got = one.daemon.get(rig.ISSUES, token=OWN)
        assert got.body == body and got.cache["detail"] == "p2p" and fake.count() == 0


def test_junk_candidates(place, files, fake):
    """Bodies of other tokens that GitHub does not confirm: after three the peer is asked for none."""
    one = place("one")
    paths = PATHS[:16]
    with one.join() as member:
        member.answer = lambda stream, request: give(stream, *junk[request["key"]])
        junk = {}
        for path in paths:
            file, _ = files(path)
            ours = {**file["ghoard"], "auth": "ab" * 16, "proof": "cd" * 16}
            ours["cid"] = rig.cid(b'[{"junk":1}]')
            junk[file["cache_key"]] = ({**file, "ghoard": ours}, b'[{"junk":1}]')
            member.announce(announced(junk[file["cache_key"]][0], 12))
        wait(lambda: one.sharing["heard"] == len(paths))
        for path in paths:
            got = one.daemon.get(path, token=OWN)
            assert b"junk" not in got.body and got.cache["fwd-status"] == 200
        told = one.sharing
        assert told["hits"] == 3 and len(member.asked) == 3 + told["late"], "nor as a coordinator"
    is_well(one)


def test_junk_that_an_honest_member_passed_on(place, files, fake):
    """The liar is not known here; who passed its bodies on is still asked for what it holds itself."""
    honest = place("honest")
    one = place("one", bootstrap=addr_of(honest), token="bob-token", args=("--log-level", "info"))
    wait(lambda: [p["kind"] for p in one.peers()] == ["member"])
    junk, miss = {}, {"type": "cache_response", "answer": "miss"}

    def answer(stream, request):
        told = junk.get(request.get("key"))
        give(stream, *told) if told else stream.say(miss)

    with honest.join() as liar:
        liar.answer = answer
        for path in PATHS[:10]:
            file, _ = files(path)
            ours = {**file["ghoard"], "auth": "ab" * 16, "proof": "cd" * 16}
            ours["cid"] = rig.cid(b'[{"junk":1}]')
            junk[file["cache_key"]] = ({**file, "ghoard": ours}, b'[{"junk":1}]')
            liar.announce(announced(junk[file["cache_key"]][0], 12))
        wait(lambda: one.sharing["heard"] == 10)
        for path in PATHS[:10]:
            assert one.daemon.get(path, token="bob-token").cache["fwd-status"] == 200
        before = one.sharing
        assert before["hits"] == 3, "what it only passes on is then left for a while"
        for path in PATHS[10:20]:
            assert honest.daemon.get(path, token=OWN).status == 200
        wait(lambda: one.sharing["heard"] == 20)
        got = [one.daemon.get(path, token="bob-token").cache for path in PATHS[10:20]]
        own = sum(g.get("detail") == "candidate" and g["fwd-status"] == 304 for g in got)
        assert own > 0 and own + one.sharing["late"] - before["late"] == 10, "the honest one's own"
        assert "no more that it passes on" in one.errors
    is_well(one)


BUSY = {"type": "cache_response", "answer": "busy", "retry_ms": 500}


def drip(stream, request):
    for byte in b"\x7f" * 50:
        stream.send(bytes([byte]))
        time.sleep(0.02)


def test_junk_of_any_size(place, files, fake):
    """Promised 8 MiB and more, sent nothing, or byte by byte, or without end: the budget is kept."""
    one = place("one")
    file, body = files()
    for size, answer in (
        (8 << 20, lambda stream, request: None),
        (1 << 50, lambda stream, request: give(stream, file, b"x", 1 << 50)),
        (len(body), lambda stream, request: give(stream, file, body * 2, len(body))),
        (len(body), drip),
        (len(body), lambda stream, request: stream.send(os.urandom(200_000))),
        (len(body), lambda stream, request: stream.say(b'{"type":"cache_response","answer":"hit"}')),
        (len(body), lambda stream, request: stream.say({**BUSY, "retry_ms": 10**9})),
    ):
        one.daemon.ghoard("cache", "clear", "--socket", one.daemon.socket)
        with one.join() as member:
            member.answer = answer
            member.announce(announced(file, min(size, 1 << 20), timestamp=round(time.time(), 6)))
            heard = one.sharing["heard"]
            wait(lambda: one.sharing["heard"] >= min(1, heard))
            path = rig.ISSUES
            begin = time.monotonic()
            got = one.daemon.get(path, token=OWN, headers={"Cache-Control": "max-age=0"})
            assert got.body == body and time.monotonic() - begin < 2
    is_well(one)


def test_a_flood_of_announcements(place, fake):
    """Entries that fit and are held by nobody: read as fast as the bucket lets, kept as many as may be."""
    one = place("one")
    now = round(time.time(), 6)
    donor = place("donor")
    file, _ = copy(donor, PATHS[0])
    real = announced(file, 100)
    def some(n):
        tails = [f"per_page=1x{n}x{'y' * 300}{k}" for k in range(60)]
        said = {"key": real["key"], "url": real["url"]}
        return [
            {**real, "timestamp": now, **{k: v.replace("per_page=1", tail) for k, v in said.items()}}
            for tail in tails
        ]

    with one.join() as member, one.join() as other:
        begin, sent, number = time.monotonic(), 0, member.control.number
        for n in itertools.count():
            entries = some(n)
            sent += len(str(entries))
            # as much as the window holds, which is what a bucket that is empty withholds
            while sent > (240 << 10) + sum(f[3] for f in member.frames if (f[0], f[2]) == (WINDOW, number)):
                time.sleep(0.005)
                if time.monotonic() - begin > 4:
                    break
            if time.monotonic() - begin > 4:
                break
            member.announce(*entries)
        heard, most = one.sharing["heard"], 400 * (time.monotonic() - begin + 2)
        assert 1000 < heard < most, "four entries are a message, of which a hundred a second are read"
        is_well(one)
        assert other.ask(key="nobody has it")[0]["answer"] == "miss"


def test_a_flood_of_invalidations(place, fake):
    """Ten a minute count; what they end is asked again by a free 304; none is wider than a repository."""
    one = place("one")
    assert one.daemon.get(rig.ISSUES, token=OWN).status == 200
    with one.join() as member:
        for prefix in ("/", "", "/repos", "/repos/octocat", "/user", "/repos/octocat/", "repos/o/r", "*"):
            member.control.say({"type": "invalidate", "prefixes": [prefix], "time": time.time()})
        late = int(time.time() + 80000) * 1_000_000
        wide = ["/repos/*/*", "/repos/*/hello-world", "/repos/a/b\tc", "/repos/a/b c"]
        wide.append(f"/repos/a/b\n{late}\t*\t/")
        member.control.say({"type": "invalidate", "prefixes": wide, "time": time.time()})
        member.control.say({"type": "invalidate", "prefixes": [rig.REPO], "time": time.time() - 120})
        time.sleep(0.3)
        assert one.daemon.get(rig.ISSUES, token=OWN).cache["hit"] is True
        assert one.sharing["invalidated"] == 0
    with one.join() as member:
        for _ in range(300):
            flood = {"type": "invalidate", "prefixes": [rig.REPO] * 16, "time": time.time() + 9999}
            member.control.say(flood)
        wait(lambda: one.sharing["invalidated"] >= 160)
        fake.forget()
        got = one.daemon.get(rig.ISSUES, token=OWN)
        assert got.cache["fwd-status"] == 304 and fake.count(billable=True) == 0
        assert one.daemon.get(rig.ISSUES, token=OWN).cache["hit"] is True, "a time ahead counts as now"
        time.sleep(0.5)
        assert one.sharing["invalidated"] == 160
        is_well(one)
        rows = one.home.cache / ".epochs"
        assert not rows.exists() or rows.stat().st_size < 1 << 20


class Renames:
    """How often a name in a folder was replaced. IN_MOVED_TO alone would be told once for many in a row, so
    IN_MOVED_FROM is, too."""

    def __init__(self, folder):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self.fd >= 0 and libc.inotify_add_watch(self.fd, os.fsencode(folder), 0xC0) >= 0

    def count(self, name):
        data = os.read(self.fd, 1 << 20)
        found, at = 0, 0
        while at < len(data):
            size = int.from_bytes(data[at + 12 : at + 16], sys.byteorder)
            found += data[at + 16 : at + 16 + size].rstrip(b"\0").decode() == name
            at += 16 + size
        return found


def test_a_message_is_one_write(place):
    """Sixteen paths in a message: the file of what is stale is written once, not sixteen times."""
    one = place("one")
    prefixes = [f"/repos/o{n}/r" for n in range(16)]
    with one.join() as member:
        renames = Renames(one.home.cache)
        member.control.say({"type": "invalidate", "prefixes": prefixes, "time": time.time()})
        wait(lambda: one.sharing["invalidated"] == 16)
    rows = (one.home.cache / ".epochs").read_text().splitlines()
    aliases = {"/repositories/*"}
    assert {row.split("\t")[2] for row in rows} == {*prefixes} | aliases and len(rows) == 17
    assert renames.count(".epochs") == 1


def test_who_answers_too_late_is_counted(place, files, fake):
    """One that announced an entry and says nothing when asked: GitHub answers, and `stats` tells of it."""
    one = place("one")
    file, body = files()
    with one.join() as member:
        member.answer = lambda stream, request: None
        member.announce(announced(file, len(body)))
        wait(lambda: one.sharing["heard"] == 1)
        assert one.daemon.get(rig.ISSUES, token=OWN).cache["fwd-status"] == 200
        assert len(member.asked) == 1 and one.sharing["late"] == 1
    metrics = one.daemon.get("/_ghoard/metrics", token=None, unix=True).body.decode()
    assert "\nghoard_peers_late_total 1\n" in metrics
    assert one.home("stats", "--json").json["peers_late"] == 1
    assert re.search(r"^peers_late +1$", one.home("stats").out.decode(), re.M)


def test_who_never_answers_is_passed_over(place, fake):
    """The budget of no more than eight look-ups in a row goes to it."""
    one = place("one")
    with one.join() as member:
        member.answer = lambda stream, request: None
        for path in PATHS[:40]:
            assert one.daemon.get(path, token=OWN).status == 200
        assert len(member.asked) == 8 and one.sharing["late"] == 8


@pytest.mark.parametrize("how", ["promised", "poisoned"])
def test_who_gives_no_body_is_passed_over(place, fake, how):
    """A hit's header and no body is no answer; nor is one that is not what its CID says, of our own token."""
    one = place("one")
    donor = place("donor")
    file, body = copy(donor, PATHS[0])
    told = announced(file, 5000)

    def answer(stream, request):
        number = request["key"].split("per_page=")[1].split(":")[0]
        ours = {**file["ghoard"], "url": told["url"].replace("per_page=1", f"per_page={number}")}
        entry = {**file, "cache_key": request["key"], "ghoard": ours}
        if how == "poisoned":
            give(stream, entry, b"[]")
        else:
            stream.say({"type": "cache_response", "answer": "hit", "size": 5000, "entry": entry})

    with one.join() as member:
        member.answer = answer
        for n in range(2, 32):
            key, url = (told[k].replace("per_page=1", f"per_page={n}") for k in ("key", "url"))
            member.announce({**told, "key": key, "url": url, "timestamp": round(time.time(), 6)})
        wait(lambda: one.sharing["heard"] == 30)
        for path in PATHS[1:31]:
            assert one.daemon.get(path, token=OWN).cache["fwd-status"] == 200
        assert len(member.asked) == 8, one.sharing
    is_well(one)


def test_a_coordinator_that_is_always_busy(place, fake):
    """Each look-up is as soon as without it, nearly; after a few it is passed over."""
    one = place("one")
    with one.join() as member:

        def answer(stream, request):
            stream.say(BUSY)
            stream.shut()

        member.answer = answer
        took = []
        for path in PATHS[:40]:
            begin = time.monotonic()
            assert one.daemon.get(path, token=OWN).status == 200
            took.append(time.monotonic() - begin)
            time.sleep(0.02)
        assert max(took) < 1.5
        assert member.asked, "it was coordinator of some"
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert all(a.status == 200 for a in pool.map(one.daemon.get, PATHS[40:]))
    is_well(one)


ELSEWHERE = (
    "/ip4/169.254.169.254/tcp/8080",
    "/ip4/0.0.0.0/tcp/8080",
    "/ip4/224.0.0.251/tcp/8080",
    "/ip4/255.255.255.255/tcp/8080",
    "/ip4/127.0.0.1/tcp/80",
    "/ip6/fe80::1/tcp/8080",
    "/ip6/::ffff:169.254.169.254/tcp/8080",
    "/ip6/64:ff9b::a9fe:a9fe/tcp/8080",
    "/ip6/2002:a9fe:a9fe::/tcp/8080",
    "/ip6/ff02::1/tcp/8080",
    "/ip6/::/tcp/8080",
    "/dns4/metadata.google.internal/tcp/8080",
    "/dns4/localhost/tcp/8080",
)


def test_addresses_elsewhere(place):
    """Of what a member names only what may be dialled is dialled."""
    one = place("one", args=("--log-level", "debug"))
    with Listener() as friend:
        closed = Identity().text
        named = [f"{addr}/p2p/{Identity().text}" for addr in ELSEWHERE]
        named += [friend.addr, f"/ip4/127.0.0.1/tcp/1/p2p/{closed}"]
        named += ["/ip4/127.0.0.1/tcp/9999", "nonsense", "/ip4"]
        with one.join(peers=named, addrs=named) as member:
            wait(lambda: friend.came, 8)  # the one that may be
            time.sleep(1.5)
            for addr in ELSEWHERE:
                host = addr.split("/")[2]
                tried = f"no connection to [^ ]*{re.escape(host)}/tcp/(8080|80|1)/"
                assert not re.search(tried, one.errors), addr
            assert member.info["type"] == "peer_info"
    is_well(one)


def test_who_says_it_is_the_reference(place, fake):
    """A token in the reference's form from one who has not earned it: no entry comes of it, none goes."""
    one = place("one", env={"ENABLE_P2P_CACHE": "true"})
    named = one.home("cache", "put", "list_repos", "alice", input=b'{"a":1}', rc=0)
    assert named.rc == 0
    old = time.time() - 3600
    for key, made in ((os.urandom(32), time.time()), (one.key, old), (one.key, time.time() + 3600)):
        with one.dial() as rogue:
            stream = rogue.open(CACHE)
            with contextlib.suppress(Over):
                stream.send(fernet(key, made, b'{"key":"list_repos:mallory","entry":{"data":[1],"ttl":600}}'))
                stream.shut()
            with contextlib.suppress(TimeoutError):
                said = stream.all(3)
                assert not said.startswith(b"OK") and b"gAAAAA" not in said
    assert one.home("cache", "get", "list_repos", "mallory").rc == 1
    is_well(one)


def fernet(key, made, data):
    return Fernet(base64.urlsafe_b64encode(key)).encrypt_at_time(data, int(made))


@pytest.mark.parametrize("verify", ["true", "false"])
def test_the_checkout_cannot_make_peers_trusted(place, files, fake, verify):
    """An entry of another token's is a candidate, whatever a pull request writes into the settings."""
    one = place("one", more=f"security:\n  access_control:\n    verify_repository_access: {verify}\n")
    file, body = files()
    ours = {**file["ghoard"], "auth": "ab" * 16, "proof": "cd" * 16, "cid": rig.cid(b"[9]")}
    lie = {**file, "ghoard": ours}
    with one.join() as member:
        member.answer = lambda stream, request: give(stream, lie, b"[9]")
        member.announce(announced(lie, 3))
        wait(lambda: one.sharing["heard"] == 1)
        assert one.daemon.get(rig.ISSUES, token=OWN).body == body and member.asked
    is_well(one)
