#!/bin/sh
# Run once, as the owner of the database, when the data folder is made: makes the role
# that the servers use. `hal9 migrate grant hal9_server` gives it its rights.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$HAL9_SERVER_PASSWORD" \
    -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE hal9_server LOGIN PASSWORD :'password';
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SQL
