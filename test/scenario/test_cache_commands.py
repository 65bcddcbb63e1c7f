"""`ghoard cache`: entries by name, listing, removing, checking, and archives that other tools can read."""

import base64
import hashlib
import json
import os
import re
import time

import pytest
from rig import ISSUES, REPO, cid

# ---- CARv1, read from the specification alone: varint-framed header (CBOR) and blocks


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if not byte & 0x80:
            return value, at


def put_varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def cbor(data, at=0):
    """The part of CBOR that a header may use: numbers, bytes, text, lists, maps, tag 42."""
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if info >= 24:
        size = 1 << (info - 24)
        info, at = int.from_bytes(data[at : at + size], "big"), at + size
    if major == 0:
        return info, at
    if major in (2, 3):
        piece = data[at : at + info]
        return (piece if major == 2 else piece.decode()), at + info
    if major == 4:
        found = []
        for _ in range(info):
            item, at = cbor(data, at)
            found.append(item)
        return found, at
    if major == 5:
        found = {}
        for _ in range(info):
            key, at = cbor(data, at)
            found[key], at = cbor(data, at)
        return found, at
    assert (major, info) == (6, 42)
    link, at = cbor(data, at)
    assert link[0] == 0
    return link[1:], at


FRONT = b"\x01\x55\x12\x20"


def binary_cid(block):
    return FRONT + hashlib.sha256(block).digest()


def read_car(data):
    """(the list in the root, {text of a CID: block}) with every block checked."""
    size, at = varint(data, 0)
    header, end = cbor(data, at)
    assert end == at + size and header["version"] == 1 and len(header["roots"]) == 1
    blocks, at = {}, end
    while at < len(data):
        size, at = varint(data, at)
        link, block = data[at : at + 36], data[at + 36 : at + size]
        assert len(link) + len(block) == size and link == binary_cid(block)
        blocks[cid(block)] = block
        at += size
    root = blocks.pop("b" + base64.b32encode(header["roots"][0]).decode().lower().rstrip("="))
    return json.loads(root), blocks


def listing_of(blocks):
    return json.dumps([{"name": n, "cid": cid(b)} for n, b in blocks.items()]).encode()


def write_car(blocks, listing=None):
    """An archive of these entry files, as a stranger might make one."""
    listing = listing or listing_of(blocks)
    header = b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00" + binary_cid(listing) + b"\x67version\x01"
    out = put_varint(len(header)) + header
    for block in [*blocks.values(), listing]:
        out += put_varint(36 + len(block)) + binary_cid(block) + block
    return out


def entry(key, body, auth="public", url=None, timestamp=None, **more):
    own = {
        "v": 1,
        "cid": cid(body),
        "status": 200,
        **({"url": url} if url else {}),
        "auth": auth,
        **more,
        "headers": [["content-type", "application/json"], ["etag", '"x"']],
        "encoding": "json",
    }
    head = {
        "cache_key": key,
        "timestamp": timestamp or round(time.time(), 6),
        "ttl": 600,
        "content_hash": None,
        "validation_fields": None,
        "ghoard": own,
    }
    return json.dumps(head, separators=(",", ":")).encode()[:-1] + b',"data":' + body + b"}"


# ---- by name


def test_the_very_bytes_come_back(ghoard):
    for at, data in enumerate([b'{"a": 1.0e5}\n', b"\x00\xff no json\n", b'"text"', b"[", b"\n"]):
        ghoard("cache", "put", "copilot_completion", f"k{at}", input=data, rc=0)
        assert ghoard("cache", "get", "copilot_completion", f"k{at}", rc=0).out == data
    ghoard("cache", "verify", rc=0)


def test_the_file_is_called_as_the_reference_calls_it(ghoard):
    ghoard("cache", "put", "list_repos", "b=2", "a b/c:d*", "B1=x", "_a=1", "=y", "1=z", input=b"1", rc=0)
    ((path, found),) = ghoard.entries()
    assert found["cache_key"] == "list_repos:a b/c:d*:=y:1=z:B1=x:_a=1:b=2"
    assert path.name == "list_repos_a b_c_d__=y_1=z_B1=x__a=1_b=2.json"
    assert not {"url", "variant", "proof"} & set(found["ghoard"]) and found["ghoard"]["auth"] == "public"


