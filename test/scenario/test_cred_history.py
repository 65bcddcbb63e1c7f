"""What log, store and good copy say of each other: a log that is gone or cut, a store of the reference's."""

import subprocess

import pytest
from credrig import Reference, Vault
from rig import BINARY


@pytest.fixture
def vault(make_ghoard, tmp_path):
    return Vault(make_ghoard("plain"), tmp_path / "credentials", "--access", "off")


def image(vault):
    return {p.name: p.read_bytes() for p in vault.folder.iterdir()}


@pytest.mark.parametrize("lost", [["audit.log"], ["audit.log", ".audit_key"], []])
def test_verify_of_a_log_that_is_gone(vault, lost):
    vault.set("A", "value")
    vault("get", "A", rc=0)
    (vault.folder / "audit.log").write_text("")
    for name in lost:
        (vault.folder / name).unlink()
    run = vault("audit", "verify", rc=5)
    assert "gone" in run.err and run.one_line() and not run.out
    assert vault("audit", "verify", "--json", rc=5).json["ok"] is False
    vault("doctor", "--restart-audit", rc=0)
    vault("audit", "verify", rc=0)


def test_verify_where_the_last_one_was_removed(vault):
    vault.set("A", "value")
    vault("rm", "A", rc=0)
    for name in ("audit.log", ".audit_key"):
        (vault.folder / name).unlink()
    assert "gone" in vault("audit", "verify", rc=5).err
    assert "--restart-audit" in vault("set", "B", input=b"x", rc=5).err


def test_verify_of_the_references_store(vault):
    theirs = Reference(vault.folder)
    theirs.put("A", "value")
    theirs.save()
    assert vault("audit", "verify", "--json", rc=0).json["lines"] == 0


@pytest.mark.parametrize("kept", [1, 3])
def test_a_log_cut_by_more_than_a_crash_loses(vault, kept):
    for i in range(4):
        vault.set(f"K{i}", "value")
    log = vault.folder / "audit.log"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:kept]))
    before = image(vault)
    for _ in range(2):
        assert "cut" in vault("audit", "verify", rc=5).err
        assert "cut" in vault("get", "K0", rc=5).err
        assert "cut" in vault("set", "K0", input=b"x", rc=5).err
    told = vault("doctor", rc=5).out.decode()
    assert "--restart-audit" in told and "cut" in told
    vault("audit", "show", rc=0)
    assert image(vault) == before
    vault("doctor", "--restart-audit", rc=0)
    assert vault("get", "K0", rc=0).out == b"value"
    vault("audit", "verify", rc=0)


def test_looking_at_the_log_appends_nothing(vault):
    """The line of the newest write may have gone with a crash: the next one that writes there notes it."""
    vault.set("A", "value")
    vault.set("B", "value")
    log = vault.folder / "audit.log"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    before = image(vault)
    for args in (("audit", "verify"), ("audit", "show"), ("doctor",)):
        assert "did not get as far as the log" in vault(*args, rc=0).err
        assert image(vault) == before
    assert "noted" in vault("get", "A", rc=0).err
    assert vault.audit(action="unlogged_write")
    assert not vault("audit", "verify", rc=0).err


# ---- the reference's writes, and older files ----


def change(vault, name, how):
    theirs = Reference(vault.folder)
    if how == "a time that is none":
        theirs.all[name]["expires_at"] = "x"
    elif how == "a tenth key":
        theirs.all[name]["version"] = 2
    elif how == "stored again":
        theirs.put(name, "new value")
    elif how == "deleted":
        del theirs.all[name]
    theirs.save()


BAD, GOOD = ("a time that is none", "a tenth key"), ("stored again", "deleted")


@pytest.mark.parametrize("how", [*BAD, *GOOD])
@pytest.mark.parametrize("others", [0, 1])
def test_the_newest_record_is_changed(vault, how, others):
    """Its generation goes with it, which is no rollback: what is intact is read."""
    for i in range(others):
        vault.set(f"OTHER{i}", "intact")
    vault.set("A", "value")
    change(vault, "A", how)
    assert "rolled back" not in vault("doctor", rc=5 if how in BAD else 0).out.decode()
    for i in range(others):
        run = vault("get", f"OTHER{i}", rc=0)
        assert run.out == b"intact" and "another program" in run.err
    run = vault("get", "A")
    assert "rolled back" not in run.err
    assert (run.rc, run.out) == {"stored again": (0, b"new value"), "deleted": (1, b"")}.get(how, (5, b""))
    assert len(vault.audit(action="foreign_write")) == 1
    if how in BAD:
        vault("set", "B", input=b"x", rc=5)
        vault("doctor", "--repair", rc=0)
        assert vault("get", "A", rc=0).out == b"value"
    else:
        # and once more, behind what was noted
        change(vault, "A", "stored again")
        assert vault("get", "A", rc=0).out == b"new value"
    vault.set("C", "x")
    assert vault("get", "C", rc=0).out == b"x"
    assert "ghoard" in Reference(vault.folder).all["A"]["metadata"]
    vault("audit", "verify", rc=0)


