"""`ghoard codeql check` and its tree: what makes it scan, what must not, and what it cannot read."""

import os
import shutil
import subprocess

import pytest
from scanning import Job, git


@pytest.fixture
def job(ghoard, tmp_path):
    made = Job(ghoard, tmp_path / "job")
    sources = {
        "setup.py": "setup()\n",
        "requirements.txt": "flask\n",
        "script": "#!/usr/bin/env python3\n",
        "Makefile": "all:\n",
        "data.unknown": "1\n",
        "Other.java": "class Other {}\n",
        ".gitattributes": "*.bin filter=lfs\n",
        ".github/codeql/notes.md": "notes\n",
        "queries/q.ql": "select 1\n",
    }
    for name, text in sources.items():
        (made.tree / name).parent.mkdir(parents=True, exist_ok=True)
        (made.tree / name).write_text(text)
    (made.tree / "link").symlink_to("lib/util.py")
    made.commit("sources")
    return made


def run(job, line):
    environment = os.environ | {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }
    subprocess.run(["sh", "-ec", line], cwd=job.tree, env=environment, check=True, capture_output=True)


def restore(job):
    run(job, "git checkout -q -f . && git clean -qfdx")
    assert job.check(rc=0)["skip"]


COUNTS = [
    "app.py", "lib/util.py", "setup.py", "requirements.txt", "script", "Makefile", "data.unknown",
    ".gitattributes", ".github/codeql/notes.md", ".github/workflows/codeql.yml", "queries/q.ql",
]  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_each_input_that_changes_is_a_scan(job, name):
    job.scan()
    for change in (f"printf x >>{name}", f"rm {name}", f"mv {name} {name}.away", f"chmod +x {name}"):
        run(job, change)
        found = job.check(rc=1)
        assert found["skip"] is False and found["reason"] == "miss-sources", change
        paths = job("explain", "--json").json["paths"]
        assert name in [p["path"] for p in paths], change
        restore(job)
    # committed, it is the same tree and the same answer
    run(job, f"printf x >>{name} && git commit -qam more")
    assert job.check(rc=1)["reason"] == "miss-sources"
    run(job, "git revert --no-edit HEAD")
    assert job.check(rc=0)["reason"] == "hit-tree"


@pytest.mark.parametrize(
    "change",
    [
        "echo new >new.py",
        "mkdir gen && echo 1 >gen/made",
        "echo 1 >ignored.o",
        "ln -sfn app.py link",
        "cp -a lib lib2",
        "git update-index --assume-unchanged app.py && echo '#' >>app.py",
        "git update-index --skip-worktree app.py && echo '#' >>app.py",
    ],
)
def test_what_git_would_not_say_is_a_scan(job, change):
    (job.tree / ".git" / "info").mkdir(exist_ok=True)
    (job.tree / ".git" / "info" / "exclude").write_text("*.o\n")
    job.scan()
    run(job, change)
    assert job.check(rc=1)["reason"] == "miss-sources"


@pytest.mark.parametrize(
    "change",
    [
        "find . -type f -not -path './.git/*' -exec touch {} +",
        "mkdir -p empty/folders",
        "git update-index --index-version 4",
        "git config splitIndex.maxPercentChange 100 && git update-index --split-index && touch app.py && "
        "git add app.py",
        "git gc -q && git pack-refs --all",
        "git checkout -q --detach",
        "rm .git/index && git reset -q",
        "git commit -q --allow-empty -m empty",
        "truncate -s -20 .git/index && head -c 20 /dev/zero >>.git/index",
    ],
)
def test_what_a_scan_does_not_see_is_a_hit(job, change):
    job.scan()
    run(job, change)
    assert job.check(rc=0)["skip"], change


@pytest.mark.parametrize("change", ["printf x >>README.md", "printf x >>Other.java"])
def test_what_no_extractor_reads_is_a_hit_where_there_is_no_link(job, change):
    run(job, "git rm -q link && git commit -qm unlinked")
    job.scan()
    run(job, change)
    assert job.check(rc=0)["skip"], change


