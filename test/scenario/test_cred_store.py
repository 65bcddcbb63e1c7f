"""The credential store: the reference and ghoard read what the other writes, and nothing is lost."""

import json
import os
import pathlib
import random
import shutil
import subprocess
import time

import pytest
from credrig import SCOPES, Reference, Vault
from rig import BINARY

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "reference"
LETTERS = "abcXYZ019 \n\r\t%=\"'\\$`{}<>:#[]äß—東京🗝️\U0001f9ea\u2028"


@pytest.fixture
def vault(make_ghoard, tmp_path):
    return Vault(make_ghoard("plain"), tmp_path / "credentials", "--access", "off")


def words(random, most=200):
    return "".join(random.choice(LETTERS) for _ in range(random.randrange(most)))


def test_what_the_reference_wrote_is_read(vault):
    if not (SHARED / "credentials").is_dir():
        pytest.skip(f"no {SHARED}: the reference's own store does not stand beside the checkout")
    shutil.copytree(SHARED / "credentials", vault.folder)
    for path in vault.folder.iterdir():
        path.chmod(0o600)
    expected = json.loads((SHARED / "credentials-expected.json").read_text())
    before = (vault.folder / "credentials.json.enc").read_bytes()
    for name, record in expected.items():
        own = {"repo": "--repo", "workflow": "--workflow", "runner": "--runner"}.get(record["scope"])
        run = vault("get", name, *([own, record["scope_filter"]] if own else []))
        if record["expires_at"] and record["expires_at"] < time.time():
            assert run.rc == 1 and "expired" in run.err and not run.out
        else:
            assert (run.rc, run.out.decode()) == (0, record["value"]), run
            assert "not bound" in run.err
    assert (vault.folder / "credentials.json.enc").read_bytes() == before, "reading rewrote the store"
    vault.set("OURS", "new")
    theirs = Reference(vault.folder)
    for name, record in expected.items():
        mine = theirs.all[name]
        assert theirs.value(name) == record["value"]
        for key in ("scope", "scope_filter", "created_at", "expires_at"):
            assert mine[key] == record[key], key
        assert mine["metadata"].pop("ghoard")["v"] == 1
        assert mine["metadata"] == record["metadata"]
    assert theirs.all["GLOBAL_TOKEN"]["access_count"] == expected["GLOBAL_TOKEN"]["access_count"] + 1
    assert "not bound" not in vault("get", "GLOBAL_TOKEN", rc=0).err
    assert json.loads(vault("audit", "verify", "--json", rc=0).out)["foreign"] == 12


def test_a_thousand_records_of_the_reference(vault):
    dice = random.Random(1)
    theirs, filters = Reference(vault.folder), {"repo": "o/r", "workflow": "Bäu ⚙️", "runner": "box"}
    for i in range(1000):
        scope = dice.choice(SCOPES)
        theirs.put(f"N{i}", words(dice), scope, filters.get(scope), ttl=dice.choice([None, 3600.25]), i=i)
    theirs.save()
    caller = ("--repo", "o/r", "--workflow", "Bäu ⚙️", "--runner", "box")
    for first in range(0, 1000, 250):
        names = [f"N{i}" for i in range(first, first + 250)]
        run, env, output, runner = vault.step("--names", ",".join(names), *caller, rc=0)
        assert output == {"count": "250", "status": "success"}
        assert env == {n: theirs.value(n) for n in names}
    assert len(vault.audit(action="access_granted")) == 1000


def test_a_thousand_records_of_ours(vault):
    dice, wanted = random.Random(2), {}
    for batch in range(4):
        scope, repo = SCOPES[batch], f"o/r{batch}"
        given = [
            {"name": f"N{batch}_{i}", "value": words(dice) or "x", "scope": scope, "ttl_hours": 1.5}
            for i in range(250)
        ]
        caller = ("--repo", repo, "--workflow", "w🗝", "--runner", "box")
        run, env, output, _ = vault.step("--from-json", "-", *caller, input=json.dumps(given).encode(), rc=0)
        assert output == {"count": "250", "status": "success"}
        assert env == {g["name"]: g["value"] for g in given}
        own = {"global": None, "repo": repo, "workflow": "w🗝", "runner": "box"}[scope]
        wanted |= {g["name"]: (g["value"], scope, own) for g in given}
    theirs = Reference(vault.folder)
    assert {k: (theirs.value(k), v["scope"], v["scope_filter"]) for k, v in theirs.all.items()} == wanted
    assert all(abs(v["expires_at"] - v["created_at"] - 5400) < 1 for v in theirs.all.values())
    # and what the reference rewrites at each of its reads is still ours
    theirs.get("N1_3")
    run = vault("get", "N1_3", "--repo", "o/r1", rc=0)
    assert run.out.decode() == wanted["N1_3"][0]
    assert "another program" in run.err
    assert "another program" not in vault("get", "N0_3", rc=0).err, "it is named once"
    assert len(vault.audit(action="foreign_write")) == 1


