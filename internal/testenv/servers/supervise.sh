# Runs one server for as long as standard input stays open:
#
#   sh -c "$script" supervise DIRECTORY SIGNAL COMMAND [ARGUMENT...]
#
# The caller holds the other end of standard input and writes nothing to it.
# The kernel closes that end when the caller ends, by kill -9 too; the server is
# then ended by SIGNAL, and DIRECTORY is removed. Standard output carries the
# server's pid, then, if the server ends of itself, "ended STATUS"; it is closed
# when nothing is left.

dir=$1 signal=$2
shift 2
cd / || exit 1

trap '' PIPE # a caller that is gone must not end this shell before the server
exec 3<&0    # a command in the background gets /dev/null as standard input

(cd "$dir" && exec "$@") >>"$dir/log" 2>&1 </dev/null 3<&- &
server=$!
trap 'kill -s "$signal" "$server"' HUP INT TERM
echo "$server"

# The signal is repeated because a server that is only starting may miss it.
(
	trap - PIPE
	read -r _ <&3
	tenths=0
	while [ "$tenths" -lt 300 ] && kill -s "$signal" "$server"; do
		sleep 0.1 >&2 3<&-
		tenths=$((tenths + 1))
	done
	kill -s KILL "$server"
) 2>/dev/null &
watcher=$!

# A trapped signal interrupts wait, so wait until the server is reaped.
while kill -0 "$server" 2>/dev/null; do
	wait "$server"
	status=$?
done
# KILL, because a TERM that comes while the watcher is being forked is lost in it.
kill -s KILL "$watcher" 2>/dev/null
wait "$watcher" 2>/dev/null

# The caller may still want to read the log.
echo "ended ${status:-unknown}" 2>/dev/null
read -r _ <&3
rm -rf "$dir"
