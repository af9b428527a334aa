#!/usr/bin/env bash
# Renders a small site from templates and the environment, and serves it until SIGTERM.
set -euo pipefail

library=/usr/local/lib/site
# shellcheck source=lib/log.sh
source "$library/log.sh"

# Defaults first; whatever the environment sets stays.
load_defaults() {
    local name value
    while IFS='=' read -r name value; do
        [[ $name =~ ^SITE_[A-Z]+$ ]] || continue
        [[ -v $name ]] || export "$name=$value"
    done </etc/site/defaults.env
}

usage() {
    cat <<TEXT
usage: entrypoint.sh serve | check | show-config | page TITLE | export FORMAT
       entrypoint.sh status | reload | processes | version | help
       entrypoint.sh COMMAND [ARGUMENT...]
TEXT
}

serve() {
    source "$library/check.sh"
    source "$library/render.sh"
    check_settings
    trap 'log "stopped before it served"; exit 0' TERM INT
    render_site "$SITE_STATE"

    busybox httpd -f -p "$SITE_PORT" -c "$SITE_STATE/server.conf" -h /srv/site &
    local server=$!
    # Sourced when the signal comes, and not before.
    trap 'source "$library/stop.sh"; stop_site "$server"' TERM INT
    log "serving \"$SITE_TITLE\" on port $SITE_PORT"
    wait "$server"
}

load_defaults
case "${1:-help}" in
    serve)
        serve
        ;;
    check)
        source "$library/check.sh"
        check_settings
        echo "the settings are fine"
        ;;
    show-config)
        source "$library/render.sh"
        render_config
        ;;
    page)
        source "$library/render.sh"
        SITE_TITLE=${2:?a title is needed} render_page
        ;;
    export)
        source "$library/export.sh"
        export_documents "${2:-csv}"
        ;;
    status)
        source "$library/admin.sh"
        show_status
        ;;
    reload)
        source "$library/admin.sh"
        reload_site
        ;;
    processes)
        source "$library/admin.sh"
        show_processes
        ;;
    version)
        echo "site 1.0 (bash ${BASH_VERSINFO[0]}.${BASH_VERSINFO[1]})"
        ;;
    help | -h | --help)
        usage
        ;;
    -*)
        usage >&2
        exit 64
        ;;
    *)
        # Anything else is a program: "docker run IMAGE date", for example.
        exec "$@"
        ;;
esac
