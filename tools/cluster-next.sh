#!/bin/sh
# Builds bin/hal9-next: this program with one migration more, as the next release would
# have it, so that a rolling migration can be tried.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

last=$(find schema/postgres -name '*.sql' -exec basename {} \; | sort | tail -1 | sed 's/^0*//; s/_.*//')
next=$(printf '%05d_next_release.sql' "$((last + 1))")
cat >"$dir/postgres.sql" <<'END'
-- +goose Up
ALTER TABLE signals ADD COLUMN next_release text;
ALTER TABLE neurons ADD COLUMN next_release text NOT NULL DEFAULT '';
CREATE TABLE next_releases (id bigint PRIMARY KEY);
-- +goose Down
DROP TABLE next_releases;
ALTER TABLE neurons DROP COLUMN next_release;
ALTER TABLE signals DROP COLUMN next_release;
END
cat >"$dir/sqlite.sql" <<'END'
-- +goose Up
CREATE TABLE next_releases (id INTEGER PRIMARY KEY);
-- +goose Down
DROP TABLE next_releases;
END
cat >"$dir/overlay.json" <<END
{"Replace": {
  "$PWD/schema/postgres/$next": "$dir/postgres.sql",
  "$PWD/schema/sqlite/$next": "$dir/sqlite.sql"
}}
END
CGO_ENABLED=0 ${GO:-go} build -buildvcs=false -overlay "$dir/overlay.json" -o bin/hal9-next ./cmd/hal9
