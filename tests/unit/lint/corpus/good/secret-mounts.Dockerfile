FROM node:22.11.0-bookworm-slim@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ARG SOURCE_TOKEN_FILE=/run/secrets/token
ENV DB_PASSWORD_FILE=/run/secrets/db \
    API_TOKEN="" \
    LOG_LEVEL=info
RUN --mount=type=secret,id=npm,target=/root/.npmrc \
    --mount=type=cache,target=/root/.npm \
    npm ci
COPY certificates/ca-public.pem /etc/ssl/certs/
USER 1000
CMD ["node", "server.js"]
