# Waits in DIRECTORY, and when it is told to end, ends what runs as a PostgreSQL there:
#
#   sh -c "$script" reap DIRECTORY
#
# Patroni's PostgreSQL is nobody's child: it outlives a Patroni that is killed.

dir=$1

# A server runs if the process of its pid file works in its data directory.
servers() {
	for file in "$dir"/*/data/postmaster.pid; do
		[ -f "$file" ] || continue
		read -r pid <"$file"
		[ "$(readlink "/proc/$pid/cwd")" = "${file%/postmaster.pid}" ] && echo "$pid"
	done
}

reap() {
	trap '' TERM INT
	tenths=0
	while [ -n "$(servers)" ] && [ "$tenths" -lt 100 ]; do
		# Whoever has a Patroni is ended by it, in good order, within the first seconds.
		if [ "$tenths" -ge 30 ]; then
			for pid in $(servers); do kill -INT "$pid"; done
		fi
		sleep 0.1
		tenths=$((tenths + 1))
	done
	for pid in $(servers); do kill -QUIT "$pid"; done
	exit 0
}

trap reap TERM INT
while :; do
	sleep 3600 &
	waited=$!
	trap 'kill $waited; reap' TERM INT
	wait "$waited"
done
