# expect: SL003 SL040 SL082
FROM debian:bookworm
EXPOSE 80
CMD ["server"]
