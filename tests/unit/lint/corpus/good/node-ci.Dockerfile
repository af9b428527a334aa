FROM node:22.11.0-bookworm-slim@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ENV NODE_ENV=production
WORKDIR /srv
COPY package.json package-lock.json ./
RUN npm ci --omit=dev && npm cache clean --force
COPY server.js ./
COPY lib/ lib/
USER 1000
EXPOSE 3000/tcp
HEALTHCHECK --interval=10s --timeout=2s CMD ["node", "healthcheck.js"]
CMD ["node", "server.js"]
