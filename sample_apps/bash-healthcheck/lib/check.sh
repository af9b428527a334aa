# Refuses settings that cannot work.
check_settings() {
    [[ $SITE_PORT =~ ^[0-9]+$ ]] && ((SITE_PORT > 0 && SITE_PORT < 65536)) || fail "SITE_PORT is not a port: $SITE_PORT"
    [[ -r /etc/site/themes/$SITE_THEME.sh && $SITE_THEME != */* ]] || fail "there is no theme named $SITE_THEME"
    [[ -d $SITE_STATE && -w $SITE_STATE ]] || fail "$SITE_STATE cannot be written"
}
