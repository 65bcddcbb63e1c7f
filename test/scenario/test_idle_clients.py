"""Nine hundred clients that keep a connection and ask nothing: what they cost, and what the next one gets."""

import os
import pathlib
import re
import time

import pytest
from daemon import look, split
from rig import ISSUES

MIB = 1 << 20


def resident(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) * 1024


def descriptors(pid):
    return len(os.listdir(look(pid, "fd")))


REQUEST = f"GET {ISSUES} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
HEALTH = b"GET /_ghoard/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.timeout(120)
def test_900_idle_clients(daemon, fake, ghoard):
    """A descriptor each, and little memory; the 901st hears 503; afterwards all of it is given back."""
    daemon.get(ISSUES)
    fds, before = descriptors(daemon.pid), resident(daemon.pid)
    held = [daemon.plug(unix=n % 2 == 0) for n in range(900)]
    for sock in held:
        sock.sendall(HEALTH)
    for sock in held:
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert descriptors(daemon.pid) - fds <= 900
    grown = resident(daemon.pid) - before
    print(f"idle {before >> 10} KiB; 900 clients {grown >> 10} KiB more, {grown // 900} bytes each")
    assert grown < 900 * 24 * 1024, "a buffer or two each"
    for unix in (False, True):
        for data in (b"", REQUEST):
            (answer,) = split(daemon.raw(data, unix))
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert answer.headers["connection"] == "close"
    (answer,) = split(daemon.raw(HEALTH))
    assert answer.status == 503, "nor is it read what it asks"
    assert ghoard("status", "--socket", daemon.socket).rc == 0, "for our own commands a place is kept"
    held[0].sendall(HEALTH)
    assert held[0].recv(4096).startswith(b"HTTP/1.1 200 ")
    for sock in held:
        sock.close()
    until = time.monotonic() + 5
    while descriptors(daemon.pid) > fds:
        assert time.monotonic() < until, f"{descriptors(daemon.pid)} descriptors, {fds} before"
        time.sleep(0.05)
    assert daemon.get(ISSUES).cache["hit"] is True


def test_idle_it_is_small(daemon):
    time.sleep(1.2)
    print(f"idle: {resident(daemon.pid) >> 10} KiB")
    assert resident(daemon.pid) <= 6 * MIB


def test_connections_that_come_and_go_leave_nothing(daemon):
    """Five thousand, most of them mid-request: neither descriptors nor memory add up."""

    def rounds(count):
        for n in range(count):
            with daemon.plug() as sock:
                sock.sendall(HEALTH[: n % len(HEALTH)])
            if n % 100 == 0:
                daemon.get("/_ghoard/health", unix=True)

    rounds(500)
    fds, before = descriptors(daemon.pid), resident(daemon.pid)
    rounds(5000)
    time.sleep(0.3)
    assert descriptors(daemon.pid) <= fds + 1 and resident(daemon.pid) - before < MIB // 2
