FROM debian:bookworm-slim@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
RUN groupadd --gid 999 db && useradd --gid db --uid 999 db
COPY entry.sh /usr/local/bin/
EXPOSE 5432
HEALTHCHECK NONE
ENTRYPOINT ["tini", "--", "gosu", "db", "entry.sh"]
