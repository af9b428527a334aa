ARG VARIANT=bookworm-slim
FROM --platform=$BUILDPLATFORM debian:${VARIANT}@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef AS cross
ARG TARGETARCH
RUN mkdir -p "/out/${TARGETARCH:-amd64}"
FROM debian:${VARIANT:-bookworm-slim}@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
COPY --from=cross --chmod=0755 /out/ /opt/
COPY --from=0 /out/ /srv/
USER 10001
CMD ["/opt/app"]
