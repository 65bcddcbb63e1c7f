#!/bin/sh
# Runs each fuzz target for some seconds from its committed corpus; what it
# finds stays in build/fuzz.
#
#   run.sh SECONDS BINARY...
#
# A target that wants longer inputs than 4096 bytes says so in its source:
#	/* max_len: 65536 */
# Values worth trying may stand in test/fuzz/NAME.dict.
set -u

seconds=$1
shift
passed=0
failed=0

for binary; do
	name=${binary##*/}
	work=$PWD/build/fuzz/run/$name
	corpus=$PWD/test/fuzz/corpus/$name
	dict=$PWD/test/fuzz/$name.dict
	mkdir -p "$work/new"
	max=$(sed -n 's/.*max_len: *\([0-9]*\).*/\1/p' "test/fuzz/$name.c" | head -n 1)
	set -- "-max_total_time=$seconds" "-max_len=${max:-4096}" -timeout=10 \
		-rss_limit_mb=1024 -print_final_stats=1 "-artifact_prefix=$work/"
	[ ! -f "$dict" ] || set -- "$@" "-dict=$dict"
	set -- "$@" "$work/new"
	[ ! -d "$corpus" ] || set -- "$@" "$corpus"
	if (cd "$work" && "$OLDPWD/$binary" "$@") >"$work/log" 2>&1 </dev/null; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
		printf '  %-24s ok, %s runs\n' "$name" "$runs"
		passed=$((passed + 1))
	else
		tail -n 60 "$work/log"
		echo "  $name FAILED; the input is in $work: add it to" \
			"test/fuzz/corpus/$name once it is mended"
		failed=$((failed + 1))
	fi
done
echo "fuzz: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
