#!/bin/sh
# Runs the unit tests and replays that are named, as many at once as there are
# processors, each within 120 s and in an empty folder of its own.
#
#   unit.sh BINARY...
#
# A replay (build/asan/replay/NAME) gets the folder test/fuzz/corpus/NAME.
# EMULATOR, where it is set, runs them.
set -u

if [ "${1:-}" = --one ]; then
	binary=$2
	log=$binary.log
	name=${binary#*build/}
	name=${name#asan/}
	set --
	case $name in
	replay/*) set -- "$PWD/test/fuzz/corpus/${name#replay/}" ;;
	esac
	# Tests may write where they like: nothing of the user's is in reach.
	dir=$(mktemp -d) || exit 1
	rm -f "$log.failed"
	# shellcheck disable=SC2086 # none or one word
	(cd "$dir" && HOME=$dir TMPDIR=$dir GHOARD_TEST_DATA=$OLDPWD/test/data \
		ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1} \
		UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1} \
		timeout -k 5 120 ${EMULATOR:-} "$binary" "$@") >"$log" 2>&1 </dev/null
	status=$?
	rm -rf "$dir"
	passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s)\.$/\1/p' "$log" | head -n 1)
	if [ $status -eq 0 ]; then
		printf '  %-30s [  PASSED  ] %s test(s).\n' "$name" "${passed:-1}"
		exit 0
	fi
	[ $status -ne 124 ] || echo "stopped after 120 s" >>"$log"
	: >"$log.failed"
	# in one write, so that two failing at once do not mix
	printf '%s\n' "$(cat "$log"; echo "  $name FAILED with status $status: $log")"
	exit 0
fi

[ $# -gt 0 ] || {
	echo "unit: no test has that name" >&2
	exit 1
}
for binary; do
	printf '%s\0' "$PWD/$binary"
done | xargs -0 -n 1 -P "$(nproc)" sh "$0" --one

passed=0
failed=0
for binary; do
	log=$PWD/$binary.log
	p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s)\.$/\1/p' "$log" | head -n 1)
	f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s), listed below:$/\1/p' "$log" | head -n 1)
	if [ ! -e "$log.failed" ]; then
		# a replay has no tests to count; it is one
		p=${p:-1}
	elif [ "${f:-0}" -eq 0 ]; then
		# crashed, or did not come back: whatever it passed, it failed
		f=1
	fi
	passed=$((passed + ${p:-0}))
	failed=$((failed + ${f:-0}))
done
echo "unit: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
