# syntax=docker/dockerfile:1
FROM debian:bookworm-slim@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ARG DEBIAN_FRONTEND=noninteractive
RUN <<EOF
set -eu
apt-get update
apt-get install -y --no-install-recommends \
    nginx=1.22.1-9+deb12u1 \
    tzdata=2024b-0+deb12u1
rm -rf /var/lib/apt/lists/*
EOF
COPY <<'CONF' /etc/nginx/conf.d/site.conf
server {
    listen 8080;
    # RUN sudo chmod 777 / is no instruction here
    root /srv/site;
}
CONF
RUN cat <<ONE > /etc/one && cat <<-TWO > /etc/two
FROM nothing
ONE
	USER nobody
	TWO
USER 33
EXPOSE 8080
HEALTHCHECK CMD ["nginx", "-t"]
CMD ["nginx", "-g", "daemon off;"]
