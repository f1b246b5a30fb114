#!/bin/sh
# The name that HAL9's users know. QUICK=1 takes up to 2 minutes instead of 10.
set -eu
cd "$(dirname "$0")"
exec make performance