def test_the_reference_rotates_one(vault):
    vault.set("A", "first")
    vault.set("B", "other")
    Reference(vault.folder).rotate("A", "second")
    run = vault("get", "A", rc=5)
    assert "another value" in run.err and not run.out
    assert vault("get", "B", rc=0).out == b"other"
    before = (vault.folder / "credentials.json.enc").read_bytes()
    vault("set", "C", input=b"x", rc=5)
    vault("rm", "B", rc=5)
    vault("rekey", rc=5)
    assert (vault.folder / "credentials.json.enc").read_bytes() == before
    assert "--adopt A" in vault("doctor", rc=5).out.decode()
    vault("doctor", "--adopt", "B", rc=2)
    vault("doctor", "--adopt", "A", rc=0)
    assert vault("get", "A", rc=0).out == b"second"


@pytest.mark.parametrize(
    "field, value", [("scope", "global"), ("scope_filter", "o/evil"), ("expires_at", None)]
)
def test_a_record_that_was_changed(vault, field, value):
    vault.set("A", "secret", "--scope", "repo", "--filter", "o/r", "--ttl", "1h")
    vault.set("B", "other")
    theirs = Reference(vault.folder)
    theirs.all["A"][field] = value
    theirs.save()
    for caller in ("o/r", "o/evil"):
        run = vault("get", "A", "--repo", caller)
        assert run.rc in (1, 5) and not run.out
    assert vault("get", "B", rc=0).out == b"other"
    assert vault("ls", rc=5).err
    vault("doctor", rc=5)
    vault("doctor", "--repair", rc=0)
    assert vault("get", "A", "--repo", "o/r", rc=0).out == b"secret"


def test_values_may_not_be_exchanged(vault):
    vault.set("A", "for a", "--scope", "repo", "--filter", "o/r")
    vault.set("B", "for b")
    theirs = Reference(vault.folder)
    theirs.all["B"]["encrypted_value"] = theirs.all["A"]["encrypted_value"]
    theirs.save()
    run = vault("get", "B", rc=5)
    assert not run.out


def test_life(vault):
    vault.set("A", "one\n")
    vault.set("NL", b"two\n\n")
    assert vault("get", "A", rc=0).out == b"one"
    assert vault("get", "NL", rc=0).out == b"two\n"
    vault("get", "NONE", rc=1)
    for i, (ttl, seconds) in enumerate({"1500ms": 2, "1.5h": 5400, "90": 90, "2w": 1209600}.items()):
        vault.set(f"T{i}", "x", "--ttl", ttl)
        record = Reference(vault.folder).all[f"T{i}"]
        assert round(record["expires_at"] - record["created_at"]) == seconds
        vault("rm", f"T{i}", rc=0)
    vault("set", "bad-name", input=b"x", rc=2)
    vault("set", "A", "--scope", "planet", input=b"x", rc=2)
    vault("set", "A", "--scope", "repo", input=b"x", rc=2)
    vault("set", "A", "--filter", "o/r", input=b"x", rc=2)
    vault("set", "BIG", input=b"x" * 65537, rc=2)
    vault.set("BIG", b"x" * 65536)
    assert vault("get", "BIG", rc=0).out == b"x" * 65536
    vault("set", "FROM_ENV", "--from-env", "SRC", env={"SRC": "of a variable"}, rc=0)
    assert vault("get", "FROM_ENV", rc=0).out == b"of a variable"
    source = vault.folder.parent / "source"
    source.write_bytes(b"\x00\xff\n")
    vault("set", "BINARY", "--from-file", source, "--metadata", "owner=ops", rc=0)
    assert vault("get", "BINARY", rc=0).out == b"\x00\xff\n"
    vault.set("SHORT", "gone soon", "--ttl", "1s")
    names = {r["name"]: r for r in vault("ls", "--json", rc=0).json}
    assert set(names) == {"A", "NL", "BIG", "FROM_ENV", "BINARY", "SHORT"}
    assert names["SHORT"]["expires_at"] and not names["A"]["expires_at"]
    time.sleep(1.1)
    run = vault("get", "SHORT", rc=1)
    assert "expired" in run.err and not run.out
    assert vault("cleanup", "--json", rc=0).json == {"removed": 1, "previous": 0}
    vault("rm", "A", rc=0)
    vault("rm", "A", rc=1)
    assert "A" not in Reference(vault.folder).all and "SHORT" not in Reference(vault.folder).all
    assert [(e["credential"], e["details"]["reason"]) for e in vault.audit(action="cleanup")] == [
        ("SHORT", "expired")
    ]