def test_lifetimes_are_those_of_the_operation(ghoard):
    (ghoard.project / ".github").mkdir()
    (ghoard.project / ".github" / "cache-config.yml").write_text(
        "cache:\n  default_ttl: 77\noperation_ttls:\n  list_runners: 88\n"
    )
    for operation, ttl in (("list_runners", 88), ("list_repos", 600), ("made_up", 77)):
        ghoard("cache", "put", operation, input=b"1", rc=0)
        assert ghoard("cache", "get", operation, "--json", rc=0).json["ttl"] == ttl


def test_get_as_json(ghoard):
    ghoard("cache", "put", "op", "x", "--ttl", "1m", input=b'{"n": 1.50}', rc=0)
    run = ghoard("cache", "get", "op", "x", "--json", rc=0)
    assert b'"data":{"n": 1.50}' in run.out
    found = run.json
    assert found["key"] == "op:x" and found["ttl"] == 60 and found["fresh"] is True and found["age"] in (0, 1)
    ghoard("cache", "put", "op", "y", input=b"\xff", rc=0)
    found = ghoard("cache", "get", "op", "y", "--json", rc=0).json
    assert found["encoding"] == "base64" and base64.b64decode(found["data"]) == b"\xff"


def test_a_lifetime_that_is_over_needs_stale(ghoard):
    ghoard("cache", "put", "op", "--ttl", "0", input=b"old", rc=0)
    run = ghoard("cache", "get", "op", rc=1)
    assert run.out == b"" and run.err == ""
    run = ghoard("cache", "get", "op", "--stale", rc=0)
    assert run.out == b"old" and "op" in run.one_line()


def test_a_timestamp_in_the_future_is_not_fresh(ghoard):
    ghoard("cache", "put", "op", input=b"1", rc=0)
    ((path, found),) = ghoard.entries()
    ahead = b'"timestamp":%d' % (time.time() + 3600)
    path.write_bytes(re.sub(rb'"timestamp":\d+', ahead, path.read_bytes()))
    assert ghoard("cache", "get", "op", rc=1).out == b""


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["frob"],
        ["get"],
        ["put"],
        ["get", "no-op"],
        ["get", "../x"],
        ["get", ".hidden"],
        ["get", "op", "a=1", "a=2"],
        ["get", "op", "x" * 300],
        ["get", "op", "--ttl", "5"],
        ["put", "op", "--stale"],
        ["ls", "x"],
        ["rm"],
        ["rm", "a", "--prefix", "b"],
        ["rm", "--prefix", ""],
        ["clear", "x"],
        ["export"],
        ["import"],
    ],
)
def test_wrong_usage_is_exit_2_and_one_line(ghoard, args):
    run = ghoard("cache", *args, input=b"1", rc=2)
    assert run.out == b"" and run.one_line()


def test_put_refuses_nothing_and_too_much(ghoard):
    ghoard("cache", "put", "op", input=b"", rc=2).one_line()
    (ghoard.project / ".github").mkdir()
    (ghoard.project / ".github" / "cache-config.yml").write_text("cache:\n  max_body: 2KiB\n")
    ghoard("cache", "put", "op", input=b"x" * 2048, rc=0)
    assert "max_body" in ghoard("cache", "put", "op2", input=b"x" * 2049, rc=6).one_line()


def test_where_caching_is_switched_off(ghoard):
    ghoard("cache", "put", "op", input=b"1", rc=0)
    (ghoard.project / ".github").mkdir()
    (ghoard.project / ".github" / "cache-config.yml").write_text("cache:\n  enabled: false\n")
    ghoard("cache", "get", "op", rc=1)
    assert "cache.enabled" in ghoard("cache", "put", "op2", input=b"1", rc=0).one_line()
    assert len(ghoard.entries()) == 1


def test_two_keys_that_share_a_file_name_are_not_mixed_up(ghoard):
    ghoard("cache", "put", "op", "a/b", input=b"1", rc=0)
    assert ghoard("cache", "get", "op", "a", "b", rc=1).out == b""
    assert ghoard("cache", "rm", "op:a:b", rc=1).out == b""
    assert ghoard("cache", "get", "op", "a/b", rc=0).out == b"1"


