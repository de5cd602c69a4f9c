# syntax=docker/dockerfile:1
#
# A static binary and the public certificate authorities, on nothing. For one or more platforms:
#
#   docker buildx build --platform linux/amd64,linux/arm64 \
#     --build-arg REVISION="$(git rev-parse HEAD)" --build-arg SOURCE="https://…" .
#
# Both bases can be others: BUILD_IMAGE needs apt-get and rustup, RUNTIME_IMAGE needs nothing. Name them by digest for builds
# that are the same every time.
ARG BUILD_IMAGE=rust:1.95-bookworm
ARG RUNTIME_IMAGE=scratch

# Runs on the builder's platform whatever the target: arm64 needs no emulation.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
# The builder's to say: a default here would win over --platform.
ARG TARGETARCH
WORKDIR /src

# The toolchain first: it changes least.
COPY rust-toolchain.toml docker-target.sh ./
# hadolint ignore=DL3008
RUN . ./docker-target.sh \
    && dpkg --add-architecture "$TARGETARCH" \
    && apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates clang gcc libc6-dev llvm make "musl-dev:$TARGETARCH" \
    && rm -rf /var/lib/apt/lists/* \
    && rustup target add "$TARGET"

COPY . .
# What cargo fetched and built stays with the builder from one build to the next; the binary is copied out of there.
RUN --mount=type=cache,id=cargo-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=cargo-target,target=/src/target,sharing=locked \
    . ./docker-target.sh \
    && cargo build --locked --release --package confidence-operator --bin confidence-operator --target "$TARGET" \
      --features "$FEATURES" \
    && check_machine "target/$TARGET/release/confidence-operator" \
    && install -D --mode=0555 "target/$TARGET/release/confidence-operator" /out/usr/bin/confidence-operator \
    && install -D --mode=0444 LICENSE /out/licenses/confidence-operator/LICENSE \
    && install -D --mode=0444 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt

# For trying the operator out: the simulator of Confidence (`docker build --target simulator`, examples/try). Not for production.
FROM build AS build-simulator
RUN --mount=type=cache,id=cargo-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=cargo-target,target=/src/target,sharing=locked \
    . ./docker-target.sh \
    && cargo build --locked --release --package confidence-simulator --target "$TARGET" \
    && check_machine "target/$TARGET/release/confidence-simulator" \
    && install -D --mode=0555 "target/$TARGET/release/confidence-simulator" /simulator/usr/bin/confidence-simulator

# hadolint ignore=DL3006
FROM ${RUNTIME_IMAGE} AS simulator
COPY --from=build-simulator /simulator/ /
USER 65532:65532
EXPOSE 8081
ENTRYPOINT ["/usr/bin/confidence-simulator"]

# The image of the operator comes last, so that it is what a build without a target makes.
# hadolint ignore=DL3006
FROM ${RUNTIME_IMAGE}
# That of Cargo.toml; a test fails when they differ.
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=
LABEL org.opencontainers.image.title="confidence-operator" \
      org.opencontainers.image.description="Keeps Confidence client credentials as Kubernetes manifests say" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
COPY --from=build /out/ /
# By number, so that the kubelet sees that it is not root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/bin/confidence-operator"]
