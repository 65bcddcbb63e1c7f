#!/bin/sh
# Builds the Dockerfile twice, as it stands but on a Debian base made here, compares the images and runs the
# result; then a release of this machine's, by release.sh: by buildah, which needs neither a daemon nor a
# registry, but root.
#
#   container.sh
#
# The base is of this machine's own archive, which must be bookworm's as vendor/pins is; MIRROR names another.
# It stays in build/container for the next time.
set -eu

top=$PWD/build/container
base=localhost/ghoard-test-base:bookworm
user=65532:65532

fail() {
	echo "container: $*" >&2
	exit 1
}

[ "$(id -u)" -eq 0 ] || fail "it needs root: buildah's chroot isolation and debootstrap do"
mkdir -p "$top"

# All options on every command: another driver would see another store.
buildah="buildah --root $top/store --runroot $top/run --storage-driver ${STORAGE_DRIVER:-vfs}"
b() {
	# shellcheck disable=SC2086 # a command and its options
	$buildah "$@"
}

# "deb ADDRESS SUITE main" of the archive, its updates and its security
archive() {
	if [ -n "${MIRROR:-}" ]; then
		printf 'deb %s main\n' "$MIRROR bookworm" "$MIRROR bookworm-updates" \
			"$MIRROR-security bookworm-security"
	else
		# shellcheck disable=SC2016 # apt's own names
		apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
			'Created-By: Packages' | grep -E ' bookworm(-updates|-security)? main$' | sort -u
	fi
}

make_base() {
	mirror=$(archive | sed -n 's/^deb \(.*\) bookworm main$/\1/p' | head -n 1)
	[ -n "$mirror" ] || fail "this machine has no archive of bookworm; name one: MIRROR=http://..."
	echo "container: a Debian base from $mirror"
	rm -rf "$top/base"
	debootstrap --variant=minbase bookworm "$top/base" "$mirror" >"$top/base.log" 2>&1 || {
		tail -n 20 "$top/base.log" >&2
		fail "debootstrap made no base from $mirror; MIRROR= names another archive"
	}
	archive >"$top/base/etc/apt/sources.list"
	c=$(b from scratch)
	b add -q "$c" "$top/base" / >/dev/null
	b commit -q "$c" "$base" >/dev/null
	b rm "$c" >/dev/null
	rm -rf "$top/base"
}

# build N: into the image localhost/ghoard-test:N
build() {
	begin=$(date +%s)
	b build --isolation chroot --pull-never --no-cache --timestamp 0 --build-arg "ALPINE=$base" \
		--build-arg "SOURCES=$base" --iidfile "$top/id.$1" -t "localhost/ghoard-test:$1" . \
		>"$top/build.$1.log" 2>&1 || {
		tail -n 30 "$top/build.$1.log" >&2
		fail "the Dockerfile did not build; the whole log is $top/build.$1.log"
	}
	echo "container: built in $(($(date +%s) - begin)) s: $(cat "$top/id.$1")"
}

# said WANT COMMAND...: what it prints holds a line that begins so
said() {
	want=$1
	shift
	got=$("$@" 2>&1) || :	# doctor finds no HOME, and is right
	printf '%s\n' "$got" | grep "^$want" || fail "'$*' printed no line that begins with '$want': $got"
}

b inspect --type image "$base" >/dev/null 2>&1 || make_base
build 1
build 2
[ "$(cat "$top/id.1")" = "$(cat "$top/id.2")" ] ||
	fail "the two images differ: $(cat "$top/id.1") and $(cat "$top/id.2")"
echo "container: two builds, the same image"

format='{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}}'
config=$(b inspect --type image --format "$format" localhost/ghoard-test:2)
[ "$config" = "$user [/ghoard]" ] || fail "user and entry point are $config"

c=$(b from --pull-never localhost/ghoard-test:2)
trap 'b umount "$c" >/dev/null; b rm "$c" >/dev/null; b rmi -f localhost/ghoard-test:1 \
	localhost/ghoard-test:2 >/dev/null' EXIT
root=$(b mount "$c")
(cd "$root" && find . ! -type d | LC_ALL=C sort) >"$top/files"
printf '%s\n' ./etc/ssl/certs/ca-certificates.crt ./ghoard | cmp -s - "$top/files" ||
	fail "the image holds: $(tr '\n' ' ' <"$top/files")"

# nothing but the image: no /dev, no /proc, no /tmp, no HOME, a user without a name
inside() {
	env -i "$(command -v chroot)" --userspec="$user" "$root" /ghoard "$@"
}
said "ghoard $(sed -n 's/^VERSION *:= *//p' Makefile)" inside version
said 'ok    CA bundle: 1[0-9][0-9] certificates' inside --offline doctor
# as a container engine starts it
said 'ghoard ' b run --isolation chroot "$c" -- /ghoard version
echo "container: $(wc -c <"$root/ghoard") bytes run as $user"

# a tree with a day for the release; its actions/SHA256SUMS is not the one here
release() {
	rm -rf "$top/tree"
	mkdir "$top/tree"
	tar -cf - --exclude=./build --exclude=./dist --exclude=./.git . | tar -xf - -C "$top/tree"
	sed -i "s/^## $version (unreleased)/## $version (2026-01-31)/" "$top/tree/CHANGES.md"
	(cd "$top/tree" && BASE="$pinned" PLATFORMS="linux/$(dpkg --print-architecture)" \
		ENGINE="$buildah build --isolation chroot --pull-never --build-arg SOURCES=$base" \
		sh vendor/release.sh "$version") >"$top/release.log" 2>&1 || {
		tail -n 30 "$top/release.log" >&2
		fail "no release came out of it; the whole log is $top/release.log"
	}
}

version=$(sed -n 's/^VERSION *:= *//p' Makefile)
pinned=${base%:*}@$(b inspect --type image --format '{{.FromImageDigest}}' "$base")
release
dist=$(echo "$top/tree/dist/ghoard-$version"-linux-*.tar.gz)
tar -C "$top" -xOzf "$dist" "$(basename "${dist%.tar.gz}")/ghoard" | cmp - "$root/ghoard" ||
	fail "the release's program is not the image's"
(cd "$top/tree/dist" && sha256sum --quiet -c SHA256SUMS)
grep "^# $version is built in $pinned" "$top/tree/actions/SHA256SUMS"
echo "container: its tarball has $(wc -c <"$dist") bytes"
