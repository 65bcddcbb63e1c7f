#!/bin/sh
# "BearSSL 0.6, cJSON 1.7.15, libyaml 0.2.5": the upstream versions in vendor/pins, for `ghoard version`.
set -eu
cd "$(dirname "$0")"
awk 'BEGIN { name["bearssl"] = "BearSSL"; name["cjson"] = "cJSON" }
$2 == "upstream" {
	version = $3
	sub(/^[^_]*_/, "", version)
	sub(/([+.]dfsg[^_]*)?\.orig\..*$/, "", version)
	printf "%s%s %s", n++ ? ", " : "", $1 in name ? name[$1] : $1, version
}' pins
