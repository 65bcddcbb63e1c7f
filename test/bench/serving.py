"""The daemon's load and what it does with it: one client, many clients, memory, start (see bench.py)."""

import hashlib
import json
import os
import pathlib
import random
import re
import resource
import statistics
import subprocess
import tempfile
import time
import urllib.request

import crowd
from servers import CLIENT_CORE, Ghoard, at_once, before_all
from standin import PLAIN

HERE = pathlib.Path(__file__).resolve().parent
TOKENS = [f"bench-token-{n}" for n in range(4)]
CONTENTS = "/repos/octocat/hello-world/contents"
CONNECTIONS = 64
MANY_CLIENTS, MOST_CLIENTS = 800, 900
FIELDS = "Authorization: token {}\r\nUser-Agent: bench\r\nAccept: application/vnd.github+json\r\n"


def begin_load():
    at_once(CLIENT_CORE)


def begin_client():
    os.sched_setaffinity(0, {CLIENT_CORE})
    before_all()


def middle(values):
    return statistics.median(values)


class Serving:
    """`bench` has row() and a folder on a disk; `binary` is what is measured."""

    def __init__(self, bench, binary):
        self.bench, self.binary, self.standin = bench, binary, bench.standin
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=bench.folder))
        self.http = self.standin.control.rpartition("/")[0]
        self.upstream = self.http.removeprefix("http://")
        for token in TOKENS:
            self.control("add_token", value=token, user="octocat", limit=1_000_000)
            self.fields(token).write_text(FIELDS.format(token), newline="")
        self.client = self.folder / "client"
        subprocess.run(
            ["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-o", self.client, HERE / "client.c"], check=True
        )
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.files = 4096 if most == resource.RLIM_INFINITY else min(most, 4096)
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, most))

    # -- the stand-in
    def control(self, name, **args):
        asked = urllib.request.Request(f"{self.standin.control}/{name}", json.dumps(args).encode())
        asked.add_header("Content-Type", "application/json")
        PLAIN.open(asked, timeout=10).read()

    def ask(self, base, path, token=TOKENS[0], method="GET", data=None):
        fields = dict(f.split(": ", 1) for f in FIELDS.format(token).splitlines())
        asked = urllib.request.Request(base + path, data, fields, method=method)
        with PLAIN.open(asked, timeout=20) as answer:
            return answer.headers, answer.read()

    def put(self, name, size):
        """A file whose description has about `size` bytes; returns its path."""
        path = f"{CONTENTS}/{name}"
        around = len(name) * 2 + 330
        # letters of base64 that are no pattern, and whole groups of them
        text = random.Random(name).randbytes(max(0, size - around) // 4 * 3).hex()
        content = text[: max(0, size - around) // 4 * 4]
        self.ask(self.http, path, method="PUT", data=json.dumps({"content": content}).encode())
        return path

    def fields(self, token):
        return self.folder / f"fields-{token}"

    def ghoard(self, name, env=None):
        return Ghoard(self.binary, self.folder / name, self.upstream, env)

    # -- load
    def wrk(self, server, paths, seconds, begin=begin_load):
        """As fast as it can, these paths in turn.

        (processor µs a request, requests a second, 99th percentile in ms, wrk's own share of its core)
        """
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--latency"]
        for field in FIELDS.format(TOKENS[0]).splitlines():
            command += ["-H", field]
        command.append(f"http://127.0.0.1:{server.port}{paths[0]}")
        if len(paths) > 1:
            names = self.folder / "paths"
            names.write_text("".join(f"{p}\n" for p in paths))
            command[1:1] = ["-s", HERE / "in_turn.lua"]
            command += ["--", names]
        before = server.cpu()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=begin)
        said = process.stdout.read()
        _, process.returncode, own = os.wait4(process.pid, 0)
        used = server.cpu() - before
        if process.returncode or "Non-2xx" in said or "Socket errors" in said:
            raise OSError(f"{server.name} did not answer all of wrk's requests: {said[-300:]!r}")
        count, took = re.search(r"(\d+) requests in ([\d.]+)s", said).groups()
        late, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
        late = float(late) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]
        busy = (own.ru_utime + own.ru_stime) / float(took)
        return used / int(count) * 1e6, int(count) / float(took), late, busy

    def steady(self, server, paths, rate, seconds):
        """99th percentile in ms of requests that come at that rate, whatever the server does."""
        text = "".join(f"{p}\n" for p in paths)
        where = [server.port, self.fields(TOKENS[0])]
        line = self.run_client("steady", *where, CONNECTIONS, rate, seconds, text=text)
        return int(line.split()[1]) / 1e6

    def each(self, where, token, want, paths):
        """The times in ms of these requests, one after the other on one connection."""
        text = "".join(f"{p}\n" for p in paths)
        lines = self.run_client("each", where, self.fields(token), want, text=text)
        return [int(t) / 1e6 for t in lines.split()]

    def run_client(self, *args, text="", env=None, begin=begin_client):
        done = subprocess.run(
            [self.client, *map(str, args)],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            preexec_fn=begin,
        )
        if done.returncode:
            raise OSError((done.stderr.strip() or "the client ended").splitlines()[0])
        return done.stdout

    # -- one client
    def latency(self, rounds=5, count=4000):
        path = self.put("small", 2048)
        with self.ghoard("latency") as server, server.before_all():
            self.ask(f"http://127.0.0.1:{server.port}", path)
            for name, where in (("TCP", server.port), ("the socket", server.socket)):
                late = []
                for _ in range(rounds):
                    times = sorted(self.each(where, TOKENS[0], "detail=memory", [path] * count))
                    late.append(times[count * 99 // 100])
                limit(self.bench, f"memory hit over {name}, 99th percentile", middle(late), 1)

    def memory(self, count=2000):
        """Memory, then hits on the disk, with bodies of 300 bytes to 64 KiB, small ones more often."""
        pick = random.Random(3)
        sizes = [int(300 * (65536 / 300) ** pick.random()) for _ in range(count)]
        paths = [self.put(f"fill-{n}", size) for n, size in enumerate(sizes)]
        home = self.folder / "memory"
        home.joinpath(".github").mkdir(parents=True)
        settings = "cache:\n  memory_entries: 4000\n  memory_bytes: 256MiB\n"
        home.joinpath(".github/cache-config.yml").write_text(settings)
        parts = [(token, paths[n :: len(TOKENS)]) for n, token in enumerate(TOKENS)]
        with self.ghoard("memory") as server:
            self.ask(f"http://127.0.0.1:{server.port}", "/_ghoard/health")
            time.sleep(0.2)
            idle = server.memory() / 2**20
            self.bench.row("resident memory, idle", f"{idle:.2f} MiB", "at most 6 MiB", idle <= 6)
            for token, some in parts:
                self.each(server.port, token, "stored", some)
            for token, some in parts:
                self.each(server.port, token, "detail=memory", some)
            files = list(server.store.glob("*.json"))
            kept = sum(f.stat().st_size for f in files)
            held = server.memory()
            measured = f"{held / kept:.2f} times ({held / 2**20:.1f} of {kept / 2**20:.1f} MiB)"
            claim = f"resident memory / bytes of {len(files):,} entries in memory"
            self.bench.row(claim, measured, "at most 1.3", held <= 1.3 * kept)
        for what, forget in (("", False), (", files not in the page cache", True)):
            if forget:
                forget_files(files)
            with self.ghoard("memory") as server, server.before_all():
                asked = [self.each(server.port, token, "detail=disk", some) for token, some in parts]
            times = sorted(sum(asked, []))
            late = times[len(times) * 99 // 100]
            limit(self.bench, f"disk hit, 99th percentile of {len(times):,}{what}", late, 10)

    # -- many clients
    def crowd(self, rounds=5, seconds=2):
        need = MOST_CLIENTS + 64
        if self.files < need:
            self.bench.row("many clients", f"not measured: ulimit -n is {self.files}, needed {need}")
            return
        with self.ghoard("crowd") as server:
            self.one_cold_key(server)
            self.idle_clients(server, rounds, seconds)
            self.too_many(server)

    def request(self, path):
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{FIELDS.format(TOKENS[0])}\r\n".encode()

    def one_cold_key(self, server):
        path = self.put("cold", 2048)
        want = hashlib.sha256(self.ask(self.http, path)[1]).digest()
        before = self.standin.count(path=path)
        # it takes a while, so that all have asked before the answer is there
        self.control("trouble", path=path, kind="slow-head", times=1, delay=1.0)
        with crowd.Crowd(server.port, MANY_CLIENTS) as clients:
            answers = clients.ask(self.request(path))
        good = sum(a.status == 200 and hashlib.sha256(a.body).digest() == want for a in answers)
        asked = self.standin.count(path=path) - before
        claim = f"{MANY_CLIENTS} clients, one cold key: requests to GitHub, good answers"
        met = asked == 1 and good == MANY_CLIENTS
        self.bench.row(claim, f"{asked}, {good}", f"1, {MANY_CLIENTS}", met)

    def idle_clients(self, server, rounds, seconds):
        path = self.put("idle", 2048)
        self.ask(f"http://127.0.0.1:{server.port}", path)
        self.wrk(server, [path], 1)
        alone, among = [], []
        for n in range(rounds):
            for many in (False, True) if n % 2 else (True, False):
                with crowd.Crowd(server.port, MANY_CLIENTS if many else 0) as clients, server.before_all():
                    if any(a.status != 200 for a in clients.ask(self.request(path))):
                        raise OSError("an idle client was refused")
                    # What idle clients cost is paid once a pass of the loop, and how many requests are served
                    # in one depends on how much else the machine does: so nothing else.
                    found = self.wrk(server, [path], seconds, begin_client)
                    (among if many else alone).append(found[:2])
                time.sleep(0.3)  # until the daemon has seen them go
        cost = middle(b[0] / a[0] for a, b in zip(alone, among)) - 1
        loss = 1 - middle(b[1] / a[1] for a, b in zip(alone, among))
        claim = f"{MANY_CLIENTS} idle clients beside {CONNECTIONS} busy ones:"
        self.bench.row(f"{claim} processor time a request", f"{cost:+.0%}", "at most +15%", cost <= 0.15)
        self.bench.row(f"{claim} requests a second", f"{-loss:+.0%}", "at least -15%", loss <= 0.15)

    def too_many(self, server):
        path = self.put("idle", 2048)
        with crowd.Crowd(server.port, MOST_CLIENTS) as clients:
            first = sum(a.status == 200 for a in clients.ask(self.request(path)))
            with crowd.Crowd(server.port, 1) as one_more:
                refused = one_more.ask(self.request(path))[0].status
            again = sum(a.status == 200 for a in clients.ask(self.request(path)))
        with crowd.Crowd(server.port, 1) as later:
            after = later.ask(self.request(path))[0].status
        claim = f"client {MOST_CLIENTS + 1}; the {MOST_CLIENTS} others before and after; one when they left"
        wanted = (503, MOST_CLIENTS, MOST_CLIENTS, 200)
        found = (refused, first, again, after)
        text = "{}; {} and {} good answers; {}"
        self.bench.row(claim, text.format(*found), text.format(*wanted), found == wanted)

    # -- from nothing
    def start(self, runs=100):
        many = self.bench.many()
        # the daemon's own lifetime of an entry is shorter than the one that the commands above gave it
        command = self.bench.ghoard("api", "--refresh", "--ttl", "3600", self.bench.path, store=many)
        command.run()
        env = {**command.env}
        del env["GITHUB_CACHE_SIZE"], env["GH_TOKEN"]
        sock, fields = self.folder / "start.sock", self.fields("alice")
        fields.write_text(FIELDS.format(self.bench.token), newline="")
        serve = [self.binary, "serve", "--listen", "127.0.0.1:0", "--socket", sock]
        first = []
        for _ in range(runs + 3):
            line = self.run_client("begin", sock, fields, self.bench.path, *serve, env=env, begin=before_all)
            first.append(int(line.split()[0]) / 1e6)
        first = sorted(first[3:])
        entries = sum(1 for f in os.scandir(many) if f.name.endswith(".json"))
        claim = f"start of the daemon to its first answer, {entries:,} entries on disk, median"
        limit(self.bench, claim, middle(first), 5)
        self.bench.row("the same, 95th percentile", f"{first[len(first) * 95 // 100]:.2f} ms")


def limit(bench, claim, ms, most):
    bench.row(claim, f"{ms:.2f} ms", f"under {most} ms", ms < most)


def forget_files(files):
    """Take them out of the page cache, as far as the system does what it is asked."""
    os.sync()
    for name in files:
        file = os.open(name, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)
