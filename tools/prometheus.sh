#!/bin/sh
# Makes sure that prometheus and promtool are there: as root by apt, else it says how.
set -eu
have() { command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1; }
have && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus >&2 || true
fi
have && exit 0
echo "prometheus and promtool are needed: 'sudo apt-get install --no-install-recommends prometheus', or put both of https://prometheus.io/download into PATH" >&2
exit 1
