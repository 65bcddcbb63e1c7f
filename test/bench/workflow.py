"""The actions: what their steps take, and a matrix workflow with and without them, run by nektos/act."""

import hashlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / name) for name in ("interop", "scenario")]

import calls  # noqa: E402
import clients  # noqa: E402
import scanning  # noqa: E402
import workflows  # noqa: E402
from fake.model import sha1  # noqa: E402
from standin import PLAIN  # noqa: E402

LEGS, LATENCY, QUOTA = 8, 0.15, 5000
SCAN_S = 20  # stands for minutes
COMMIT = sha1("commit", "measured")
ROUNDS = 15


def control(standin, name, **args):
    request = f"{standin.control}/{name}"
    PLAIN.open(request, data=json.dumps(args).encode(), timeout=30).read()


# ---- steps ----


def step(name, env, folder):
    for file in ("env", "output", "path", "summary"):
        (folder / file).write_text("")
    return subprocess.run(
        ["sh", HERE.parent.parent / "actions" / "run.sh", name],
        env=env,
        cwd=folder / "tree",
        check=True,
        capture_output=True,
        text=True,
    )


def job(bench, binary):
    """A job's folder with a small committed tree, and its environment."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="act-"))
    tree = folder / "tree"
    tree.mkdir()
    (tree / "app.py").write_text("print(1)\n")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "all")):
        scanning.git(tree, *words)
    env = {"PATH": os.environ["PATH"], "HOME": folder / "home", "RUNNER_TEMP": folder}
    env |= {f"GITHUB_{f.upper()}": folder / f for f in ("env", "output", "path")}
    env |= {"GITHUB_STEP_SUMMARY": folder / "summary", "GITHUB_ACTIONS": "true"}
    env |= {"INSTALL_SOURCE": binary.parent, "RUNNER_TOOL_CACHE": folder / "tools"}
    env |= {"INSTALL_SHA256": hashlib.sha256(binary.read_bytes()).hexdigest()}
    env |= {"GITHUB_API_URL": bench.standin.url, "SSL_CERT_FILE": bench.standin.ca, "GH_TOKEN": bench.token}
    env |= {"ENABLE_P2P_CACHE": "true", "CACHE_P2P_SHARED_SECRET": "s" * 40, "GITHUB_WORKSPACE": tree}
    env |= {"GITHUB_REPOSITORY": "o/r", "GHOARD_IN_LANGUAGES": "python", "GHOARD_IN_VERSION": "2.25.6"}
    env |= {"GHOARD_IN_BUILD_MODE": "none", "GHOARD_MATRIX": "null"}
    return folder, {k: str(v) for k, v in env.items()}


def start(bench, folder, env):
    """ms from the action's first step to the end of the first answer."""
    begin = time.perf_counter()
    runtime = HERE.parent.parent / "actions" / "runtime"
    subprocess.run(["sh", runtime / "place.sh"], env=env, check=True)
    subprocess.run(["node", runtime / "index.js"], env=env, check=True)
    step("setup", env, folder)
    url = re.search(r"GHOARD_API_URL<<\S+\n(\S+)", (folder / "env").read_text())[1]
    PLAIN.open(f"{url}{bench.path}", timeout=20).read()
    return (time.perf_counter() - begin) * 1000


def steps(bench, binary):
    if subprocess.run(["node", "--version"], capture_output=True).returncode:
        raise OSError("node is missing; it hands the runtime token over")
    folder, env = job(bench, binary)
    taken = {"start": [], "setup": [], "codeql": [], "report": []}
    for _ in range(ROUNDS):
        taken["start"].append(start(bench, folder, env))
        found = re.findall(r"(\w+)<<(\S+)\n(.*)\n\2", (folder / "env").read_text())
        later = env | {name: value for name, _, value in found}
        for name in ("codeql", "report"):
            begin = time.perf_counter()
            step(name, later, folder)
            taken[name].append((time.perf_counter() - begin) * 1000)
        begin = time.perf_counter()
        step("setup", env, folder)
        taken["setup"].append((time.perf_counter() - begin) * 1000)
        found = re.findall(r"(\w+)<<(\S+)\n(.*)\n\2", (folder / "env").read_text())
        step("report", env | {name: value for name, _, value in found}, folder)
    ms = {name: statistics.median(values) for name, values in taken.items()}
    what = "setup-github-cache from its start to a first answer served, with the hand-over, median"
    bench.row(what, f"{ms['start']:.0f} ms", "under 300 ms", ms["start"] < 300)
    actions = {"setup": "setup-github-cache", "codeql": "setup-codeql-cache", "report": "report"}
    for name, action in actions.items():
        bench.row(f"{action}, its own step, median", f"{ms[name]:.0f} ms", "under 150 ms", ms[name] < 150)


# ---- a matrix ----

