#!/bin/bash
# An account that may only read.
set -eu
psql -v ON_ERROR_STOP=1 --quiet --no-psqlrc --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE reader NOLOGIN;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
SQL
