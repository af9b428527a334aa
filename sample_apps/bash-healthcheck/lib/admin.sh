# For those who run the site.
show_status() {
    curl -fsS "http://localhost:$SITE_PORT/generated/status.json" | jq -r '"\(.title): \(.status), \(.documents | length) documents"'
}

reload_site() {
    source "$library/check.sh"
    source "$library/render.sh"
    check_settings
    render_site "$SITE_STATE"
    diff -q /etc/site/templates/httpd.conf.template "$SITE_STATE/server.conf" >/dev/null || log "the settings were filled in"
}

show_processes() {
    ps -o comm= -C busybox | uniq
    getent passwd root | awk -F : '{ print $3, $6 }'
    numfmt --to=iec 1048576
}
