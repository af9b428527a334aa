# expect: SL003 SL004 SL035 SL102
FROM --platform=linux/amd64 debian:bookworm
ENV DEBIAN_FRONTEND=noninteractive
RUN service nginx start
RUN systemctl restart nginx && echo
USER 1000
