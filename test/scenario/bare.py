"""A bare machine: an empty read-only root, one file copied there, and system calls that are not known yet."""

import functools
import os
import pathlib
import select
import shutil
import subprocess
import tempfile

import pytest
import rig
from others import works

HERE = pathlib.Path(__file__).resolve().parent
NOBODY = "54321"
BARE = ["bwrap", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent"]
BARE += ["--clearenv", "--uid", NOBODY, "--gid", NOBODY]
needs_bare = pytest.mark.skipif(
    not works([*BARE, "--ro-bind", "/", "/", "/bin/true"]),
    reason="bwrap is missing or may not make namespaces",
)


@functools.cache
def launcher():
    """The path of launch.c's program, and this machine's numbers of system calls."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="launch-"))
    path = folder / "launch"
    subprocess.run(["gcc", "-static", "-O", "-o", path, HERE / "launch.c"], check=True, timeout=60)
    told = subprocess.run([path, "-l"], capture_output=True, check=True, text=True).stdout
    return path, {name: int(number) for name, number in map(str.split, told.splitlines())}


def unknown(first, last=None):
    """launch.c's flags for a kernel without the calls of these names or numbers, and those between."""
    first, last = (launcher()[1].get(name, name) for name in (first, last or first))
    return "-y", f"{first}-{last}"


def forget_launcher():
    if launcher.cache_info().currsize:
        shutil.rmtree(launcher()[0].parent)
        launcher.cache_clear()


class Bare:
    """Called as rig.Ghoard is. The root has /ghoard, /ca.pem, /launch, and the folder /w, of this test; no
    HOME, no PATH, no /tmp, no /etc, and nobody has the uid.

    dev, proc: whether there are /dev and /proc; write: whether /w may be written; launch: flags of launch.c;
    mounts: more of bwrap's flags.
    """

    def __init__(self, folder, fake, dev=True, proc=True, write=True, launch=(), mounts=(), env=None):
        self.w = self.home = folder / "w"
        self.w.mkdir(exist_ok=True, mode=0o700)
        self.fake, self.more, self.launch = fake, env or {}, tuple(launch)
        self.mounts = ["--bind" if write else "--ro-bind", str(self.w), "/w", *mounts]
        self.mounts += [*(["--dev", "/dev"] if dev else []), *(["--proc", "/proc"] if proc else [])]

    def but(self, *launch):
        """The same machine with other flags of launch.c."""
        copy = object.__new__(Bare)
        copy.__dict__ = self.__dict__ | {"launch": launch}
        return copy

    def inside(self, value):
        return str(value).replace(str(self.w), "/w")

    def command(self, args, token=None, env=None):
        given = {"GITHUB_API_URL": self.fake.url, "SSL_CERT_FILE": "/ca.pem", "ENABLE_P2P_CACHE": "false"}
        given |= {"CACHE_DIR": "/w/cache", "CREDENTIALS_DIR": "/w/cred", "CODEQL_CACHE_DIR": "/w/codeql"}
        given |= {"GH_TOKEN": token, **self.more, **(env or {})}
        flags = [*BARE, "--ro-bind", str(rig.BINARY), "/ghoard", "--ro-bind", str(self.fake.ca), "/ca.pem"]
        flags += ["--ro-bind", str(launcher()[0]), "/launch", *self.mounts, "--remount-ro", "/"]
        for key, value in given.items():
            if value is not None:
                flags += ["--setenv", key, self.inside(value)]
        return [*flags, "/launch", *self.launch, "/ghoard", *map(self.inside, args)]

    def __call__(
        self,
        *args,
        token="alice-token",
        env=None,
        offline=False,
        input=None,
        timeout=20,
        cwd=None,
        rc=None,
        files=(),
    ):
        """files: descriptors that bwrap's flags name."""
        args = [*(["--offline"] if offline else []), *args]
        command = self.command(args, token, env)
        if cwd:
            command[1:1] = ["--chdir", self.inside(cwd)]
        done = subprocess.run(
            command, input=input or b"", capture_output=True, timeout=timeout, pass_fds=files
        )
        run = rig.Run([*self.launch, *args], done.returncode, done.stdout, done.stderr.decode(), 0)
        assert run.rc in range(125), f"ended by a signal, or not begun: {run}"
        if rc is not None:
            assert run.rc == rc, f"wanted exit {rc}: {run}"
        return run

    def serve(self, *args, socket="/w/g.sock"):
        return Served(self, self.command(["serve", "--listen", "none", "--socket", socket, *args]))


class Served:
    """`ghoard serve` there: with Bare.serve() as daemon."""

    def __init__(self, bare, command):
        self.log = open(bare.w.parent / "serve.log", "w+b")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log
        )

    def __enter__(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 15)
        line = os.read(self.process.stdout.fileno(), 4096) if ready else b""
        if not line.startswith(b"listening on "):
            self.__exit__()
            raise AssertionError(f"serve does not listen: {line!r}\n{self.errors}")
        return self

    @property
    def errors(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()
