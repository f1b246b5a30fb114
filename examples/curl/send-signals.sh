#!/bin/sh
# Sends signals: one, in a way that may be repeated, and several at once.
set -eu
HAL9=${HAL9:-http://localhost:8080}
json='Content-Type: application/json'

# The key makes a repetition harmless: curl sends it again when the connection breaks.
curl -fsS --retry 5 --retry-all-errors "$HAL9/api/v1/signal" -H "$json" \
    -H "Idempotency-Key: $(date +%s)-$$-1" \
    -d '{"content": "plan the day", "layer": "strategic"}'
echo

curl -fsS --retry 5 --retry-all-errors "$HAL9/api/v1/signals" -H "$json" \
    -H "Idempotency-Key: $(date +%s)-$$-2" \
    -d '[{"content": "split it into tasks", "layer_to": "L3"},
         {"content": "write the report", "layer_to": "L2", "from_neuron": "task-analyzer", "layer_from": "L3"}]'
echo
