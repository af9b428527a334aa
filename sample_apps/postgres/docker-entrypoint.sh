#!/usr/bin/env bash
# Makes the database in an empty data directory, then serves it; as root it only fixes owners and gives up root.
#   POSTGRES_PASSWORD   the superuser's password; needed for the first start
#   POSTGRES_DB         a database to make, "postgres" unless set
# Files of /docker-entrypoint-initdb.d (*.sql, *.sh) run once, in the order of their names.
set -Eeuo pipefail

scripts=/docker-entrypoint-initdb.d

as_postgres() { # ARGUMENT...: this script again, as the account that owns the data
    mkdir -p "$PGDATA" /run/postgresql
    chmod 0700 "$PGDATA"
    chmod 2775 /run/postgresql
    find "$PGDATA" /run/postgresql ! -user postgres -exec chown postgres:postgres {} +
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "${BASH_SOURCE[0]}" "$@"
}

make_cluster() {
    if [[ -z ${POSTGRES_PASSWORD:-} ]]; then
        echo "POSTGRES_PASSWORD is needed to make the database" >&2
        exit 1
    fi
    initdb --username=postgres --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
        --encoding=UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256
    printf '%s\n' 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
}

run_scripts() {
    local script
    # Only on the unix socket: nobody else may come in before the scripts are through.
    pg_ctl --wait --silent -o "-c listen_addresses=''" start
    if [[ ${POSTGRES_DB:=postgres} != postgres ]]; then
        psql -v ON_ERROR_STOP=1 --quiet --no-psqlrc -v name="$POSTGRES_DB" <<<'CREATE DATABASE :"name";'
    fi
    for script in "$scripts"/*; do
        case $script in
            *.sql)
                echo "running $script"
                psql -v ON_ERROR_STOP=1 --quiet --no-psqlrc --dbname="$POSTGRES_DB" --file="$script"
                ;;
            *.sh)
                echo "running $script"
                bash "$script"
                ;;
        esac
    done
    pg_ctl --wait --silent --mode=fast stop
}

if [[ ${1:-} == -* ]]; then
    set -- postgres "$@"
fi

if [[ ${1:-} == postgres ]]; then
    if [[ $(id -u) == 0 ]]; then
        as_postgres "$@"
    fi
    export PGUSER=postgres
    if [[ ! -s $PGDATA/PG_VERSION ]]; then
        make_cluster
        run_scripts
    fi
    unset POSTGRES_PASSWORD PGUSER
    set -- "$@" -c "listen_addresses=*"
fi

exec "$@"