HEAD = """name: measured
on: push
permissions:
  contents: read
  security-events: write
jobs:
  leg:
    runs-on: ubuntu-latest
    strategy:
      max-parallel: 2
      matrix:
        leg: [LEGS]
    steps:
      - uses: actions/checkout@v5
"""
SETUP = """      - uses: OWNER/ghoard/actions/setup-github-cache@v1
        with:
          github-token: ${{ secrets.GITHUB_TOKEN }}
          enable-p2p: false
"""
CALLS = """      - name: calls
        env:
          TOKEN: ${{ secrets.GITHUB_TOKEN }}
        run: python3 CALLS "URL" ${{ matrix.leg }} COMMIT
"""
REPORT = """      - if: always()
        uses: OWNER/ghoard/actions/report@v1
"""
SCAN = """  scan:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
"""
LOOK = """      - id: cache
        uses: OWNER/ghoard/actions/setup-codeql-cache@v1
        with:
          github-token: ${{ secrets.GITHUB_TOKEN }}
          languages: python
          build-mode: none
          codeql-version: 2.25.6
          category: /language:python
"""
ANALYZE = """      - name: analyze
        IF
        uses: github/codeql-action/analyze@v4
        with:
          category: /language:python
          output: sarif-results
"""
SAVE = """      - if: steps.cache.outputs.should-skip-scan != 'true'
        uses: OWNER/ghoard/actions/save-codeql-cache@v1
        with:
          sarif: sarif-results
"""


def text(cached):
    leg = HEAD.replace("LEGS", ", ".join(map(str, range(LEGS))))
    leg += (SETUP if cached else "") + CALLS + (REPORT if cached else "")
    needed = "if: steps.cache.outputs.should-skip-scan != 'true'" if cached else "if: always()"
    leg += SCAN + (LOOK if cached else "") + ANALYZE.replace("IF", needed) + (SAVE if cached else "")
    url = "$GHOARD_API_URL" if cached else "$GITHUB_API_URL"
    return leg.replace("CALLS", str(HERE / "calls.py")).replace("URL", url, 1).replace("COMMIT", COMMIT)


def run(bench, runner):
    """(seconds, requests that GitHub counts, requests) of one run of the workflow."""
    control(bench.standin, "forget")
    log = runner(seconds=400)
    said = log.said("calls").count(f"calls: {len(calls.calls(0, COMMIT))}")
    if said != LEGS:
        raise OSError(f"{said} of {LEGS} legs made their calls")
    return log.seconds, bench.standin.count(billable="true"), bench.standin.count()


def pushes(bench, cached):
    """Two pushes, the second of prose alone: the sums."""
    control(bench.standin, "reset")
    control(bench.standin, "add_commit", which="octocat/hello-world", message="measured")
    control(bench.standin, "add_release", which="octocat/hello-world", tag="v1.0", asset="asset")
    for n in range(8, 13):
        control(bench.standin, "add_issue", which="octocat/hello-world", title=f"Issue {n}")
    control(bench.standin, "limit", token=bench.token, limit=QUOTA, remaining=QUOTA)
    control(bench.standin, "latency", seconds=LATENCY)
    folder = pathlib.Path(tempfile.mkdtemp(dir=bench.folder))
    runner = workflows.Runner(folder, bench.standin, clients.FOLDER / "act" / "act")
    scan = runner.codeql / "analyze" / "scan.py"
    scan.write_text(f"import time\ntime.sleep({SCAN_S})\n{scan.read_text()}")
    runner.write(".github/workflows/w.yml", text(cached))
    runner.write(".gitignore", "sarif-results/\n")
    runner.write("app.py", "print(1)\n")
    results = []
    try:
        for prose in ("one", "two"):
            runner.write("README.md", prose)
            runner.commit(prose)
            results.append(run(bench, runner))
    finally:
        runner.close()
        control(bench.standin, "latency", seconds=0)
    return results


def matrix(bench):
    why = clients.provide("act")
    if why:
        raise OSError(why)
    if len(calls.calls(0, COMMIT)) != 60:
        raise OSError(f"a leg has {len(calls.calls(0, COMMIT))} calls")
    without, cached = pushes(bench, False), pushes(bench, True)
    names = ("the first push", "the second, of prose alone")
    for name, one, other in zip(names, without, cached):
        bench.row(
            f"{LEGS} jobs with 60 calls, two at a time, beside a scan of {SCAN_S} s, {name}: without, with",
            f"{one[1]} and {other[1]} counted calls, {one[0]:.0f} and {other[0]:.0f} s",
        )
    fewer = 1 - sum(r[1] for r in cached) / sum(r[1] for r in without)
    less = 1 - sum(r[0] for r in cached) / sum(r[0] for r in without)
    bench.row("both together: fewer counted calls", f"{fewer:.0%}", "at least 70 %", fewer >= 0.7)
    bench.row("both together: less wall time", f"{less:.0%}", "at least 40 %", less >= 0.4)
