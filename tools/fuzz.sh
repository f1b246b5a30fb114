#!/bin/sh
# Fuzzes every target that `go test -list` finds, and asks both engines the same things, in
# FUZZ_TIME seconds altogether, builds included. Run it by `make fuzz`.
#
# What a target finds lies in testdata/fuzz of its package, and is a test from then on.
set -eu

time=${FUZZ_TIME:-600}
began=$(date +%s)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
corpus=${FUZZ_CORPUS:-$(go env GOCACHE)/fuzz}
module=$(go list -m)

# What is watched for new paths: our own code and the decoders that it stands on. `go test
# -fuzz` would watch all of SQLite and of net/http besides, which takes minutes to build and
# says nothing.
instrument() {
    for watched in "$module" github.com/go-json-experiment/json go.yaml.in/yaml/v3; do
        printf -- '-gcflags=%s/...=-d=libfuzzer\n' "$watched"
    done
}

# Packages whose tests name a target; which ones there are, the compiled tests tell.
packages=$(grep -rl --include='*_test.go' '^func Fuzz' . | grep -v '^./clients/\|^./examples/' | xargs -n1 dirname | sort -u)
[ -n "$packages" ] || { echo "no package has a fuzz target" >&2; exit 1; }
targets=0
for package in $packages; do
    binary=$work/$(echo "$package" | tr '/.' '__').test
    # shellcheck disable=SC2046 # each is a word
    go test -c $(instrument) -vet=off -o "$binary" "$package"
    names=$(cd "$package" && "$binary" -test.list '^Fuzz')
    [ -n "$names" ] || { echo "$package: its tests name targets, and list none" >&2; exit 1; }
    for name in $names; do
        echo "$package $name $binary" >>"$work/targets"
        targets=$((targets + 1))
    done
done

# A second for each to begin and to end.
left=$((time - $(date +%s) + began - targets))
# The API gets the time of six targets: it finds most.
each=$((left / (targets + 6)))
[ "$each" -ge 2 ] || each=2
echo "$targets targets, ${each} s each, and the API for $((6 * each)) s; building took $(($(date +%s) - began)) s"
printf '%-42s %12s %10s %8s\n' target executions 'new inputs' crashes
status=0
while read -r package name binary; do
    failed=0
    (cd "$package" && "$binary" -test.run '^$' -test.fuzz "^$name\$" -test.fuzztime "${each}s" -test.fuzzminimizetime 5s \
        -test.parallel "${FUZZ_PARALLEL:-$(getconf _NPROCESSORS_ONLN)}" \
        -test.fuzzcachedir "$corpus/$module/${package#./}") >"$work/out" 2>&1 </dev/null || failed=1
    # Go's engine now and then fails for no more than that its time is over.
    if [ "$failed" = 1 ] && ! grep -aq 'Failing input\|panic:\|hung or terminated' "$work/out" && grep -aq 'context deadline exceeded' "$work/out"; then
        failed=0
    fi
    line=$(grep -a 'execs:' "$work/out" | tail -n 1)
    executions=$(echo "$line" | sed -n 's/.*execs: \([0-9]*\).*/\1/p')
    found=$(echo "$line" | sed -n 's/.*new interesting: \([0-9]*\).*/\1/p')
    printf '%-42s %12s %10s %8s\n' "${package#./}.$name" "${executions:-0}" "${found:-0}" "$failed"
    if [ "$failed" = 1 ]; then
        cat "$work/out" >&2
        status=1
    fi
done <"$work/targets"
failed=0
(cd server && "$work/__server.test" -test.v -test.run '^TestAPIDifferential$' -fuzzfor "$((6 * each))s") >"$work/out" 2>&1 </dev/null || failed=1
requests=$(sed -n 's/.*: \([0-9]*\) requests, .*/\1/p' "$work/out" | tail -n 1)
printf '%-42s %12s %10s %8s\n' server.TestAPIDifferential "${requests:-0}" - "$failed"
if [ "$failed" = 1 ]; then
    grep -av 'testenv: kept\|--- PASS\|=== ' "$work/out" >&2
    status=1
fi
echo "it took $(($(date +%s) - began)) s"
exit "$status"
