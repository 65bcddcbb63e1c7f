#!/bin/sh
# The program runs anywhere: no loader, small, and from a folder that holds
# nothing else.
#
#   static.sh BINARY MAX_SIZE
set -u

binary=$1
limit=$2
passed=0
failed=0
skipped=0

result() {
	printf '  %-8s %s\n' "$1" "$2"
	case $1 in
	ok) passed=$((passed + 1)) ;;
	skipped) skipped=$((skipped + 1)) ;;
	*) failed=$((failed + 1)) ;;
	esac
}

if readelf -lW "$binary" | grep -q INTERP; then
	result FAILED "$binary asks for a dynamic loader"
else
	result ok 'no dynamic loader'
fi

# what one would lose in silence by a change of compiler or flags
for want in 'GNU_RELRO' 'GNU_STACK .* RW ' 'FLAGS_1.*NOW PIE'; do
	if readelf -ldW "$binary" | grep -q "$want"; then
		result ok "hardened: $want"
	else
		result FAILED "readelf -ld $binary shows no '$want'"
	fi
done

size=$(wc -c <"$binary")
if [ "$size" -le "$limit" ]; then
	result ok "$size bytes of $limit"
else
	result FAILED "$size bytes, $limit are allowed"
fi

if [ "$(id -u)" -eq 0 ]; then
	dir=$(mktemp -d)
	cp "$binary" "$dir/ghoard"
	if said=$(chroot "$dir" /ghoard version 2>&1); then
		result ok "in an empty root folder: $said"
	else
		result FAILED "in an empty root folder: $said"
	fi
	rm -rf "$dir"
else
	result skipped 'in an empty root folder: chroot wants root'
fi

echo "static: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
