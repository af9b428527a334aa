#!/bin/sh
# Makes the image debian:bookworm from Debian's own packages, if the engine has none.
# Needs mmdebstrap; takes about 15 seconds and downloads about 40 MB.
set -eu

image=debian:bookworm
if docker image inspect "$image" >/dev/null 2>&1; then
    exit 0
fi
if ! command -v mmdebstrap >/dev/null; then
    echo "base.sh: $image is missing and mmdebstrap is not installed; try: docker pull $image" >&2
    exit 1
fi

root=$(mktemp)
trap 'rm -f "$root"' EXIT
# Into a file first: a pipe would hide a failure of mmdebstrap behind docker's success.
mmdebstrap --quiet --variant=minbase --format=tar bookworm "$root"
docker import \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'CMD ["bash"]' \
    - "$image" <"$root" >/dev/null
