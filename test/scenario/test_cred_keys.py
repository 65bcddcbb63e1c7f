"""Where the master key is: files, a passphrase, systemd, the keyrings of desktop and kernel; how it moves."""

import base64
import json
import os
import shlex
import subprocess
import time

import pytest
from credrig import Reference, Vault, has
from rig import BINARY


@pytest.fixture
def vault(make_ghoard, tmp_path):
    return Vault(make_ghoard("plain"), tmp_path / "credentials", "--access", "off")


def key_of(vault):
    return vault("status", "--json", rc=0).json["key"]


def test_a_named_file_and_a_systemd_credential(vault, tmp_path):
    key = base64.b64encode(os.urandom(32))
    (tmp_path / "named").write_bytes(key + b"\n")
    (tmp_path / "named").chmod(0o600)
    (tmp_path / "systemd").mkdir()
    (tmp_path / "systemd" / "cred-master-key").write_bytes(base64.b64decode(key))
    (tmp_path / "systemd" / "cred-master-key").chmod(0o400)
    vault.env["GHOARD_MASTER_KEY_FILE"] = tmp_path / "named"
    vault.set("A", "value")
    assert not (vault.folder / ".master_key").exists()
    assert key_of(vault) == "GHOARD_MASTER_KEY_FILE"
    del vault.env["GHOARD_MASTER_KEY_FILE"]
    vault("get", "A", rc=5)
    vault.env["CREDENTIALS_DIRECTORY"] = tmp_path / "systemd"
    assert vault("get", "A", rc=0).out == b"value"
    assert key_of(vault).startswith("systemd")
    assert "--to" in vault("rekey", rc=2).err
    vault("rekey", "--to", "file", rc=0)
    assert vault("get", "A", rc=0).out == b"value"
    assert key_of(vault) == ".master_key"
    assert Reference(vault.folder).value("A") == "value"
    vault.env["GHOARD_MASTER_KEY_FILE"] = tmp_path / "nowhere"
    assert "not there" in vault("get", "A", rc=5).err


def test_a_passphrase(vault, tmp_path):
    words = tmp_path / "words"
    words.write_text("correct horse battery staple\n")
    words.chmod(0o600)
    vault.set("A", "value")
    vault.env["GHOARD_PASSPHRASE_FILE"] = words
    vault("rekey", "--to", "passphrase", rc=0)
    assert not (vault.folder / ".master_key").exists()
    kept = json.loads((vault.folder / ".passphrase").read_text())
    assert kept["rounds"] == 600000 and len(kept["salt"]) == 32
    assert vault("get", "A", rc=0).out == b"value"
    # the derivation is the standard's: another implementation opens the store with it
    import hashlib

    key = hashlib.pbkdf2_hmac(
        "sha256", b"correct horse battery staple", bytes.fromhex(kept["salt"]), kept["rounds"]
    )
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / ".master_key").write_bytes(base64.b64encode(key))
    (tmp_path / "copy" / "credentials.json.enc").write_bytes(
        (vault.folder / "credentials.json.enc").read_bytes()
    )
    assert Reference(tmp_path / "copy").value("A") == "value"
    vault("rekey", "--to", "nowhere", rc=2)
    words.write_text("correct horse battery staple")
    vault("rekey", "--to", "file", rc=0)
    assert not (vault.folder / ".passphrase").exists()
    assert Reference(vault.folder).value("A") == "value"
    words.write_text("short")
    assert "12 characters" in vault("rekey", "--to", "passphrase", rc=2).err
    assert vault("get", "A", rc=0).out == b"value"


