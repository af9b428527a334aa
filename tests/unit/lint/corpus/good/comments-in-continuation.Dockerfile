FROM alpine:3.20.3@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
RUN apk add --no-cache \
    # the web server
    nginx~=1.26 \
    # and what it is watched with
    curl~=8.9
USER nginx:nginx
# slim-lint ignore=SL044
USER nginx
EXPOSE 80
HEALTHCHECK CMD curl -fsS http://127.0.0.1/ || exit 1
CMD ["nginx"]
