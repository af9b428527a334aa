FROM node:22.11.0-bookworm-slim@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
WORKDIR /srv
ONBUILD COPY . .
ONBUILD RUN npm ci && npm cache clean --force
