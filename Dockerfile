# The backend of a team in a container. docs/containers.md tells how to build and run it.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS python
# The engine compiles kernels at its first start, with a C compiler and Python's headers. No versions:
# a release of Debian has one of each package.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates gcc libc6-dev python3-dev python3-venv \
 && rm -rf /var/lib/apt/lists/*

FROM python AS cato
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY cato_lsp cato_lsp
COPY backend backend
COPY profiles profiles
RUN python3 -m venv /opt/cato \
 && /opt/cato/bin/pip install --no-cache-dir "/source[serve]"

FROM python
RUN useradd --uid 10001 --user-group --home-dir /var/lib/cato --shell /usr/sbin/nologin cato \
 && install -d -o cato -g cato -m 0700 /var/lib/cato /var/cache/cato
COPY --from=cato /opt/cato /opt/cato
ENV PATH=/opt/cato/bin:$PATH \
    CATO_STATE_DIR=/var/lib/cato \
    CATO_CACHE_DIR=/var/cache/cato \
    XDG_CACHE_HOME=/var/cache/cato
USER 10001:10001
WORKDIR /var/lib/cato
VOLUME ["/var/lib/cato", "/var/cache/cato"]
EXPOSE 8700
# 503 until a replica is up, which takes minutes for a large model.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10m --retries=3 \
  CMD ["/opt/cato/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8700/health', timeout=4)"]
ENTRYPOINT ["cato"]
CMD ["serve", "--host", "0.0.0.0", "--insecure"]
