# expect: SL003 SL011 SL101 SL103
FROM debian:bookworm extra
RUN cd /src

RUN make \

  ; make install
WORKDIR
USER 1000
RUN echo last \
