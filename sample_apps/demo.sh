#!/bin/sh
# Slims a sample app: the Flask one where Docker answers, else the nginx one without any daemon.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
SLIM=${SLIM:-slim}
if docker info >/dev/null 2>&1; then
    "$here/../tests/setup.sh"
    "$here/build.sh" flask-gunicorn
    exec "$SLIM" build slimpy-sample/flask-gunicorn --probe-file "$here/flask-gunicorn/probe.yaml"
fi

packages=""
for pair in strace:strace mmdebstrap:mmdebstrap newuidmap:uidmap; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || packages="$packages ${pair#*:}"
done
if [ -n "$packages" ]; then
    echo "demo: installing$packages"
    as_root=""
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    $as_root apt-get install -y -qq --no-install-recommends $packages >/dev/null
fi
mkdir -p build
echo "demo: no Docker here, so the nginx sample is made of Debian's packages, and slimmed without a daemon"
"$here/archive.sh" "$PWD/build/nginx.tar"
exec "$SLIM" build oci-archive:build/nginx.tar --probe-file "$here/nginx/probe.yaml" --engine embedded \
    --output docker-archive:build/nginx-slim.tar:nginx:slim --report-dir slim-report/nginx
