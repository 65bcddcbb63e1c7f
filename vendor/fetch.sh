#!/bin/sh
# Brings the sources that vendor/pins names into build/vendor and unpacks them.
#
#   fetch.sh              from build/vendor/tarballs, else from the distribution
#   fetch.sh DIR|TARBALL  from a folder, or from what `make dist` wrote
#   fetch.sh --exact      nothing but what vendor/pins names has been unpacked
#   fetch.sh --bump       newest of the distribution; rewrites vendor/pins
#
# RELEASE=1 insists on the pinned revision of the distribution's patches.
set -eu

pins=vendor/pins
top=$PWD/${BUILD:-build}/vendor
tarballs=$top/tarballs
apt=$top/apt

fail() {
	printf 'vendor: %s\n' "$*" >&2
	exit 1
}

note() {
	printf 'vendor: note: %s\n' "$*" >&2
}

rows() {
	sed '/^#/d; /^[[:space:]]*$/d' "$pins"
}

sum() {
	sha256sum "$1" | cut -d ' ' -f 1
}

# name_1.2-3.debian.tar.xz -> 1.2-3; name_1.2.orig.tar.gz -> 1.2
version() {
	printf '%s\n' "${1##*/}" | sed 's/^[^_]*_//; s/\.\(orig\|debian\)\.tar\..*$//'
}

# A private copy of the machine's package sources that asks for source
# packages, since most machines have them switched off.  The system's own
# lists stay as they are, and root is not needed.
apt_open() {
	command -v apt-get >/dev/null || fail "this machine has no apt-get to" \
		"fetch the libraries' sources with; give them: make VENDOR=DIR|TARBALL"
	# once a run; what an earlier run left may be old
	[ -f "$apt/opened.$$" ] && return
	rm -rf "$apt"
	mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/got"
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$f" ] || continue
		sed -n 's/^[[:space:]]*deb\([[:space:]]\)/deb-src\1/p' "$f" \
			>"$apt/parts/${f##*/}"
	done
	# sources.list itself has a name that apt passes over in a folder
	[ ! -f "$apt/parts/sources.list" ] ||
		mv "$apt/parts/sources.list" "$apt/parts/00main.list"
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -f "$f" ] || continue
		sed 's/^Types:.*/Types: deb-src/' "$f" >"$apt/parts/${f##*/}"
	done
	echo "  FETCH   list of source packages" >&2
	# Not every archive offers sources; what is missing shows below.
	apt_run update >"$apt/log" 2>&1 || true
	: >"$apt/opened.$$"
}

apt_run() {
	(cd "$apt/got" && apt-get -qq \
		-o Dir::Etc::sourcelist=/dev/null \
		-o "Dir::Etc::sourceparts=$apt/parts" \
		-o "Dir::State::lists=$apt/lists" \
		-o "Dir::Cache=$apt/cache" \
		-o APT::Sandbox::User=root \
		-o Acquire::Retries=3 \
		-o Debug::NoLocking=1 "$@" </dev/null)
}

# Downloads a library's source once a run: the pinned revision, else the newest.
# apt checks what it downloads against the archive's signed index.
apt_source() {
	apt_open
	[ ! -f "$apt/asked.$1" ] || return 0
	echo "  FETCH   $1" >&2
	for wanted in ${2:+"$1=$2"} "$1"; do
		if apt_run source --download-only "$wanted" >>"$apt/log" 2>&1; then
			: >"$apt/asked.$1"
			return
		fi
	done
	fail "the package archives of this machine gave no source of $1" \
		"($(grep -m 1 '^[EW]:' "$apt/log")); give it: make VENDOR=DIR|TARBALL"
}

# The newest revision of a pinned upstream that the last download brought.
newest() {
	for f in "$apt/got/$1_$2-"*.debian.tar.*; do
		[ -f "$f" ] && echo "$f"
	done | sort -V | tail -n 1
}

check() {
	got=$(sum "$1")
	[ "$got" = "$2" ] || fail "${1##*/} is not the file that $pins names:" \
		"expected sha256 $2, got $got ($1); nothing was built from it"
}

# from DIR NAME: verify, then keep; tarballs/ never holds an unchecked file.
keep() {
	check "$1" "$2"
	cp "$1" "$tarballs/.new"
	mv "$tarballs/.new" "$tarballs/${1##*/}"
}

from_folder() {
	given=$1
	[ -e "$given" ] || fail "VENDOR=$given does not exist"
	if [ ! -d "$given" ]; then
		rm -rf "$top/given"
		mkdir -p "$top/given"
		tar -xf "$given" -C "$top/given" --strip-components=1 ||
			fail "VENDOR=$given is neither a folder nor a tarball"
		given=$top/given
	fi
	rows | while read -r _ _ file want; do
		[ -f "$given/$file" ] || fail "$1 does not hold $file, which $pins names"
		keep "$given/$file" "$want"
	done
}

