#!/bin/sh
# Builds the tree twice, in folders of other lengths and with another umask,
# time zone, language and date, and compares the programs.  The sources of the
# libraries are those already fetched: no network is needed.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
long=$tmp/a/much/longer/path/than/the/other/one

copy() {
	mkdir -p "$1"
	tar -cf - --exclude=./build --exclude=./dist --exclude=./.git . | tar -xf - -C "$1"
	mkdir -p "$1/build/vendor"
	cp -r build/vendor/tarballs "$1/build/vendor/"
}

# A make within a make must not inherit its flags, nor its job server.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

echo "building in $tmp/b"
(umask 022; copy "$tmp/b"; cd "$tmp/b"; TZ=UTC LANG=C make >build.log 2>&1) || {
	cat "$tmp/b/build.log" >&2
	exit 1
}
echo "building in $long"
# the other order of files in the folder, other times of change
(umask 077; copy "$long"; cd "$long"; find src -type f -exec touch -d 2001-01-01 {} +
	TZ=Pacific/Auckland LANG=de_DE.UTF-8 make JOBS=1 >build.log 2>&1) || {
	cat "$long/build.log" >&2
	exit 1
}

sum() {
	sha256sum "$1" | cut -d ' ' -f 1
}
first=$(sum "$tmp/b/build/ghoard")
second=$(sum "$long/build/ghoard")
printf '%s  %s\n%s  %s\n' "$first" "$tmp/b/build/ghoard" "$second" "$long/build/ghoard"
[ "$first" = "$second" ] || {
	echo "reproducible: the two programs differ; compare them with" \
		"'cmp -l' or diffoscope after building by hand" >&2
	exit 1
}
[ "$first" = "$(sum build/ghoard)" ] || {
	echo "reproducible: the two agree, yet build/ghoard here differs:" \
		"run make clean first" >&2
	exit 1
}
echo "bit-identical, and so is build/ghoard"
