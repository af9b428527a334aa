# Messages with the time in the container's time zone.
log() {
    printf '%(%Y-%m-%dT%H:%M:%S%z)T %s\n' -1 "$*"
}

fail() {
    log "error: $*" >&2
    exit 78
}
