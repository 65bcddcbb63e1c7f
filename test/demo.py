"""The main job, step by step: python test/demo.py [--live]

Each step prints its command, what became of it and the time it took, and is checked: Cache-Status says where
the answer came from, and the stand-in GitHub says what reached it.  --live asks https://api.github.com.
"""

import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "scenario"))

from ports import free_port  # noqa: E402
from rig import Ghoard  # noqa: E402
from standin import TOKENS, StandIn  # noqa: E402

LIVE = "https://api.github.com"
SHOWN = "total_requests total_hits hit_rate api_calls_saved upstream_requests upstream_billable".split()


class Failed(Exception):
    """A sentence for whoever runs the demo."""


def bold(text):
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ
    return text if plain else f"\033[1m{text}\033[0m"


def sentence(run):
    return run.err.strip().removeprefix("ghoard: error: ")


class Demo:
    """What both kinds share: running a step, checking it, printing it."""

    def __init__(self, ghoard, token, env=None):
        self.ghoard, self.token, self.env = ghoard, token, dict(env or {})

    def run(self, what, *args, token=None, shown="", rc=0):
        """Print the command and run it; offline ones begin with --offline."""
        print(bold(f"$ {shown}ghoard {shlex.join(args)}".ljust(70)) + f"  # {what}", flush=True)
        run = self.ghoard(*args, token=token or self.token, env=self.env, timeout=120)
        if run.rc != rc:
            raise Failed(sentence(run) or f"exit code {run.rc} instead of {rc}")
        return run

    @staticmethod
    def result(run, text, size, more=""):
        print(f"  {text:<62} {size:>6} B {run.ms:6.1f} ms   {more}".rstrip())

    def step(self, what, *args, want, calls=None, **more):
        """One answer. want: what its Cache-Status must hold; calls: (reached GitHub, billed)."""
        before = self.spent()
        run = self.run(what, *args, **more)
        got, after = run.cache, self.spent()
        wrong = {k: v for k, v in want.items() if got.get(k) != v}
        if wrong or run.status != 200:
            raise Failed(f"it should have been {want}, and was {run.status} {run.headers['cache-status']}")
        self.result(run, run.headers["cache-status"], len(run.body), self.bill(before, after, calls))
        return run

    def pages(self, path, want, calls=None):
        for what, spend in (("all pages", calls), ("again", (0, 0))):
            before = self.spent()
            run = self.run(what, "api", "--paginate", path)
            found = len(run.json)
            if not want(found):
                raise Failed(f"the list has {found} items")
            text = f"{found} items in one array"
            self.result(run, text, len(run.out), self.bill(before, self.spent(), calls and spend))

    def stats(self):
        run = self.run("what all that saved", "stats")
        numbers = dict(line.split(None, 1) for line in run.out.decode().splitlines())
        for name in SHOWN:
            print(f"  {name:<22} {numbers[name]}")
        return {k: v for k, v in numbers.items() if re.fullmatch(r"\d+", v)}

    def without_github(self, path):
        self.step("GitHub is gone", "api", "-i", "--ttl", "0", path,
                  want={"fwd": "stale", "detail": "stale-if-error"})  # fmt: skip
        self.step("nobody is asked", "--offline", "api", "-i", path,
                  want={"hit": True, "detail": "disk"})  # fmt: skip
        run = self.run("not here", "--offline", "api", "/user/issues", rc=4)
        print(f"  {run.one_line()}  (exit code 4)")


