#!/bin/sh
# Tests the console in a real browser: make test-console. Takes own servers on own
# databases and free ports; PICTURES=folder keeps pictures of the views.
#   run.sh sqlite     with accounts, and without (auth.mode: open)
#   run.sh postgres   with accounts, on HAL9_TEST_POSTGRES_URL and HAL9_TEST_CACHE_URL
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

engine=${1:-sqlite}
work=$(mktemp -d)
here=$(pwd)
server=
database=
end_server() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$server" ] || wait "$server" 2>/dev/null || true
	server=
}
end() {
	end_server
	[ -z "$database" ] || psql -q "$HAL9_TEST_POSTGRES_URL" -c "DROP DATABASE IF EXISTS $database" >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM
cd "$work"

# start FLAG...: serves, and sets BASE. A port of 0 takes a free one, which the log tells.
start() {
	"$hal9" serve --server-listen 127.0.0.1:0 --log-format json "$@" >serve.log 2>&1 &
	server=$!
	port=
	for _ in $(seq 300); do
		port=$(sed -n 's/.*"address":"127\.0\.0\.1:\([0-9]*\)".*/\1/p' serve.log | head -1)
		[ -n "$port" ] && break
		kill -0 "$server" 2>/dev/null || { cat serve.log >&2; exit 1; }
		sleep 0.1
	done
	[ -n "$port" ] || { echo "the server does not say where it serves" >&2; exit 1; }
	export BASE="http://127.0.0.1:$port"
}
browse() { (cd "$here" && CHROMIUM_PATH="$chromium" timeout 300 node "$@"); }

case $engine in
sqlite)
	export HAL9_DATABASE_URL="sqlite://$work/hal9.db" ;;
postgres)
	need psql postgresql-client
	[ -n "${HAL9_TEST_POSTGRES_URL:-}" ] && [ -n "${HAL9_TEST_CACHE_URL:-}" ] || {
		echo "HAL9_TEST_POSTGRES_URL or HAL9_TEST_CACHE_URL is missing: run 'make test-console'" >&2
		exit 1
	}
	database=hal9_console_$$
	psql -q "$HAL9_TEST_POSTGRES_URL" -c "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8'"
	# The same server's address, with another database.
	HAL9_DATABASE_URL=$(printf '%s\n' "$HAL9_TEST_POSTGRES_URL" | sed "s|^\([a-z]*://[^/?]*\)/*[^?]*|\1/$database|")
	export HAL9_DATABASE_URL HAL9_CACHE_URL="$HAL9_TEST_CACHE_URL" HAL9_CACHE_KEY_PREFIX="console-$$:"
	"$hal9" migrate up >/dev/null ;;
*)
	echo "there is no engine $engine: give sqlite or postgres" >&2
	exit 2 ;;
esac
echo "the console on $engine, with accounts"
echo 'correct horse' | "$hal9" user create ann --role admin --password-stdin >/dev/null
echo 'correct horse' | "$hal9" user create bob --role user --password-stdin >/dev/null
KEY=$("$hal9" admin create-key --name "browser test" --json | sed -n "s/.*\"key\": *\"\([^\"]*\)\".*/\1/p" | head -1)
export KEY
start --auth-mode required
browse console.test.mjs
if [ "$engine" = sqlite ]; then
	end_server
	echo "the console on $engine, open to everybody on this machine"
	start --auth-mode open
	browse open.test.mjs
fi
