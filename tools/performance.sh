#!/bin/sh
# Measures HAL9 against its targets: on SQLite, on PostgreSQL, on PostgreSQL with Valkey,
# over much data, with 1000 users who think, and by the original script; then prints one
# table. Up to 10 minutes; QUICK=1 takes up to 2. Reports go to bin/performance.
#
# Servers are private to the run, on 127.0.0.1, and ended by their process ids.
# HAL9_TEST_POSTGRES_URL and HAL9_TEST_CACHE_URL name others to use.
#
# Exits with 1 if a run failed, or if PostgreSQL with Valkey missed a target.
set -eu
cd "$(dirname "$0")/.."
root=$PWD

fail() {
	echo "performance: $1" >&2
	exit 1
}

# What it needs, with the mend where something is missing.
command -v "${GO:-go}" >/dev/null 2>&1 || fail "go is missing: install Go 1.26 or newer from https://go.dev/dl"
command -v psql >/dev/null 2>&1 || fail "psql is missing: apt-get install postgresql-client"
[ -x bin/hal9 ] && [ -x bin/testenv ] || fail "bin/hal9 or bin/testenv is missing: run 'make performance'"
if [ -z "${HAL9_TEST_POSTGRES_URL:-}" ] || [ -z "${HAL9_TEST_CACHE_URL:-}" ]; then
	[ -z "${PERFORMANCE_INSIDE:-}" ] || fail "bin/testenv started no servers"
	echo "Starting a private PostgreSQL, with durable settings, and Valkey or Redis."
	PERFORMANCE_INSIDE=1 exec bin/testenv run --durable -- sh "$root/tools/performance.sh"
fi

users=${USERS:-1000}
if [ -n "${QUICK:-}" ]; then
	peak="--duration 7s --warm-up 2s" mix="--duration 9s --warm-up 4s" original=12s seed="--users 20000"
	wide=$peak
else
	peak="--duration 40s --warm-up 10s" mix="--duration 60s --warm-up 15s" original=100s seed="--users 100000"
	# Of 100,000 accounts many are read for the first time until then.
	wide="--duration 60s --warm-up 20s"
fi
# A file for each connection, in the load generator and in the server.
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
limit=$(ulimit -n)
[ "$limit" = unlimited ] || [ "$limit" -ge $((users + 200)) ] ||
	fail "$users users need $((users + 200)) open files, the limit is $limit: raise it by 'ulimit -n'"

out=$root/bin/performance
mkdir -p "$out"
rm -f "$out"/*.json "$out"/*.html
work=$(mktemp -d)
server=
database=hal9_performance_$$
# The same server's address, with another database.
postgres=$(printf '%s\n' "$HAL9_TEST_POSTGRES_URL" | sed "s|^\([a-z]*://[^/?]*\)/*[^?]*|\1/$database|")

stop_server() {
	[ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; }
	server=
}
clean_up() {
	stop_server
	psql -q "$HAL9_TEST_POSTGRES_URL" -c "DROP DATABASE IF EXISTS $database" >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# start_server SETTING=VALUE...: serves, and sets $url.
start_server() {
	stop_server
	env HAL9_LOG_ACCESS_SAMPLE=0.01 HAL9_LOG_FORMAT=json "$@" \
		bin/hal9 serve --migrate --server-listen 127.0.0.1:0 >"$work/log" 2>&1 &
	server=$!
	tries=0
	until address=$(sed -n 's/.*"msg":"serving","address":"\([^"]*\)".*/\1/p' "$work/log") && [ "$address" ]; do
		tries=$((tries + 1))
		if [ "$tries" -gt 300 ] || ! kill -0 "$server" 2>/dev/null; then
			cat "$work/log" >&2
			fail "the server does not start"
		fi
		sleep 0.1
	done
	url=http://$address
}

new_database() {
	stop_server
	psql -q "$HAL9_TEST_POSTGRES_URL" -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8'" >/dev/null 2>&1 ||
		fail "cannot make a database on the PostgreSQL server"
}

failed=
# measure NAME DECISIVE SCENARIO FLAG...: one run, whose report is NAME.json.
measure() {
	name=$1 decisive=$2
	shift 2
	printf '%s: hal9 loadtest run %s\n' "$name" "$*"
	code=0
	bin/hal9 loadtest run "$@" --url "$url" --json --html "$out/$name.html" \
		--note "the database and the load generator are on the same machine" >"$out/$name.json" 2>"$work/progress" || code=$?
	# 1 with a report says that a threshold was broken.
	[ "$code" -le 1 ] && [ -s "$out/$name.json" ] || { cat "$work/progress" >&2; fail "the run $name failed"; }
	[ "$code" -eq 0 ] || [ "$decisive" = no ] || failed="$failed $name"
	[ "$code" -eq 0 ] || sed -n 's/^hal9: \(.*thresholds.*\)/    \1/p' "$work/progress"
}

sync_rate() {
	begin=$(date +%s%N)
	dd if=/dev/zero of="$work/sync" bs=8k count=200 oflag=dsync 2>/dev/null || return 0
	end=$(date +%s%N)
	echo "The disk takes $((200 * 1000000000 / (end - begin + 1))) synchronous writes a second."
}
sync_rate

start_server HAL9_DATABASE_URL="sqlite://$work/hal9.db"
measure sqlite no peak --users "$users" $peak

new_database
start_server HAL9_DATABASE_URL="$postgres"
measure postgres no peak --users "$users" $peak

new_database
start_server HAL9_DATABASE_URL="$postgres" HAL9_CACHE_URL="$HAL9_TEST_CACHE_URL" HAL9_CACHE_KEY_PREFIX="performance-$$:"
measure postgres-valkey yes peak --users "$users" $peak --threshold 'hit_rate >= 90%' --threshold 'users >= 1000'
measure users-who-think yes mix --users "$users" $mix --threshold 'users >= 1000'
measure original no original --duration "$original"
env HAL9_DATABASE_URL="$postgres" bin/hal9 loadtest seed $seed --accounts "$work/accounts.ndjson" |
	sed "s|$work/||"
measure much-data no wide --users "$users" $wide --accounts "$work/accounts.ndjson"
stop_server

echo
echo "The targets are over the columns. Users who think ask for no higher rate; the original"
echo "script has as many users as the passwords that can be hashed allow."
echo
cd "$out"
"$root/bin/hal9" loadtest compare sqlite.json postgres.json postgres-valkey.json much-data.json users-who-think.json original.json \
	--target 'rate > 10000' --target 'users >= 1000' --target 'p50 < 50ms' --target 'p99 < 200ms' --target 'hit_rate >= 90%' --target 'failed < 1%'
echo
sed -n 's/.*"hashes_per_second": \([0-9.]*\),*/original: \1 password hashes a second were measured;/p' original.json | head -1
sed -n 's/.*"cores_for_1000_users": \([0-9]*\).*/1000 users of the original script need \1 cores like these for passwords alone./p' original.json | head -1
echo "Reports: bin/performance/*.html"
[ -z "$failed" ] || fail "targets were missed by:$failed"
