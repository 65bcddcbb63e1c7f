"""How a release is made: sums from the container; release.yml, where one job builds and another signs."""

import os
import re
import shutil
import subprocess
import tarfile

import pytest
import rig
from test_release import VERSION, sha, tree

FLOW = (rig.ROOT / ".github" / "workflows" / "release.yml").read_text()
ARCHES = ("x86_64", "aarch64", "armv7", "riscv64")
IMAGE = f"alpine:3.22@sha256:{'a' * 64}"
# An engine without an engine: dist.sh, beside, of a program that is its machine's name.
DOCKER = """#!/bin/sh
set -eu
echo "$*" >>"$LOG"
[ "$2" != imagetools ] || { echo "\\"sha256:$DIGEST\\""; exit; }
while [ $# -gt 1 ]; do
	case $1 in
	--platform) platform=$2 ;;
	--output) out=$PWD/${2#*dest=} ;;
	--build-arg) export "${2?}" ;;
	esac
	shift
done
case $platform in
linux/amd64) arch=x86_64 ;;
linux/arm64) arch=aarch64 ;;
linux/arm/v7) arch=armv7 ;;
*) arch=${platform#*/} ;;
esac
cd "$INNER"
rm -rf dist
echo "$arch in $ALPINE${NOISE:-}" >program
sh vendor/dist.sh "$VERSION" "$arch" program "$GHOARD" >&2
mkdir -p "$out"
cp dist/* "$out"
"""


@pytest.fixture
def place(tmp_path):
    """release.sh in a checkout, with that docker; what it said and did."""
    inner, outer = tree(tmp_path / "inner"), tree(tmp_path / "outer")
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)

    class Place:
        folder, log, sums = outer, tmp_path / "log", outer / "actions" / "SHA256SUMS"

        def __call__(self, *args, rc=0, **env):
            self.log.write_text("")
            paths = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(self.log), "INNER": str(inner)}
            known = {"VERSION": VERSION, "GHOARD": str(rig.BINARY), "DIGEST": "a" * 64}
            command = ["sh", "vendor/release.sh", VERSION, *args]
            env = os.environ | paths | known | env
            done = subprocess.run(command, cwd=outer, env=env, capture_output=True, text=True, timeout=120)
            assert done.returncode == rc, done.stderr
            return done.stderr

        def builds(self):
            return [line for line in self.log.read_text().splitlines() if line.startswith("buildx build ")]

    return Place()


def rows_of(place):
    return place.sums.read_text().splitlines()


def test_release_sums(place):
    old = f"{'0' * 64}  ghoard-0.0.9-linux-x86_64/ghoard"
    place.sums.write_text(place.sums.read_text() + old + "\n")
    head = rows_of(place)
    place()
    want = []
    for arch in ARCHES:
        name = f"ghoard-{VERSION}-linux-{arch}"
        with tarfile.open(place.folder / "dist" / f"{name}.tar.gz") as tar:
            tar.extract(f"{name}/ghoard", place.folder / "unpacked")
        program = place.folder / "unpacked" / name / "ghoard"
        assert program.read_text() == f"{arch} in {IMAGE}\n"
        tarball = place.folder / "dist" / f"{name}.tar.gz"
        want += [f"{sha(program)}  {name}/ghoard", f"{sha(tarball)}  {name}.tar.gz"]
    assert rows_of(place) == [*head, f"# {VERSION} is built in {IMAGE}", *want]
    assert len(place.builds()) == 4
    assert all(f" --target dist --output type=local,dest=build/release --build-arg ALPINE={IMAGE}"
               f" --build-arg BUILDER={IMAGE} ." in line for line in place.builds())
    listed = (place.folder / "dist" / "SHA256SUMS").read_text().splitlines()
    assert len(listed) == 9 and all(
        sha(place.folder / "dist" / name) == digest for digest, name in (row.split("  ") for row in listed)
    )
    assert {p.name for p in (place.folder / "dist").iterdir()} == {"SHA256SUMS"} | {
        row.split("  ")[1] for row in listed
    }
    before = rows_of(place)
    place()
    assert rows_of(place) == before, "and once more gives the same"


def test_release_check(place):
    """In the image that was named, whatever the tag has become; other bytes are an end."""
    place("check", rc=1)
    assert not place.builds(), "nothing says what to build in"
    place()
    before = rows_of(place)
    place("check", DIGEST="b" * 64)
    assert rows_of(place) == before and all(IMAGE in line for line in place.builds())
    assert "imagetools" not in place.log.read_text()
    assert "other bytes" in place("check", rc=1, NOISE=" with a newer compiler")
    assert rows_of(place) == before
    place(BASE="alpine:3.22", rc=1)
    assert rows_of(place) == before, "an image without a digest"


def test_a_release_has_a_day(place):
    (place.folder / "CHANGES.md").write_text(f"# Changes\n\n## {VERSION} (unreleased)\n")
    assert "no day" in place(rc=1) and not place.builds()


# ---- release.yml ----


def jobs():
    text = FLOW.split("\njobs:\n")[1]
    return dict(re.findall(r"^  (\w+):\n((?:    .*\n|\n)+)", text, re.M))


def test_who_may_write_runs_none_of_our_code():
    assert re.search(r"^permissions:\n  contents: read\n\n", FLOW, re.M)
    writes = re.compile(r"^ {6}[\w-]+: write", re.M)
    may = {name for name, text in jobs().items() if writes.search(text)}
    assert may == {"publish"} and len(writes.findall(jobs()["publish"])) == 3
    assert "permissions" not in jobs()["build"]
    used = re.findall(r"uses: (\S+)@[0-9a-f]{40} # v\d", jobs()["publish"])
    assert used == ["actions/download-artifact", "actions/attest-build-provenance"]
    assert not re.search(r"\b(make|docker|sh|checkout|vendor|curl)\b", jobs()["publish"])
    assert "make release-check\n" in jobs()["build"]
    assert not re.search(r"uses: (?!\S+@[0-9a-f]{40} )", FLOW), "each action by its commit"


@pytest.mark.parametrize("change", ["none", "file", "more", "sums", "both"])
def test_publish_takes_what_was_built(tmp_path, change):
    """Files, sums and the sum of the sums, which comes by another way than they."""
    step = re.search(r"SUMS: .*\n +run: \|\n((?: {10}.*\n)+)", FLOW)[1]
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in ("ghoard-1-linux-x86_64.tar.gz", "ghoard-1-sources.tar.gz"):
        (folder / name).write_text(name)

    def list_sums():
        rows = [f"{sha(p)}  {p.name}\n" for p in sorted(folder.glob("ghoard-*"))]
        (folder / "SHA256SUMS").write_text("".join(rows))

    list_sums()
    digest = sha(folder / "SHA256SUMS")
    if change in ("file", "both"):
        (folder / "ghoard-1-sources.tar.gz").write_text("other")
    if change == "both":
        list_sums()
    if change == "sums":
        (folder / "SHA256SUMS").write_text("")
    if change == "more":
        (folder / "more").write_text("")
    env = {"PATH": os.environ["PATH"], "SUMS": digest}
    bash = [shutil.which("bash"), "-e", "-c", step]
    done = subprocess.run(bash, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=30)
    assert (done.returncode == 0) == (change == "none"), done