# upstream NAME FILE SHA256: the pinned file and no other.
from_apt_upstream() {
	apt_source "$1" "$(pinned "$1")"
	[ -f "$apt/got/$2" ] || fail "the package archives of this machine have" \
		"another $1 than $2; give the pinned one: make VENDOR=DIR|TARBALL"
	keep "$apt/got/$2" "$3"
}

# An archive serves only its newest revision, so that a security update there
# would break every build here.  A newer revision is therefore taken, said
# aloud, and refused for a release.
from_apt_patches() {
	apt_source "$1" "$(pinned "$1")"
	if [ -f "$apt/got/$2" ]; then
		keep "$apt/got/$2" "$3"
		return
	fi
	upstream=$(version "$2")
	other=$(newest "$1" "${upstream%-*}")
	[ -n "$other" ] || fail "the package archives of this machine lack $2"
	dpkg --compare-versions "$(version "$other")" gt "$(version "$2")" ||
		fail "the package archives have ${other##*/}, older than the pinned $2"
	[ -z "${RELEASE:-}" ] || fail "the package archives have ${other##*/} and" \
		"no longer the pinned $2, which a release wants: run make vendor-bump," \
		"read the new patches and commit $pins, or give the old ones with VENDOR="
	note "$1 is built with ${other##*/}, newer than the pinned $2;" \
		"make vendor-bump renews the pin"
	cp "$other" "$tarballs/"
}

# The distribution's revision, where patches pin one.
pinned() {
	rows | while read -r name part file _; do
		[ "$name $part" != "$1 patches" ] || version "$file"
	done
}

from_apt() {
	rows | while read -r name part file want; do
		if [ -f "$tarballs/$file" ]; then
			check "$tarballs/$file" "$want"
		elif [ "$part" = upstream ]; then
			from_apt_upstream "$name" "$file" "$want"
		else
			from_apt_patches "$name" "$file" "$want"
		fi
	done
	rm -rf "$apt"
}

# What unpack() applies: the pinned patches, else the newer ones fetched above.
patches_of() {
	if [ -f "$tarballs/$2" ]; then
		echo "$tarballs/$2"
		return
	fi
	base=$(version "$2")
	for f in "$tarballs/$1_${base%-*}-"*.debian.tar.*; do
		[ -f "$f" ] && echo "$f"
	done | sort -V | tail -n 1
}

unpack() {
	rm -rf "$top/src"
	rows | while read -r name part file _; do
		dir=$top/src/$name
		mkdir -p "$dir"
		if [ "$part" = upstream ]; then
			tar -xf "$tarballs/$file" -C "$dir" --strip-components=1
			continue
		fi
		tar -xf "$(patches_of "$name" "$file")" -C "$dir"
		sed 's/[[:space:]]*#.*//; /^$/d' "$dir/debian/patches/series" |
		while read -r patch; do
			(cd "$dir" && patch -s -p1 <"debian/patches/$patch") ||
				fail "$patch does not apply to $name; run make clean and try again"
		done
	done
}

bump() {
	rm -rf "$apt"
	rows | cut -d ' ' -f 1 | uniq | while read -r name; do
		apt_source "$name"
	done
	sed -n '/^#/p' "$pins" >"$top/pins"
	rows | while read -r name part file want; do
		case $part in
		upstream) set -- "$apt/got/$name"_*.orig.tar.?z* ;;
		*) set -- "$apt/got/$name"_*.debian.tar.?z ;;
		esac
		[ -f "$1" ] || fail "the archive has no $part of $name"
		new=$(sum "$1")
		echo "$name $part ${1##*/} $new" >>"$top/pins"
		if [ "$new" = "$want" ]; then
			echo "$name: $file is the newest"
		else
			echo "$name: $file -> ${1##*/}; read what changed before you commit"
		fi
	done
	mv "$top/pins" "$pins"
	rm -rf "$apt"
}

exact() {
	rows | while read -r name _ file want; do
		[ -f "$tarballs/$file" ] || fail "$name was not built with $file, which a" \
			"release wants: run make clean, then make RELEASE=1"
		check "$tarballs/$file" "$want"
	done
}

[ -f "$pins" ] || fail "run it from the top of the source tree"
mkdir -p "$tarballs"
case ${1:-} in
--bump) bump ;;
--exact) exact ;;
'') from_apt; unpack ;;
*) from_folder "$1"; unpack ;;
esac
