#!/bin/sh
# Compiles queries/ with sqlc:
#
#   sh tools/sqlc.sh generate   writes gen/pgdb and gen/sqlitedb
#   sh tools/sqlc.sh verify     fails if they are stale and names the files
#
# sqlc writes into a temporary directory first. So an error leaves the committed
# code as it is, and a file whose queries are gone is found.
set -eu
cd "$(dirname "$0")/.."
packages="pgdb sqlitedb"

# state is one hash of all that sqlc reads and has written.
state() {
	find sqlc.yaml tools/go.mod tools/sqlc.sh schema queries gen/pgdb gen/sqlitedb -type f -print0 2>/dev/null |
		LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
}
stamp=bin/sqlc.stamp
if [ "${1:-}" = generate ] && [ "$(cat $stamp 2>/dev/null)" = "$(state)" ]; then
	exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R sqlc.yaml schema queries "$work"
CGO_ENABLED=0 go tool -modfile=tools/go.mod sqlc generate -f "$work/sqlc.yaml"

case "${1:-}" in
generate)
	for package in $packages; do
		if ! diff -rq "gen/$package" "$work/gen/$package" >/dev/null 2>&1; then
			mkdir -p gen
			rm -rf "gen/$package"
			cp -R "$work/gen/$package" "gen/$package"
		fi
	done
	mkdir -p bin
	state >$stamp
	;;
verify)
	stale=
	for package in $packages; do
		diff -rq "gen/$package" "$work/gen/$package" >>"$work/stale" || stale=yes
		diff -ruN "gen/$package" "$work/gen/$package" >>"$work/diff" || true
	done
	if [ "$stale" ]; then
		head -n 60 "$work/diff"
		sed "s|$work/|fresh |g" "$work/stale" >&2
		echo "The code of sqlc is stale: run make generate and commit what it writes." >&2
		exit 1
	fi
	;;
*)
	echo "usage: tools/sqlc.sh generate|verify" >&2
	exit 2
	;;
esac