@pytest.mark.parametrize("link", ["git add named.py", "printf 'named.py\\n' >.git/info/exclude", "true"])
def test_a_link_gives_any_file_another_name(job, link):
    """An extractor takes it for Python, whatever the target's name ends with."""
    (job.tree / "notes.txt").write_text("x = 1\n")
    run(job, "git rm -q link && git add notes.txt && git commit -qm notes && ln -s notes.txt named.py")
    run(job, link)
    job.scan()
    (job.tree / "notes.txt").write_text("import os\n")
    assert job.check(rc=1)["reason"] == "miss-sources"
    assert "notes.txt" in [p["path"] for p in job("explain", "--json").json["paths"]]


@pytest.mark.parametrize(
    "name, value",
    [("LGTM_INDEX_FILETYPES", ".md:PYTHON"), ("CODEQL_EXTRACTOR_PYTHON_OPTION_X", "1")],
)
def test_variables_that_steer_the_extractor_leave_nothing_out(job, name, value):
    run(job, "git rm -q link && git commit -qm unlinked")
    job.scan(**{name: value})
    assert job.check(rc=0, **{name: value})["skip"]
    run(job, "printf x >>README.md")
    assert job.check(rc=1, **{name: value})["reason"] == "miss-sources"


def test_a_tree_without_git_shares_its_key(job, tmp_path):
    job.scan()
    shutil.move(job.tree / ".git", tmp_path / "aside")
    # the same commit that was stored is named by the event alone
    found = job.check(rc=0)
    assert found["skip"] and found["reason"] in ("hit-tree", "hit-commit")
    (job.tree / "app.py").write_text("other\n")
    assert job.check(rc=1)["reason"] == "miss-sources"


def test_an_archive_that_was_scanned_answers_a_checkout(job, tmp_path):
    shutil.move(job.tree / ".git", tmp_path / "aside")
    job.scan()
    shutil.move(tmp_path / "aside", job.tree / ".git")
    assert job.check(rc=0)["skip"]


def test_globs_leave_untracked_files_out(job):
    args = ("--ignore-untracked", "*.log")
    job.check(*args, rc=1)
    job.store(None, *args)
    (job.tree / "build.log").write_text("1\n")
    assert job.check(*args, rc=0)["skip"]
    assert job.check(rc=1)["skip"] is False, "the globs are part of the key"
    (job.tree / "build.py").write_text("1\n")
    assert job.check(*args, rc=1)["reason"] == "miss-sources"


def test_a_submodule_counts_by_what_is_in_it(job, tmp_path):
    sub = tmp_path / "sub"
    sub.mkdir()
    git(sub, "init", "-q", "-b", "main")
    (sub / "s.py").write_text("s = 1\n")
    git(sub, "add", ".")
    git(sub, "commit", "-q", "-m", "s")
    git(job.tree, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(sub), "vendor")
    job.commit("with a submodule")
    job.scan()
    (job.tree / "vendor" / "s.py").write_text("s = 2\n")
    assert job.check(rc=1)["reason"] == "miss-sources"
    assert job("explain", "--json").json["paths"][0]["path"] == "vendor/s.py"


