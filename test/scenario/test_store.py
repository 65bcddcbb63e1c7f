"""The files of the cache: names, modes, damage, and what a sudden end leaves behind."""

import json
import random
import re
import time

import pytest
from rig import ISSUES


def test_a_damaged_entry_is_a_miss_and_is_kept_aside(ghoard, fake):
    ghoard("api", ISSUES, rc=0)
    ((path, _),) = ghoard.entries()
    path.write_bytes(path.read_bytes().replace(b"Text of Issue 3", b"Text of Issue 4"))
    run = ghoard.api(ISSUES, rc=0)
    assert b"Text of Issue 3" in run.body and fake.count() == 2
    assert len(list((ghoard.cache / "corrupt").iterdir())) == 1
    assert ghoard.api(ISSUES, rc=0).cache["hit"] is True


def test_an_entry_of_another_body_is_not_believed(ghoard, fake):
    ghoard("api", f"{ISSUES}/1", rc=0)
    ghoard("api", f"{ISSUES}/2", rc=0)
    (one, first), (two, _) = sorted(ghoard.entries(), key=lambda e: e[1]["ghoard"]["url"])
    two.write_bytes(one.read_bytes())
    assert ghoard("api", f"{ISSUES}/2", rc=0).json["number"] == 2


def test_file_names_and_modes(ghoard):
    ghoard("api", ISSUES, rc=0)
    ((path, entry),) = ghoard.entries()
    assert re.fullmatch(r"[a-z_]+-[0-9a-f]{32}-" + entry["ghoard"]["auth"][:8] + r"\.json", path.name)
    assert ghoard.cache.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o644
    assert any(f.samefile(path) for f in (ghoard.cache / "last").iterdir())


def test_a_store_that_cannot_be_written_costs_only_the_caching(ghoard, fake, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    for _ in range(2):
        run = ghoard("api", ISSUES, env={"CACHE_DIR": tmp_path / "file" / "cache"}, rc=0)
        assert len(run.json) == 7
    assert fake.count() == 2


def test_two_stores_two_upstreams_keep_apart(ghoard, fake):
    ghoard("api", ISSUES, rc=0)
    ghoard.api(ISSUES, env={"GITHUB_API_URL": fake.http}, rc=0)
    assert fake.count(listener="tls") == 1 and fake.count(listener="http") == 1


@pytest.mark.timeout(180)
def test_the_store_survives_kill_9_at_any_moment(ghoard, fake):
    """Two processes write one entry and are killed at 200 random moments: a read is whole or a miss."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    whole = set()
    usual = ghoard("api", "/crash", "--refresh").ms / 1000
    hits = 0
    for turn in range(200):
        fake.calm()
        text = json.dumps({"turn": turn, "fill": str(turn) * chance.randrange(1, 40000)}).encode()
        fake.trouble("/crash", "status", code=200, body=text)
        whole.add(text)
        writers = [ghoard.start("api", "/crash", "--refresh") for _ in range(2)]
        time.sleep(chance.uniform(0, usual * 1.5))
        for writer in writers:
            writer.kill()
        for writer in writers:
            writer.wait(10)
        run = ghoard("api", "/crash", offline=True)
        assert run.rc in (0, 4) and (run.rc == 4 or run.out in whole), f"turn {turn}: {run}"
        hits += run.rc == 0
    assert hits, "nothing was ever stored: the writers were killed too early to prove anything"
    assert json.loads(ghoard("api", "/crash", "--refresh", rc=0).out)["turn"] == 199
