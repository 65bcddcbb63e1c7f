"""The daemon where something runs out: descriptors, places, memory."""

import pathlib
import resource
import time

from daemon import split
from rig import ISSUES


def cpu(daemon):
    """Seconds of processor time it has used."""
    fields = pathlib.Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


# -- descriptors
def test_the_limit_is_raised(make_daemon):
    daemon = make_daemon(files=(200, 1024))
    soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    assert soft == hard == 1024


def test_few_descriptors_leave_some_for_the_work(make_daemon):
    held = []
    few = make_daemon(files=(64, 64))
    assert "open files" in few.errors
    try:
        held = [few.plug() for _ in range(100)]
        time.sleep(0.3)
        (answer,) = split(few.raw(b""))
        assert answer.status == 503
        held[0].sendall(f"GET {ISSUES} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        got = b""
        while more := held[0].recv(65536):
            got += more
        assert split(got)[0].status == 200, "GitHub could be asked"
    finally:
        for sock in held:
            sock.close()


def test_without_descriptors_it_waits(daemon):
    """They may run out behind its back: it neither spins nor fills the log, and goes on later."""
    first = daemon.open()
    daemon.get(ISSUES)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (16, 1024))
    held = [daemon.plug() for _ in range(40)]
    time.sleep(0.3)
    used, lines = cpu(daemon), daemon.errors.count("\n")
    time.sleep(1.5)
    assert cpu(daemon) - used < 0.3
    assert daemon.errors.count("\n") == lines <= 2 and "accepting a connection" in daemon.errors
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (1024, 1024))
    assert daemon.get("/_ghoard/health").status == 200
    for sock in held:
        sock.close()
    first.close()
