#!/bin/sh
# Slims a sample app: the Flask one where Docker answers, else the nginx one without any daemon.
# From the top of the checkout; SLIM and PYTHON are those of the environment that slimpy is installed in.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
SLIM=${SLIM:-slim}
docker=$(docker info >/dev/null 2>&1 && echo yes || echo no)

say() { printf '\n%s\n' "$*"; }

shown() { # COMMAND...
    printf '\n$ %s\n\n' "$*" | sed 's/ --/ \\\n      --/g'
    "$@"
}

# What is missing here is installed, by sudo where need be.
missing=""
want() { missing="$missing $1"; }
need() { command -v "$1" >/dev/null 2>&1 || want "$2"; }
need strace strace
if [ "$docker" = no ]; then
    [ "$(id -u)" = 0 ] || need newuidmap uidmap
elif docker image inspect debian:bookworm >/dev/null 2>&1; then
    base=there
fi
if [ "${base:-}" != there ]; then
    need mmdebstrap mmdebstrap
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || want debian-archive-keyring
fi
if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null || { [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; }; then
        echo "demo: this is needed first, as root: apt-get install$missing" >&2
        exit 1
    fi
    say "Installing$missing"
    as_root=""
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

if [ "$docker" = yes ]; then
    say "1. Building the Flask sample with Docker: a few minutes for the first time."
    "$here/build.sh" flask-gunicorn
    say "2. Slimming it, and proving that the small image answers alike."
    report=slim-report/flask
    shown "$SLIM" build slimpy-sample/flask-gunicorn --probe-file sample_apps/flask-gunicorn/probe.yaml \
        --report-dir "$report"
else
    image=build/nginx.tar
    if [ ! -e "$image" ] || [ -n "$(find "$here/nginx" "$here"/archive.* -newer "$image" | head -n 1)" ]; then
        say "1. No Docker answers here, so an nginx image is made of Debian's packages: about 20 seconds."
        mkdir -p build
        "$here/archive.sh" "$PWD/$image"
    else
        say "1. No Docker answers here, but the nginx image of an earlier demo lies at $image."
    fi
    say "2. Slimming it without any daemon, and proving that the small image answers alike."
    report=slim-report/nginx
    shown "$SLIM" build "oci-archive:$image" --probe-file sample_apps/nginx/probe.yaml --engine embedded \
        --output docker-archive:build/nginx-slim.tar:nginx:slim --report-dir "$report"
fi

say "3. Why is a path kept, or removed?"
shown "$SLIM" why /usr/bin/perl --report "$report" --tree

say "4. Look around:"
echo
echo "    $report/report.html  the report, in any browser"
if [ "$docker" = yes ]; then
    echo "    $report/hardening/docker-run.sh  starts it as it was proven"
else
    echo "    build/nginx-slim.tar  the slim image, for docker load, podman load or skopeo"
fi
