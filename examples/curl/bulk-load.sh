#!/bin/sh
# Loads a file of signals, one JSON object a line, and goes on where the service stopped:
# sh bulk-load.sh signals.ndjson
set -eu
HAL9=${HAL9:-http://localhost:8080}
file=${1:?give a file: sh bulk-load.sh FILE}
offset=0
while :; do
    answer=$(tail -c +$((offset + 1)) "$file" |
        curl -sS "$HAL9/api/v1/signals/bulk" -X POST -T - -H 'Content-Type: application/x-ndjson')
    echo "$answer"
    case $answer in
    *'"complete":true'*) exit 0 ;;
    # Everything before this byte is decided.
    *'"resume":'*) further=$(echo "$answer" | sed 's/.*"resume":{"offset":\([0-9]*\).*/\1/') ;;
    *) exit 1 ;;
    esac
    offset=$((offset + further))
    sleep 5
done
