# expect: SL003 SL050 SL051 SL052 SL053
FROM debian:bookworm
ARG GITHUB_TOKEN
ENV DB_PASSWORD=correct-horse AWS_ACCESS_KEY_ID=AKIAABCDEFGHIJKLMNOP
RUN git clone https://x:$GITHUB_TOKEN@example.org/a && curl -H "Authorization: Bearer abcdefgh12345678" https://example.org
COPY .env id_ed25519 /root/
USER 1000
CMD ["server"]
