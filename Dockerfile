# slimpy in a container of its own. It needs no engine's socket; what it may need instead is in docs/ci.md.
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-pip python3-venv
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY slimpy slimpy
COPY probes probes
RUN python3 -m venv /opt/slimpy && /opt/slimpy/bin/pip install --no-cache-dir '.[zstd]'

FROM ${BASE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libseccomp2 python3 strace uidmap \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/slimpy /opt/slimpy
ENV PATH=/opt/slimpy/bin:$PATH SLIM_ENGINE=embedded XDG_CACHE_HOME=/var/cache/slimpy
# Layers are unpacked here, and containers have their files here: overlayfs needs a real file system below.
RUN install -d -m 1777 /var/cache/slimpy
VOLUME /var/cache/slimpy
WORKDIR /work
ENTRYPOINT ["slim"]
CMD ["--help"]