def test_cleanup_names_what_goes(vault):
    """A line each, as the reference writes it; a previous version is told from a credential."""
    vault.set("STAYS", "x")
    vault.set("A", "x", "--ttl", "1s", "--scope", "repo", "--filter", "o/r")
    vault.set("A", "x", "--ttl", "1s")
    vault.set("ROTATED", "first")
    vault("rotate", "ROTATED", "--grace", "1s", input=b"second", rc=0)
    time.sleep(1.1)
    assert vault("cleanup", "--json", rc=0).json == {"removed": 2, "previous": 1}
    lines = [(e["credential"], e["details"]) for e in vault.audit(action="cleanup")]
    told = [(n, d["reason"], d["scope"], d["scope_filter"], d["previous"]) for n, d in lines]
    assert sorted(told, key=str) == [
        ("A", "expired", "global", None, False),
        ("A", "expired", "repo", "o/r", False),
        ("ROTATED", "expired", "global", None, True),
    ]
    assert ["gen" in d for _, d in lines] == [False, False, True]
    vault("audit", "verify", rc=0)
    vault("cleanup", rc=0)
    assert len(vault.audit(action="cleanup")) == 3


def test_rotation(vault):
    vault.set("A", "old")
    vault("rotate", "A", "--verify", '[ "$A" = good ]', input=b"bad", rc=1)
    assert vault("get", "A", rc=0).out == b"old"
    vault("rotate", "A", "--verify", '[ "$A" = good ]', "--grace", "1s", input=b"good", rc=0)
    assert vault("get", "A", rc=0).out == b"good"
    assert vault("get", "A", "--previous", rc=0).out == b"old"
    time.sleep(1.1)
    vault("get", "A", "--previous", rc=1)
    assert vault("cleanup", "--json", rc=0).json == {"removed": 0, "previous": 1}
    assert "prev" not in Reference(vault.folder).all["A"]["metadata"]["ghoard"]
    vault("rotate", "A", "--grace", "0", input=b"third", rc=0)
    vault("get", "A", "--previous", rc=1)
    vault("rotate", "NONE", input=b"x", rc=1)


def test_one_name_in_scopes(vault):
    vault.set("T", "g")
    vault.set("T", "r", "--scope", "repo", "--filter", "o/r")
    vault.set("T", "q", "--scope", "repo", "--filter", "o/q")
    vault.set("T", "w", "--scope", "workflow", "--filter", "build")
    for caller, want in (
        ((), b"g"),
        (("--repo", "o/r"), b"r"),
        (("--repo", "o/q"), b"q"),
        (("--repo", "O/r"), b"g"),
    ):
        assert vault("get", "T", *caller, rc=0).out == want
    assert vault("get", "T", "--repo", "o/r", "--workflow", "build", rc=0).out == b"w"
    assert vault("get", "T", env={"GITHUB_REPOSITORY": "o/q"}, rc=0).out == b"q"
    assert "--scope" in vault("rm", "T", rc=2).err
    vault("rm", "T", "--scope", "repo", "--filter", "o/r", rc=0)
    assert vault("get", "T", "--repo", "o/r", rc=0).out == b"g"
    assert Reference(vault.folder).value("T") == "g", "the first stands under its plain name"


