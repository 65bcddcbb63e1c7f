#!/bin/sh
# Writes into dist/: the program with its pages, licences and completions, the
# exact sources of its libraries, the bill of materials and SHA256SUMS.  The
# same input gives the same bytes.
#
#   dist.sh VERSION ARCH BINARY NATIVE
#
# NATIVE is a ghoard that runs here; the completions are what it prints.  Files
# of other machines that are there already stay, so that one folder gets all.
set -eu

version=$1
arch=$2
binary=$3
native=$4
src=build/vendor/src
program=ghoard-$version-linux-$arch
sources=ghoard-$version-sources

# The day of the release, so that the date says something and stays the same; a
# commit's would change with the commit that brings actions/SHA256SUMS.
day=$(sed -n "s/^## $version (\([0-9-]*\))\$/\1/p" CHANGES.md)
epoch=${SOURCE_DATE_EPOCH:-$(date -u -d "${day:-1980-01-01}" +%s)}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
umask 022
mkdir -p dist "$tmp/$program/licenses" "$tmp/$program/man" "$tmp/$program/completions" "$tmp/$sources"

install -m 755 "$binary" "$tmp/$program/ghoard"
install -m 644 LICENSE "$tmp/$program/LICENSE"
install -m 644 src/man/*.[15] "$tmp/$program/man/"
for shell in bash zsh fish; do
	"$native" completion "$shell" >"$tmp/$program/completions/ghoard.$shell"
done
install -m 644 "$src/bearssl/LICENSE.txt" "$tmp/$program/licenses/BearSSL"
install -m 644 "$src/cjson/LICENSE" "$tmp/$program/licenses/cJSON"
install -m 644 "$src/libsodium/LICENSE" "$tmp/$program/licenses/libsodium"
install -m 644 "$src/libyaml/License" "$tmp/$program/licenses/libyaml"
sed -n "/Copyright/,/^  Jean-loup/p" "$src/zlib/zlib.h" >"$tmp/$program/licenses/zlib"
install -m 644 "$src/musl/COPYRIGHT" "$tmp/$program/licenses/musl"

install -m 644 vendor/pins "$tmp/$sources/pins"
sed '/^#/d' vendor/pins | while read -r _ _ file _; do
	install -m 644 "build/vendor/tarballs/$file" "$tmp/$sources/$file"
done
musl=$(sh vendor/versions.sh musl)
{
	echo "ghoard $version is linked with $(sh vendor/versions.sh)."
	[ -z "$musl" ] || echo "That musl is Alpine Linux's own package, which came with the compiler; the" \
		"tarball of musl in this folder is for those who build elsewhere."
} >"$tmp/$sources/LINKED"

pack() {
	tar -C "$tmp" --sort=name --format=ustar --numeric-owner --owner=0 --group=0 \
		--mtime="@$epoch" -cf "$tmp/$1.tar" "$1"
	# the sources are packed already
	if [ "$1" = "$program" ]; then
		zopfli --i15 "$tmp/$1.tar" && mv "$tmp/$1.tar.gz" "dist/$1.tar.gz"
	else
		gzip -9n <"$tmp/$1.tar" >"dist/$1.tar.gz"
	fi
}
pack "$program"
pack "$sources"
MUSL=$musl python3 vendor/sbom.py "$version" "$arch" "$epoch" "$binary" >"dist/$program.spdx.json"
(cd dist && sha256sum -- *.tar.gz *.spdx.json >SHA256SUMS && cat SHA256SUMS)
