# expect: SL003 SL005 SL012 SL092
RUN echo early
FROM debian:bookworm-$UNSET
FROM debian:bookworm
USER 1000
