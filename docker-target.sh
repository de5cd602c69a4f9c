# Sourced by the Dockerfile: what Rust calls the platform that TARGETARCH names, and how to compile and link for it.
# A builder that names no platform builds for its own.
case "${TARGETARCH:-$(uname -m)}" in
  amd64 | x86_64) TARGETARCH=amd64 TARGET=x86_64-unknown-linux-musl MUSL=x86_64-linux-musl MACHINE=62 ;;
  arm64 | aarch64) TARGETARCH=arm64 TARGET=aarch64-unknown-linux-musl MUSL=aarch64-linux-musl MACHINE=183 ;;
  *) echo "TARGETARCH: amd64 and arm64 are supported, not ${TARGETARCH:-$(uname -m)}" >&2; exit 1 ;;
esac

# jemalloc is built with configure, which tries things out: not for another platform than the builder's. On arm64 it would be
# bound to the page size of the builder's kernel as well.
if [ "$TARGETARCH-$(uname -m)" = amd64-x86_64 ]; then FEATURES=jemalloc; else FEATURES=; fi

# An image of one platform with the binary of another is noticed only where it is started.
check_machine() {
  found=$(od -An -tu1 -j18 -N1 "$1" | tr -d ' ')
  [ "$found" = "$MACHINE" ] || { echo "$1: its ELF machine is $found, and $TARGETARCH has $MACHINE" >&2; return 1; }
}

variable=$(echo "$TARGET" | tr '[:lower:]-' '[:upper:]_')
# ring has C in it: clang compiles for any platform, with the headers of musl. Rust brings the linker and musl itself.
export "CC_$(echo "$TARGET" | tr - _)=clang"
export "CFLAGS_$(echo "$TARGET" | tr - _)=--target=$TARGET -isystem /usr/include/$MUSL"
export "AR_$(echo "$TARGET" | tr - _)=llvm-ar"
# The builder's paths do not belong in the binary.
export "CARGO_TARGET_${variable}_RUSTFLAGS=-Clink-self-contained=yes -Clinker=rust-lld --remap-path-prefix=$PWD=/src --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
