#!/bin/sh
# "BearSSL 0.6, cJSON 1.7.15, libyaml 0.2.5": the upstream versions in vendor/pins, for `ghoard version`.
# Alpine's compiler brings a musl of its own; `versions.sh musl` says which, and nothing elsewhere.
set -eu
cd "$(dirname "$0")"
musl=$(sed -n '/^P:musl$/,/^$/s/^V://p' "${APK_DB:-/lib/apk/db/installed}" 2>/dev/null || :)
[ "${1:-}" != musl ] || {
	echo "$musl"
	exit
}
awk -v musl="$musl" 'BEGIN { name["bearssl"] = "BearSSL"; name["cjson"] = "cJSON" }
$2 == "upstream" {
	version = $3
	sub(/^[^_]*_/, "", version)
	sub(/([+.]dfsg[^_]*)?\.orig\..*$/, "", version)
	if ($1 == "musl" && musl)
		version = musl
	printf "%s%s %s", n++ ? ", " : "", $1 in name ? name[$1] : $1, version
}' pins
