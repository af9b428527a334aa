# expect: SL003 SL020 SL025 SL026 SL028 SL029 SL030
FROM ubuntu:24.04
RUN apt update && apt install tzdata curl
USER 1000
CMD ["date"]
