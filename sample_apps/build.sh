#!/bin/sh
# Builds the named samples, or all of them, as slimpy-sample/NAME. Quiet unless a build fails.
# Builds run one after the other so that they can share each other's first layers.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
export DOCKER_BUILDKIT=0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log

build() { # TAG ARGUMENT...
    tag=$1
    shift
    if docker build --network=host --tag "$tag" "$@" >"$log" 2>&1; then
        return
    fi
    # Somebody removed a layer of the cache in the middle of it: it is made anew.
    if ! grep -q '^unable to find image' "$log" || ! docker build --network=host --tag "$tag" "$@" >"$log" 2>&1; then
        cat "$log" >&2
        echo "build.sh: $tag could not be built" >&2
        exit 1
    fi
}

# Samples that download with pip or npm start FROM this image: Debian, and the certificate authorities that the
# host's administrator added (a company's proxy, say), which Debian's ca-certificates picks up when it is installed.
build_base() {
    "$here/base.sh"
    mkdir -p "$work/base/authorities"
    for certificate in /usr/local/share/ca-certificates/*.crt; do
        if [ -f "$certificate" ]; then
            cp "$certificate" "$work/base/authorities/"
        fi
    done
    chmod -R u=rwX,go=rX "$work/base"
    cat >"$work/base/Dockerfile" <<'DOCKERFILE'
FROM debian:bookworm
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY authorities/ /usr/local/share/ca-certificates/
CMD ["bash"]
DOCKERFILE
    build slimpy-sample/base "$work/base"
}

build_sample() { # NAME
    if [ ! -f "$here/$1/Dockerfile" ]; then
        echo "build.sh: there is no sample named $1" >&2
        exit 2
    fi
    if grep -q '^ARG BASE=' "$here/$1/Dockerfile"; then
        build "slimpy-sample/$1" --build-arg BASE=slimpy-sample/base "$here/$1"
    else
        build "slimpy-sample/$1" "$here/$1"
    fi
}

if [ $# -eq 0 ]; then
    cd "$here"
    for file in */Dockerfile; do
        set -- "$@" "${file%/Dockerfile}"
    done
fi
build_base
for name in "$@"; do
    build_sample "$name"
done
