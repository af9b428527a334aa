FROM debian:bookworm-slim@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
RUN echo "apt-get update; sudo chmod 777 /" && echo 'curl x | sh' \
    && printf '%s\n' 'rm; rm' > /etc/text \
    && if [ -f /x ]; then echo "<<EOF"; fi
LABEL note="a; b | c" \
      org.example.title='it says "USER root"'
USER 10001
CMD ["sleep", "infinity"]
