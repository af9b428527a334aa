# expect: SL003 SL072 SL092 SL093
FROM debian:bookworm AS build
FROM debian:bookworm AS build
FROM debian:bookworm AS app
COPY --from=biuld /a /a
COPY --from=app /b /b
COPY --from=7 /c /c
USER 1000
CMD ["app"]
