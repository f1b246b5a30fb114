# Makes a cluster in ./data and becomes its server:
#
#   sh -c "$script" postgres BIN [SERVER ARGUMENT...]

bin=$1
shift
"$bin/initdb" --pgdata=data --username=postgres --auth=trust \
	--encoding=UTF8 --locale=C.UTF-8 --no-sync || exit
exec "$bin/postgres" -D data "$@"
