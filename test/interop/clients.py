"""The clients and peers that `make interop` runs: puts them below build/interop, each at one exact version.

What could not be had leaves its reason in NAME/why: the client's tests then skip with that sentence, or, in
CI, fail if the tool that installs it is there and new enough.
"""

import concurrent.futures
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = pathlib.Path(__file__).resolve().parent
FOLDER = ROOT / "build" / "interop"
PEERS = HERE / "peers"

GH = "v2.90.0"
GO_NEEDED = (1, 26, 1)  # what that gh's own go.mod asks for
ACT = "v0.2.89"
ACTIONLINT = "v1.7.7"
VALIDATOR = ((18,), {"@action-validator/core": "0.6.0", "@action-validator/cli": "0.6.0"})
PYGITHUB = "2.10.0"
SPDX_TOOLS = "0.8.3"
NPM = {
    "node-18": ((18,), {"@octokit/rest": "21.1.1", "@actions/github": "6.0.1"}),
    "node-20": ((20,), {"@octokit/rest": "22.0.1", "@actions/github": "9.1.1"}),
}

ACTIONS_CACHE = ((20,), {"@actions/cache": "6.3.0"})


class Unavailable(Exception):
    """This machine's tools cannot install it."""


def run(*command, seconds, cwd=None, **env):
    """What it printed. Its children are of its own group, and end with it."""
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    if process.returncode:
        what = " ".join(map(str, command))
        raise RuntimeError(f"{what} ended with {process.returncode}:\n{said[-2000:]}")
    return said


def need(tool, version, *ask):
    """The tool is there and at least this version."""
    if not shutil.which(tool):
        raise Unavailable(f"{tool} is not installed")
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", run(tool, *ask, seconds=30))
    found = tuple(int(part or 0) for part in found.groups())
    if found < version:
        wanted, have = ".".join(map(str, version)), ".".join(map(str, found))
        raise Unavailable(f"{tool} {have} is too old, {wanted} is needed")


def find_rustup():
    """rustup's cargo looks for its toolchain in HOME, which may be another's, or empty."""
    home = pathlib.Path(pwd.getpwuid(os.getuid()).pw_dir)
    if "RUSTUP_HOME" not in os.environ and (home / ".rustup").is_dir():
        os.environ["RUSTUP_HOME"] = str(home / ".rustup")


def install_gh_current(folder):
    """Not by `go install MODULE@VERSION`, which wants the list of all versions besides."""
    if os.environ.get("GH_CURRENT") == "0":
        raise Unavailable("GH_CURRENT=0 leaves it out")
    need("go", GO_NEEDED, "version")
    (folder / "go.mod").write_text(
        f"module interop\n\ngo {'.'.join(map(str, GO_NEEDED))}\n\nrequire github.com/cli/cli/v2 {GH}\n"
    )
    run(
        *("go", "build", "-mod=mod", "-trimpath", "-ldflags=-s -w"),
        *("-o", "gh", "github.com/cli/cli/v2/cmd/gh"),
        cwd=folder,
        seconds=1200,
        GOTOOLCHAIN="local",
    )


def install_act(folder):
    """The workflow runner, and the linter that it has among its own modules."""
    need("go", (1, 25), "version")
    (folder / "go.mod").write_text(
        "module interop\n\ngo 1.25.0\n\nrequire (\n"
        f"\tgithub.com/nektos/act {ACT}\n\tgithub.com/rhysd/actionlint {ACTIONLINT}\n)\n"
    )
    for package in ("github.com/nektos/act", "github.com/rhysd/actionlint/cmd/actionlint"):
        run(
            *("go", "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", "./", package),
            cwd=folder,
            seconds=1200,
            GOTOOLCHAIN="local",
        )


def install_go_github(folder):
    need("go", (1, 23), "version")
    run(
        *("go", "build", "-mod=readonly", "-o", folder / "list", "."),
        cwd=HERE / "go-github",
        seconds=300,
        GOTOOLCHAIN="local",
        GOFLAGS="-buildvcs=false",
    )


def install_npm(wanted):
    version, packages = wanted

    def install(folder):
        need("node", version, "--version")
        need("npm", (6, 0), "--version")
        (folder / "package.json").write_text('{"private": true}\n')
        wanted = [f"{package}@{exact}" for package, exact in packages.items()]
        quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--save-exact")
        run("npm", "install", *quiet, *wanted, cwd=folder, seconds=300)

    return install


def install_pip(wanted):
    def install(folder):
        run(
            *(sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"),
            *("--target", folder, wanted),
            seconds=300,
        )

    return install


def install_libp2p_go(folder):
    need("go", (1, 26), "version")
    run(
        *("go", "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", folder / "node", "."),
        cwd=PEERS / "go",
        seconds=900,
        GOTOOLCHAIN="local",
        GOFLAGS="-buildvcs=false",
    )


def install_libp2p_js(folder):
    need("node", (20, 0), "--version")
    need("npm", (9, 0), "--version")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PEERS / "js" / name, folder)
    run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=folder, seconds=300)