def test_a_bad_record_does_not_hide_a_rollback(vault):
    """Our older file with one record damaged: the others are not the newest."""
    vault.set("A", "old")
    vault.set("B", "value")
    files = "credentials.json.enc", "credentials.json.enc.good"
    old = {name: (vault.folder / name).read_bytes() for name in files}
    vault("rotate", "A", "--grace", "0", input=b"new", rc=0)
    newest = image(vault)
    for keep in (files[1:], ()):
        for name in files:
            (vault.folder / name).write_bytes((newest if name in keep else old)[name])
        for how in (*BAD, *GOOD):
            change(vault, "B", how)
            run = vault("get", "A", rc=5)
            assert "rolled back" in run.err and not run.out
            assert "rolled back" in vault("set", "C", input=b"x", rc=5).err
            vault("doctor", "--repair", rc=5)
            (vault.folder / files[0]).write_bytes(old[files[0]])
    (vault.folder / files[1]).unlink()
    change(vault, "B", "stored again")
    assert "rolled back" in vault("get", "A", rc=5).err


def test_an_older_file_of_the_references(vault):
    """What it wrote and we saw is known by its hash; what it wrote before our last write, by its times."""
    first = Reference(vault.folder)
    first.put("A", "of the first day")
    first.save()
    store, images = vault.folder / "credentials.json.enc", []
    images.append(store.read_bytes())
    vault("get", "A", rc=0)
    vault.set("A", "ours")
    change(vault, "A", "stored again")
    images.append(store.read_bytes())
    assert vault("get", "A", rc=0).out == b"new value"
    vault("rotate", "A", "--grace", "0", input=b"newest", rc=0)
    for older in images:
        store.write_bytes(older)
        run = vault("get", "A", rc=5)
        assert "rolled back" in run.err and not run.out


def test_a_file_of_the_same_generation_that_was_known(vault):
    vault.set("A", "value")
    theirs, store = Reference(vault.folder), vault.folder / "credentials.json.enc"
    theirs.put("B", "first")
    theirs.save()
    assert vault("get", "B", rc=0).out == b"first"
    older = store.read_bytes()
    theirs.put("B", "second")
    theirs.save()
    assert vault("get", "B", rc=0).out == b"second"
    store.write_bytes(older)
    assert "rolled back" in vault("get", "B", rc=5).err


def test_a_subset_that_the_log_knows(vault):
    """Our file from before a write is no removal by the reference, whatever else of the log is gone."""
    vault.set("A", "value")
    store, log = vault.folder / "credentials.json.enc", vault.folder / "audit.log"
    old = store.read_bytes()
    vault.set("A", "for one alone", "--scope", "repo", "--filter", "o/r")
    store.write_bytes(old)
    assert "rolled back" in vault("get", "A", rc=5).err
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[-1:]))
    assert "rolled back" in vault("get", "A", rc=5).err


def test_a_generation_that_nobody_proves(vault):
    """What a damaged record says of itself counts for nothing."""
    vault.set("A", "value")
    vault.set("B", "value")
    theirs = Reference(vault.folder)
    theirs.all["B"]["metadata"]["ghoard"]["gen"] = 99
    theirs.save()
    assert vault("get", "A", rc=0).out == b"value"
    vault("get", "B", rc=5)
    vault("doctor", "--repair", rc=0)
    assert vault("get", "B", rc=0).out == b"value"
    vault.set("C", "x")
    vault("audit", "verify", rc=0)


def test_many_that_find_the_references_work_at_once(vault):
    """Each of them may be the one that notes it; to none it is an older file that the log knows."""
    vault.set("B", "other")
    vault.set("A", "value")
    env = vault.ghoard.environment(more=vault.env)
    command = [BINARY, "cred", "get", "B", "--access", "off"]
    for _ in range(8):
        change(vault, "A", "stored again")
        many = [subprocess.Popen(command, env=env, stdout=-1, stderr=-1) for _ in range(12)]
        assert [p.communicate()[0] for p in many] == [b"other"] * 12
    vault("audit", "verify", rc=0)
