# The gateway's image: one binary that migrates, serves and checks itself.
#
#   docker build --build-arg RUST_IMAGE_DIGEST=sha256:… --build-arg DEBIAN_IMAGE_DIGEST=sha256:… -t gateway .
#
# Both base images are pinned by digest. The digests are not in this file: whoever releases looks them up
# (`docker buildx imagetools inspect rust:1.95-slim-bookworm`), reviews the change and passes them in. They have
# no default, so that a build without them stops at FROM ("invalid reference format") instead of taking
# whatever a tag points to today.
#
# scripts/image-steps goes through COPY, RUN and USER below without Docker, as part of scripts/test --full.
ARG RUST_IMAGE_DIGEST
ARG DEBIAN_IMAGE_DIGEST

FROM rust:1.95-slim-bookworm@${RUST_IMAGE_DIGEST} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY actors ./actors
COPY config ./config
COPY crates ./crates
COPY loadtests ./loadtests
COPY migrations ./migrations
COPY scripts ./scripts
COPY src ./src
# The two caches keep dependencies, downloaded and compiled, between builds on one machine.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target scripts/build-release /stage

# Debian without additions: the binary links the C library only, everything else is inside it.
FROM debian:bookworm-slim@${DEBIAN_IMAGE_DIGEST}
COPY --from=build /stage/usr /usr
COPY --from=build /stage/etc /etc
COPY --from=build --chown=10001:10001 /stage/data /data
# Inside a container every address is its own network's; what is published is the operator's choice.
ENV GATEWAY__SERVER__LISTEN=0.0.0.0:8080 GATEWAY__OPERATIONS__LISTEN=0.0.0.0:8081 GATEWAY__MEDIA__FOLDER=/data/media
USER 10001:10001
VOLUME /data
WORKDIR /data
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 CMD ["gateway", "healthcheck"]
ENTRYPOINT ["gateway"]
CMD ["serve"]
