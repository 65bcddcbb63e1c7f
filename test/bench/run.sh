#!/bin/sh
# What `make bench` runs: measures, prints, and renews RESULTS.md.  Words narrow it to
# the sections that hold them in their names; then RESULTS.md stays as it is.
set -eu
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin

for command in gh sha256sum cp gcc nginx varnishd wrk; do
	command -v $command >/dev/null || {
		echo "bench: $command is missing; 'make bench' installs it" >&2
		exit 1
	}
done
[ $# -gt 0 ] || {
	build/venv/bin/python test/bench/creds.py --write test/bench/CREDENTIALS.md
	set -- --write test/bench/RESULTS.md
}
exec build/venv/bin/python test/bench/bench.py "$@"
