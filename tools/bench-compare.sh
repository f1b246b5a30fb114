#!/bin/sh
# Compares benchmarks of this work tree with those of another revision:
#
#   sh tools/bench-compare.sh REVISION
#
# Both run in turns, COUNT times each, on the same servers, so that whatever else the
# machine does meets both. Then benchstat tells which differences are more than noise.
# PKG, BENCH and BENCHTIME are those of `make bench`.
set -eu
cd "$(dirname "$0")/.."
base=${1:-}
: "${PKG:=./...}" "${BENCH:=.}" "${BENCHTIME:=1s}" "${COUNT:=6}"
if [ -z "$base" ] || ! commit=$(git rev-parse --verify -q "$base^{commit}"); then
	echo "bench-compare: BASE names no revision: make bench-compare BASE=main PKG=./store BENCH=Signal" >&2
	exit 2
fi

work=$(mktemp -d)
trap 'git worktree remove --force "$work/base" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
git worktree add -q --detach "$work/base" "$commit"

# measure appends one round of a tree to a file.
measure() {
	(cd "$1" && go test -run '^$' -bench "$BENCH" -benchtime "$BENCHTIME" -benchmem -timeout 20m $PKG) >>"$2"
}
round=1
while [ "$round" -le "$COUNT" ]; do
	echo "round $round of $COUNT" >&2
	measure "$work/base" "$work/base.txt"
	measure . "$work/this.txt"
	round=$((round + 1))
done
if ! grep -q '^Benchmark' "$work/this.txt"; then
	echo "bench-compare: no benchmark of PKG=$PKG is called BENCH=$BENCH; the names are told by: go test -list '^Benchmark' $PKG" >&2
	exit 2
fi
CGO_ENABLED=0 go tool -modfile=tools/go.mod benchstat "$base=$work/base.txt" "work tree=$work/this.txt"
