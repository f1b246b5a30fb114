#!/bin/sh
# Checks the types of the k6 script. Needs npx (Node.js) and the npm registry; k6 itself
# is not installed.
set -eu
cd "$(dirname "$0")/.."
if ! command -v npm >/dev/null 2>&1; then
	echo "npm is missing: install Node.js with npm, as in: apt-get install npm" >&2
	exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp loadtest/k6.js "$work"
cd "$work"
npm install --no-audit --no-fund --silent typescript@5.9.3 @types/k6@2.3.0
npx tsc --noEmit --allowJs --checkJs --strict --target es2022 --module es2022 --moduleResolution bundler --lib es2022 --types k6 k6.js
echo "loadtest/k6.js: the types are right"
