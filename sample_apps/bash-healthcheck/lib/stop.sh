# The end: the server, then what was rendered for it.
stop_site() { # PID
    log "stopping"
    kill -TERM "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
    rm -f -- "$SITE_STATE"/{status.json,server.conf}
    log "stopped"
    exit 0
}
