"""Nodes of other libp2p implementations, started and asked: Node("go"), node.ask("dial", addr=…).

peers/README.md lists what they know. A node ends with its test: its stdin is closed, and what then still runs
is killed by its process id.
"""

import concurrent.futures
import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

import clients

KINDS = ("go", "js", "py", "rust")
SOURCE = pathlib.Path(__file__).resolve().parent / "peers"
PATIENCE = 75
COUNT = itertools.count(1)


class NodeError(AssertionError):
    """A node answered that it could not."""


def unavailable(kind):
    """Why there is no such node here, or None."""
    folder = clients.FOLDER / f"libp2p-{kind}"
    if (folder / "ready").exists():
        return None
    why = folder / "why"
    return why.read_text() if why.exists() else f"libp2p-{kind}: not installed; `make interop` installs it"


def command(kind):
    """How to start one, and the environment it needs besides PATH."""
    folder = clients.FOLDER / f"libp2p-{kind}"
    if kind == "js":
        # its packages are found from where it lies
        for file in (SOURCE / "js").glob("*.mjs"):
            shutil.copy(file, folder)
        return ["node", folder / "main.mjs"], {}
    if kind == "py":
        paths = {"PYTHONPATH": f"{folder}:{SOURCE / 'py'}", "PYTHONDONTWRITEBYTECODE": "1"}
        return [sys.executable, SOURCE / "py" / "main.py"], paths
    return [folder / "node"], {}


class Node:
    """One running node; `peer` is its id, `addr` its first full multiaddr."""

    def __init__(self, kind, listen="/ip4/127.0.0.1/tcp/0", seed=None, netns=()):
        """`netns` is a command that the node is run by, to be in a namespace."""
        self.kind, self.lock, self.waiting, self.ids = kind, threading.Lock(), {}, itertools.count(1)
        self.seed = seed or hashlib.sha256(f"{kind} {next(COUNT)}".encode()).hexdigest()
        argv, env = command(kind)
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*map(str, netns), *map(str, argv), "--seed", self.seed, "--listen", listen],
            env={"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir(), "LANG": "C.UTF-8", **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.ready = concurrent.futures.Future()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            said = self.ready.result(PATIENCE)
        except Exception:
            self.stop()
            raise
        self.peer, self.addrs = said["peer"], said["addrs"]
        self.addr = self.addrs[0]

    def _read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if said.get("event") == "ready":
                if not self.ready.done():
                    self.ready.set_result(said)
                continue
            with self.lock:
                waiting = self.waiting.pop(said["id"], None)
            if waiting:
                waiting.set_result(said)
        with self.lock:
            left, self.waiting = self.waiting, None
        for waiting in [self.ready, *left.values()]:
            if not waiting.done():
                waiting.set_exception(NodeError(f"the {self.kind} node ended:\n{self.errors()}"))

    def errors(self):
        self.log.seek(0)
        return self.log.read()[-3000:].decode(errors="replace")

    def begin(self, do, **fields):
        """Ask and do not wait: the future of the answer."""
        answer, number = concurrent.futures.Future(), next(self.ids)
        with self.lock:
            if self.waiting is None:
                raise NodeError(f"the {self.kind} node has ended:\n{self.errors()}")
            self.waiting[number] = answer
        self.process.stdin.write(json.dumps({**fields, "do": do, "id": number}) + "\n")
        self.process.stdin.flush()
        return answer

    def end(self, answer, what="", timeout=PATIENCE):
        """The answer that `begin` promised."""
        try:
            said = answer.result(timeout)
        except concurrent.futures.TimeoutError:
            raise NodeError(f"the {self.kind} node did not answer {what} in {timeout} s") from None
        if not said.pop("ok"):
            raise NodeError(f"the {self.kind} node, {what}: {said['error']}\n{self.errors()}")
        return said

    def ask(self, do, timeout=PATIENCE, **fields):
        return self.end(self.begin(do, **fields), f"{do} {fields}", timeout)

    def dial(self, addr):
        return self.ask("dial", addr=addr)

    def stop(self):
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.reader.join(5)
        self.process.stdout.close()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def all_at_once(*work):
    """Run the functions side by side; their results, or the first failure once all have ended."""
    with concurrent.futures.ThreadPoolExecutor(max(1, len(work))) as pool:
        futures = [pool.submit(one) for one in work]
    return [f.result() for f in futures]


def percentile(values, p):
    """Of the nearest rank."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, round(p / 100 * (len(ranked) - 1)))]
