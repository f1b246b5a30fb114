#!/bin/sh
# Checks deploy/ by the schemas and programs of those who read it. What is not installed
# is named, not passed over in silence.
set -eu
cd "$(dirname "$0")/.."
left=""

CGO_ENABLED=0 go -C tools/deploycheck run . ../../deploy

if command -v kubectl >/dev/null; then
    kubectl kustomize deploy/kubernetes >/dev/null
    echo "kubectl kustomize                             ok"
else
    left="$left kubectl"
fi

if command -v systemd-analyze >/dev/null; then
    # It wants to find the program that the units start.
    units=$(mktemp -d)
    trap 'rm -rf "$units"' EXIT
    for unit in deploy/systemd/*.service; do
        sed "s|/usr/bin/hal9 |$(command -v true) |" "$unit" >"$units/$(basename "$unit")"
    done
    systemd-analyze verify "$units"/*.service
    echo "systemd-analyze verify                        ok"
else
    left="$left systemd-analyze"
fi

if command -v haproxy >/dev/null; then
    for file in deploy/haproxy/*.cfg; do
        haproxy -q -c -f "$file"
        echo "haproxy -c $file   ok"
    done
else
    left="$left haproxy"
fi

if [ -n "$left" ]; then
    echo "not checked, because not installed:$left"
fi
