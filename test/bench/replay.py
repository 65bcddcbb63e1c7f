"""A stored scan handed back: what `ghoard codeql check` takes with 2.5 MB of SARIF, few files and many."""

import json
import time

import trees
from runs import Command, side_by_side

VERSION = "2.25.6"
KEY = ["--repo", "o/r", "--language", "cpp", "--codeql-version", VERSION, "--build-mode", "none"]
RESULTS = 2750


def sarif(files):
    """As CodeQL writes it for so many results in these files: 2.5 MB, of which the rules are a fifth."""
    rules = [
        {
            "id": f"cpp/rule-{i}",
            "fullDescription": {"text": "what the rule finds, and why that matters " * 6},
            "help": {"text": "help " * 300},
            "defaultConfiguration": {"level": ("note", "warning", "error")[i % 3]},
            "properties": {"security-severity": f"{i % 10}.{i % 7}"},
        }
        for i in range(200)
    ]

    def result(i):
        place = {"artifactLocation": {"uri": files[i % len(files)], "uriBaseId": "%SRCROOT%"}}
        place["region"] = {"startLine": 1 + i % 3, "startColumn": 5, "endColumn": 30}
        return {
            "ruleId": f"cpp/rule-{i % 200}",
            "rule": {"id": f"cpp/rule-{i % 200}", "index": i % 200, "toolComponent": {"index": 0}},
            "message": {"text": "This value depends on a [user-provided value](1). " * 2},
            "locations": [{"physicalLocation": place}],
            "relatedLocations": [{"id": 1, "physicalLocation": place, "message": {"text": "user-provided"}}],
        }

    tool = {
        "driver": {"name": "CodeQL", "semanticVersion": VERSION},
        "extensions": [{"name": "codeql/cpp-queries", "rules": rules}],
    }
    return {"version": "2.1.0", "runs": [{"tool": tool, "results": [result(i) for i in range(RESULTS)]}]}


def prepare(bench, ghoard, name, files):
    """A committed tree and its stored scan; the command that checks it and writes the result."""
    root, home = bench.folder / name, bench.folder / f"{name}-home"
    home.mkdir()
    if not root.exists():
        trees.plant(root, files)
        git = trees.Git(root, home)
        git("init", "-q")
        git("add", "-A")
        git("commit", "-q", "-m", "all")
        time.sleep(1.1)  # what is as young as the index is read again
        git("update-index", "--force-write-index", "-q", "--refresh")
    named = [p.relative_to(root).as_posix() for p in sorted(root.rglob("*.c"))[:150]]
    (home / "r.sarif").write_text(json.dumps(sarif(named)))
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "RUNNER_TEMP": str(home)}
    now = int(time.time())

    def command(sub, *args):
        return Command([ghoard, "codeql", sub, *KEY, "--source", str(root), *args], env)

    command("store", "--sarif", home / "r.sarif", "--started", str(now - 480), "--finished", str(now)).run()
    return command("check", "--out", home / "out.sarif"), home / "out.sarif"


def measure(bench, ghoard):
    """`bench` has row() and folder."""
    small, out = prepare(bench, ghoard, "few", 400)
    (few,) = side_by_side([small], 40, seconds=10)
    size = out.stat().st_size / 1e6
    what = f"{size:.1f} MB of SARIF scanned, counted, proven and written, 400 files"
    bench.row(f"`codeql check`, {what}, median", f"{few.median:.1f} ms")
    cpu = few.mean_cpu
    bench.row("the same, user and system time, mean", f"{cpu:.1f} ms", "under 50 ms", cpu < 50)
    large, _ = prepare(bench, ghoard, "tree", trees.FILES)
    (many,) = side_by_side([large], 15, seconds=20)
    bench.row(
        f"the same with {trees.FILES:,} files: a replay end to end, median",
        f"{many.median:.0f} ms",
        "under 1 s",
        many.median < 1000,
    )
