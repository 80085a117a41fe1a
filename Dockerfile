# Three stages: build the web console, then the release binary with it, then put only that on a small Debian.
FROM node:20-bookworm-slim AS ui
WORKDIR /src/ui
COPY ui/package.json ui/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY ui ./
RUN npm run build

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
COPY --from=ui /src/ui/dist ui/dist
RUN cargo build --release --locked --bin forewarn

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/*
RUN useradd --system --create-home --home-dir /var/lib/forewarn forewarn
COPY --from=build /src/target/release/forewarn /usr/local/bin/forewarn
COPY docker/forewarn.yaml /etc/forewarn/forewarn.yaml
COPY pipelines /etc/forewarn/pipelines
COPY models /etc/forewarn/models
USER forewarn
WORKDIR /var/lib/forewarn
VOLUME /var/lib/forewarn
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s CMD curl -fsS http://127.0.0.1:8080/healthz || exit 1
ENTRYPOINT ["forewarn"]
CMD ["serve", "--config", "/etc/forewarn/forewarn.yaml"]
