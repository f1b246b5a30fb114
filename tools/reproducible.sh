#!/bin/sh
# Builds this commit in two folders, the second time without what the first one left in
# Go's cache, and compares the programs.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
for copy in one another; do
	git clone -q . "$work/$copy"
done
make -s -C "$work/one" build
GOCACHE="$work/cache" make -s -C "$work/another" build
for copy in one another; do
	(cd "$work/$copy" && sha256sum bin/hal9)
done
cmp "$work/one/bin/hal9" "$work/another/bin/hal9"
echo "the two are the same"
