"""The daemon's life: where it listens, how it starts, who may be second, and how it ends."""

import fcntl
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest
from daemon import look, split
from rig import BINARY, ISSUES


def wait_until(true, seconds=10):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


# -- where it listens
def test_port_0_takes_a_free_one_and_prints_it(daemon):
    assert daemon.line == f"listening on {daemon.socket} and http://127.0.0.1:{daemon.port}\n"
    assert daemon.port > 1023
    for unix in (False, True):
        assert daemon.get("/_ghoard/health", unix=unix).body == b"ok\n"


def test_listen_none_leaves_the_socket_alone(make_daemon):
    daemon = make_daemon(listen="none")
    assert daemon.line == f"listening on {daemon.socket}\n" and daemon.port is None
    tables = "".join(pathlib.Path(f"/proc/{daemon.pid}/net/{t}").read_text() for t in ("tcp", "tcp6"))
    held = [os.readlink(f) for f in look(daemon.pid, "fd").iterdir() if f.is_symlink()]
    held = {h.removeprefix("socket:[").removesuffix("]") for h in held if h.startswith("socket:")}
    listening = {line.split()[9] for line in tables.splitlines() if " 0A " in line}
    assert not held & listening
    assert len(daemon.get(ISSUES, unix=True).json) == 7


def test_ipv6_loopback(make_daemon):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no ::1 here")
    daemon = make_daemon(listen="[::1]:0")
    assert f"http://[::1]:{daemon.port}" in daemon.line
    with socket.create_connection(("::1", daemon.port), timeout=5) as sock:
        sock.sendall(b"GET /_ghoard/health HTTP/1.1\r\nHost: [::1]:9\r\nConnection: close\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("where", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"])
def test_other_addresses_need_listen_any(ghoard, where):
    run = ghoard("serve", "--listen", where, "--socket", ghoard.folder / "g.sock", rc=2)
    assert "--listen-any" in run.one_line() and run.out == b""
    assert not (ghoard.folder / "g.sock").exists(), "a daemon that could not start leaves nothing behind"


def test_listen_any_allows_it(make_daemon):
    daemon = make_daemon("--listen-any", listen="0.0.0.0:0")
    assert daemon.get("/_ghoard/health").status == 200


