FROM debian:bookworm-slim@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN curl -fsS https://example.org/app.tgz | tar -xz -C /opt; ldconfig
USER 10001
CMD exec /opt/app
