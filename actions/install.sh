#!/bin/sh
# Finds or fetches the ghoard of this commit and prints its path, alone and last on standard output.
#
#   INSTALL_VERSION   version, as 0.1.0
#   INSTALL_SOURCE    a folder, or an https address where the release's files are; empty: GitHub's release
#   INSTALL_SHA256    of the program, or of its tarball, in place of what SHA256SUMS beside this file says; a
#                     tarball's says nothing of a program that is there already, so it is unpacked anew
#   INSTALL_PATH      true: a ghoard in PATH will do, too
#   INSTALL_REPO      owner/name of the release (default: GITHUB_ACTION_REPOSITORY)
#
# Whatever it finds is used only if its SHA-256 is one of these.  It is searched where an earlier step of
# the job put it, in the runner's tool cache, in PATH, in the source.  What is printed is a copy of this
# call's own: verified, tried, in a folder of its user's alone.  The tool cache, where others may write,
# gets another one for the jobs that come.  GITHUB_PATH is left to the caller.
set -eu
umask 077

here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
version=${INSTALL_VERSION:-}
origin=${INSTALL_SOURCE:-}
repo=${INSTALL_REPO:-${GITHUB_ACTION_REPOSITORY:-}}
own=${INSTALL_SHA256:-}

say() {
	printf 'ghoard: %s\n' "$*" >&2
}

fail() {
	say "$*"
	exit 1
}

case $version in
'' | *[!0-9A-Za-z.+-]*) fail "INSTALL_VERSION is '$version', which is no version" ;;
esac
case $own in
'') ;;
*[!0-9a-fA-F]*) fail "the given sha256 is '$own': it takes 64 hexadecimal digits" ;;
*) [ ${#own} -eq 64 ] || fail "the given sha256 has ${#own} digits: it takes 64" ;;
esac
own=$(printf %s "$own" | tr A-F a-f)
[ "$(uname -s)" = Linux ] || fail "there is no ghoard for $(uname -s)"
case $(uname -m) in
x86_64 | amd64) arch=x86_64 slot=x64 ;;
aarch64 | arm64) arch=aarch64 slot=arm64 ;;
armv7* | armv8l) arch=armv7 slot=arm ;;
riscv64) arch=riscv64 slot=riscv64 ;;
*) fail "there is no ghoard for $(uname -m) processors" ;;
esac
name=ghoard-$version-linux-$arch

work=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/ghoard-install.XXXXXX") ||
	fail "no folder can be made in ${RUNNER_TEMP:-${TMPDIR:-/tmp}}"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

sum() {
	sha256sum "$1" | { read -r digits _; printf %s "$digits"; }
}

# known FILE ENTRY: its hash is the user's, or stands for that very name in our list
known() {
	got=$(sum "$1") || return 1
	if [ -n "$own" ]; then
		[ "$got" = "$own" ]
		return
	fi
	while read -r want entry; do
		[ "$want $entry" != "$got $2" ] || return 0
	done <"$here/SHA256SUMS"
	return 1
}

# Looked at and then run, a file that others may write could be two; so ours is a copy.
take() {
	cp -- "$1" "$work/ghoard.new" 2>/dev/null || return 1
	known "$work/ghoard.new" "$name/ghoard" || {
		say "$1 is not the ghoard $version of this action: its SHA-256 is $got"
		rm -f "$work/ghoard.new"
		return 1
	}
	mv "$work/ghoard.new" "$work/ghoard"
}

cache=${RUNNER_TOOL_CACHE:-}
slot=${cache:+$cache/ghoard/$version/$slot}
place=${RUNNER_TEMP:-${TMPDIR:-/tmp}}

# For later jobs, where the tool cache can be written: complete before it has its name.
keep() {
	[ -n "$slot" ] || return 0
	new=
	umask 022
	{
		mkdir -p "$slot" && new=$(mktemp "$slot/.ghoard.XXXXXX") && cp "$work/ghoard" "$new" &&
			chmod 755 "$new" && mv -f "$new" "$slot/ghoard" && : >"$slot.complete"
	} 2>/dev/null || rm -f ${new:+"$new"}
	umask 077
}

# The very bytes that were verified are those that run.
finish() {
	chmod 755 "$work/ghoard"
	why=$("$work/ghoard" version 2>&1 >/dev/null) ||
		fail "the ghoard for $arch does not run from $place (exit code $?${why:+, ${why##*: }})"
	[ "$1" = kept ] || keep
	folder=$(mktemp -d "$place/ghoard-bin.XXXXXX")
	mv "$work/ghoard" "$folder/ghoard"
	printf '%s\n' "$folder/ghoard"
	exit 0
}