# ---- ls, rm, clear, gc


def test_ls(ghoard):
    ghoard("api", ISSUES, rc=0)
    ghoard("cache", "put", "op", "bell\a", "--ttl", "0", input=b"1", rc=0)
    lines = ghoard("cache", "ls", rc=0).out.decode().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("op:bell\\x07 ") and "expired" in lines[0]
    first, second = ghoard("cache", "ls", "--json", rc=0).json[::-1], ghoard.entries()
    by_key = {e["cache_key"]: (p, e) for p, e in second}
    for row in first:
        path, found = by_key[row["key"]]
        assert row["name"] == path.name and row["size"] == path.stat().st_size and row["ttl"] == found["ttl"]
        assert row["left"] <= row["ttl"] and abs(row["ttl"] - row["left"] - row["age"]) <= 1
    assert [r["key"] for r in ghoard("cache", "ls", "--prefix", "op:", "--json", rc=0).json] == ["op:bell\a"]
    assert ghoard("cache", "ls", "--prefix", "nothing", rc=0).out == b""
    assert ghoard("cache", "ls", "--prefix", "nothing", "--json", rc=0).json == []


def test_rm_takes_the_entries_of_all_tokens(ghoard, fake):
    for token in ("alice-token", "bob-token"):
        ghoard("api", f"{REPO}/labels", token=token, rc=0)
    ghoard("api", ISSUES, rc=0)
    keys = [e["cache_key"] for _, e in ghoard.entries()]
    (key,) = {k for k in keys if "/labels" in k}
    assert keys.count(key) == 2 and len(list((ghoard.cache / "last").iterdir())) == 2
    assert ghoard("cache", "rm", key, "--json", rc=0).json == {"removed": 2}
    assert [e["cache_key"] for _, e in ghoard.entries()] == [k for k in keys if k != key]
    assert len(list((ghoard.cache / "last").iterdir())) == 1
    assert "no entry" in ghoard("cache", "rm", key, rc=1).one_line()


def test_rm_by_prefix(ghoard):
    for name in ("a", "ab", "b"):
        ghoard("cache", "put", "op", name, input=b"1", rc=0)
    (ghoard.cache / "op_a_old.json").write_text('{"data":1,"timestamp":5,"ttl":5,"content_hash":null}')
    (ghoard.cache / "op_a_broken.json").write_text("{")
    assert b"4 entries" in ghoard("cache", "rm", "--prefix", "op:a", rc=0).out
    assert [e["cache_key"] for _, e in ghoard.entries()] == ["op:b"]


def test_clear(ghoard, fake):
    ghoard("api", ISSUES, rc=0)
    ghoard("api", "-X", "PATCH", f"{ISSUES}/1", "-f", "title=x")
    ghoard("cache", "put", "op", input=b"1", rc=0)
    (ghoard.cache / "corrupt").mkdir(exist_ok=True)
    (ghoard.cache / "corrupt" / "x.json").write_text("x")
    other = ghoard.cache / "notes.txt"
    other.write_text("mine")
    assert (ghoard.cache / ".epochs").exists()
    ghoard("cache", "clear", rc=0)
    left = {p.name for p in ghoard.cache.iterdir()}
    assert left <= {"notes.txt", ".lock", ".stats"} and other.exists()
    fake.forget()
    ghoard("api", ISSUES, rc=0)
    assert fake.count() == 1


def test_gc_brings_the_store_down(ghoard):
    for n in range(30):
        ghoard("cache", "put", "op", f"{n:02}", input=b"1", rc=0)
        os.utime(ghoard.cache / f"op_{n:02}.json", (n + 1, n + 1))
    found = ghoard("cache", "gc", "--json", env={"GITHUB_CACHE_SIZE": "10"}, rc=0).json
    assert found == {"entries": 30, "removed": 21, "max": 10}
    assert [e["cache_key"] for _, e in ghoard.entries()] == [f"op:{n}" for n in range(21, 30)]


