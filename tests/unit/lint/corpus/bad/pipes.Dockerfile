# expect: SL003 SL100 SL103 SL104
FROM debian:bookworm
RUN curl -fsSL https://example.org/install.sh | bash -s -- --yes
RUN make; make install
RUN <<SCRIPT
tar -x -f /a.tar
ldconfig
SCRIPT
USER 1000
