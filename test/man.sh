#!/bin/sh
# Renews the generated parts of the man pages, those between
#	.\" BEGIN generated NAME
#	.\" END generated NAME
# with what the program says of itself.
#
#   man.sh BINARY FOLDER
set -eu

binary=$1
dir=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

for page in "$dir"/*.[15]; do
	[ -f "$page" ] || continue
	names=$(sed -n 's/^\.\\" BEGIN generated //p' "$page")
	for name in $names; do
		"$binary" help --roff "$name" >"$tmp/$name" || {
			echo "man: '$binary help --roff $name' failed; $page asks for it" >&2
			exit 1
		}
		[ -s "$tmp/$name" ] || {
			echo "man: '$binary help --roff $name' printed nothing" >&2
			exit 1
		}
		grep -qx "\.\\\\\" END generated $name" "$page" || {
			echo "man: $page begins '$name' and does not end it" >&2
			exit 1
		}
	done
	awk -v tmp="$tmp" '
		/^\.\\" END generated / { skip = 0 }
		!skip { print }
		/^\.\\" BEGIN generated / {
			skip = 1
			while ((getline line <(tmp "/" $4)) > 0)
				print line
		}' "$page" >"$tmp/page"
	cmp -s "$tmp/page" "$page" || cp "$tmp/page" "$page"
done