def test_damage_is_repaired_from_the_good_copy(vault):
    vault.set("A", "value")
    store = vault.folder / "credentials.json.enc"
    image = bytearray(store.read_bytes())
    image[40] ^= 1
    store.write_bytes(image)
    for args in (("get", "A"), ("ls",), ("set", "B"), ("rm", "A"), ("cleanup",), ("rekey",), ("status",)):
        run = vault(*args, input=b"x", rc=5)
        assert "A" not in run.out.decode() and run.one_line()
    assert store.read_bytes() == image
    assert "--repair" in vault("doctor", rc=5).out.decode()
    vault("doctor", "--repair", rc=0)
    assert vault("get", "A", rc=0).out == b"value"
    assert any(p.name.startswith("credentials.json.enc.damaged") for p in vault.folder.iterdir())


def test_rollback(vault):
    vault.set("A", "old")
    store = vault.folder / "credentials.json.enc"
    old = store.read_bytes()
    vault("rotate", "A", "--grace", "0", input=b"new", rc=0)
    store.write_bytes(old)
    assert "rolled back" in vault("get", "A", rc=5).err
    assert "rolled back" in vault("set", "B", input=b"x", rc=5).err
    assert store.read_bytes() == old
    assert "--accept-rollback" in vault("doctor", rc=5).out.decode()
    vault("doctor", "--accept-rollback", rc=0)
    assert vault("get", "A", rc=0).out == b"old"
    assert len(vault.audit(action="rollback_accepted")) == 1


def test_rollback_to_before_a_removal(vault):
    vault.set("A", "revoked")
    store = vault.folder / "credentials.json.enc"
    old = store.read_bytes()
    vault("rm", "A", rc=0)
    store.write_bytes(old)
    assert "rolled back" in vault("get", "A", rc=5).err
    vault("doctor", "--accept-rollback", rc=0)
    assert vault("get", "A", rc=0).out == b"revoked"


def test_nothing_else_accepts_a_rollback(vault):
    vault.set("A", "old")
    store = vault.folder / "credentials.json.enc"
    old = store.read_bytes()
    vault("rotate", "A", "--grace", "0", input=b"new", rc=0)
    store.write_bytes(old)
    log = (vault.folder / "audit.log").read_bytes()
    for flags in (["--restart-audit"], ["--repair"], ["--adopt", "A"]):
        assert "--accept-rollback" in vault("doctor", *flags, rc=5).err
        assert store.read_bytes() == old and (vault.folder / "audit.log").read_bytes() == log
    assert "rolled back" in vault("get", "A", rc=5).err
    vault("doctor", "--restart-audit", "--accept-rollback", rc=0)
    assert vault("get", "A", rc=0).out == b"old"


def test_the_log(vault):
    vault.set("A", "value")
    vault("get", "A", rc=0)
    vault("get", "A", "--repo", "::add-mask::x\n##[error]y", rc=0)
    shown = vault("audit", "show", rc=0).out.decode()
    assert "::" not in shown and "##[" not in shown
    assert vault.audit(action="access_granted")[1]["details"]["repo"] == "::add-mask::x\n##[error]y"
    assert (
        len(
            vault(
                "audit", "show", "--action", "store", "--credential", "A", "--since", "1h", rc=0
            ).out.splitlines()
        )
        == 1
    )
    head = vault("audit", "verify", "--json", rc=0).json["head"]
    vault("get", "A", rc=0)
    vault("audit", "verify", "--anchor", head, rc=0)
    vault("audit", "verify", "--anchor", "0" * 64, rc=5)
    vault("audit", "verify", "--anchor", "x", rc=2)
    log = vault.folder / "audit.log"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:1]))
    vault("audit", "verify", rc=0)
    assert "anchor" in vault("audit", "verify", "--anchor", head, rc=5).err
    log.write_bytes(b"".join(lines[:1] + lines[2:]))
    assert "removed" in vault("audit", "verify", rc=5).err
    log.write_bytes(b"".join(lines[:-1]) + lines[-1].replace(b"granted", b"denied."))
    assert "line 5" in vault("audit", "verify", rc=5).err
    # nothing is handed out that cannot be noted
    assert not vault("get", "A", rc=5).out
    vault("doctor", rc=5)
    vault("doctor", "--restart-audit", rc=0)
    assert vault("get", "A", rc=0).out == b"value"
    vault("audit", "verify", rc=0)


def test_no_line_no_secret(vault):
    vault.set("A", "value")
    log = vault.folder / "audit.log"
    log.unlink()
    log.mkdir()
    run = vault("get", "A")
    assert run.rc in (5, 6) and not run.out


