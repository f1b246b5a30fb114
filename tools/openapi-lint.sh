#!/bin/sh
# Lints the OpenAPI document that the service serves, by an independent linter.
# Needs npx (Node.js) and the npm registry.
set -eu
cd "$(dirname "$0")/.."
if ! command -v npx >/dev/null 2>&1; then
	echo "npx is missing: install Node.js with npm, as in: apt-get install npm" >&2
	exit 1
fi
work=$(mktemp -d)
bin/hal9 serve --database-url sqlite::memory: --server-listen 127.0.0.1:0 --log-format json >"$work/log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
tries=0
until address=$(sed -n 's/.*"msg":"serving","address":"\([^"]*\)".*/\1/p' "$work/log") && [ "$address" ]; do
	tries=$((tries + 1))
	if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
		cat "$work/log" >&2
		exit 1
	fi
	sleep 0.1
done
curl -fsS "http://$address/openapi.json" -o "$work/openapi.json"
REDOCLY_TELEMETRY=off npx --yes @redocly/cli@2.77.0 lint "$work/openapi.json"