@pytest.mark.parametrize(
    "make, reason",
    [
        ("git checkout -qb s && echo 1 >app.py && git commit -qam 1 && git checkout -q main && "
         "echo 2 >app.py && git commit -qam 2 && git merge -q s || :", "conflict"),
        ("echo n >n && git add -N n", "intent-to-add"),
        ("ln -s /etc/passwd out", "link-leaves-tree"),
        ("printf x >>.git/index", "index-damaged"),
        ("git config core.repositoryformatversion 9", "repository-format"),
        ("mkdir ../else && git config core.worktree ../../else", "worktree-elsewhere"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_a_scan_with_its_reason(job, make, reason):
    job.scan()
    sha = job.head
    run(job, make)
    found = job.check(rc=1, GITHUB_SHA=sha) if reason != "repository-format" else None
    if found is None:
        # git itself does not read this repository any more
        shutil.copy(job.tree / ".git" / "config", job.temp / "config")
        text = (job.tree / ".git" / "config").read_text()
        environment = job.environment
        job.environment = lambda **more: environment_of(job, environment, text, more)
        found = job.check(rc=1)
    assert found["skip"] is False and found["reason"] == reason


def environment_of(job, environment, text, more):
    """The environment is made with git; the settings it cannot read are put back after that."""
    config = job.tree / ".git" / "config"
    config.write_text(text.replace("repositoryformatversion = 9", "repositoryformatversion = 0"))
    made = environment(**more)
    config.write_text(text)
    return made


def test_no_damage_of_an_index_is_a_hit(job):
    job.scan()
    index = job.tree / ".git" / "index"
    good = index.read_bytes()
    for at in range(0, len(good), 41):
        index.write_bytes(good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :])
        assert job.check(rc=1)["reason"] == "index-damaged", at
    for at in range(0, len(good), 97):
        index.write_bytes(good[:at])
        assert job.check(rc=1)["reason"] == "index-damaged", at
    index.write_bytes(good)
    assert job.check(rc=0)["skip"]


def test_a_build_that_changes_a_tracked_file_is_dirty(job):
    job.check(rc=1)
    (job.tree / "app.py").write_text("changed by the build\n")
    (job.tree / "made.o").write_text("made by the build\n")
    found = job.store(rc=None)
    assert found.rc != 0 and "dirty: app.py changed" in found.err
    git(job.tree, "checkout", "-q", "app.py")
    job.store()
    (job.tree / "made.o").unlink()
    assert job.check(rc=0)["skip"]


def test_a_repository_of_sha256(job, tmp_path):
    shutil.rmtree(job.tree / ".git")
    run(job, "git init -q -b main --object-format=sha256 . && git add -A && git commit -qm all")
    job.scan()
    assert job.check(rc=0)["skip"]
    # without .git only the length of GITHUB_SHA tells which ids were meant
    sha = job.head
    shutil.move(job.tree / ".git", tmp_path / "aside")
    assert job.check(rc=0, GITHUB_SHA=sha)["skip"]
    assert job.check(rc=1)["reason"] == "miss-sources"
    shutil.move(tmp_path / "aside", job.tree / ".git")
    run(job, "printf x >>app.py")
    assert job.check(rc=1)["reason"] == "miss-sources"


def test_without_git_the_whole_workspace_counts(job):
    shutil.rmtree(job.tree / ".git")
    job.env = {"GITHUB_WORKSPACE": job.tree}
    job.key = (*job.key, "--source", job.tree / "lib")
    job.check(rc=1)
    job.store()
    assert job.check(rc=0)["skip"]
    (job.tree / "app.py").write_text("print(2)\n")
    assert job.check(rc=1)["reason"] == "miss-sources"
    (job.tree / "app.py").write_text("import os, sys\nos.system(sys.argv[1])\nprint(1)\n")
    assert job.check(rc=0)["skip"]
    job.env = {"GITHUB_WORKSPACE": job.temp}
    assert not job.check(rc=1)["skip"], "a folder outside of the workspace is a tree of its own"


def test_bytes_that_an_older_commit_left(job):
    """git leaves a file as attributes made it that are gone; a new clone of that commit has other bytes."""
    run(job, "printf '*.py eol=crlf\\n' >.gitattributes; git add .; git commit -qm crlf; rm app.py")
    run(job, "git checkout -q .; touch -d 2026-01-01 app.py; git update-index -q --refresh")
    run(job, "git rm -q .gitattributes; git commit -qm plain; sleep 0.05; touch .git/index")
    run(job, '[ -z "$(git status --porcelain)" ]; grep -q "1..$" app.py')
    fresh = Job(job.ghoard, job.folder / "fresh", job)
    fresh.scan()
    assert fresh.check(rc=0)["skip"]
    assert not job.check(rc=1)["skip"]
    run(job, "rm app.py; git checkout -q .")
    assert job.check(rc=0)["skip"]


@pytest.mark.parametrize("change", [
    # only the last move is left in the reflog
    "git checkout -q -B main plain; git reflog expire --expire=now --all;"
    ' echo "$(git rev-parse HEAD) $(git rev-parse HEAD) a <a> 1 +0" >.git/logs/HEAD',
    # HEAD has not moved, and the index is another commit's
    "git rm -q .gitattributes",
    "git checkout -q plain -- .; git rm -q .gitattributes; git write-tree",
])  # fmt: skip
def test_bytes_that_were_left_without_a_trace(job, change):
    """As above, in a checkout such as actions/checkout makes."""
    run(job, "printf '*.py eol=crlf\\n' >.gitattributes; git add .; git commit -qm crlf")
    crlf = job.head
    run(job, "git rm -q .gitattributes; git commit -qm plain; git tag plain")
    fresh = Job(job.ghoard, job.folder / "fresh", job)
    fresh.scan()
    origin, job.tree = job.tree, job.folder / "other"
    job.tree.mkdir()
    run(job, f"git init -q; git fetch -q --tags {origin}; git checkout -q -B main {crlf}; sleep 1.1")
    run(job, change)
    assert b"\r" in (job.tree / "app.py").read_bytes()
    assert not job.check()["skip"]


SETTINGS = {
    "global": {"GIT_CONFIG_GLOBAL": "{0}/settings"},
    "system": {"GIT_CONFIG_SYSTEM": "{0}/settings", "GIT_CONFIG_NOSYSTEM": "0"},
    "count": {
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.attributesFile",
        "GIT_CONFIG_VALUE_0": "{0}/attributes",
    },
    "parameters": {"GIT_CONFIG_PARAMETERS": "'core.autocrlf'='true'"},
}  # fmt: skip


@pytest.mark.parametrize("how", SETTINGS)
def test_settings_of_the_environment(job, how):
    """Settings that a variable names, for git and for us, make other bytes of the same index."""
    more = {k: v.format(job.folder) for k, v in SETTINGS[how].items()}
    (job.folder / "attributes").write_text("*.py text eol=crlf\n")
    (job.folder / "settings").write_text(f"[core]\n\tattributesFile = {job.folder}/attributes\n")
    job.scan()
    origin, job.tree = job.tree, job.folder / "other"
    lines = f"git clone -q {origin} {job.tree}; cd {job.tree}; sleep 0.05; touch .git/index; git status -s"
    named = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", **more}
    told = subprocess.run(["sh", "-ec", lines], env=os.environ | named, check=True, capture_output=True)
    assert told.stdout == b"" and b"\r" in (job.tree / "app.py").read_bytes()
    assert not job.check(rc=1, **more)["skip"]
    job.tree = origin
    assert job.check(rc=0, **more)["skip"], "the settings are no input, the bytes are"
    assert job.check(rc=0, GIT_AUTHOR_NAME="a")["skip"]


def test_a_large_tree_is_walked_from_both_ends(job):
    names = [job.tree / "many" / f"{n // 50:03d}" / f"f{n:05d}.py" for n in range(9000)]
    for name in names:
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_text(f"{name.name}\n")
    job.commit("many")
    job.scan()
    one = sorted(os.sched_getaffinity(0))[:1]
    for cpus in (os.sched_getaffinity(0), one):
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cpus)
        assert job.check(rc=0)["skip"]
        os.sched_setaffinity(0, before)
    for name in (names[0], names[4500], names[8998], names[-1]):
        text, times = name.read_text(), name.stat()
        name.write_text(text.upper())
        os.utime(name, ns=(times.st_atime_ns, times.st_mtime_ns))
        found = job.check(rc=1)
        assert found["reason"] == "miss-sources", name
        name.write_text(text)
        assert job.check(rc=0)["skip"], name
        name.unlink()
        assert not job.check(rc=1)["skip"], name
        name.write_text(text)
