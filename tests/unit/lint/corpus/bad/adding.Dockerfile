# expect: SL003 SL070 SL071 SL073 SL074
FROM debian:bookworm
ADD https://example.org/tool /usr/local/bin/
ADD app /srv/app
COPY one two lib
USER 1000
CMD ["app"]