@pytest.mark.parametrize("where", ["", "9014", "localhost", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536"])
def test_a_bad_address_is_wrong_usage(ghoard, where):
    run = ghoard("serve", "--listen", where, "--socket", ghoard.folder / "g.sock", rc=2)
    assert "--listen" in run.one_line()


def test_a_port_in_use_is_said(ghoard, daemon):
    run = ghoard("serve", "--listen", f"127.0.0.1:{daemon.port}", "--socket", ghoard.folder / "h.sock")
    assert run.rc == 6 and str(daemon.port) in run.one_line()
    assert not (ghoard.folder / "h.sock").exists()


def test_the_socket_is_ours_alone(daemon):
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o600


def test_the_default_socket_is_in_the_cache_folder(ghoard):
    ghoard("serve", "--listen", "none", "--background", rc=0)
    try:
        assert stat.S_IMODE((ghoard.cache / "ghoard.sock").stat().st_mode) == 0o600
        assert ghoard("status", rc=0)
    finally:
        ghoard("stop", rc=0)


# -- the second, and what the first left
def test_a_second_daemon_on_the_same_socket_says_so(ghoard, daemon):
    run = ghoard("serve", "--listen", "127.0.0.1:0", "--socket", daemon.socket)
    assert run.rc not in (0, 2) and run.out == b""
    assert "already running" in run.one_line() and str(daemon.socket) in run.one_line()
    assert daemon.get("/_ghoard/health", unix=True).status == 200, "the first goes on"
    background = ghoard("serve", "--listen", "127.0.0.1:0", "--socket", daemon.socket, "--background")
    assert background.rc not in (0, 2) and "already running" in background.err


def test_of_daemons_started_together_one_runs(ghoard, tmp_path):
    """Each looks whether somebody answers, then takes the name: between the two another must not."""
    command = [str(BINARY), "serve", "--listen", "none", "--socket"]
    for n in range(20):
        path = tmp_path / f"{n}.sock"
        begun = [
            subprocess.Popen(
                [*command, str(path)],
                env=ghoard.environment(),
                cwd=ghoard.project,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for _ in range(4)
        ]
        ready = [p for p in begun if p.stdout.readline()]
        try:
            assert len(ready) == 1, f"round {n}"
            assert stat.S_ISSOCK(path.stat().st_mode) and not path.with_suffix(".sock.lock").exists()
            for other in begun:
                if other not in ready:
                    assert other.wait(5) == 3 and b"already running" in other.stderr.read()
        finally:
            for one in begun:
                one.terminate() if one.poll() is None else None
                one.communicate(timeout=10)
        assert not path.exists()


def test_a_lock_that_another_holds_is_not_waited_for_without_end(ghoard):
    path = ghoard.folder / "g.sock"
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = ghoard("serve", "--listen", "none", "--socket", path, rc=3)
    assert "g.sock.lock" in run.one_line() and not path.exists()


def test_a_socket_that_nobody_listens_on_is_replaced(make_daemon, ghoard):
    first = make_daemon()
    first.kill()
    assert first.socket.exists(), "killed, it could not clean up"
    assert ghoard("--socket", first.socket, "status", rc=1)
    second = make_daemon()
    assert second.get("/_ghoard/health", unix=True).status == 200


def test_a_file_that_is_no_socket_is_left_alone(ghoard):
    path = ghoard.folder / "g.sock"
    path.write_text("precious")
    run = ghoard("serve", "--listen", "none", "--socket", path)
    assert run.rc not in (0, 2) and str(path) in run.one_line()
    assert path.read_text() == "precious"


def test_a_socket_path_that_is_too_long_is_said(ghoard):
    run = ghoard("serve", "--listen", "none", "--socket", "/tmp/" + "x" * 200)
    assert run.rc == 3 and "--socket" in run.one_line()


def test_serve_takes_no_operands(ghoard):
    assert "'now'" in ghoard("serve", "now", rc=2).one_line()


# -- the end
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_leaves_nothing(daemon, ghoard, how):
    daemon.get(ISSUES)
    begin = time.monotonic()
    assert daemon.stop(how) == 0
    assert time.monotonic() - begin < 0.5
    assert not daemon.socket.exists() and not (ghoard.cache / "ghoard.pid").exists()


@pytest.mark.parametrize("how", ["signal", "command"])
def test_an_answer_on_its_way_is_finished(daemon, ghoard, fake, unix, how):
    fake.trouble(ISSUES, "slow-body", delay=1.5)
    idle, got = daemon.plug(), []
    asking = threading.Thread(target=lambda: got.append(daemon.get(ISSUES, unix=unix)))
    asking.start()
    wait_until(lambda: fake.count(ISSUES) == 1)
    if how == "signal":
        daemon.process.send_signal(signal.SIGTERM)
    else:
        ghoard("--socket", daemon.socket, "stop", rc=0)
    wait_until(lambda: not daemon.socket.exists())
    with pytest.raises(OSError):
        daemon.plug(unix=True)
    assert idle.recv(10) == b"", "a connection without a request is closed at once"
    asking.join(10)
    assert daemon.wait() == 0
    assert got and got[0].status == 200 and len(got[0].json) == 7


def test_a_second_signal_ends_it_at_once(daemon, fake):
    """But not one that comes with the first, as to a whole group's members."""
    fake.trouble(ISSUES, "no-answer")
    with daemon.plug() as sock:
        sock.sendall(f"GET {ISSUES} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        wait_until(lambda: fake.count(ISSUES) == 1)
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.6)
        assert daemon.process.poll() is None
        assert daemon.stop(timeout=3) == 0


def test_a_client_that_never_speaks_does_not_hold_up_the_end(daemon):
    socks = [daemon.plug(), daemon.plug(unix=True)]
    socks[0].sendall(b"GET / HT")
    time.sleep(0.1)
    assert daemon.stop(timeout=3) == 0


# -- background, stop, status
def test_background_stop_and_status(ghoard):
    path = ghoard.folder / "b.sock"
    assert ghoard("--socket", path, "status", rc=1).out.startswith(b"not running")
    run = ghoard("--socket", path, "serve", "--background", "--listen", "127.0.0.1:0", rc=0)
    try:
        found = re.fullmatch(rf"listening on {path} and http://127\.0\.0\.1:\d+\n", run.out.decode())
        assert found and run.err == "" and run.ms < 5000
        number = ghoard.cache / "ghoard.pid"
        pid = int(number.read_text())
        assert stat.S_IMODE(number.stat().st_mode) == 0o600
        assert b"serve" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        assert os.getsid(pid) == pid, "it has left the terminal"
        status = ghoard("--socket", path, "status", rc=0)
        assert str(pid) in status.out.decode() and str(path) in status.out.decode()
        described = ghoard("--socket", path, "status", "--json", rc=0).json
        assert described["running"] is True and described["pid"] == pid and described["socket"] == str(path)
    finally:
        stopped = ghoard("--socket", path, "stop")
    assert stopped.rc == 0
    wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists() or is_zombie(pid))
    assert not path.exists() and not number.exists()
    assert ghoard("--socket", path, "status", "--json", rc=1).json["running"] is False


def is_zombie(pid):
    """Ended; whoever inherited it has not looked yet."""
    try:
        return ") Z " in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def test_stop_without_a_daemon(ghoard):
    run = ghoard("--socket", ghoard.folder / "none.sock", "stop", rc=1)
    assert "none.sock" in run.one_line()


def test_a_background_daemon_that_cannot_start_says_why(ghoard):
    run = ghoard("serve", "--background", "--listen", "0.0.0.0:0", "--socket", ghoard.folder / "b.sock")
    assert run.rc == 2 and "--listen-any" in run.one_line()


def test_idle_exit(make_daemon, fake):
    daemon = make_daemon("--idle-exit", "2")
    for _ in range(4):
        time.sleep(0.8)
        assert daemon.get("/_ghoard/health").status == 200, "a request puts it off"
    assert daemon.wait(timeout=8) == 0
    assert not daemon.socket.exists()


def test_idle_exit_lets_an_answer_finish(make_daemon, fake):
    fake.trouble(ISSUES, "slow-head", delay=3)
    daemon = make_daemon("--idle-exit", "1")
    assert len(daemon.get(ISSUES).json) == 7
    assert daemon.wait(timeout=8) == 0


def test_an_idle_client_does_not_hold_an_idle_exit(make_daemon):
    """A keep-alive connection that asks nothing is no request."""
    daemon = make_daemon("--idle-exit", "1")
    with daemon.plug():
        assert daemon.wait(timeout=8) == 0


def test_commands_use_the_daemon_s_socket_by_environment(ghoard, daemon):
    assert ghoard("status", env={"GHOARD_SOCKET": daemon.socket}, rc=0)
    assert split(daemon.raw(b"GET /_ghoard/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))


def config(ghoard, level="", more=""):
    folder = ghoard.project / ".github"
    folder.mkdir(exist_ok=True)
    folder.joinpath("p2p-config.yml").write_text(f"logging:\n  level: {level}\n" if level else "")
    folder.joinpath("cache-config.yml").write_text(more)


def said(make_daemon, *args):
    daemon = make_daemon(*args)
    daemon.stop()
    return daemon.log.read_text()


def test_the_level_of_the_log(ghoard, make_daemon):
    """A setting, which the flag beats; and the counters at the end, at that level."""
    assert "requests" not in said(make_daemon)
    config(ghoard, "info")
    assert "0 requests, 0 calls saved" in said(make_daemon)
    assert "requests" not in said(make_daemon, "--log-level", "warn")
    config(ghoard, "info", "monitoring:\n  log_stats: false\n")
    assert "requests" not in said(make_daemon)
