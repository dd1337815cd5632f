# An image for others is built on a digest: --build-arg NODE_IMAGE=node:24-slim@sha256:…
# A registry of one's own, or its authority (`ca`), is told as a secret: --secret id=npmrc,src=.npmrc
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY tools tools
RUN --mount=type=secret,id=npmrc npm ci --userconfig /run/secrets/npmrc --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
COPY tools/node-runtime tools/node-runtime
# Modules of others import "slipway": they find this one. Types and source maps are of no use to what runs.
RUN --mount=type=secret,id=npmrc npm ci --userconfig /run/secrets/npmrc --omit=dev --ignore-scripts --no-audit --no-fund \
 && ln -s ../dist node_modules/slipway \
 && find node_modules -type f -regex '.*\.\([cm]?ts\|map\)' -delete

# Of the system, what runs here needs Node and its libraries: no shell, nothing that installs. Scanners read the rest.
FROM ${NODE_IMAGE} AS system
WORKDIR /system
RUN mkdir --mode=1777 tmp \
 && mkdir -p data etc var/lib/dpkg && chown 1000:1000 data \
 && cp --parents --dereference /usr/local/bin/node $(ldd /usr/local/bin/node | grep -o '/[^ ]*') \
      /etc/passwd /etc/group /etc/os-release /usr/share/doc/libc6/copyright \
      /usr/share/doc/libgcc-s1/copyright /usr/share/doc/libstdc++6/copyright . \
 && echo 'hosts: files dns' >etc/nsswitch.conf \
 && dpkg-query --status base-files libc6 libgcc-s1 libstdc++6 >var/lib/dpkg/status \
 && chroot . /usr/local/bin/node --version

FROM scratch
LABEL org.opencontainers.image.title="Slipway" \
      org.opencontainers.image.description="A GraphQL API server for the HTTP services that run on a Kubernetes platform" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=system /system /
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY LICENSE ./
# Half of the usual nursery, and memory that is given back: less of it with many runs, for hardly any CPU.
ENV PATH=/usr/local/bin \
    NODE_ENV=production \
    MALLOC_ARENA_MAX=1 \
    MALLOC_MMAP_THRESHOLD_=32768 \
    MALLOC_TRIM_THRESHOLD_=65536 \
    SLIPWAY_CLUSTER=in-cluster \
    SLIPWAY_HOST=0.0.0.0 \
    SLIPWAY_DATA_DIR=/data
USER 1000:1000
EXPOSE 4000 9464
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "--max-semi-space-size=8", "dist/main.js"]
