# Build: the whole workspace, as locked.
FROM rust:1-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p malecon-server

# Run: one binary and the certificates of the world.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin malecon \
    && mkdir /data && chown malecon:malecon /data
COPY --from=build /src/target/release/malecon /usr/local/bin/malecon
COPY NOTICE LICENSE-MIT LICENSE-APACHE /usr/share/doc/malecon/
USER 10001
WORKDIR /data
VOLUME /data
ENV MALECON_LISTEN=0.0.0.0:8000 DATABASE_URL=sqlite:///data/malecon.db?mode=rwc
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["malecon", "healthcheck"]
ENTRYPOINT ["malecon"]
CMD ["serve"]