class Recorded(Demo):
    """Against the stand-in, which counts."""

    REPO = "/repos/octokit-fixture-org/hello-world"
    LIST = "/repos/octokit-fixture-org/paginate-issues/issues?per_page=3"

    def __init__(self, folder, standin):
        super().__init__(Ghoard(folder, url=standin.url, ca=standin.ca), TOKENS[0])
        self.standin, self.kept = standin, None

    def secrets(self):
        """A credential is kept, and one command gets it; its output does not show it."""
        self.env |= {"CREDENTIALS_DIR": self.ghoard.folder / "credentials", "VALUE": "s3cr3t-of-the-demo"}
        self.run("a secret is kept", "cred", "set", "KEY", "--ttl", "24h", "--from-env", "VALUE")
        run = self.run("for one command", "cred", "exec", "--names", "KEY", "--redact", "--",
                       "sh", "-c", 'echo "the key is $KEY"')  # fmt: skip
        if run.out != b"the key is ***\n":
            raise Failed(f"the command printed {run.out!r}")
        self.result(run, run.out.decode().strip(), len(run.out))
        run = self.run("and it is noted", "cred", "audit", "verify")
        print(f"  {run.out.decode().splitlines()[0]}")

    def workflow(self):
        """What the actions' steps call: a daemon for the job, and its end."""
        given, job = dict(self.env), self.ghoard.folder / "job"
        job.mkdir()
        files = {f"GITHUB_{f}": job / f.lower() for f in ("ENV", "OUTPUT", "STEP_SUMMARY")}
        for file in files.values():
            file.touch()
        self.env |= {"GITHUB_ACTIONS": "true", "RUNNER_TEMP": job, **files}
        run = self.run("in a workflow: setup-github-cache", "action", "setup")
        self.result(run, run.out.decode().splitlines()[0], len(run.out))
        found = re.findall(r"(\w+)<<(\S+)\n(.*)\n\2", files["GITHUB_ENV"].read_text())
        self.env |= {name: value for name, _, value in found}
        try:
            self.step("the job's calls", "api", "-i", self.REPO, calls=(0, 0), want={"detail": "disk"})
        finally:
            self.run("report: the summary, and the end", "action", "report")
        print(f"  {files['GITHUB_STEP_SUMMARY'].read_text().splitlines()[0]}")
        self.env = given

    def daemon(self):
        """The same for programs that know nothing of it: here curl, over the daemon's socket."""
        self.run("for gh, Octokit, curl", "serve", "--background", "--listen", "none", "--idle-exit", "60")
        try:
            for detail in ("disk", "memory"):
                self.step(f"through it, from {detail}", "api", "-i", self.REPO, calls=(0, 0),
                          want={"hit": True, "detail": detail})  # fmt: skip
            if shutil.which("curl"):
                self.curl(self.ghoard.cache / "ghoard.sock")
        finally:
            self.run("it ends", "stop")

    def peers(self):
        """What this runner has, another that holds the same secret need not ask GitHub for."""
        here, given = self.ghoard, self.env
        other = Ghoard(here.folder / "other", url=self.standin.url, ca=self.standin.ca)
        begun, first = [], ""
        try:
            for runner in (here, other):
                runner.project.joinpath(".github").mkdir(exist_ok=True)
                text = "network:\n  listen:\n    addresses: [127.0.0.1]\n"
                runner.project.joinpath(".github/p2p-config.yml").write_text(text)
                self.ghoard, more = runner, {"P2P_LISTEN_PORT": free_port(), "CACHE_BOOTSTRAP_PEERS": first}
                self.env = given | {"CACHE_P2P_SHARED_SECRET": "the-secret-of-the-group-of-the-demo"} | more
                what = "another, which has nothing" if begun else "a runner of a group"
                self.run(what, "serve", "--background", "--listen", "none", "--idle-exit", "60")
                begun.append((runner, self.env))
                first = first or self.ghoard("peers", "id", env=self.env, rc=0).out.decode().split()[-1]
            self.meet()
            self.step("from the first one's memory", "api", "-i", self.REPO, calls=(0, 0),
                      want={"hit": True, "detail": "p2p"})  # fmt: skip
        finally:
            for runner, env in begun:
                runner("stop", env=env)
            self.ghoard, self.env = here, given

    def meet(self):
        for _ in range(100):
            if b"member" in self.ghoard("peers", "ls", env=self.env).out:
                return
            time.sleep(0.05)
        raise Failed("the two daemons did not meet within 5 s")

    def curl(self, path):
        before, head = self.spent(), f"Authorization: token {self.token}"
        command = ["curl", "-s", "-i", "--unix-socket", str(path), "-H", head, f"http://localhost{self.REPO}"]
        print(bold("$ curl --unix-socket ghoard.sock http://localhost" + self.REPO).ljust(70), flush=True)
        begin = time.monotonic()
        said = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=30).stdout
        took, found = time.monotonic() - begin, re.search(rb"(?i)cache-status: (.*)\r", said)
        if not found or b"detail=memory" not in found[1]:
            raise Failed(f"curl was answered {said[:200]!r}")
        more = self.bill(before, self.spent(), (0, 0))
        print(f"  {found[1].decode():<62} {len(said):>6} B {took * 1000:6.1f} ms   {more}")

    def spent(self):
        return self.kept or (self.standin.count(), self.standin.count(billable="true"))

    def bill(self, before, after, calls):
        reached, billed = after[0] - before[0], after[1] - before[1]
        if calls is not None and (reached, billed) != calls:
            raise Failed(f"{reached} requests reached GitHub and {billed} were billed, instead of {calls}")
        if self.kept:
            return ""
        return f"billed {before[1]} -> {after[1]}" if reached else "not asked"

    def all(self):
        print(f"Stand-in GitHub at {self.standin.url}: real TLS, answers recorded from api.github.com.")
        print("billed: the requests that it has counted against the rate limit, before -> after.\n")
        asked = ["api", "-i", self.REPO]
        self.step("a miss: GitHub is asked", *asked, calls=(1, 1),
                  want={"fwd": "uri-miss", "fwd-status": 200, "stored": True})  # fmt: skip
        self.step("a hit, from disk", *asked, calls=(0, 0), want={"hit": True, "detail": "disk"})
        self.step("a 304 costs nothing", *asked, "--refresh", calls=(1, 0),
                  want={"fwd": "request", "fwd-status": 304})  # fmt: skip
        self.step("another token", *asked, calls=(1, 0), token=TOKENS[1],
                  shown="GH_TOKEN=second ",
                  want={"fwd": "uri-miss", "fwd-status": 304, "detail": "candidate"})  # fmt: skip
        self.pages(self.LIST, lambda n: n == 13, calls=(5, 5))
        self.daemon()
        self.peers()
        self.workflow()
        self.secrets()
        self.kept = self.spent()
        self.standin.stop()
        self.without_github(self.REPO)
        numbers = self.stats()
        told = int(numbers["upstream_requests"]), int(numbers["upstream_billable"])
        Scans(self, self.ghoard.folder).all()
        if told != self.kept:
            raise Failed(f"stats counts {told} upstream requests and billed ones, the stand-in {self.kept}")


