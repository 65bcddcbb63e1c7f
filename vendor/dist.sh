#!/bin/sh
# Writes dist/: the program with its pages and licences, the exact sources of
# its libraries, and SHA256SUMS.  The same input gives the same bytes.
#
#   dist.sh VERSION ARCH
set -eu

version=$1
arch=$2
src=build/vendor/src
program=ghoard-$version-linux-$arch
sources=ghoard-$version-sources

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
umask 022
rm -rf dist
mkdir -p dist "$tmp/$program/licenses" "$tmp/$program/man" "$tmp/$sources"

install -m 755 build/ghoard "$tmp/$program/ghoard"
install -m 644 LICENSE "$tmp/$program/LICENSE"
for page in src/man/*.[15]; do
	[ ! -f "$page" ] || install -m 644 "$page" "$tmp/$program/man/"
done
install -m 644 "$src/bearssl/LICENSE.txt" "$tmp/$program/licenses/BearSSL"
install -m 644 "$src/cjson/LICENSE" "$tmp/$program/licenses/cJSON"
install -m 644 "$src/libsodium/LICENSE" "$tmp/$program/licenses/libsodium"
install -m 644 "$src/libyaml/License" "$tmp/$program/licenses/libyaml"
sed -n "/Copyright/,/^  Jean-loup/p" "$src/zlib/zlib.h" >"$tmp/$program/licenses/zlib"
# musl is linked in too; it comes with the compiler, not from vendor/
for text in /usr/share/doc/musl/copyright /usr/share/doc/musl-dev/copyright \
    /usr/share/licenses/musl/COPYRIGHT; do
	[ ! -f "$text" ] || install -m 644 "$text" "$tmp/$program/licenses/musl"
done

install -m 644 vendor/pins "$tmp/$sources/pins"
sed '/^#/d' vendor/pins | while read -r _ _ file _; do
	install -m 644 "build/vendor/tarballs/$file" "$tmp/$sources/$file"
done

[ -f "$tmp/$program/licenses/musl" ] || {
	echo "dist: musl's licence is not on this machine; install its documentation" >&2
	exit 1
}

# The date is the last commit's, so that it says something and stays the same.
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
for name in "$program" "$sources"; do
	tar -C "$tmp" --sort=name --format=ustar --numeric-owner --owner=0 --group=0 \
		--mtime="@$epoch" -cf - "$name" | gzip -9n >"dist/$name.tar.gz"
done
(cd dist && sha256sum -- *.tar.gz >SHA256SUMS && cat SHA256SUMS)
