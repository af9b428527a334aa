# syntax=docker/dockerfile:1
FROM golang:1.23.4@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -o /out/server ./cmd/server

FROM scratch
COPY --from=build /out/server /server
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=30s CMD ["/server", "--check"]
ENTRYPOINT ["/server"]
