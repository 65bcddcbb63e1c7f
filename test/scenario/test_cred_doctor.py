"""What the doctor says, and what a command leaves where there is nothing to work on."""

import json
import os
import re
import shlex
import signal

import pytest
from credrig import Reference, Vault


@pytest.fixture
def vault(make_ghoard, tmp_path):
    return Vault(make_ghoard("own"), tmp_path / "vault", "--access", "off")


def test_what_it_says_to_do_works(vault):
    """A name that stands in several scopes is adopted with the words that the doctor, and `get`, say."""
    vault.set("A", "one")
    vault.set("A", "two", "--scope", "workflow", "--filter", 'Build "and" test')
    vault.set("A", "three", "--scope", "repo", "--filter", "o/r")
    reference = Reference(vault.folder)
    for key in list(reference.all):
        reference.rotate(key, "new " + reference.value(key))
    said = vault("doctor", rc=5)
    warned = re.findall("'ghoard cred (doctor --adopt .*)'", vault("get", "A", rc=5).err)
    told = re.findall("'ghoard cred (doctor --adopt .*)'", said.out.decode())
    assert len(told) == 3 and sorted(told) == sorted(warned)
    as_json = vault("doctor", "--json", rc=5).json
    assert [e["remedy"] for e in as_json if "--adopt" in e.get("remedy", "")] == [
        f"if it was you, 'ghoard cred {words}'" for words in told
    ]
    for words in told:
        vault(*shlex.split(words))
    assert all(e["result"] == "ok" and e["finding"] for e in vault("doctor", "--json", rc=0).json)
    assert vault("get", "A", rc=0).out == b"new one"
    assert vault("get", "A", "--repo", "o/r", rc=0).out == b"new three"


def test_json_where_there_is_none(vault):
    assert vault("doctor", "--json", rc=0).json[0]["result"] == "ok"
    assert not vault.folder.exists()


def test_nothing_is_begun(vault):
    """What changes credentials begins no folder and no key; a key alone is no store."""
    changes = (("cleanup",), ("rm", "X"), ("rekey",), ("doctor", "--repair"), ("doctor", "--restart-audit"))
    for made in (False, True):
        for args in changes:
            vault(*args, rc=0 if args[0] == "cleanup" else 1)
        vault("rotate", "X", input=b"v", rc=1)
        assert vault.folder.exists() == made and (not made or not list(vault.folder.glob("*key*")))
        vault.folder.mkdir(mode=0o700, exist_ok=True)
    Reference(vault.folder)
    assert "no credentials" in vault("get", "X", rc=1).err
    assert vault("ls", "--json", rc=0).json == []
    assert "none yet" in vault("status", rc=0).out.decode()
    vault.set("X", "value")
    assert vault("get", "X", rc=0).out == b"value"


def test_the_next_write_takes_what_was_left(vault):
    vault.set("A", "value")
    for name in (".audit_key", ".audit_key.next", ".master_key", ".access"):
        (vault.folder / f"{name}.tmp-4194000-0123456789abcdef").write_text("left")
    vault.set("B", "value")
    # answers are remembered without a lock: those of the last hour may be somebody's at work
    assert [p.name for p in vault.folder.glob(".*.tmp-*")] == [".access.tmp-4194000-0123456789abcdef"]


def test_no_keyring_is_the_machines_affair(vault):
    vault.set("A", "value")
    run = vault("rekey", "--to", "keyring", env={"DBUS_SESSION_BUS_ADDRESS": None}, rc=6)
    assert "keyring" in run.err


def test_the_proof_may_end_by_a_broken_pipe(vault):
    vault.set("A", "value")
    script = "grep SigIgn /proc/self/status >&2"
    ignored = int(vault("rotate", "A", "--verify", script, input=b"new", rc=0).err.split()[-1], 16)
    assert not ignored & 1 << (signal.SIGPIPE - 1)


def test_a_summary_that_is_a_pipe(vault, tmp_path):
    vault.set("A", "value")
    os.mkfifo(tmp_path / "summary")
    run = vault("get", "A", env={"GITHUB_STEP_SUMMARY": tmp_path / "summary"}, rc=0)
    assert run.out == b"value" and "step summary" in run.err
    assert json.loads(vault("audit", "verify", "--json", rc=0).out)["ok"]
