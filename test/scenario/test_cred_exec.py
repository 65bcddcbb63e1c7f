"""`cred exec --redact`: a filter between the command and its reader changes nothing else."""

import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from credrig import Vault
from rig import BINARY


@pytest.fixture
def vault(make_ghoard, tmp_path):
    made = Vault(make_ghoard("own"), tmp_path / "vault", "--access", "off")
    made.set("A", "s3cr3t-value")
    return made


def words(vault, *command):
    return [BINARY, "cred", "exec", *vault.flags, "--names", "A", "--redact", "--", *command]


def run(vault, script, before="exec", behind="", **more):
    """`before` and `behind` are a shell's words around `cred exec --redact -- sh -c SCRIPT`."""
    shell = ["/bin/bash", "-c", f'{before} "$@" {behind}', "-", *words(vault, "/bin/sh", "-c", script)]
    env = vault.ghoard.environment(more=vault.env)
    return subprocess.run(shell, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20, **more)


def test_a_reader_that_leaves(vault):
    done = run(vault, "exec yes $A", before="set -o pipefail;", behind="| head -n 1")
    assert done.stdout == b"***\n" and done.returncode == 128 + signal.SIGPIPE
    # the other stream goes on
    script = "trap '' PIPE; yes $A 2>/dev/null; echo $A and on >&2"
    done = run(vault, script, before="set -o pipefail;", behind="| head -n 1")
    assert done.stderr.startswith(b"*** and on\n")


def test_a_reader_that_does_not_block_us(vault):
    """Who made the pipe may have made it O_NONBLOCK: what does not fit now fits later."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    script = "head -c 1000000 /dev/zero | tr '\\0' a; echo $A"
    env = vault.ghoard.environment(more=vault.env)
    process = subprocess.Popen(words(vault, "/bin/sh", "-c", script), env=env, stdout=writer)
    os.close(writer)
    time.sleep(0.5)
    with open(reader, "rb") as stream:
        assert stream.read() == b"a" * 1000000 + b"***\n"
    assert process.wait(10) == 0


def test_what_is_ignored_stays_so(vault):
    script = "kill -HUP $PPID; sleep 0.3; grep SigIgn /proc/self/status; echo survived"
    plain = run(vault, "grep SigIgn /proc/self/status", before="trap '' HUP INT USR1; exec")
    done = run(vault, script, before="trap '' HUP INT USR1; exec")
    assert done.returncode == 0 and done.stdout.endswith(b"survived\n")
    ignored = int(plain.stdout.split()[1], 16)
    assert ignored & 0b1000000011 == 0b1000000011 and done.stdout.split()[1] == plain.stdout.split()[1]


COUNT = """
import os, signal, sys, time
reader, writer = os.pipe()
os.set_blocking(writer, False)
signal.set_wakeup_fd(writer)  # a byte for each, also where two come at once
for one in (signal.SIGINT, signal.SIGHUP): signal.signal(one, lambda *_: None)
print("ready", flush=True)
first = os.read(reader, 1)
time.sleep(0.5)
os.write(writer, b"end")
open(sys.argv[1], "wb").write(first + os.read(reader, 100))
"""


@pytest.mark.parametrize("how", ["INT", "HUP", "kill"])
def test_a_signal_comes_once(vault, tmp_path, how):
    """Ctrl-C reaches the command by itself, a hangup only the session's leader, and that is ghoard."""
    told, env = tmp_path / "told", vault.ghoard.environment(more=vault.env)
    command = [str(w) for w in words(vault, sys.executable, "-c", COUNT, str(told))]
    pid, master = pty.fork()
    if pid == 0:
        os.execve(BINARY, command, {k: str(v) for k, v in env.items()})
    seen = b""
    while b"ready" not in seen:
        seen += os.read(master, 1000)
    if how == "INT":
        os.kill(pid, signal.SIGSTOP)  # or two that come at once may be one
        os.write(master, b"\x03")
        time.sleep(0.2)
        os.kill(pid, signal.SIGCONT)
    elif how == "HUP":
        os.close(master)
    else:
        os.kill(pid, signal.SIGINT)
    os.waitpid(pid, 0)
    if how != "HUP":
        os.close(master)
    assert told.read_bytes() == bytes([signal.SIGHUP if how == "HUP" else signal.SIGINT]) + b"end"


def test_what_is_left_behind(vault, tmp_path):
    """The command's end is ours; what it started goes on, and so does the filter of its output."""
    log = tmp_path / "log"
    began = time.monotonic()
    script = "(sleep 2; echo later $A) & echo now $A; exit 3"
    done = run(vault, script, before="", behind=f"> {log} 2>&1; echo $?", input=b"")
    assert done.stdout == b"3\n" and time.monotonic() - began < 1.7
    assert log.read_bytes() == b"now ***\n"
    while b"later" not in log.read_bytes() and time.monotonic() < began + 10:
        time.sleep(0.05)
    assert log.read_bytes() == b"now ***\nlater ***\n"
    # a stream that nobody holds is at its end for its reader
    began = time.monotonic()
    done = run(vault, "sleep 3 >/dev/null & sleep 0.3; echo now", before="", behind=f"2>{log}")
    assert done.stdout == b"now\n" and time.monotonic() - began < 2.5


def test_whoever_starts_it_without_sigchld(vault):
    """Its parent may block the signal, or ignore it; the end of the command is seen all the same."""

    def block():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])

    def ignore():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    env = vault.ghoard.environment(more=vault.env)
    show = "print(open('/proc/self/status').read().split('SigBlk:')[1].split()[0]); exit(3)"
    command = words(vault, sys.executable, "-c", show)
    for how, mask in ((block, 1 << (signal.SIGCHLD - 1)), (ignore, 0)):
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, preexec_fn=how, timeout=10)
        assert done.returncode == 3 and int(done.stdout, 16) == mask
