#!/bin/sh
# Runs the benchmarks BENCH of the packages PKG for BENCHTIME each, with further flags for
# go test in TESTFLAGS. Run it by `make bench`.
#
# go test says PASS where no benchmark has the name; that is a mistake here.
set -u
: "${PKG:=./...}" "${BENCH:=.}" "${BENCHTIME:=1s}" "${TESTFLAGS:=}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
# shellcheck disable=SC2086 # flags and packages are words
{ go test -run '^$' -bench "$BENCH" -benchtime "$BENCHTIME" -benchmem -timeout 20m $TESTFLAGS $PKG; echo $? >"$work/code"; } |
	awk -v found="$work/found" '/^Benchmark/ && !n++ { print >found; close(found) } { print; fflush() }'
code=$(cat "$work/code")
if [ "$code" -eq 0 ] && [ ! -e "$work/found" ]; then
	echo "bench: no benchmark of PKG=$PKG is called BENCH=$BENCH; the names are told by: go test -list '^Benchmark' $PKG" >&2
	exit 2
fi
exit "$code"
