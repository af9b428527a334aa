# Templates: envsubst for the configuration, sed for the page, a here-document for the status.
render_config() {
    envsubst '$SITE_PORT' </etc/site/templates/httpd.conf.template
}

escaped() { # TEXT, for HTML and then for sed's replacement
    sed -e 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g' -e 's/[\\&|]/\\&/g' <<<"$1"
}

render_page() {
    local colour background
    source "/etc/site/themes/$SITE_THEME.sh"
    sed -e "s|@TITLE@|$(escaped "$SITE_TITLE")|g" \
        -e "s|@OWNER@|$(escaped "$SITE_OWNER")|g" \
        -e "s|@COLOUR@|$colour|; s|@BACKGROUND@|$background|" \
        /etc/site/templates/index.html.template
}

render_status() {
    local documents
    documents=$(find /srv/site/documents -type f -name '*.txt' -printf '%f\n' | LC_ALL=C sort | jq -R . | jq -cs .)
    cat <<JSON
{
  "status": "up",
  "title": $(jq -Rn --arg title "$SITE_TITLE" '$title'),
  "zone": "$(date +%Z)",
  "documents": $documents
}
JSON
}

render_site() { # DIRECTORY
    render_config >"$1/server.conf"
    render_page >"$1/index.html"
    render_status >"$1/status.json"
    (cd /srv/site/documents && sha256sum -- *.txt) | awk '{ print $1, $2 }' >"$1/digests.txt"
}