def install_libp2p_py(folder):
    if sys.version_info < (3, 10):
        raise Unavailable("Python is too old, 3.10 is needed")
    run(
        *(sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"),
        *("--target", folder, "-r", PEERS / "py" / "requirements.txt"),
        seconds=600,
    )


def install_libp2p_rust(folder):
    """By `pins`, which stand for Cargo.lock: that would carry addresses. What a change of the source does not
    touch stays built, in a folder beside."""
    find_rustup()
    need("cargo", (1, 88), "--version")
    need("rustc", (1, 88), "--version")
    shutil.copy(PEERS / "rust" / "Cargo.toml", folder)
    shutil.copytree(PEERS / "rust" / "src", folder / "src")
    run("cargo", "generate-lockfile", cwd=folder, seconds=300)
    lock = folder / "Cargo.lock"
    (source,) = set(re.findall(r'^source = ".*"$', lock.read_text(), re.M))
    pins = [line.split() for line in (PEERS / "rust" / "pins").read_text().splitlines()]
    entry = '[[package]]\nname = "{}"\nversion = "{}"\n' + source
    lock.write_text("\n\n".join(["version = 4", *(entry.format(*pin) for pin in pins)]) + "\n")
    target = FOLDER / "cargo"
    run("cargo", "build", "-q", cwd=folder, seconds=900, CARGO_TARGET_DIR=str(target))
    held = set(re.findall(r'^name = "(.*)"\nversion = "(.*)"$', lock.read_text(), re.M))
    moved = [" ".join(pin) for pin in pins if tuple(pin) not in held]
    if moved:
        raise RuntimeError(f"cargo did not keep to these pins: {', '.join(moved)}")
    shutil.copy(target / "debug" / "node", folder / "node")


def install_from_package(name):
    """What vendor/deps.sh installs: nothing to do but look."""

    def install(folder):
        if not shutil.which(name):
            raise Unavailable(f"{name} is not installed")

    return install


def text_of(*paths):
    """What the files hold, and those of the folders: another text makes another client."""
    files = [f for p in paths for f in (sorted(p.iterdir()) if p.is_dir() else [p]) if f.is_file()]
    return "".join(f.read_text() for f in files)


# name -> (what makes it another one, how to install it)
CLIENTS = {
    # the longest first
    "libp2p-rust": (text_of(PEERS / "rust", PEERS / "rust" / "src"), install_libp2p_rust),
    "libp2p-go": (text_of(PEERS / "go"), install_libp2p_go),
    "curl": ("", install_from_package("curl")),
    "gh": ("", install_from_package("gh")),
    "pygithub": (PYGITHUB, install_pip(f"PyGithub=={PYGITHUB}")),
    "spdx-tools": (SPDX_TOOLS, install_pip(f"spdx-tools=={SPDX_TOOLS}")),
    **{name: (str(NPM[name]), install_npm(NPM[name])) for name in NPM},
    "actions-cache": (str(ACTIONS_CACHE), install_npm(ACTIONS_CACHE)),
    "act": (ACT + ACTIONLINT, install_act),
    "action-validator": (str(VALIDATOR), install_npm(VALIDATOR)),
    "go-github": (text_of(HERE / "go-github"), install_go_github),
    "libp2p-js": (text_of(*(PEERS / "js" / f"package{n}.json" for n in ("", "-lock"))), install_libp2p_js),
    "libp2p-py": (text_of(PEERS / "py" / "requirements.txt"), install_libp2p_py),
    "gh-current": (GH, install_gh_current),
}


def provide(name):
    """Install it unless it is there; the sentence that says why not, or None."""
    mark, install = CLIENTS[name]
    folder = FOLDER / name
    ready = folder / "ready"
    if ready.exists() and ready.read_text() == mark and name not in ("curl", "gh"):
        return None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        install(folder)
    except Unavailable as why:
        (folder / "why").write_text(f"{name}: {why}")
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as why:
        (folder / "why").write_text(f"{name}: it could not be installed: {why}")
        (folder / "broken").touch()
    else:
        ready.write_text(mark)
        return None
    return (folder / "why").read_text()


def report(name):
    begin = time.monotonic()
    why = provide(name)
    took = time.monotonic() - begin
    if why or took > 0.5:
        print(f"  CLIENT  {why or f'{name} ({took:.0f} s)'}", flush=True)


def main():
    """Two at once: while one waits for a registry the other builds."""
    peers = os.environ.get("PEERS") != "0"
    names = sys.argv[1:] or [n for n in CLIENTS if peers or not n.startswith("libp2p-")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(report, names))


if __name__ == "__main__":
    main()
