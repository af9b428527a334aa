# expect: SL003 SL083
FROM debian:bookworm
USER 1000
CMD ["sh", "-c", "worker & exec server"]