def test_a_passphrase_that_others_can_read(vault, tmp_path):
    words = tmp_path / "words"
    words.write_text("correct horse battery staple\n")
    vault.set("A", "value")
    vault.env["GHOARD_PASSPHRASE_FILE"] = words
    before = {p.name: p.read_bytes() for p in vault.folder.iterdir()}
    for mode in (0o644, 0o604, 0o602):
        words.chmod(mode)
        run = vault("rekey", "--to", "passphrase", rc=5)
        assert str(words) in run.err and "by others" in run.err
    assert {p.name: p.read_bytes() for p in vault.folder.iterdir()} == before
    # a pipe has no such mode
    vault.env["GHOARD_PASSPHRASE_FILE"] = "/dev/stdin"
    vault("rekey", "--to", "passphrase", input=b"correct horse battery staple\n", rc=0)
    assert vault("get", "A", input=b"correct horse battery staple", rc=0).out == b"value"


def test_the_kernel_remembers_the_passphrase(vault, tmp_path):
    """A second command is spared the derivation; wrong words do not matter until the kernel forgets."""
    words = tmp_path / "words"
    words.write_text("correct horse battery staple")
    words.chmod(0o600)
    vault.set("A", "value")
    vault.env["GHOARD_PASSPHRASE_FILE"] = words
    vault("rekey", "--to", "passphrase", rc=0)
    vault("get", "A", rc=0)
    if key_of(vault) != "kernel keyring":
        pytest.skip("no keyring of the kernel here (a container's seccomp profile)")
    # a new key where the remembered one is
    assert "passphrase" in vault("rekey", rc=0).out.decode()
    vault("get", "A", rc=0)
    words.write_text("not these words")
    begin = time.monotonic()
    assert vault("get", "A", rc=0).out == b"value"
    assert time.monotonic() - begin < 0.3


def test_rekey_keeps_everything(vault):
    for name in ("A", "B"):
        vault.set(name, f"value of {name}", "--ttl", "1h")
    vault("rotate", "A", input=b"second", rc=0)
    old = (vault.folder / ".master_key").read_bytes()
    vault("rekey", rc=0)
    assert (vault.folder / ".master_key").read_bytes() != old
    assert vault("get", "A", rc=0).out == b"second"
    assert vault("get", "A", "--previous", rc=0).out == b"value of A"
    assert Reference(vault.folder).value("B") == "value of B"
    vault("audit", "verify", rc=0)
    assert vault.audit(action="rekey")[0]["details"]["to"] == ".master_key"
    # nothing in the folder opens under the old key
    for path in vault.folder.iterdir():
        assert old not in path.read_bytes()


# ---- the desktop's keyring, headless ----

needs = [c for c in ("dbus-run-session", "gnome-keyring-daemon", "secret-tool") if not has(c)]


@pytest.fixture
def session(vault, tmp_path):
    """Run a script with an unlocked keyring of its own; `$G` is `ghoard cred` with this folder."""
    if needs:
        pytest.skip(f"not installed: {', '.join(needs)}")

    def run(script):
        home = tmp_path / "desktop"
        (home / "run").mkdir(parents=True, exist_ok=True, mode=0o700)
        env = vault.ghoard.environment(more=vault.env) | {
            "XDG_RUNTIME_DIR": str(home / "run"),
            "HOME": str(home),
        }
        env["XDG_DATA_HOME"] = str(home / "data")
        env["G"] = f"{shlex.quote(str(BINARY))} cred"
        begin = (
            'printf "pw\\n" | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; sleep 1\n'
        )
        return subprocess.run(
            ["dbus-run-session", "--", "sh", "-ec", begin + script],
            env=env, capture_output=True, timeout=60,
        )  # fmt: skip

    return run


STORE = "secret-tool store --label x service ipfs_datasets_py username credential_master_key"
LOOK = "secret-tool lookup service ipfs_datasets_py username credential_master_key"


