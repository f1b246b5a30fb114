#!/bin/sh
# Tests the console in a real browser: make test-console. Takes an own server on an own
# database and a free port; PICTURES=folder keeps pictures of the views.
set -eu
cd "$(dirname "$0")"
hal9=$(pwd)/../../bin/hal9

need() { # need PROGRAM PACKAGE
	command -v "$1" >/dev/null 2>&1 || {
		echo "make test-console needs $1: apt-get install --no-install-recommends $2" >&2
		exit 1
	}
}
need node nodejs
need npm npm
chromium=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[ -n "$chromium" ] || {
	echo "make test-console needs Chromium: apt-get install --no-install-recommends chromium, or name one in CHROMIUM" >&2
	exit 1
}
if ! cmp -s package-lock.json node_modules/.lock; then
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || {
		echo "playwright-core could not be installed; npm needs its registry once" >&2
		exit 1
	}
	cp package-lock.json node_modules/.lock
fi

work=$(mktemp -d)
server=
end() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$server" ] || wait "$server" 2>/dev/null || true
	rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM
cd "$work"
echo 'correct horse' | "$hal9" user create ann --role admin --password-stdin >/dev/null
echo 'correct horse' | "$hal9" user create bob --role user --password-stdin >/dev/null
key=$("$hal9" admin create-key --name "browser test" --json | sed -n "s/.*\"key\": *\"\([^\"]*\)\".*/\1/p" | head -1)
# A port of 0 takes a free one, which the log tells.
"$hal9" serve --auth-mode required --server-listen 127.0.0.1:0 --log-format json >serve.log 2>&1 &
server=$!
port=
for _ in $(seq 300); do
	port=$(sed -n 's/.*"address":"127\.0\.0\.1:\([0-9]*\)".*/\1/p' serve.log | head -1)
	[ -n "$port" ] && break
	kill -0 "$server" 2>/dev/null || { cat serve.log >&2; exit 1; }
	sleep 0.1
done
[ -n "$port" ] || { echo "the server does not say where it serves" >&2; exit 1; }
cd - >/dev/null
BASE="http://127.0.0.1:$port" KEY="$key" CHROMIUM_PATH="$chromium" timeout 300 node console.test.mjs
