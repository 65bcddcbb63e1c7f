#!/bin/sh
# What `make test` runs.  One failing does not hide the others; the runners'
# own closing lines come again at the end.
#
#   all.sh MAKE
set -u

make=$1
status=0
mkdir -p build/test

for part in check-static unit scenario lint; do
	echo "== $part"
	# a pipe would lose the status
	{ "$make" "$part" 2>&1; echo $? >build/test/status; } | tee "build/test/$part.log"
	[ "$(cat build/test/status)" -eq 0 ] || {
		status=1
		failed="${failed:-} $part"
	}
done

echo "== closing lines"
for part in check-static unit scenario lint; do
	grep -E '[0-9]+ (passed|failed)' "build/test/$part.log" | tail -n 1
done
[ $status -eq 0 ] || echo "failed:$failed (logs in build/test)"
exit $status
