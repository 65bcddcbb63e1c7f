"""What a release holds: the tarballs, the sums, the bill of materials, and that install.sh takes them."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile

import pytest
import rig
from test_deps import LACKING, applets

VERSION = re.search(r"^VERSION *:= *(\S+)", (rig.ROOT / "Makefile").read_text(), re.M)[1]
# of this machine: the tests' binary runs here
ARCH = {"armv7l": "armv7"}.get(os.uname().machine, os.uname().machine)
NAME = f"ghoard-{VERSION}-linux-{ARCH}"
SOURCES = f"ghoard-{VERSION}-sources"
LIBRARIES = {
    "BearSSL": "MIT",
    "cJSON": "MIT",
    "libyaml": "MIT",
    "libsodium": "ISC",
    "zlib": "Zlib",
    "musl": "MIT",
}
PINS = [
    row.split()
    for row in (rig.ROOT / "vendor" / "pins").read_text().splitlines()
    if row and not row.startswith("#")
]


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(folder):
    """A checkout with what dist.sh and release.sh read, on the day of a release."""
    for name in ("vendor", "actions", "src/man"):
        shutil.copytree(rig.ROOT / name, folder / name)
    shutil.copy(rig.ROOT / "LICENSE", folder)
    changes = (rig.ROOT / "CHANGES.md").read_text()
    (folder / "CHANGES.md").write_text(changes.replace(f"{VERSION} (unreleased)", f"{VERSION} (2026-01-31)"))
    (folder / "build").mkdir()
    (folder / "build" / "vendor").symlink_to(rig.ROOT / "build" / "vendor")
    return folder


def dist(folder, **env):
    command = ["sh", "vendor/dist.sh", VERSION, ARCH, str(rig.BINARY), str(rig.BINARY)]
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, **env}, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    exact = subprocess.run(["sh", "vendor/fetch.sh", "--exact"], cwd=rig.ROOT, capture_output=True, text=True)
    if exact.returncode:
        pytest.skip(exact.stderr.strip())
    return dist(tree(tmp_path_factory.mktemp("release") / "tree"))


def test_tarball(release):
    with tarfile.open(release / "dist" / f"{NAME}.tar.gz") as tar:
        rows = {m.name.removeprefix(NAME).lstrip("/"): m for m in tar if m.isfile()}
        program = tar.extractfile(f"{NAME}/ghoard").read()
    assert sorted(rows) == sorted(
        ["LICENSE", "ghoard", "man/ghoard.1", "man/ghoard-config.5"]
        + [f"completions/ghoard.{shell}" for shell in ("bash", "fish", "zsh")]
        + [f"licenses/{name}" for name in LIBRARIES]
    )
    assert program == rig.BINARY.read_bytes() and rows["ghoard"].mode == 0o755
    assert {m.mode for n, m in rows.items() if n != "ghoard"} == {0o644}
    assert all(m.size > 300 for m in rows.values()), "a page, licence or completion is empty"
    assert {(m.uid, m.gid, m.uname) for m in rows.values()} == {(0, 0, "")}


def test_sources(release):
    """With them make needs no archive."""
    with tarfile.open(release / "dist" / f"{SOURCES}.tar.gz") as tar:
        held = {m.name: hashlib.sha256(tar.extractfile(m).read()).hexdigest() for m in tar if m.isfile()}
    assert held.pop(f"{SOURCES}/pins") == sha(rig.ROOT / "vendor" / "pins")
    assert held.pop(f"{SOURCES}/LINKED")
    assert held == {f"{SOURCES}/{file}": digest for _, _, file, digest in PINS}
    env = {**os.environ, "BUILD": "unpacked"}
    command = ["sh", "vendor/fetch.sh", f"dist/{SOURCES}.tar.gz"]
    subprocess.run(command, cwd=release, env=env, check=True)
    assert (release / "unpacked/vendor/src/bearssl/inc/bearssl.h").exists()


def test_sums(release):
    files = {p.name: sha(p) for p in (release / "dist").iterdir() if not p.name.startswith((".", "SHA"))}
    assert sorted(files) == [f"{NAME}.spdx.json", f"{NAME}.tar.gz", f"{SOURCES}.tar.gz"]
    listed = [row.split("  ") for row in (release / "dist" / "SHA256SUMS").read_text().splitlines()]
    assert {name: digest for digest, name in listed} == files and len(listed) == len(files)


def test_the_same_again(release, tmp_path):
    again = dist(tree(tmp_path / "tree"), TZ="Pacific/Auckland", LANG="de_DE.UTF-8")
    for name in (f"{NAME}.tar.gz", f"{SOURCES}.tar.gz", f"{NAME}.spdx.json", "SHA256SUMS"):
        assert sha(again / "dist" / name) == sha(release / "dist" / name), name


# As apk keeps it; the second package must not be taken for the first.
APK = """P:musl-dev
V:9.9.9-r9

