"""Side by side with what one would use instead: python test/bench/bench.py [--write RESULTS.md] [SECTION...]

Every ratio is taken in one run, the commands taking turns.  Wall time is what the caller sees, from before
the program is started until it has ended.  The environment's GHOARD names another binary to measure.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from hits import hits  # noqa: E402
from peering import Peering  # noqa: E402
from runs import Command, side_by_side  # noqa: E402
from serving import Serving  # noqa: E402
from standin import StandIn  # noqa: E402
from stores import fill  # noqa: E402
import replay  # noqa: E402
import trees  # noqa: E402
import workflow  # noqa: E402

BUILD = HERE.parent.parent / "build"
GHOARD = pathlib.Path(os.environ.get("GHOARD") or BUILD / "ghoard").resolve()
PATH = "/repos/octocat/hello-world"
TOKEN = "alice-token"
MANY = 100_000
MIB = 1 << 20

# The first lines of RESULTS.md.
HOW = """\
Wall time as the caller sees it, from before the program is started until it has ended. The commands
of a group take turns, so that ratios are of one run and a busy moment meets all of them; the page
cache is warm. Both caches hold the same answer of the stand-in GitHub; no run below asked it. The
work on 1 MiB is the median of the command on 1 MiB less its median on an empty file, so that it
does not hold the start of the program.

The daemon's rows: all caches hold the same answer of the stand-in for the same request, one with
Authorization; the servers have one core, `wrk -t1 -c64` the other. nginx and Varnish are set up as
one who has read their manuals would (`servers.py`). Processor time is user and system time of all
of a server's processes, divided by the requests; the servers take turns of two seconds, ratios are
the medians of the rounds' ratios, in brackets the least and the largest. Percentiles at a rate are
of requests that are sent when they are due (`client.c`), over 64 connections, and count from then;
those and all times of one client are taken at real-time priority, so that they do not hold the
machine's other work."""


