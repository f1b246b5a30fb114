#!/bin/sh
# Keeps a memory and finds it again: sh search-memories.sh "failing antennas"
set -eu
HAL9=${HAL9:-http://localhost:8080}

curl -fsS -o /dev/null "$HAL9/api/v1/memories" -H 'Content-Type: application/json' \
    -d '{"neuron_id": "strategic-planner", "content": "The antenna fails within 72 hours.", "importance": 0.9}'

# -G with --data-urlencode spells the words for a URL, whatever is in them.
curl -fsS -G "$HAL9/api/v1/memories/search" --data-urlencode "q=${1:-failing antennas}" -d limit=5
echo
