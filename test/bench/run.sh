#!/bin/sh
# What `make bench` runs: measures, prints, and renews RESULTS.md.
set -eu
cd "$(dirname "$0")/../.."

for command in gh sha256sum cp; do
	command -v $command >/dev/null || {
		echo "bench: $command is missing; 'make bench' installs it" >&2
		exit 1
	}
done
build/venv/bin/python test/bench/bench.py --write test/bench/RESULTS.md
exec build/venv/bin/python test/bench/creds.py --write test/bench/CREDENTIALS.md
