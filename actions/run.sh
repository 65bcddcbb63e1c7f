#!/bin/sh
# run.sh STEP: `ghoard action STEP`, with the binary that install.sh provides. Only `inject` may fail a job.
set -u
umask 077
[ -z "${GITHUB_WORKSPACE:-}" ] || rm -rf "$GITHUB_WORKSPACE/.ghoard-runtime"
[ -n "${INSTALL_VERSION:-}" ] || export INSTALL_VERSION=0.1.0
said=${RUNNER_TEMP:-/tmp}/ghoard-install.$$

if out=$(sh "${0%/*}/install.sh" 2>"$said"); then
	cat "$said" >&2
	rm -f "$said"
	binary=${out##*
}
	# later steps can call it by its name
	[ "$1" != setup ] || [ -z "${GITHUB_PATH:-}" ] || printf '%s\n' "${binary%/*}" >>"$GITHUB_PATH"
	exec "$binary" action "$1"
fi
why=
while IFS= read -r line; do
	why=$line
done <"$said"
cat "$said" >&2
rm -f "$said" ${GHOARD_RUNTIME_FILE:+"$GHOARD_RUNTIME_FILE"}
if [ "$1" = inject ]; then
	printf '::error title=ghoard::no credentials, as ghoard is not to be had here: %s\n' "${why#ghoard: }"
	exit 1
fi
printf '::warning title=ghoard::not used in this step: %s. It takes a Linux runner, and the release or %s\n' \
	"${why#ghoard: }" "a folder (the input 'source') to come from"
