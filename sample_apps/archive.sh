#!/bin/sh
# Makes the nginx sample as an OCI archive, out of Debian's packages alone: no engine is needed.
#     sample_apps/archive.sh FILE
# Needs mmdebstrap (as root, or as a user with subordinate ids), and slimpy's own Python (PYTHON).
set -eu

file=$1
here=$(cd "$(dirname "$0")" && pwd)
sample=$here/nginx
if ! command -v mmdebstrap >/dev/null; then
    echo "archive.sh: mmdebstrap is not installed: apt-get install mmdebstrap" >&2
    exit 1
fi
root=$(mktemp)
trap 'rm -f "$root"' EXIT
mmdebstrap --quiet --variant=minbase --format=tar --include=ca-certificates,curl,nginx,tzdata \
    --customize-hook='rm -rf "$1"/var/www/html "$1"/var/lib/apt/lists "$1"/etc/nginx/nginx.conf' \
    --customize-hook="copy-in $sample/nginx.conf $sample/maintenance.conf $sample/users /etc/nginx" \
    --customize-hook="copy-in $sample/snippets /etc/nginx" \
    --customize-hook="copy-in $sample/site $sample/blog $sample/maintenance /srv" \
    --customize-hook='chroot "$1" install -d -o www-data -g www-data /srv/uploads' \
    --customize-hook='chroot "$1" chown -R root:root /etc/nginx /srv/site /srv/blog /srv/maintenance' \
    bookworm "$root"
cd "$here/.." && "${PYTHON:-python3}" sample_apps/archive.py "$root" "$file"
