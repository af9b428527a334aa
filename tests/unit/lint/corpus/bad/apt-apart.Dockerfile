# expect: SL003 SL026 SL027 SL030
FROM debian:bookworm
RUN apt-get update
RUN apt-get install -y curl=7.88.1-10+deb12u8
RUN rm -rf /var/lib/apt/lists/*
USER 1000
CMD ["curl"]
