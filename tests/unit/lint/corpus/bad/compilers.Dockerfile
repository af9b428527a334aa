# expect: SL003 SL090 SL091
FROM golang:1.23
RUN apt-get update && apt-get install -y --no-install-recommends gcc=4:12.2.0-3 libssl-dev=3.0.14-1 && rm -rf /var/lib/apt/lists/*
USER 1000
CMD ["app"]
