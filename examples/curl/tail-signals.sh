#!/bin/sh
# Listens to signals as they are committed: sh tail-signals.sh L3
set -eu
HAL9=${HAL9:-http://localhost:8080}
curl -fsSN "$HAL9/api/v1/signals/stream?layer=${1:-L4}" | sed -un 's/^data: //p'
