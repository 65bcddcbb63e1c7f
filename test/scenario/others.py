"""Another user of the machine, and a container: programs that run as somebody else or somewhere else."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
import rig

OTHER = 65534


def works(command):
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, stdin=subprocess.DEVNULL)
    except OSError:
        return False
    return done.returncode == 0


def as_other():
    """What stands before a command to run it as another user; None where nobody lets us."""
    ways = [["setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", "--"]]
    ways.append(["sudo", "-n", "-u", f"#{OTHER}", "--"])
    return next((way for way in ways if works([*way, "true"])), None)


PREFIX = as_other()
ROOM = ["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--dev", "/dev"]
ROOM += [p for link in ("bin", "lib", "lib64") for p in ("--symlink", f"usr/{link}", f"/{link}")]
needs_other = pytest.mark.skipif(not PREFIX, reason="neither root nor sudo: nobody to play another user")
needs_room = pytest.mark.skipif(
    not works([*ROOM, "/usr/bin/true"]), reason="no container: bwrap is missing or may not make namespaces"
)

# What the other user's programs share: ask over a socket or TCP, and tell what came as JSON.
ASK = """
import http.client, json, socket, sys
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.host)
where, asked = json.loads(sys.argv[1])
told = []
for method, path, headers in asked:
    try:
        if isinstance(where, str):
            c = Unix("localhost", timeout=10)
            c.host = where
        else:
            c = http.client.HTTPConnection("127.0.0.1", where, timeout=10)
        c.request(method, path, headers={"Host": "localhost", **headers})
        a = c.getresponse()
        told.append([a.status, a.read().decode("latin-1")])
    except OSError as e:
        told.append([type(e).__name__, ""])
print(json.dumps(told))
"""

# A stranger's daemon: writes down what it hears, and answers what a daemon would.
LISTEN = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
s.listen()
print("up", flush=True)
while True:
    c, _ = s.accept()
    c.settimeout(2)
    try:
        heard = c.recv(65536)
        print(heard, flush=True)
        if heard:
            c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\nConnection: close\\r\\n\\r\\n\\"evil\\"")
    except OSError:
        pass
    c.close()
"""


class Other:
    """The other user, in a folder that both can reach: .run(command), .ask(where, path…), .listen(path)."""

    def __init__(self, folder):
        self.folder, self.running = folder, []
        self.home = folder / "theirs"
        self.run("mkdir", "-m", "700", self.home)
        self.binary = folder / "ghoard"
        shutil.copy(rig.BINARY, self.binary)
        self.binary.chmod(0o755)

    def run(self, *command, env=None, timeout=20):
        env = {"PATH": "/usr/bin:/bin", "HOME": str(self.home)} | {k: str(v) for k, v in (env or {}).items()}
        return subprocess.run(
            [*PREFIX, "env", "-i", *[f"{k}={v}" for k, v in env.items()], *map(str, command)],
            capture_output=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
        )

    def ask(self, where, *paths, method="GET", headers=None):
        """[(status or the error's name, body)] of these paths, over a socket's path or a TCP port."""
        asked = [(method, path, headers or {}) for path in paths]
        where = where if isinstance(where, int) else str(where)
        run = self.run("/usr/bin/python3", "-c", ASK, json.dumps([where, asked]))
        assert run.returncode == 0, run.stderr
        return [tuple(one) for one in json.loads(run.stdout)]

    def listen(self, path):
        """A process that listens there as if it were the daemon; .stdout tells what it heard."""
        one = subprocess.Popen(
            [*PREFIX, "/usr/bin/python3", "-c", LISTEN, str(path)],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
        )
        self.running.append(one)
        assert one.stdout.readline() == b"up\n"
        return one

    def heard(self, one):
        one.kill()
        return one.communicate()[0]

    def end(self):
        for one in self.running:
            one.kill()
            one.wait()
            one.stdout.close()


@pytest.fixture
def ground():
    """A folder like /tmp: everybody may put things there, and each only removes his own."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="shared-"))
    folder.chmod(0o1777)
    yield folder
    if PREFIX:
        subprocess.run([*PREFIX, "rm", "-rf", folder / "theirs"], check=False)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def other(ground):
    one = Other(ground)
    yield one
    one.end()


class Room:
    """A container: its own network, processes and files, and of ours what is bind-mounted."""

    def __init__(self, *binds):
        self.command = list(ROOM)
        for here, there in binds:
            self.command += ["--bind", str(here), there]

    def run(self, *command, env=None, timeout=20):
        env = {"PATH": "/usr/bin", "HOME": "/"} | (env or {})
        given = [p for k, v in env.items() for p in ("--setenv", k, v)]
        return subprocess.run(
            [*self.command, "--clearenv", *given, *map(str, command)],
            capture_output=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    def ask(self, where, *asked):
        """asked: (method, path, headers)"""
        run = self.run("/usr/bin/python3", "-c", ASK, json.dumps([where, asked]))
        assert run.returncode == 0, run.stderr
        return [tuple(one) for one in json.loads(run.stdout)]


def mode(path):
    return os.lstat(path).st_mode & 0o7777
