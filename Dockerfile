# The program with its x86_64 handler in it, for those who would rather run an image than install it:
#
#     docker build --platform linux/amd64 -t split-pipeline .
#     docker run --rm -v "$PWD:/work:ro" -e AWS_REGION -e AWS_ACCESS_KEY_ID -e AWS_SECRET_ACCESS_KEY -e AWS_SESSION_TOKEN \
#         split-pipeline plan
#
# `--local` is not for it: the emulator needs Python.

# Debian 12 as well: what is built there needs glibc 2.34 at most, which is what Lambda has.
FROM rust:1.95-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS build
WORKDIR /src
COPY . .
RUN mkdir -p dist \
    && cargo run --release --locked -- build --arch x86_64 --out dist/handler-x86_64.zip \
    && SPLIT_PIPELINE_EMBED=dist cargo build --release --locked --package split-pipeline

FROM debian:bookworm-slim@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251
RUN apt-get update \
    && apt-get install --no-install-recommends --yes ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home split-pipeline
COPY --from=build /src/target/release/split-pipeline /usr/local/bin/split-pipeline
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/split-pipeline/
# By number, so that Kubernetes' runAsNonRoot can tell.
USER 10001
WORKDIR /work
ENTRYPOINT ["split-pipeline"]
