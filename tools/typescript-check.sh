#!/bin/sh
# Checks the types of the TypeScript client and of the examples, and runs both against
# bin/hal9. Needs Node.js 20 with npm, and the npm registry where it was not run before.
set -eu
cd "$(dirname "$0")/.."
for program in node npm; do
	if ! command -v $program >/dev/null 2>&1; then
		echo "$program is missing: install Node.js 20 or newer with npm, as in: apt-get install nodejs npm" >&2
		exit 1
	fi
done
for folder in clients/typescript examples/typescript; do
	lock=$folder/package-lock.json
	if [ ! -e $folder/node_modules/.package-lock.json ] || [ $lock -nt $folder/node_modules/.package-lock.json ]; then
		npm --prefix $folder ci --no-audit --no-fund --silent
	fi
done
tsc=clients/typescript/node_modules/.bin/tsc
rm -rf clients/typescript/dist clients/typescript/dist-test examples/typescript/dist
$tsc -p clients/typescript
$tsc -p clients/typescript/tsconfig.test.json
$tsc -p examples/typescript

work=$(mktemp -d)
bin/hal9 serve --database-url "sqlite://$work/hal9.db" --server-listen 127.0.0.1:0 --log-format json >"$work/log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
tries=0
until address=$(sed -n 's/.*"msg":"serving","address":"\([^"]*\)".*/\1/p' "$work/log") && [ "$address" ]; do
	tries=$((tries + 1))
	if [ "$tries" -gt 300 ] || ! kill -0 "$server" 2>/dev/null; then
		cat "$work/log" >&2
		exit 1
	fi
	sleep 0.1
done
HAL9=http://$address node --test --test-reporter spec clients/typescript/dist-test/test/client.test.js
HAL9_TEST_PROGRAM=$PWD/bin/hal9 HAL9_TEST_TYPESCRIPT=1 go -C clients/go test -count 1 -run '^TestExamples$' .