def test_many_puts_collect_by_themselves(ghoard):
    for n in range(25):
        ghoard("cache", "put", "op", str(n), input=b"1", env={"GITHUB_CACHE_SIZE": "10"}, rc=0)
    assert len(ghoard.entries()) <= 11


# ---- verify


def test_verify_names_what_is_damaged_and_moves_nothing(ghoard):
    ghoard("api", ISSUES, rc=0)
    ghoard("api", f"{ISSUES}/1", rc=0)
    ghoard("api", f"{ISSUES}/2", rc=0)
    ghoard("cache", "put", "op", input=b'{"a":1}', rc=0)
    assert b"4 entries" in ghoard("cache", "verify", rc=0).out
    by_path = {e["ghoard"].get("url", "").removeprefix(ghoard.url): p for p, e in ghoard.entries()}
    changed, proof, other, named = (by_path[p] for p in (ISSUES, f"{ISSUES}/1", f"{ISSUES}/2", ""))
    changed.write_bytes(changed.read_bytes().replace(b"Text of Issue 3", b"Text of Issue 4"))
    proof.write_bytes(re.sub(rb'"ttl":\d+', b'"ttl":9999', proof.read_bytes()))
    named.write_bytes(other.read_bytes())
    (ghoard.cache / "cut.json").write_bytes(other.read_bytes()[:100])
    (ghoard.cache / "list_repos_x.json").write_text(
        '{"data":{"updatedAt":"2"},"timestamp":5,"ttl":5,"content_hash":"' + "0" * 64 + '",'
        '"validation_fields":{"updatedAt":"1"}}'
    )
    before = {p: p.read_bytes() for p in ghoard.cache.glob("*.json")}
    run = ghoard("cache", "verify", rc=5)
    said = dict(line.split(": ", 1) for line in run.out.decode().splitlines())
    assert set(said) == {changed.name, proof.name, named.name, "cut.json", "list_repos_x.json"}
    assert "CID" in said[changed.name] and "proof" in said[proof.name] and "name" in said[named.name]
    assert "5 of 6" in run.one_line()
    assert before == {p: p.read_bytes() for p in ghoard.cache.glob("*.json")}
    assert not (ghoard.cache / "corrupt").exists()
    found = ghoard("cache", "verify", "--json", rc=5).json
    assert found["checked"] == 6 and {d["name"] for d in found["damaged"]} == set(said)


# ---- archives


def test_an_archive_is_what_the_specification_says(ghoard, tmp_path):
    ghoard("api", ISSUES, rc=0)
    ghoard("api", f"{REPO}/labels", token="bob-token", rc=0)
    ghoard("cache", "put", "op", "x", input=b"not json", rc=0)
    (ghoard.cache / "broken.json").write_text("{")
    file = tmp_path / "out.car"
    run = ghoard("cache", "export", file, rc=0)
    assert b"3 entries" in run.out and "broken.json" in run.one_line()
    assert file.stat().st_mode & 0o777 == 0o600
    listed, blocks = read_car(file.read_bytes())
    files = {p.name: p.read_bytes() for p in ghoard.cache.glob("*.json") if p.name != "broken.json"}
    assert {e["name"]: blocks[e["cid"]] for e in listed} == files and len(blocks) == 3
    assert ghoard("cache", "export", "-", rc=0).out == file.read_bytes()
    assert not [p for p in ghoard.cache.iterdir() if ".tmp-" in p.name]


def test_an_empty_store_and_a_place_that_cannot_be_written(ghoard, tmp_path):
    ghoard("cache", "export", tmp_path / "empty.car", rc=0)
    assert read_car((tmp_path / "empty.car").read_bytes()) == ([], {})
    assert ghoard("cache", "import", tmp_path / "empty.car", "--json", rc=0).json["imported"] == 0
    ghoard("cache", "export", tmp_path / "no" / "where.car", rc=6).one_line()
    ghoard("cache", "import", tmp_path / "nothing.car", rc=6).one_line()


def test_an_export_that_fails_leaves_the_old_archive(ghoard, tmp_path):
    (tmp_path / "out.car").mkdir()
    ghoard("cache", "export", tmp_path / "out.car", rc=6).one_line()
    assert [p.name for p in tmp_path.iterdir() if ".tmp-" in p.name] == []


