# expect: SL003 SL084
FROM debian:bookworm
USER 1000
ENTRYPOINT ["server", "--port=${PORT}", "&&", "echo"]
