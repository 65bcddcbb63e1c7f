"""Secrets typed at a terminal: no echo, twice the same, and a terminal as it was however it ends."""

import os
import pty
import select
import signal
import subprocess
import termios
import time

import pytest
from credrig import Vault
from rig import BINARY


@pytest.fixture
def vault(make_ghoard, tmp_path):
    return Vault(make_ghoard("plain"), tmp_path / "credentials", "--access", "off")


class Terminal:
    """A command whose controlling terminal is ours."""

    def __init__(self, vault, *args, **env):
        env = vault.ghoard.environment(more=vault.env | env)
        # what the terminal is like is asked on this side, which outlives the command
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(BINARY, [str(BINARY), "cred", *args], {k: str(v) for k, v in env.items()})
        self.seen = b""

    def wait_for(self, text):
        until = time.monotonic() + 10
        while text not in self.seen:
            assert time.monotonic() < until, self.seen
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.fd, 4096)
                except OSError:
                    break
        assert text in self.seen, self.seen

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def type(self, prompt, text):
        """Wait for the prompt, and for the echo to be off."""
        self.wait_for(prompt)
        assert not self.echoes()
        self.seen = b""
        os.write(self.fd, text)

    def end(self):
        """The exit code (negative: the signal), with all that was shown in `seen`."""
        _, status = os.waitpid(self.pid, 0)
        while select.select([self.fd], [], [], 0.05)[0]:
            try:
                piece = os.read(self.fd, 4096)
            except OSError:
                break
            if not piece:
                break
            self.seen += piece
        return os.waitstatus_to_exitcode(status)


def test_a_value_is_not_shown(vault):
    t = Terminal(vault, "set", "A")
    t.type(b"Value: ", b"s3cret words\n")
    t.type(b"Once more: ", b"s3cret words\n")
    assert t.end() == 0
    assert b"s3cret" not in t.seen and t.echoes()
    assert vault("get", "A", rc=0).out == b"s3cret words"
    t = Terminal(vault, "rotate", "A")
    t.type(b"New value: ", b"other\n")
    t.type(b"Once more: ", b"other\n")
    assert t.end() == 0
    assert vault("get", "A", rc=0).out == b"other"


def test_two_different_ones(vault):
    t = Terminal(vault, "set", "A")
    t.type(b"Value: ", b"one\n")
    t.type(b"Once more: ", b"two\n")
    assert t.end() == 2
    assert b"different" in t.seen and t.echoes()
    assert not vault.folder.exists()


@pytest.mark.parametrize("how", ["^C", "^\\", "TERM", "HUP", "^D"])
def test_the_terminal_gets_its_echo_back(vault, how):
    t = Terminal(vault, "set", "A")
    keys = {"^C": (b"\x03", signal.SIGINT), "^\\": (b"\x1c", signal.SIGQUIT), "^D": (b"\x04", None)}
    key, sig = keys.get(how, (b"", getattr(signal, f"SIG{how}", None)))
    # half a value, and then the key
    t.type(b"Value: ", b"half" + (b"" if how == "^D" else key))
    if how in ("TERM", "HUP"):
        # what is written here reaches the terminal a moment later: typed after the end, it would be shown
        time.sleep(0.2)
        os.kill(t.pid, sig)
    if how == "^D":
        # the first one ends the line's part, the second the input
        os.write(t.fd, b"\x04\x04")
    code = t.end()
    assert code == (2 if sig is None else -sig), (code, t.seen)
    assert t.echoes() and b"half" not in t.seen
    assert not vault.folder.exists()


def test_no_way_to_stop_it_without_echo(vault):
    """Stopped and gone on with, a shell would give it the echo back."""
    t = Terminal(vault, "set", "A")
    t.type(b"Value: ", b"a\x1ab\n")
    t.type(b"Once more: ", b"a\x1ab\n")
    assert t.end() == 0
    assert vault("get", "A", rc=0).out == b"a\x1ab"


