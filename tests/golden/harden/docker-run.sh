#!/bin/sh
# Starts, with all the restrictions that it was proven under, team/shop.slim:1.0.
#
# More options of docker run, such as --env or --detach, can be given as arguments.
# Port 80 is published as it is; PORT_80=9000 in the environment changes that.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# AppArmor: not loaded here: the kernel has no AppArmor. Used where the profile is loaded:
# apparmor_parser --replace "$here/apparmor.profile"
if grep -qs '^slimpy-shop ' /sys/kernel/security/apparmor/profiles; then
    set -- --security-opt apparmor=slimpy-shop "$@"
fi
exec docker run --rm \
    --security-opt "seccomp=$here/seccomp.json" \
    --security-opt no-new-privileges \
    --cap-drop ALL \
    --user 33:33 \
    --read-only \
    --tmpfs /run:rw,nosuid,nodev,noexec,mode=755,uid=33,gid=33 \
    --tmpfs /tmp:rw,nosuid,nodev,noexec,mode=1777,uid=33,gid=33 \
    --volume shop-srv-cache:/srv/cache \
    --volume shop-var-lib-shop:/var/lib/shop \
    --sysctl net.ipv4.ip_unprivileged_port_start=0 \
    --publish "${PORT_80:-80}:80" \
    --publish "${PORT_8080:-8080}:8080" \
    "$@" \
    team/shop.slim:1.0