class Scans:
    """`ghoard codeql` on a small repository: a scan, and why the next one is not needed."""

    KEY = (
        "--language",
        "python",
        "--codeql-version",
        "2.25.6",
        "--build-mode",
        "none",
        "--category",
        "/language:python",
    )

    def __init__(self, demo, folder):
        self.demo, self.tree = demo, folder / "sources"
        self.sarif = folder / "results.sarif"
        demo.env |= {"GITHUB_REPOSITORY": "octocat/hello-world", "RUNNER_TEMP": str(folder)}
        demo.ghoard.project = self.tree

    def git(self, *args):
        who = {f"GIT_{w}_{k}": "demo@example.org" for w in ("AUTHOR", "COMMITTER") for k in ("NAME", "EMAIL")}
        subprocess.run(["git", *args], cwd=self.tree, check=True, stdout=subprocess.DEVNULL,
                       env={"PATH": os.environ["PATH"], "HOME": str(self.tree), **who})  # fmt: skip

    def plant(self):
        self.tree.mkdir()
        (self.tree / "app.py").write_text("import os, sys\nos.system(sys.argv[1])\n")
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "first")
        where = {"artifactLocation": {"uri": "app.py"}, "region": {"startLine": 2}}
        found = {"ruleId": "py/command-line-injection", "level": "error", "message": {"text": "user input"},
                 "locations": [{"physicalLocation": where}]}  # fmt: skip
        driver = {"name": "CodeQL", "semanticVersion": "2.25.6"}
        run = {"tool": {"driver": driver}, "results": [found]}
        self.sarif.write_text(json.dumps({"version": "2.1.0", "runs": [run]}))

    def step(self, what, command, *args, rc=0, want="", lines=2):
        shown = shlex.join(["ghoard", "codeql", command, *args]).replace(f"{self.tree.parent}/", "")
        print(bold(f"$ {shown} ...".ljust(70)) + f"  # {what}", flush=True)
        run = self.demo.ghoard("codeql", command, *self.KEY, *args, env=self.demo.env, rc=rc)
        text = run.out.decode()
        if want not in text:
            raise Failed(f"'{want}' is not in {text!r}")
        print("  " + "\n  ".join(line[:104] for line in text.splitlines()[:lines]))

    def all(self):
        print("\nCodeQL: the same sources are not scanned twice.\n")
        self.plant()
        self.step("nothing is known", "check", rc=1, want="scan: miss-none")
        now = int(time.time())
        self.step("what the scan found", "store", "--sarif", str(self.sarif), "--started", str(now),
                  "--finished", str(now + 30), want="stored: CodeQL 2.25.6")  # fmt: skip
        self.git("commit", "-q", "--allow-empty", "-m", "second")
        self.step("another commit, the same tree", "check", want="skip: hit-tree")
        self.step("a gate without GitHub", "check", "--fail-on", "error", rc=7)
        (self.tree / "app.py").write_text("print(1)\n")
        self.step("other sources", "check", rc=1, want="miss-sources")
        self.step("what differs", "explain", want="changed app.py", lines=4)


