# expect: SL003 SL044 SL092
FROM debian:bookworm AS test
RUN make test
FROM debian:bookworm
USER app
