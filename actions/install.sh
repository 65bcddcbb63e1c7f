#!/bin/sh
# Prints, as its last line, the path of a ghoard that may be used: one whose SHA-256 stands in SHA256SUMS
# beside this file or is INSTALL_SHA256, from INSTALL_SOURCE (a folder) or the tool cache; or INSTALL_PATH.
set -eu
fail() {
	echo "$*" >&2
	exit 1
}
[ "$(uname -s)" = Linux ] || fail "ghoard runs on Linux alone; give the job a Linux runner"
if [ -n "${INSTALL_PATH:-}" ]; then
	binary=$INSTALL_PATH
	[ "$binary" != true ] || binary=$(command -v ghoard) || fail "there is no ghoard in PATH"
	[ -x "$binary" ] || fail "there is no ghoard at $binary; see the input 'path'"
	printf '%s\n' "$binary"
	exit 0
fi
for binary in ${INSTALL_SOURCE:+"$INSTALL_SOURCE/ghoard"} \
	"${RUNNER_TOOL_CACHE:-/nowhere}"/ghoard/*/*/ghoard; do
	[ -x "$binary" ] || continue
	sum=$(sha256sum "$binary")
	sum=${sum%% *}
	if [ "$sum" = "${INSTALL_SHA256:-}" ] || grep -q "^$sum " "${0%/*}/SHA256SUMS" 2>/dev/null; then
		printf '%s\n' "$binary"
		exit 0
	fi
done
fail "no ghoard with a SHA-256 that this commit knows; give 'source', or 'sha256'"