def test_status_and_stats(vault):
    vault.set("A", "value")
    vault.set("B", "value", "--scope", "repo", "--filter", "o/r")
    vault("get", "A", rc=0)
    vault("get", "B", rc=1)
    vault("rotate", "A", input=b"x", rc=0)
    vault.set("C", "value", "--ttl", "1s")
    time.sleep(1.1)
    vault("cleanup", rc=0)
    status = vault("status", "--json", rc=0).json
    assert status["active"] == 2 and status["key"] == ".master_key" and status["access"] == "off"
    assert "advisory" in vault("status", rc=0).out.decode()
    stats = vault.ghoard("stats", "--format", "json", env=vault.env, rc=0).json["credentials"]
    assert stats == {"active": 2, "accessed": 1, "denied": 1, "expired": 1, "rotated": 1}
    assert "credentials_accessed" in vault.ghoard("stats", env=vault.env, rc=0).out.decode()
    assert (
        "ghoard_credentials_denied_total 1"
        in vault.ghoard("stats", "--format", "prometheus", env=vault.env, rc=0).out.decode()
    )


def test_where_there_is_none(vault):
    vault("get", "A", rc=1)
    assert vault("ls", "--json", rc=0).json == []
    assert "none yet" in vault("status", rc=0).out.decode()
    vault("doctor", rc=0)
    assert not vault.folder.exists(), "looking made something"


def test_a_store_without_its_key(vault):
    vault.set("A", "value")
    (vault.folder / ".master_key").unlink()
    for args in (("get", "A"), ("set", "B"), ("ls",)):
        assert "key" in vault(*args, input=b"x", rc=5).err
    assert not (vault.folder / ".master_key").exists()


def test_another_users_folder(vault):
    vault.set("A", "value")
    vault.folder.chmod(0o770)
    assert "chmod 700" in vault("get", "A", rc=6).err


def test_a_log_that_is_a_pipe_stops_nobody(vault):
    vault.set("A", "value")
    log = vault.folder / "audit.log"
    log.unlink()
    os.mkfifo(log, 0o600)
    run = vault("get", "A", timeout=5)
    assert run.rc in (5, 6) and not run.out
    assert run.err.endswith("reading the audit log: audit.log is not a regular file\n")


def test_a_removed_log_does_not_hide_a_rollback(vault):
    vault.set("A", "old")
    store, log = vault.folder / "credentials.json.enc", vault.folder / "audit.log"
    old = store.read_bytes()
    vault("rotate", "A", "--grace", "0", input=b"new", rc=0)
    store.write_bytes(old)
    log.unlink()
    for args in (("get", "A"), ("set", "B"), ("ls",), ("rm", "A")):
        run = vault(*args, input=b"x", rc=5)
        assert "--restart-audit" in run.err and not run.out
    assert store.read_bytes() == old and not log.exists()
    log.write_text("")
    assert "--restart-audit" in vault("get", "A", rc=5).err
    assert "--restart-audit" in vault("doctor", rc=5).out.decode()
    vault("doctor", "--restart-audit", rc=0)
    assert vault("get", "A", rc=0).out == b"old"


def in_small_space(vault, script, size="2m"):
    """Run a script whose credential folder is a tmpfs of that size, which `fill` fills to the last byte."""
    place = vault.folder.parent / "small"
    place.mkdir(exist_ok=True)
    begin = (
        f"mount -t tmpfs -o size={size} none {place}\n"
        f"export CREDENTIALS_DIR={place}/c; G={BINARY}\n"
        f"fill() {{ dd if=/dev/zero of={place}/fill bs=4096 >/dev/null 2>&1 || true; }}\n"
        f"free() {{ rm -f {place}/fill; }}\n"
    )
    env = vault.ghoard.environment(more=vault.env | {"CREDENTIALS_DIR": place / "c"})
    run = subprocess.run(
        ["unshare", "-rm", "sh", "-c", begin + script], env=env, capture_output=True, timeout=60
    )
    if run.returncode != 0 and b"unshare" in run.stderr:
        pytest.skip("no namespaces here")
    return run


