# expect: SL003 SL021 SL031
FROM alpine:3.20
RUN set -eux; \
    apk update; \
    apk add nginx curl~8
USER 101
CMD ["nginx"]