def test_the_keyring(vault, session):
    vault.set("A", "value")
    old = (vault.folder / ".master_key").read_bytes()
    run = session(
        f"$G rekey --to keyring >&2; $G get A --access off; echo; {LOOK}; echo; $G status --json >&2\n"
        '/usr/bin/python3 -c \'import keyring; print(keyring.get_password("ipfs_datasets_py", '
        '"credential_master_key"))\' || true\n'
        "$G rekey --to file >&2; $G get A --access off; echo; " + LOOK + " || echo gone\n"
    )
    assert run.returncode == 0, run
    lines = run.stdout.decode().splitlines()
    assert lines[0] == "value" and lines[-2:] == ["value", "gone"], run
    assert len(base64.b64decode(lines[1])) == 32 and lines[1].encode() != old
    if len(lines) == 5:
        assert lines[2] == lines[1], "Python keyring finds the entry"
    assert (vault.folder / ".master_key").exists()
    assert vault("get", "A", rc=0).out == b"value"


def test_a_key_that_python_put_there(vault, session):
    """The reference's entry opens the reference's store; another store's entry is not lost."""
    theirs = Reference(vault.folder)
    theirs.put("A", "of the reference")
    theirs.save()
    key = (vault.folder / ".master_key").read_text()
    (vault.folder / ".master_key").unlink()
    run = session(
        f"printf %s {key} | {STORE} application 'Python keyring library'; "
        f"$G get A --access off; rm -r \"$CREDENTIALS_DIR\"\n"
        "printf x | $G set B; $G rekey --to keyring || echo; echo; " + LOOK
    )
    assert run.returncode == 0, run
    assert run.stdout.decode().startswith("of the reference")
    assert run.stdout.decode().splitlines()[-1] == key, "the entry is as it was"


@pytest.mark.parametrize("where", ["file", "passphrase", "keyring"])
def test_a_second_store_leaves_the_entry_alone(vault, session, tmp_path, where):
    """A new store has a key of its own; what the first has put into the keyring only the first moves."""
    second = tmp_path / "second"
    words = tmp_path / "words"
    words.write_text("four words of mine")
    words.chmod(0o600)
    run = session(
        "printf v1 | $G set A >&2; $G rekey --to keyring >&2; KEY=$(%s)\n"
        f"export GHOARD_PASSPHRASE_FILE={words}\n"
        f"printf v2 | CREDENTIALS_DIR={second} $G set B >&2; ls -A {second}\n"
        f"CREDENTIALS_DIR={second} $G rekey --to {where} >&2 || echo refused\n"
        '[ "$KEY" = "$(%s)" ] && echo same\n'
        f"cp -a {vault.folder} {tmp_path}/copy; CREDENTIALS_DIR={tmp_path}/copy $G rekey --to file\n"
        '[ "$KEY" = "$(%s)" ] && echo same\n'
        f"$G get A --access off; echo; CREDENTIALS_DIR={second} $G get B --access off; echo\n"
        "$G rekey >&2; $G get A --access off; echo; $G rekey --to file >&2; %s || echo gone\n"
        % (LOOK, LOOK, LOOK, LOOK)
    )
    assert run.returncode == 0, run
    lines = run.stdout.decode().splitlines()
    assert ".master_key" in lines
    assert ("refused" in lines) == (where == "keyring")
    assert lines.count("same") == 2, run
    assert any("stays in the keyring" in line for line in lines)
    assert lines[-4:] == ["v1", "v2", "v1", "gone"], run


def test_another_stores_entry_is_kept(vault, session):
    vault.set("A", "value")
    other = base64.b64encode(os.urandom(32)).decode()
    run = session(
        f"printf %s {other} | {STORE}\n"
        f"$G get A --access off; echo; $G rekey --to keyring || echo $?; {LOOK}; echo; $G get A --access off"
    )
    assert run.stdout.decode().splitlines() == ["value", "2", other, "value"], run


def test_a_locked_keyring_is_no_missing_key(vault, session):
    vault.set("A", "value")
    run = session("$G rekey --to keyring >&2")
    assert run.returncode == 0, run
    begin = time.monotonic()
    run = vault("get", "A")
    assert run.rc == 5 and "no key" in run.err
    vault("set", "B", input=b"x", rc=5)
    assert not (vault.folder / ".master_key").exists(), "a key was made beside a store"
    assert time.monotonic() - begin < 10


