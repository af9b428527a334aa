FROM debian:bookworm-slim@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ADD --checksum=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef https://example.org/tool.tgz /opt/
ADD rootfs.tar.gz /
ADD https://example.org/team/project.git#v1.2 /src/
RUN curl -fsSLo /tmp/i.sh https://example.org/i.sh \
    && echo "0123  /tmp/i.sh" | sha256sum -c \
    && sh /tmp/i.sh && rm /tmp/i.sh
USER 10001
CMD ["/opt/tool"]
