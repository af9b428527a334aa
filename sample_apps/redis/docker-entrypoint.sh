#!/bin/sh
# Lets "docker run IMAGE --option" and "docker run IMAGE file.conf" mean redis-server, and gives up root for it.
set -e

case "${1:-}" in
    -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    # A volume may come with another owner.
    find . ! -user redis -exec chown redis:redis {} +
    exec setpriv --reuid=redis --regid=redis --init-groups -- "$0" "$@"
fi

# Dumps hold everything: nobody else may read them.
if [ "$1" = redis-server ] && [ "$(umask)" = 0022 ]; then
    umask 0077
fi

exec "$@"