def test_carried_to_another_machine(make_ghoard, fake, tmp_path):
    here, there = make_ghoard("here", fake), make_ghoard("there", fake)
    out = here("api", f"{REPO}/labels", rc=0).out
    here("cache", "put", "op", "x", input=b"data", rc=0)
    here("cache", "export", tmp_path / "x.car", rc=0)
    fake.forget()
    found = there("cache", "import", tmp_path / "x.car", "--json", rc=0).json
    assert found == {"imported": 2, "kept": 0, "nameless": 0}
    assert there("cache", "get", "op", "x", rc=0).out == b"data"
    # its own token proves it; offline anybody reads it; another token asks GitHub and is told 304
    assert there.api(f"{REPO}/labels", rc=0).cache["hit"] is True and fake.count() == 0
    assert there("api", f"{REPO}/labels", token="bob-token", offline=True, rc=0).out == out
    run = there.api(f"{REPO}/labels", token="bob-token", rc=0)
    assert run.body == out and run.cache["fwd-status"] == 304 and fake.count(billable=True) == 0


def test_from_standard_input(make_ghoard, fake):
    here, there = make_ghoard("here", fake), make_ghoard("there", fake)
    here("cache", "put", "op", input=b"x" * 200000, rc=0)
    archive = here("cache", "export", "-", rc=0).out
    there("cache", "import", "-", input=archive, rc=0)
    assert there("cache", "get", "op", rc=0).out == b"x" * 200000
    assert not [p for p in there.cache.iterdir() if ".tmp-" in p.name]


def test_an_older_entry_replaces_no_newer_one(ghoard, tmp_path):
    ghoard("cache", "put", "op", input=b"old", rc=0)
    ghoard("cache", "export", tmp_path / "old.car", rc=0)
    ghoard("cache", "put", "op", input=b"new", rc=0)
    ghoard("cache", "export", tmp_path / "new.car", rc=0)
    assert ghoard("cache", "import", tmp_path / "old.car", "--json", rc=0).json["kept"] == 1
    assert ghoard("cache", "get", "op", rc=0).out == b"new"
    ghoard("cache", "clear", rc=0)
    ghoard("cache", "import", tmp_path / "old.car", rc=0)
    ghoard("cache", "import", tmp_path / "new.car", rc=0)
    assert ghoard("cache", "get", "op", rc=0).out == b"new"


def test_an_older_entry_does_not_become_the_newest_of_its_request(ghoard, make_ghoard, fake, tmp_path):
    other = make_ghoard("other", fake)
    other("api", f"{REPO}/labels", token="bob-token", rc=0)
    other("cache", "export", tmp_path / "x.car", rc=0)
    ghoard("api", f"{REPO}/labels", rc=0)
    ghoard("cache", "import", tmp_path / "x.car", rc=0)
    assert len(ghoard.entries()) == 2
    (newest,) = (ghoard.cache / "last").iterdir()
    stamps = [e["timestamp"] for _, e in ghoard.entries()]
    assert json.loads(newest.read_bytes())["timestamp"] == max(stamps)


def test_an_answer_without_a_proof_is_never_served_as_it_is(ghoard, fake, tmp_path):
    ghoard("api", f"{REPO}/labels", token=None, rc=0)
    ((_, real),) = ghoard.entries()
    assert real["ghoard"]["auth"] == "public"
    ghoard("cache", "clear", rc=0)
    forged = b'[{"name":"forged"}]'
    for auth in ("public", "imported", "0" * 32):
        own = real["ghoard"]
        block = entry(real["cache_key"], forged, auth, own["url"], variant=own["variant"])
        (tmp_path / "f.car").write_bytes(write_car({"x.json": block}))
        ghoard("cache", "import", tmp_path / "f.car", rc=0)
        assert b"forged" not in ghoard("api", f"{REPO}/labels", token=None, rc=0).out
        assert b"forged" not in ghoard("api", f"{REPO}/labels", rc=0).out
        ghoard("cache", "clear", rc=0)


