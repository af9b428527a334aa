# expect: SL003 SL080 SL081
FROM debian:bookworm
USER 1000
CMD ["first"]
ENTRYPOINT server --port $PORT
CMD --verbose
