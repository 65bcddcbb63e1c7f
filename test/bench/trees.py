"""A large tree, and how long its fingerprint takes beside git's own commands on it."""

import json
import os
import random
import subprocess
import time

from runs import Command, side_by_side

FILES = 92_000


def plant(root, files=FILES):
    """Files as a kernel's: many folders of a few, most of them small, 50 MB in all. The same every time."""
    dice = random.Random(1)
    done = folder = 0
    while done < files:
        path = root / f"top{folder % 37:02d}" / f"subsystem-{folder // 37 % 12:02d}" / f"driver{folder:05d}"
        path.mkdir(parents=True)
        for number in range(min(dice.randint(4, 28), files - done)):
            name = f"source_file_{number:03d}{dice.choice(['.c', '.h', '.py', '.md', '.txt', '.js'])}"
            line = f"line {done} {'x' * dice.randint(5, 60)}\n"
            (path / name).write_text(line * dice.randint(1, 24))
            done += 1
        folder += 1


class Git:
    """git in a repository of its own; nothing of the user's settings."""

    def __init__(self, root, home):
        self.root = root
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
        self.env |= {f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER")
                     for what in ("NAME", "EMAIL")}  # fmt: skip

    def __call__(self, *args):
        subprocess.run(["git", "-C", self.root, *args], env=self.env, check=True, stdout=subprocess.DEVNULL)

    def command(self, *args, stdin="/dev/null"):
        return Command(["git", "-C", self.root, *args], self.env, stdin)


KEY = ["--repo", "o/r", "--language", "c-cpp", "--codeql-version", "2.25.6", "--build-mode", "none",
       "--category", "/language:c-cpp"]  # fmt: skip


class Replay:
    """`ghoard codeql` on that tree, with a scan of it stored."""

    def __init__(self, ghoard, bench, root, env):
        self.ghoard, self.root = ghoard, root
        # with settings of git in the environment all files would be read
        self.env = {k: v for k, v in env.items() if not k.startswith("GIT_CONFIG")} | {
            "RUNNER_TEMP": str(bench.folder), "GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/main",
            "GITHUB_RUN_ID": "1", "GITHUB_JOB": "analyze", "RUNNER_OS": "Linux", "RUNNER_ARCH": "X64",
            "GITHUB_WORKFLOW_REF": "o/r/.github/workflows/codeql.yml@refs/heads/main",
            "GITHUB_WORKFLOW_SHA": "1" * 40,
        }  # fmt: skip
        first = next(p for p in sorted(root.rglob("*.c")))
        place = {"artifactLocation": {"uri": str(first.relative_to(root))}, "region": {"startLine": 1}}
        result = {"ruleId": "r", "message": {"text": "m"}, "locations": [{"physicalLocation": place}]}
        run = {"tool": {"driver": {"name": "CodeQL", "rules": [{"id": "r"}]}}, "results": [result]}
        sarif = bench.folder / "results.sarif"
        sarif.write_text(json.dumps({"version": "2.1.0", "runs": [run]}))
        if self.run("check") != 1:
            raise OSError("an empty store has a scan")
        now = int(time.time())
        if self.run("store", "--sarif", sarif, "--started", now, "--finished", now + 30):
            raise OSError("the scan was not stored")

    def command(self, *args):
        return Command([self.ghoard, "codeql", *map(str, args), *KEY, "--source", self.root], self.env)

    def run(self, *args):
        return subprocess.run(self.command(*args).argv, env=self.env, stdout=subprocess.DEVNULL).returncode


def measure(bench, tree, ghoard):
    """`bench` has row() and folder; `tree` is the program of tree.c."""
    root, home = bench.folder / "tree", bench.folder / "home"
    home.mkdir(exist_ok=True)
    plant(root)
    git = Git(root, home)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "all")
    # the index's own tick must be past, else every file of it is read again, by git too
    git("update-index", "--force-write-index", "-q", "--refresh")

    def ours(*args):
        return Command([tree, *args, root], git.env)

    def pair(what, git_command, our_command, most, times=40):
        theirs, mine = side_by_side([git_command, our_command], times, seconds=25)
        ratio = mine.median / theirs.median
        bench.row(f"{FILES:,} files: `git {what}`, median", f"{theirs.median:.0f} ms")
        name = "index, checksum and key" if our_command.argv[1] == "index" else "fingerprint"
        bench.row(f"{FILES:,} files: {name}, median", f"{mine.median:.0f} ms")
        bench.row(f"{name} / `git {what}`", f"{ratio:.2f} times", f"at most {most}", ratio <= most)

    def peak(what):
        kib = int(subprocess.run(ours("peak").argv, env=git.env, check=True, stdout=subprocess.PIPE).stdout)
        bench.row(f"peak resident memory {what}", f"{kib / 1024:.1f} MiB", "at most 40 MiB", kib <= 40 << 10)

    pair("ls-files -s", git.command("ls-files", "-s"), ours("index"), 2)
    pair("status --porcelain", git.command("status", "--porcelain"), ours("check"), 1.2)
    peak("of it")
    replay = Replay(ghoard, bench, root, git.env)
    check = replay.command("check", "--out", bench.folder / "replayed.sarif")
    theirs, mine = side_by_side([git.command("status", "--porcelain"), check], 40, seconds=25)
    ratio = mine.median / theirs.median
    bench.row(
        "`ghoard codeql check`, a replay end to end, median", f"{mine.median:.0f} ms", "under 1 s",
        mine.median < 1000,
    )  # fmt: skip
    bench.row("it / `git status --porcelain`", f"{ratio:.2f} times", "at most 1.2", ratio <= 1.2)
    paths = bench.folder / "paths"
    with open(paths, "wb") as to:
        subprocess.run(["git", "-C", root, "ls-files"], env=git.env, check=True, stdout=to)
    # a tree without .git beside it: the same files under two names would not be in one cache
    (root / ".git").rename(bench.folder / "aside")
    # and nor may the repository that the bench itself lies in be taken for its own
    (root / ".git").write_text("gitdir: /nowhere\n")
    bare = Git(root, home)
    bare.env["GIT_DIR"] = str(bench.folder / "aside")
    hashing = Command(
        ["git", "-C", root, "hash-object", "--stdin-paths", "--no-filters"], bare.env, str(paths)
    )
    pair("hash-object --stdin-paths", hashing, ours("check"), 1.2, 15)
    peak("of that")
    (root / ".git").unlink()
    (bench.folder / "aside").rename(root / ".git")