def damaged_archives():
    good = {"a.json": entry("op:a", b"1"), "b.json": entry("op:b", b'{"x":2}')}
    whole = write_car(good)
    key = "get_repo_info:/repos/o/r:0123456789abcdef"
    url = "https://api.github.com/repos/o/r"
    yield "empty", b""
    yield "not an archive", b"hello\n" * 100
    yield "cut in the header", whole[:30]
    yield "cut in a block", whole[:-1]
    yield "cut between blocks", whole[: whole.index(b"op:b") - 80]
    yield "more at the end", whole + b"\x00"
    yield "another byte", whole.replace(b'"data":1', b'"data":2')
    yield "no entry", write_car({**good, "c.json": b"{}"})
    other = entry("op:c", b"1").replace(b'"data":1', b'"data":2')
    yield "a body of another CID", write_car({**good, "c.json": other})
    one = {"a.json": good["a.json"]}
    yield "a block that is not listed", write_car(good, listing_of(one))
    yield "a listed block that is not there", write_car(one, listing_of(good))
    yield "a block listed twice", write_car(good, b"[" + b",".join([listing_of(one)[1:-1]] * 2) + b"]")
    yield "a root that is no list", write_car(one, b'{"a.json":1}')
    yield "a root that is a map", write_car(one, b'{"a":' + listing_of(one)[1:-1] + b"}")
    yield "a root that is no JSON", write_car(one, b"hello")
    for what, block in {
        "a tag that leads out": entry(key, b"1", "/../../x" + "0" * 24, url),
        "a tag that is none": entry(key, b"1", "z" * 32, url),
        "an operation that leads out": entry("../x:/y:1", b"1", "0" * 32, url),
        "a hidden name": entry(".lock", b"1"),
        "a name too long": entry("op:" + "x" * 300, b"1"),
    }.items():
        yield what, write_car({**good, "c.json": block})


@pytest.mark.parametrize("what", [what for what, _ in damaged_archives()])
def test_a_damaged_archive_changes_nothing(ghoard, tmp_path, what):
    ghoard("cache", "put", "op", "a", input=b'"mine"', rc=0)
    before = {p.name: p.read_bytes() for p in ghoard.cache.glob("*.json")}
    (tmp_path / "x.car").write_bytes(dict(damaged_archives())[what])
    run = ghoard("cache", "import", tmp_path / "x.car", rc=5)
    assert "nothing was changed" in run.one_line() and run.out == b""
    assert before == {p.name: p.read_bytes() for p in ghoard.cache.glob("*.json")}
    assert {p.name for p in tmp_path.iterdir()} <= {"x.car", "home", "cache", "project"}


def test_the_archive_chooses_no_file_name(ghoard, tmp_path):
    (tmp_path / "x.car").write_bytes(write_car({"../../evil.json": entry("op:a", b"1")}))
    ghoard("cache", "import", tmp_path / "x.car", rc=0)
    assert [p.name for p, _ in ghoard.entries()] == ["op_a.json"]
    assert not list(tmp_path.rglob("evil*"))


def test_the_reference_s_entries_without_a_key_are_left_out(ghoard, tmp_path):
    blocks = {
        "op_a.json": b'{"data":1,"timestamp":5,"ttl":5,"content_hash":null}',
        "op_b.json": b'{"cache_key":"op:b","data":2,"timestamp":%d,"ttl":500}' % time.time(),
    }
    (tmp_path / "x.car").write_bytes(write_car(blocks))
    run = ghoard("cache", "import", tmp_path / "x.car", "--json", rc=0)
    assert run.json == {"imported": 1, "kept": 0, "nameless": 1} and run.one_line()
    assert ghoard("cache", "get", "op", "b", rc=0).out == b"2"


# ---- the folder


def test_a_folder_that_cannot_be_used(ghoard, tmp_path):
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    (tmp_path / "file").write_text("x")
    assert ghoard("cache", "ls", "--cache-dir", tmp_path / "file", rc=6).one_line()
    if os.geteuid() == 0:
        os.chown(open_to_all, 12345, 12345)
        assert "another user" in ghoard("cache", "ls", "--cache-dir", open_to_all, rc=3).one_line()
