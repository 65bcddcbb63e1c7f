#!/bin/sh
# Builds a release in the container, once a machine, into dist/, and writes into actions/SHA256SUMS what
# the actions of this commit may run, and in which image it was built.
#
#   release.sh VERSION          in today's image of the tag; BASE=alpine:3.22@sha256:... names another
#   release.sh VERSION check    in the image that actions/SHA256SUMS names: the sums must come out as they are
#
# The container alone does it: this machine's compiler makes other bytes.  ENGINE is the command that builds,
# PLATFORMS are the machines.
set -eu

version=$1
check=${2:-}
tag=alpine:3.22
sums=actions/SHA256SUMS
out=build/release

fail() {
	printf 'release: %s\n' "$*" >&2
	exit 1
}

grep -q "^## $version ([0-9-]*)\$" CHANGES.md ||
	fail "CHANGES.md has no day for $version, and the tarballs' files bear it"
if [ -n "$check" ]; then
	BASE=$(sed -n "s/^# $version is built in //p" "$sums")
	[ -n "$BASE" ] || fail "$sums names no image for $version: run make release-sums and commit it"
elif [ -z "${BASE:-}" ]; then
	BASE=$tag@$(docker buildx imagetools inspect "$tag" --format '{{json .Manifest.Digest}}' | tr -d '"')
fi
case $BASE in
*@sha256:*) ;;
*) fail "the image has no digest: $BASE" ;;
esac
echo "release: $version in $BASE"

rm -rf dist "$out"
mkdir -p dist
sources=ghoard-$version-sources.tar.gz
sed "/ ghoard-$version-linux-/d; /^# $version is built in /d" "$sums" >dist/.sums
echo "# $version is built in $BASE" >>dist/.sums
for platform in ${PLATFORMS:-linux/amd64 linux/arm64 linux/arm/v7 linux/riscv64}; do
	# shellcheck disable=SC2086 # a command and its options
	${ENGINE:-docker buildx build} --platform "$platform" --target dist --output "type=local,dest=$out" \
		--build-arg "ALPINE=$BASE" --build-arg "BUILDER=$BASE" .
	[ ! -e "dist/$sources" ] || cmp "$out/$sources" "dist/$sources" ||
		fail "the sources for $platform are not those of the machine before"
	for tarball in "$out/ghoard-$version"-linux-*.tar.gz; do
		[ -f "$tarball" ] || fail "nothing was built for $platform"
		name=${tarball##*/}
		name=${name%.tar.gz}
		tar -C "$out" -xzf "$tarball" "$name/ghoard"
		(cd "$out" && sha256sum -- "$name/ghoard" "$name.tar.gz") >>dist/.sums
	done
	cp "$out"/ghoard-*.gz "$out"/ghoard-*.json dist/
	rm -rf "$out"
done
(cd dist && sha256sum -- ghoard-* >SHA256SUMS && cat SHA256SUMS)
if [ -z "$check" ]; then
	cp dist/.sums "$sums"
elif ! diff "$sums" dist/.sums; then
	fail "the container built other bytes than $sums names; if a package of its compiler was renewed," \
		"run make release-sums and commit it"
fi
rm dist/.sums
