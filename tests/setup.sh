#!/bin/sh
# Make this machine able to run slimpy and its tests: the tools that are put into containers, and a running Docker Engine.
# Needs root only where something is missing. A running engine is reused; one that we start goes on running.
set -eu

packages=""
need() { command -v "$1" >/dev/null 2>&1 || packages="$packages $2"; }
need strace strace
need find findutils
need tar tar
need gcc gcc
need mmdebstrap mmdebstrap
need musl-gcc musl-tools
need skopeo skopeo
need readelf binutils
need curl curl
need apparmor_parser apparmor
need crun crun
need podman podman
need newuidmap uidmap
need slirp4netns slirp4netns
need ss iproute2
need chromium chromium
need chromedriver chromium-driver
need docker-registry docker-registry
need htpasswd apache2-utils
need openssl openssl
need rpmbuild rpm
docker info >/dev/null 2>&1 || { need dockerd docker.io; need iptables iptables; }
docker compose version >/dev/null 2>&1 || need docker-compose docker-compose
[ -e /usr/include/stdio.h ] || packages="$packages libc6-dev"
if [ -n "$packages" ]; then
    echo "setup: installing$packages"
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
fi

# An ordinary user with subordinate ids, for containers without root.
if [ "$(id -u)" = 0 ] && ! id slimpy-test >/dev/null 2>&1; then
    useradd --create-home slimpy-test
fi

# Networks of an ordinary user's containers go through it; udev gives it this mode.
if [ "$(id -u)" = 0 ]; then
    mkdir -p /dev/net
    [ -c /dev/net/tun ] || mknod /dev/net/tun c 10 200
    chmod 0666 /dev/net/tun
fi

if ! docker info >/dev/null 2>&1; then
    echo "setup: starting the Docker Engine"
    log=${TMPDIR:-/tmp}/slimpy-dockerd.log
    rm -f /var/run/docker.pid
    setsid dockerd >"$log" 2>&1 </dev/null &
    tries=0
    until docker info >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -gt 120 ]; then
            echo "setup: the Docker Engine did not start; the end of its log:" >&2
            tail -n 20 "$log" >&2
            exit 1
        fi
        sleep 0.5
    done
fi
