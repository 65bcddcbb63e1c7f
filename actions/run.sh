#!/bin/sh
# run.sh STEP: `ghoard action STEP`, with the binary that install.sh provides. Only `inject` may fail a job.
set -u
umask 077
[ -z "${GITHUB_WORKSPACE:-}" ] || rm -rf "$GITHUB_WORKSPACE/.ghoard-runtime"
[ -n "${INSTALL_VERSION:-}" ] || export INSTALL_VERSION=0.1.0

# The end of a step in which nothing of ghoard holds.
off() {
	rm -f "$said" ${GHOARD_RUNTIME_FILE:+"$GHOARD_RUNTIME_FILE"}
	if [ "$step" = inject ]; then
		printf '::error title=ghoard::no credentials: %s\n' "$1"
		exit 1
	fi
	[ -z "${GITHUB_OUTPUT:-}" ] ||
		printf '%s\n' cache-status=disabled should-skip-scan=false >>"$GITHUB_OUTPUT"
	printf '::warning title=ghoard::not used in this step: %s\n' "$1"
	exit 0
}

# What install.sh and its tools said. Some came from elsewhere, so no line of it is a command of this step;
# on one stream with what is, as the runner reads two at once.
show() {
	[ ! -s "$said" ] || {
		printf '::stop-commands::%s\n' "${said##*.}"
		cat "$said"
		printf '\n::%s::\n' "${said##*.}"
	}
}

step=$1
temp=${RUNNER_TEMP:-/tmp} said=
said=$(mktemp "$temp/ghoard-install.XXXXXXXXXXXX") || off "$temp cannot be written"
if ! out=$(sh "${0%/*}/install.sh" 2>"$said"); then
	why=$(tr -d '\r' <"$said")	# a line's end to the runner
	why=${why##*
}
	show
	why="${why#ghoard: }. It takes a Linux runner, and the release or a folder (the input 'source')"
	off "$why to come from"
fi
show
rm -f "$said"
binary=${out##*
}
folder=${binary%/*}

# Later steps can call it by its name, whichever action was first; a copy that none can call goes.
spare=$folder
case $step:$(command -v ghoard) in
report:* | *:"${folder%.*}".*) ;;
*)
	if [ -n "${GITHUB_PATH:-}" ] && printf '%s\n' "$folder" >>"$GITHUB_PATH"; then
		spare=
	fi ;;
esac

code=0
"$binary" action "$step" || code=$?
[ -z "$spare" ] || rm -rf "$spare"
[ "$code" -ne 0 ] || exit 0
# its own no, with its reason, stands as it is
[ "$step" != inject ] || [ "$code" -ge 126 ] || exit "$code"
off "ghoard ended with exit code $code"
