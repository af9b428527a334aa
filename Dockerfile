# slimpy in a container of its own. It needs no engine's socket; what it may need instead is in docs/ci.md.
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
    && apt-get clean && rm -rf /var/lib/apt/lists/*
# The program's own environment has no pip: it is filled from outside.
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/slimpy
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY slimpy slimpy
COPY probes probes
RUN /opt/build/bin/pip --python /opt/slimpy/bin/python install --no-cache-dir '.[zstd,scan]'

FROM ${BASE}
# Nothing stays setuid: the two programs that map ids get one capability each instead. (As setuid programs they would
# need SYS_ADMIN in a container.)
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libcap2-bin libseccomp2 python3 strace uidmap \
    && find / -xdev -type f -perm /6000 -exec chmod ug-s {} + \
    && setcap cap_setuid=ep /usr/bin/newuidmap && setcap cap_setgid=ep /usr/bin/newgidmap \
    && apt-get purge -y libcap2-bin \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /var/log/*
# An ordinary user, with the ids that its containers may have. Layers are unpacked in the volume, and containers
# have their files there: overlayfs needs a real file system below. Any other user may use it, too.
RUN useradd --uid 1000 --create-home slimpy \
    && echo slimpy:100000:65536 | tee /etc/subuid >/etc/subgid \
    && install -d -m 1777 /var/cache/slimpy \
    && install -d -o slimpy -g slimpy /work
COPY --from=build /opt/slimpy /opt/slimpy
ENV PATH=/opt/slimpy/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LC_ALL=C.UTF-8 SLIM_ENGINE=embedded XDG_CACHE_HOME=/var/cache/slimpy
VOLUME /var/cache/slimpy
WORKDIR /work
USER 1000
ENTRYPOINT ["slim"]
CMD ["--help"]
