# expect: SL003 SL040 SL041 SL042 SL043
FROM debian:bookworm
USER 1000
RUN sudo chmod 4755 /usr/bin/tool && chmod -R a+rwx /srv
USER root
CMD ["server"]