def test_passphrases(vault):
    vault.set("A", "value")
    t = Terminal(vault, "rekey", "--to", "passphrase")
    t.type(b"New passphrase of the credentials: ", b"correct horse battery\n")
    t.type(b"Once more: ", b"correct horse bakery\n")
    assert t.end() == 2 and b"different" in t.seen and t.echoes()
    assert vault("get", "A", rc=0).out == b"value"
    t = Terminal(vault, "rekey", "--to", "passphrase")
    t.type(b"New passphrase of the credentials: ", b"too short\n")
    t.type(b"Once more: ", b"too short\n")
    assert t.end() == 2 and b"12 characters" in t.seen
    t = Terminal(vault, "rekey", "--to", "passphrase")
    t.type(b"New passphrase of the credentials: ", b"correct horse battery\n")
    t.type(b"Once more: ", b"correct horse battery\n")
    assert t.end() == 0, t.seen
    assert not (vault.folder / ".master_key").exists()
    # from one to another
    t = Terminal(vault, "rekey")
    t.type(b"Passphrase of the credentials: ", b"correct horse battery\n")
    t.type(b"New passphrase of the credentials: ", b"an entirely new one\n")
    t.type(b"Once more: ", b"an entirely new one\n")
    assert t.end() == 0, t.seen
    # where nobody can be asked, and the kernel does not remember
    with open("/dev/null") as nothing:
        run = subprocess.run(
            [BINARY, "cred", "get", "A", "--access", "off"], env=vault.ghoard.environment(more=vault.env),
            stdin=nothing, capture_output=True, start_new_session=True,
        )  # fmt: skip
    assert run.returncode == 2 and b"GHOARD_PASSPHRASE_FILE" in run.stderr
    t = Terminal(vault, "get", "A", "--access", "off")
    t.type(b"Passphrase of the credentials: ", b"correct horse battery\n")
    assert t.end() == 5 and b"passphrase is not the one" in t.seen
    t = Terminal(vault, "get", "A", "--access", "off")
    t.type(b"Passphrase of the credentials: ", b"an entirely new one\n")
    assert t.end() == 0 and b"value" in t.seen


def test_nobody_waits_for_what_is_typed(vault):
    """The folder's lock is free while a passphrase is asked for: jobs read and write beside it."""
    vault.set("A", "value")
    t = Terminal(vault, "rekey", "--to", "passphrase")
    t.wait_for(b"New passphrase of the credentials: ")
    assert vault("get", "A", rc=0, timeout=5).out == b"value"
    vault("set", "B", input=b"beside it", rc=0, timeout=5)
    t.type(b"credentials: ", b"correct horse battery\n")
    t.type(b"Once more: ", b"correct horse battery\n")
    assert t.end() == 0 and b"2 credentials are under a new key: passphrase" in t.seen, t.seen


@pytest.mark.parametrize("args", [["rm", "B"], ["get", "A", "--access", "off"]])
def test_nobody_waits_for_the_old_one(vault, args):
    file = vault.folder.parent / "words"
    file.write_text("correct horse battery\n")
    file.chmod(0o600)
    vault.env["GHOARD_PASSPHRASE_FILE"] = file
    vault.set("A", "value")
    vault.set("B", "other")
    vault("rekey", "--to", "passphrase", rc=0)
    t = Terminal(vault, *args, GHOARD_PASSPHRASE_FILE=None)
    t.wait_for(b"Passphrase of the credentials: ")
    vault("set", "C", input=b"beside it", rc=0, timeout=5)
    t.type(b"credentials: ", b"correct horse battery\n")
    assert t.end() == 0, t.seen
    assert vault("get", "C", rc=0).out == b"beside it"
    assert vault("get", "B", rc=None).rc == (args[0] == "rm")


def test_ctrl_c_at_the_passphrase_changes_nothing(vault):
    vault.set("A", "value")
    before = {p.name: p.read_bytes() for p in vault.folder.iterdir()}
    t = Terminal(vault, "rekey", "--to", "passphrase")
    t.type(b"New passphrase of the credentials: ", b"correct horse\x03")
    assert t.end() == -signal.SIGINT and t.echoes()
    assert {p.name: p.read_bytes() for p in vault.folder.iterdir()} == before
    assert vault("get", "A", rc=0).out == b"value"