P:musl
V:1.2.5-r10
A:x86_64

P:zlib
V:1.3.1-r2
"""


def alpine(tmp_path):
    """The same by busybox and what deps.sh installs on Alpine, whose compiler has brought a musl."""
    place = applets(tmp_path / "bin")
    # Debian's busybox is built without install; Alpine's has it
    for name in (*LACKING, "install", "python3", "zopfli"):
        (place / name).unlink(missing_ok=True)
        (place / name).symlink_to(f"/usr/bin/{name}")
    (tmp_path / "installed").write_text(APK)
    return dist(tree(tmp_path / "tree"), PATH=str(place), APK_DB=str(tmp_path / "installed"))


def test_on_alpine(release, tmp_path):
    here = alpine(tmp_path)
    assert sha(here / "dist" / f"{NAME}.tar.gz") == sha(release / "dist" / f"{NAME}.tar.gz")
    bills = [json.loads((folder / "dist" / f"{NAME}.spdx.json").read_text()) for folder in (here, release)]
    ours, pinned = ([p for p in bill["packages"] if p["name"] == "musl"] for bill in bills)
    assert ours[0]["versionInfo"] == "1.2.5-r10" and not {"checksums", "packageFileName"} & set(ours[0])
    (purl,) = (ref["referenceLocator"] for ref in ours[0]["externalRefs"])
    assert purl == f"pkg:apk/alpine/musl@1.2.5-r10?arch={ARCH}"
    assert {"checksums", "packageFileName"} <= set(pinned[0])
    rest = [[p for p in bill["packages"] if p["name"] != "musl"] for bill in bills]
    assert rest[0] == rest[1]
    for folder, musl, more in ((here, "1.2.5-r10", True), (release, pinned[0]["versionInfo"], False)):
        with tarfile.open(folder / "dist" / f"{SOURCES}.tar.gz") as tar:
            linked = tar.extractfile(f"{SOURCES}/LINKED").read().decode()
        assert f"musl {musl}." in linked and ("Alpine" in linked) == more, linked


def test_bill_of_materials(release, client, program):
    path = release / "dist" / f"{NAME}.spdx.json"
    tools = client("spdx-tools")
    program(sys.executable, "-m", "spdx_tools.spdx.clitools.pyspdxtools", "-i", path, PYTHONPATH=tools)
    document = json.loads(path.read_text())
    packages = {p["name"]: p for p in document["packages"]}
    assert packages.pop("ghoard")["checksums"][0]["checksumValue"] == sha(rig.BINARY)
    assert {n: p["licenseDeclared"] for n, p in packages.items()} == LIBRARIES
    said = subprocess.run([str(rig.BINARY), "version"], capture_output=True, text=True, check=True).stdout
    for name, package in packages.items():
        assert f"{name} {package['versionInfo']}" in said
    linked = [r for r in document["relationships"] if r["relationshipType"] == "STATIC_LINK"]
    assert {r["relatedSpdxElement"] for r in linked} == {p["SPDXID"] for p in packages.values()}


CURL = """#!/bin/sh
for url; do [ "$previous" != -o ] || out=$url; previous=$url; done
cp "$FILES/${url##*/}" "$out"
"""
COSIGN = """#!/bin/sh
while [ $# -gt 1 ]; do [ "$1" != --bundle ] || bundle=$2; shift; done
grep -q 'the attestation' "$bundle"
"""


def test_install_sh_takes_it(release, tmp_path):
    """As release.yml lays the files out: with cosign's bundle under the name that it is asked by."""
    flow = (rig.ROOT / ".github" / "workflows" / "release.yml").read_text()
    step = re.search(r"BUNDLE: .*\n +run: \|\n((?: {10}.*\n)+)", flow)[1]
    shutil.copytree(release / "dist", tmp_path / "dist")
    (tmp_path / "bundle").write_text('"the attestation"\n')
    env = {"PATH": os.environ["PATH"], "BUNDLE": str(tmp_path / "bundle")}
    subprocess.run(["sh", "-euc", step], cwd=tmp_path, env=env, check=True)
    for name, text in (("curl", CURL), ("cosign", COSIGN), ("gh", "#!/bin/sh\nexit 1\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    env = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "FILES": str(tmp_path / "dist"),
        "RUNNER_TEMP": str(tmp_path),
        "INSTALL_VERSION": VERSION,
        "INSTALL_REPO": "o/r",
    }
    listed = {f"{NAME}/ghoard": rig.BINARY, f"{NAME}.tar.gz": release / "dist" / f"{NAME}.tar.gz"}
    rows = [f"{sha(path)}  {name}\n" for name, path in listed.items()]
    (release / "actions" / "SHA256SUMS").write_text("".join(rows))
    command = ["sh", str(release / "actions" / "install.sh")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"{NAME}.tar.gz.sigstore.json" in done.stderr
    said = subprocess.run([done.stdout.strip(), "version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith(f"ghoard {VERSION}\n")