class Bench:
    path, token = PATH, TOKEN

    def __init__(self, folder, standin):
        self.folder, self.standin, self.rows = folder, standin, []
        self.store = folder / "store"

    def row(self, claim, measured, target="", met=None):
        self.rows.append((claim, measured, target, "" if met is None else "yes" if met else "NO"))
        print(
            f"  {claim}: {measured}" + (f"  (target {target}: {self.rows[-1][3]})" if target else ""),
            flush=True,
        )

    def ghoard(self, *args, store=None, stdin="/dev/null"):
        env = {
            "HOME": str(self.folder / "home"),
            "CACHE_DIR": str(store or self.store),
            "GITHUB_API_URL": self.standin.url,
            "SSL_CERT_FILE": self.standin.ca,
            "GH_TOKEN": TOKEN,
            "GITHUB_CACHE_SIZE": str(MANY * 2),
        }
        return Command([GHOARD, *args], env, stdin)

    def hit(self, store=None):
        # as long a life as gh is given, so that no run of a slow machine meets an expired entry
        return self.ghoard("api", "--ttl", "3600", PATH, store=store)

    def gh(self):
        env = {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "gh"),  # where older versions keep their cache
            "XDG_CACHE_HOME": str(self.folder / "gh"),
            "PATH": os.environ["PATH"],
            "GH_HOST": self.standin.url.removeprefix("https://"),
            "GH_ENTERPRISE_TOKEN": TOKEN,
            "SSL_CERT_FILE": self.standin.ca,
        }
        return Command(["gh", "api", "--cache", "1h", PATH], env)

    def out(self, command):
        return subprocess.run(command.argv, env=command.env, check=True, stdout=subprocess.PIPE).stdout

    def beside_gh(self):
        self.hit().run()
        gh, hit = self.gh(), self.hit()
        (self.folder / "gh").mkdir()
        if self.out(gh) != self.out(hit):
            raise OSError("gh and ghoard print different answers")
        before = self.standin.count()
        theirs, ours, nothing = side_by_side([gh, hit, Command(["/bin/true"])], 200, seconds=50)
        ratio = theirs.median / ours.median
        self.row("`gh api --cache 1h`, warm, median", f"{theirs.median:.1f} ms")
        self.row("`ghoard api`, warm from disk, median", f"{ours.median:.2f} ms")
        self.row("`/bin/true`, median: what starting a program costs", f"{nothing.median:.2f} ms")
        self.row("`gh` / `ghoard`", f"{ratio:.0f} times", "at least 25", ratio >= 25)
        self.row(
            "`ghoard`, user and system time, mean", f"{ours.mean_cpu:.2f} ms", "under 2 ms", ours.mean_cpu < 2
        )
        self.row("`gh`, user and system time, mean", f"{theirs.mean_cpu:.0f} ms")
        self.nobody_asked(before)

    def many(self):
        """The big store; it is made once."""
        folder = self.folder / "many"
        if not folder.exists():
            self.hit().run()
            fill(folder, next(self.store.glob("get_repo_info-*.json")), MANY)
        return folder

    def big_store(self):
        self.hit().run()
        entry = next(self.store.glob("get_repo_info-*.json"))
        few = fill(self.folder / "few", entry, 10)
        many = self.many()
        before = self.standin.count()
        at_few, at_many = side_by_side([self.hit(few), self.hit(many)], 1000, seconds=30)
        ratio = at_many.median / at_few.median
        self.row("a hit among 10 entries, median", f"{at_few.median:.2f} ms")
        self.row(f"a hit among {MANY:,} entries, median", f"{at_many.median:.2f} ms")
        self.row("100,000 entries / 10 entries", f"{ratio:.2f} times", "at most 1.2", ratio <= 1.2)
        late = at_many.percentile(99)
        of = f"99th percentile of {len(at_many.wall):,} hits among {MANY:,}"
        self.row(of, f"{late:.2f} ms", "under 10 ms", late < 10)
        peak = self.hit(many).peak()
        self.row(
            f"peak resident memory of a hit among {MANY:,}",
            f"{peak / 1024:.2f} MiB",
            "at most 8 MiB",
            peak <= 8192,
        )
        self.nobody_asked(before)

    def one_mib(self):
        """The work on 1 MiB is the difference to the same command on next to nothing."""
        big, small = self.folder / "big.json", self.folder / "small.json"
        empty = self.folder / "empty"
        empty.touch()
        small.write_text("[]")
        # objects, strings and numbers as API answers have them, not one string
        one = {
            "id": 1296269,
            "name": "hello-world",
            "private": False,
            "url": "https://api.github.com/repos/o/r",
        }
        text = json.dumps([one | {"id": n} for n in range(MIB // 100)])
        big.write_text(text[:MIB].rpartition(", {")[0].ljust(MIB - 1) + "]")
        put = [self.ghoard("cache", "put", "bench", n, stdin=f) for n, f in (("big", big), ("small", small))]
        got = [self.ghoard("cache", "get", "bench", n) for n in ("big", "small")]
        sums = [Command(["sha256sum", f]) for f in (big, empty)]
        copies = [Command(["cp", f, f.with_suffix(".copy")]) for f in (big, empty)]
        t = side_by_side([*put, *got, *sums, *copies], 200, seconds=30)
        names = (
            "`ghoard cache put`: JSON scan, CID, entry written",
            "`ghoard cache get`: read, CID checked, printed",
            "`sha256sum`: read, hash",
            "`cp`: read, written",
        )
        for name, with_it, without in zip(names, t[::2], t[1::2]):
            cpu, wall = with_it.median_cpu - without.median_cpu, with_it.median - without.median
            self.row(f"1 MiB, {name}", f"{cpu:.2f} ms processor, {wall:.2f} ms wall")
        self.row("peak resident memory of `cache get` of 1 MiB", f"{got[0].peak() / 1024:.2f} MiB")

    def nobody_asked(self, before):
        asked = self.standin.count() - before
        if asked:
            raise OSError(f"{asked} requests reached the stand-in: these were not all hits")

    def all(self, wanted):
        """The sections whose names hold one of these words."""
        serving = Serving(self, GHOARD)
        peering = Peering(serving)
        sections = {
            "command-gh": self.beside_gh,
            "command-store": self.big_store,
            "command-work": self.one_mib,
            "daemon-hits": lambda: hits(serving),
            "daemon-latency": serving.latency,
            "daemon-memory": serving.memory,
            "daemon-crowd": serving.crowd,
            "daemon-start": serving.start,
            "peers-hit": peering.hit,
            "peers-setup": peering.set_up,
            "peers-body": peering.body,
            "peers-fleet": peering.fleet,
            "codeql-tree": lambda: trees.measure(self, BUILD / "bench" / "tree", GHOARD),
            "codeql-replay": lambda: replay.measure(self, GHOARD),
            "workflow-steps": lambda: workflow.steps(self, GHOARD),
            "workflow-matrix": lambda: workflow.matrix(self),
        }
        chosen = [name for name in sections if not wanted or any(w in name for w in wanted)]
        if not chosen:
            raise OSError(f"no section is called so; there are {', '.join(sections)}")
        for name in chosen:
            sections[name]()


def first_line(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return (done.stdout.splitlines() or [command[0]])[0]


def machine():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    versions = [first_line(GHOARD, "version"), first_line("gh", "--version").split(" (")[0]]
    versions += [first_line("sha256sum", "--version"), f"Python {platform.python_version()}"]
    versions += [first_line("nginx", "-v").rpartition(" ")[2], first_line("varnishd", "-V").split()[1][1:]]
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, "
        f"load {os.getloadavg()[0]:.1f} at the start; {', '.join(versions)}."
    )


def report(line, rows, title="Measured by `make bench`", how=HOW):
    widths = [max(len(r[n]) for r in [*rows, ("claim", "measured", "target", "met")]) for n in range(4)]

    def table(*cells):
        return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths)) + " |"

    return "\n".join(
        [
            f"# {title}",
            "",
            line,
            "",
            how,
            "",
            table("claim", "measured", "target", "met"),
            table(*("-" * w for w in widths)),
            *(table(*r) for r in rows),
            "",
        ]
    )


def main():
    options = argparse.ArgumentParser(prog="bench.py", description=__doc__.splitlines()[0])
    options.add_argument("--write", help="write the table to this file")
    options.add_argument("section", nargs="*", help="part of the names of the sections to run")
    options = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    line = machine()
    print(line)
    BUILD.joinpath("bench").mkdir(exist_ok=True)
    # below build/: /tmp may be memory, and stores are on disks
    folder = pathlib.Path(tempfile.mkdtemp(dir=BUILD / "bench"))
    try:
        with StandIn(folder) as standin:
            bench = Bench(folder, standin)
            bench.all(options.section)
    except OSError as wrong:
        sys.exit(f"bench: {wrong}")
    finally:
        shutil.rmtree(folder)
    if options.write:
        pathlib.Path(options.write).write_text(report(line, bench.rows))
    missed = [r[0] for r in bench.rows if r[3] == "NO"]
    skipped = [r[0] for r in bench.rows if r[1].startswith("not measured")]
    for what, which in (("missed", missed), ("not measured", skipped)):
        if which:
            print(f"{len(which)} {what}: {'; '.join(which)}")
    if not missed and not skipped:
        print("All targets are met.")


if __name__ == "__main__":
    main()
