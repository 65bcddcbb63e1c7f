#!/bin/sh
# Prints the path of a ghoard that may be used.
set -eu
[ "$(uname -s)" = Linux ] || { echo "ghoard runs on Linux alone; runs-on: ubuntu-latest has it" >&2; exit 1; }
binary=${INSTALL_PATH:-}
[ "$binary" != true ] || binary=$(command -v ghoard || :)
[ -n "$binary" ] || binary=${INSTALL_SOURCE:-}/ghoard
[ -x "$binary" ] || { echo "there is no ghoard at $binary" >&2; exit 1; }
if [ -n "${INSTALL_SHA256:-}" ]; then
	sum=$(sha256sum "$binary")
	[ "${sum%% *}" = "$INSTALL_SHA256" ] || { echo "$binary is not what sha256 says" >&2; exit 1; }
fi
printf '%s\n' "$binary"