def test_a_new_store_begins_with_no_passing_key(vault):
    vault.folder.mkdir(mode=0o700)
    left = vault.folder / ".master_key.next"
    left.write_bytes(base64.b64encode(os.urandom(32)))
    left.chmod(0o600)
    vault.set("A", "value")
    assert vault("get", "A", rc=0).out == b"value"
    if left.exists():
        left.unlink()
    assert (vault.folder / ".master_key").read_bytes() and vault("get", "A", rc=0).out == b"value"
    assert vault("status", "--json", rc=0).json["key"] == ".master_key"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660])
def test_a_named_file_that_others_can_read(vault, tmp_path, mode):
    key = tmp_path / "key"
    key.write_bytes(base64.b64encode(os.urandom(32)))
    key.chmod(0o600)
    vault.env["GHOARD_MASTER_KEY_FILE"] = key
    vault.set("A", "value")
    key.chmod(mode)
    for args in (("get", "A"), ("set", "B"), ("status",)):
        run = vault(*args, input=b"x", rc=5)
        assert str(key) in run.err and not run.out
    key.chmod(0o400)
    assert vault("get", "A", rc=0).out == b"value"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_named_file_of_somebody_else(vault, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(base64.b64encode(os.urandom(32)))
    key.chmod(0o600)
    os.chown(key, 12345, 12345)
    vault.env["GHOARD_MASTER_KEY_FILE"] = key
    assert "another user" in vault("set", "A", input=b"x", rc=5).err
    del vault.env["GHOARD_MASTER_KEY_FILE"]
    # systemd's are root's, and a service's group may read them
    os.chown(key, 0, 12345)
    key.chmod(0o440)
    key.rename(tmp_path / "cred-master-key")
    vault.env["CREDENTIALS_DIRECTORY"] = tmp_path
    vault.set("A", "value")
    assert vault("get", "A", rc=0).out == b"value"


def test_two_stores_and_one_keyring(vault, session, tmp_path):
    """The first one's move was cut off; the second one's goes through: both keys are still there."""
    vault.set("A", "of the first")
    other = Vault(vault.ghoard, tmp_path / "second", "--access", "off")
    other.set("A", "of the second")
    first, second = vault.folder, tmp_path / "second"
    # as a move that ended right behind the store's new seal leaves it
    run = session(
        f"{STORE} application x < /dev/null || true; secret-tool clear service ipfs_datasets_py username "
        "credential_master_key\n"
        f"cp -a {first} {first}.old; $G rekey --to keyring >&2; KEY=$({LOOK})\n"
        "secret-tool clear service ipfs_datasets_py username credential_master_key\n"
        f"printf 0123456789abcdef > {first}/.keyring.next; chmod 600 {first}/.keyring.next\n"
        'printf %s "$KEY" | secret-tool store --label x service ipfs_datasets_py username '
        "credential_master_key.next.0123456789abcdef\n"
        f"$G get A --access off; echo; CREDENTIALS_DIR={second} $G rekey --to keyring >&2\n"
        f"$G get A --access off; echo; CREDENTIALS_DIR={second} $G get A --access off; echo\n"
        "printf x | $G set B >&2; $G get A --access off; echo\n"
        f"CREDENTIALS_DIR={second} $G get A --access off; echo\n"
        f"$G rekey --to file >&2; $G get A --access off; echo; ls -A {first}\n"
        "secret-tool lookup service ipfs_datasets_py username credential_master_key.next.0123456789abcdef "
        "|| echo gone\n"
    )
    assert run.returncode == 0, run
    lines = run.stdout.decode().splitlines()
    assert lines[:6] == [
        "of the first", "of the first", "of the second", "of the first", "of the second", "of the first",
    ], run  # fmt: skip
    assert lines[-1] == "gone" and ".keyring.next" not in lines and ".master_key" in lines