# by_wget URL FILE: it would follow to http (its --https-only is for recursion), so redirects are read here.
by_wget() {
	at=$1
	for _ in 1 2 3 4 5 6; do
		! wget -nv -S --max-redirect=0 -T 60 -t 3 -O "$2" -- "$at" 2>"$work/said" || return 0
		next=
		while read -r field value _; do
			case $field in
			[Ll]ocation:) next=${value%"$(printf '\r')"} ;;
			esac
		done <"$work/said"
		rest=${at#https://}
		case $next in
		https://*) at=$next ;;
		/[!/]*) at=https://${rest%%/*}$next ;;
		'')
			cat "$work/said" >&2
			return 1 ;;
		*)
			say "$at leads to $next, which is no https address"
			return 1 ;;
		esac
	done
	return 1
}

fetch() {
	case $1 in
	https://*) ;;
	*) fail "$1 is not an https address" ;;
	esac
	say "fetching $1"
	if command -v curl >/dev/null; then
		curl -fsSL --proto '=https' --proto-redir '=https' --retry 3 --connect-timeout 15 \
			--max-time 120 --max-filesize 20000000 -o "$2" -- "$1"
		return
	fi
	case $(wget --help 2>&1) in
	*--max-redirect*) by_wget "$1" "$2" ;;
	*) fail "neither curl nor GNU wget is here to fetch $1; give a folder as source" ;;
	esac
}

# The tarball is verified before anything is unpacked from it, its program once more.
unpack() {
	if [ -n "$own" ] && known "$1" ''; then
		gzip -dc <"$1" | tar -xf - -C "$work" "$name/ghoard" || fail "$1 holds no $name/ghoard"
		mv "$work/$name/ghoard" "$work/ghoard"
		return
	fi
	[ -n "$own" ] || known "$1" "$name.tar.gz" ||
		fail "$name.tar.gz is not the one this action knows: its SHA-256 is $got; nothing was run"
	gzip -dc <"$1" | tar -xf - -C "$work" "$name/ghoard" || fail "$1 holds no $name/ghoard"
	take "$work/$name/ghoard" ||
		fail "the program in $name.tar.gz is not the expected one; nothing was run"
}

# Who built it: asked where a tool can tell, and then its no is final.  gh before 2.49 cannot, nor can one
# without a token, which asks nobody: `save` and `report` have none.  GitHub Enterprise Server attests
# nothing.
attested() {
	case ${GITHUB_SERVER_URL:-https://github.com} in
	https://github.com | https://*.ghe.com) ;;
	*) return 0 ;;
	esac
	[ -n "$repo" ] || fail "INSTALL_REPO does not say whose release this is"
	flow=$repo/.github/workflows/release.yml
	if command -v gh >/dev/null && gh attestation verify --help >/dev/null 2>&1 &&
	    gh auth token >/dev/null 2>&1; then
		gh attestation verify "$1" --repo "$repo" --signer-workflow "$flow" >&2 ||
			fail "gh finds no attestation of $flow for $name.tar.gz; nothing was run"
	elif command -v cosign >/dev/null; then
		fetch "$2.sigstore.json" "$1.sigstore.json" ||
			fail "the attestation $2.sigstore.json is not there"
		cosign verify-blob-attestation --new-bundle-format --bundle "$1.sigstore.json" \
			--type https://slsa.dev/provenance/v1 \
			--certificate-oidc-issuer https://token.actions.githubusercontent.com \
			--certificate-identity-regexp "^https://github\\.com/$(printf %s "$flow" |
				sed 's/[].[*^$\\+?(){}|]/\\&/g')@refs/tags/" "$1" >&2 ||
			fail "cosign finds no attestation of $flow for $name.tar.gz; nothing was run"
	fi
}

for found in "${RUNNER_TEMP:-/dev/null}"/ghoard-bin.*/ghoard "${slot:+$slot/ghoard}"; do
	! [ -f "$found" ] || ! take "$found" || finish kept
done
if [ "${INSTALL_PATH:-}" = true ] && found=$(command -v ghoard); then
	! take "$found" || finish new
fi

case $origin in
https://*)
	fetch "${origin%/}/$name.tar.gz" "$work/$name.tar.gz" ||
		fail "${origin%/}/$name.tar.gz could not be fetched"
	unpack "$work/$name.tar.gz" ;;
*://*)
	fail "the source $origin is neither a folder nor an https address" ;;
?*)
	if [ -f "$origin/ghoard" ]; then
		take "$origin/ghoard" || fail "$origin/ghoard is not the expected one; nothing was run"
	elif [ -f "$origin/$name.tar.gz" ]; then
		cp "$origin/$name.tar.gz" "$work/"
		unpack "$work/$name.tar.gz"
	else
		fail "$origin holds neither ghoard nor $name.tar.gz"
	fi ;;
'')
	[ -n "$repo" ] || fail "INSTALL_REPO does not say whose release to fetch"
	url=${GITHUB_SERVER_URL:-https://github.com}/$repo/releases/download/v$version/$name.tar.gz
	fetch "$url" "$work/$name.tar.gz" || fail "$url could not be fetched; give a folder as source"
	unpack "$work/$name.tar.gz"
	attested "$work/$name.tar.gz" "$url" ;;
esac
finish new
