"""Hostile members and the places there are: limits after a reconnect, floods of newcomers, half a member."""

import contextlib
import time

import pytest
import rig
from hostile import OWN, addr_of, announced, copy, is_well, place, wait  # noqa: F401
from rogue import Identity, Listener, Over, Rogue, give

FEW = "  connections:\n    max_peers: 4\n"
PATHS = [f"{rig.ISSUES}?per_page={n}" for n in range(1, 60)]
OTHERS = [f"/p2p/{Identity().text}" for _ in range(6)]


def ids(one, kind="member"):
    return {p["id"] for p in one.peers() if p["kind"] == kind}


def flood(member, count):
    """So many invalidations of 16 prefixes that nobody has named, and one message more that is answered."""
    for _ in range(count):
        prefixes = [f"/repos/of-{member.me.text[-8:]}/{time.monotonic_ns()}-{k}" for k in range(16)]
        member.control.say({"type": "invalidate", "prefixes": prefixes, "time": time.time()})
    with contextlib.suppress(Over):
        member.ask(key="nobody has it")


def test_limits_outlive_the_connection(place):
    """Ten invalidations a minute from a peer: also from one that comes again, or over a second connection."""
    one, me = place("one"), Identity()
    with one.join(me) as first:
        flood(first, 8)
        assert one.sharing["invalidated"] == 8 * 16
        with one.join(me) as second:
            flood(second, 8)
            wait(first.over.is_set)
    for _ in range(3):
        wait(lambda: ids(one) == set())
        with one.join(me) as again:
            flood(again, 8)
    assert one.sharing["invalidated"] == 10 * 16
    with one.join() as other:
        flood(other, 1)
    assert one.sharing["invalidated"] == 11 * 16
    is_well(one)


def test_peers_cannot_end_all_lives(place, fake):
    """Rows of `.epochs` that peers cause: they have their own room, and past it what was before is asked."""
    one = place("one")
    for _ in range(8):
        with one.join() as member:
            flood(member, 10)
    assert one.sharing["invalidated"] == 8 * 160
    rows = [row.split("\t") for row in (one.home.cache / ".epochs").read_text().splitlines()]
    assert len(rows) == 1025 and {row[1] for row in rows} == {"+"}
    assert [row[2] for row in rows].count("/") == 1
    assert one.daemon.get(rig.REPO, token=OWN).status == 200
    fake.forget()
    assert one.daemon.get(rig.REPO, token=OWN).cache["hit"] is True and fake.count() == 0
    with one.join() as member:  # the newest counts
        member.control.say({"type": "invalidate", "prefixes": [rig.REPO], "time": time.time()})
        wait(lambda: one.sharing["invalidated"] == 8 * 160 + 1)
    assert one.daemon.get(rig.REPO, token=OWN).cache["fwd-status"] == 304
    is_well(one)


def newcomers(one, stack, count):
    """Members that say they know nobody, one after another; the seconds they may take a place apart."""
    for _ in range(count):
        with contextlib.suppress(Over, TimeoutError):
            stack.enter_context(one.join(peers=[]))
        time.sleep(0.22)


def until_asked(one, *members):
    """GET what nobody announced until each was the coordinator of one."""
    for path in PATHS:
        if not all(m.asked for m in members):
            assert one.daemon.get(path, token=OWN).status == 200
    assert all(m.asked for m in members)


def test_a_flood_of_newcomers(place, fake):
    """They get the places of members that did nothing, and none of one that gave an entry or was asked."""
    donor, one = place("donor"), place("one", config=FEW)
    file, body = copy(donor, rig.REPO)
    with contextlib.ExitStack() as stack:
        giver, asked, mute, idle = (stack.enter_context(one.join(peers=OTHERS)) for _ in range(4))
        giver.answer = lambda stream, request: give(stream, file, body)
        mute.answer = lambda stream, request: None
        idle.answer = lambda stream, request: stream.reset()
        giver.announce(announced(file, len(body)))
        wait(lambda: one.sharing["heard"] == 1)
        assert one.daemon.get(rig.REPO, token=OWN).cache["detail"] == "p2p"
        until_asked(one, asked)
        newcomers(one, stack, 8)
        time.sleep(0.5)
        assert not giver.over.is_set() and not asked.over.is_set()
        assert mute.over.is_set() and idle.over.is_set(), "somebody new finds a place"
        assert {giver.me.text, asked.me.text} < ids(one) and len(ids(one)) == 4
    is_well(one)


def test_late_ones_where_all_answer(place, fake):
    """One place of four is theirs, so that nobody is shut out; they take it from each other."""
    one = place("one", config=FEW)
    with contextlib.ExitStack() as stack:
        first = [stack.enter_context(one.join(peers=OTHERS)) for _ in range(4)]
        until_asked(one, *first)
        late = stack.enter_context(one.join(peers=[]))
        wait(lambda: late.me.text in ids(one) and len(ids(one)) == 4)
        newcomers(one, stack, 8)
        time.sleep(0.5)
        assert sum(m.over.is_set() for m in first) == 1 and late.over.is_set()
    is_well(one)


@pytest.mark.parametrize("how", ["shut", "reset"])
def test_half_a_member(place, how):
    """Whose control stream has ended hears of nothing: it is no member any more, and may come again."""
    one, me = place("one"), Identity()
    with one.join(me) as member:
        wait(lambda: ids(one) == {me.text})
        getattr(member.control, how)()
        wait(member.over.is_set)
        wait(lambda: one.peers() == [])
    with one.join(me):
        wait(lambda: ids(one) == {me.text})
    with Listener(key=one.key) as friend:
        two = place("two", bootstrap=friend.addr)
        wait(lambda: ids(two) == {friend.me.text})
        getattr(friend.came[0].control, how)()
        wait(friend.came[0].over.is_set)
        wait(lambda: len(friend.came) == 2 and ids(two) == {friend.me.text})
    is_well(one)


def test_nobody_is_dialled_while_all_places_are_taken(place):
    one = place("one", config=FEW)
    with contextlib.ExitStack() as stack, Listener(key=one.key) as friend:
        members = [stack.enter_context(one.join(peers=OTHERS)) for _ in range(4)]
        wait(lambda: len(ids(one)) == 4)
        members[0].control.say(members[0].peer_info(peers=[friend.addr]))
        time.sleep(4)
        assert friend.came == [], "it would have to go again"
        members[3].close()
        wait(lambda: friend.me.text in ids(one))
    is_well(one)