def test_a_full_disk(vault):
    """Each write fails with its sentence, and all is as it was; also where the log is rotated just then."""
    run = in_small_space(
        vault,
        "printf one | $G cred set A\n"
        "fill; printf two | $G cred set A --metadata x=$(head -c 12000 /dev/zero | tr '\\0' y); echo set $?\n"
        "$G cred rekey; echo rekey $?\n"
        "free; $G cred get A --access off; echo; $G cred audit verify >/dev/null; echo verify $?\n"
        # the log just below its limit, then a rotation without room
        "line=$(head -c 250 /dev/zero | tr '\\0' z)\n"
        "i=0; while [ $(stat -c %s $CREDENTIALS_DIR/audit.log) -le 1048576 ]; do "
        "$G cred exec --access off --repo o/$line --names A,A$i,B$i,C$i,D$i,E$i,F$i,G$i,H$i -- true "
        "2>/dev/null; "
        "i=$((i+1)); done\n"
        "fill; for n in 1 2 3; do $G cred get A --access off --repo o/$line --workflow $line --runner $line; "
        "echo \" got $?\"; done; ls $CREDENTIALS_DIR >&2; free\n"
        "$G cred audit verify >/dev/null; echo verify $?; printf three | $G cred set A; echo set $?\n"
        "$G cred get A --access off; echo; $G cred audit verify >/dev/null; echo verify $?\n"
        "ls -A $CREDENTIALS_DIR | grep -c tmp-\n",
        size="3m",
    )
    lines = run.stdout.decode().splitlines()
    assert lines[:4] == ["set 6", "rekey 6", "one", "verify 0"], run
    assert lines[-5:] == ["verify 0", "set 0", "three", "verify 0", "0"], run
    # a secret left only where its line is on the disk
    for line in lines[4:-5]:
        assert line in ("one got 0", " got 6"), run
    assert b"No space left" in run.stderr and b"audit.log.1" in run.stderr


def test_two_that_begin_at_once(vault):
    """The reference's store, and many first readers: one log, one chain."""
    theirs = Reference(vault.folder)
    theirs.put("A", "value")
    theirs.save()
    env = vault.ghoard.environment(more=vault.env)
    command = [BINARY, "cred", "get", "A", "--access", "off"]
    pipe = subprocess.PIPE
    many = [subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe) for _ in range(16)]
    assert [p.communicate()[0] for p in many] == [b"value"] * 16
    told = vault("audit", "verify", "--json", rc=0).json
    assert told["lines"] == 16


def test_looking_at_the_references_store_begins_no_log(vault):
    theirs = Reference(vault.folder)
    theirs.put("A", "value")
    theirs.save()
    for args in (("ls",), ("status",), ("doctor",), ("audit", "show")):
        vault(*args, rc=0)
    assert not [p for p in vault.folder.iterdir() if p.name.startswith((".audit", "audit"))]
    assert sorted(theirs.load()) == ["A"]


@pytest.mark.parametrize("what", ["nothing", "folder", "pipe", "too much"])
def test_a_store_whose_place_is_taken(vault, what):
    vault.set("A", "old")
    vault.set("A", "value")
    store = vault.folder / "credentials.json.enc"
    store.unlink()
    if what == "folder":
        store.mkdir()
    elif what == "pipe":
        os.mkfifo(store)
    elif what == "too much":
        with open(store, "wb") as f:
            f.truncate(1 << 30)
    assert not vault("get", "A", rc=5).out
    vault("set", "B", input=b"x", rc=5)
    told = vault("doctor", rc=5).out.decode()
    assert "--repair" in told and "rolled back" not in told and "audit" not in told
    vault("doctor", "--repair", rc=0)
    assert vault("get", "A", rc=0).out == b"value"
    vault("audit", "verify", rc=0)


def test_the_doctor_and_another_key(vault):
    """No repair works under a key that opens nothing: all stays as it is."""
    vault.set("A", "value")
    key = (vault.folder / ".master_key").read_bytes()
    (vault.folder / ".master_key").write_bytes(b"QUJD" * 10 + b"QUI=")
    before = {p.name: p.read_bytes() for p in vault.folder.iterdir()}
    for flags in ((), ("--restart-audit",), ("--repair",), ("--accept-rollback",), ("--adopt", "A")):
        run = vault("doctor", *flags, rc=5)
        assert "no key opens" in run.err and not run.out
    assert {p.name: p.read_bytes() for p in vault.folder.iterdir()} == before
    (vault.folder / ".master_key").write_bytes(key)
    assert vault("get", "A", rc=0).out == b"value"


def test_a_name_without_end(vault):
    vault.set("A", "value")
    vault("get", "A" * 5000, rc=2)
    vault("get", "A" * 200, rc=1)