class Live(Demo):
    """Against GitHub: its own /rate_limit counts, which other users of the token may move too."""

    REPO = "/repos/octocat/git-consortium"
    LIST = "/repos/octocat/Hello-World/branches?per_page=1"
    KEPT = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")

    def __init__(self, folder):
        token = os.environ.get("GH_TOKEN") or os.environ.get("GITHUB_TOKEN")
        if not token:
            raise Failed("--live asks api.github.com and needs a token in GITHUB_TOKEN; there is none")
        kept = {name: os.environ[name] for name in self.KEPT if name in os.environ}
        super().__init__(Ghoard(folder, url=LIVE), token, kept)
        self.gone = False
        self.spent()

    def spent(self):
        """/rate_limit is never stored and costs nothing."""
        if self.gone:
            return None
        run = self.ghoard("api", "/rate_limit", token=self.token, env=self.env, timeout=120)
        if run.rc == 4:
            raise Failed(f"{LIVE} cannot be asked from here: {sentence(run)}")
        if run.rc:
            raise Failed(f"GitHub refuses the token: {sentence(run)}")
        return json.loads(run.out)["resources"]["core"]["used"]

    def bill(self, before, after, calls):
        return "" if self.gone else f"quota {before} -> {after}"

    def all(self):
        print(f"{LIVE}, with the token of the environment.")
        print("quota: the requests that GitHub has counted in this hour, before -> after.\n")
        asked = ["api", "-i", self.REPO]
        self.step("a miss: GitHub is asked", *asked, want={"fwd": "uri-miss", "fwd-status": 200})
        self.step("a hit, from disk", *asked, want={"hit": True, "detail": "disk"})
        self.step("a 304 costs nothing", *asked, "--refresh",
                  want={"fwd": "request", "fwd-status": 304})  # fmt: skip
        self.pages(self.LIST, lambda n: n > 1)
        with socket.socket() as nobody:  # bound and not listening: connections to it are refused
            nobody.bind(("127.0.0.1", 0))
            self.gone = True
            away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
            self.env |= {"HTTPS_PROXY": away, "https_proxy": away, "NO_PROXY": None, "no_proxy": None}
            self.without_github(self.REPO)
        self.stats()


def main():
    options = argparse.ArgumentParser(prog="demo.py", description=__doc__.splitlines()[0])
    options.add_argument("--live", action="store_true", help="ask https://api.github.com")
    live = options.parse_args().live
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="ghoard-demo-") as folder:
        folder = pathlib.Path(folder)
        try:
            if live:
                Live(folder).all()
            else:
                with StandIn(folder, recorded=True) as standin:
                    Recorded(folder, standin).all()
        except (Failed, OSError, AssertionError) as wrong:
            sys.stdout.flush()
            sys.exit(f"demo: {wrong}")
    print("\nEvery step was checked. `ghoard help` says what else there is.")


if __name__ == "__main__":
    main()
