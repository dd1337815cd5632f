# An image for others is built on a digest: --build-arg NODE_IMAGE=node:24-slim@sha256:…
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY tools tools
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
COPY tools/node-runtime tools/node-runtime
# Modules of others import "slipway": they find this one.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && ln -s ../dist node_modules/slipway

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="Slipway" \
      org.opencontainers.image.description="A GraphQL API server for the HTTP services that run on a Kubernetes platform" \
      org.opencontainers.image.licenses="Apache-2.0"
# What runs here installs nothing.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* \
 && mkdir /data && chown 1000:1000 /data
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY LICENSE ./
# Half of the usual nursery, and memory that is given back: less of it with many runs, for hardly any CPU.
ENV NODE_ENV=production \
    MALLOC_ARENA_MAX=1 \
    MALLOC_MMAP_THRESHOLD_=32768 \
    MALLOC_TRIM_THRESHOLD_=65536 \
    SLIPWAY_CLUSTER=in-cluster \
    SLIPWAY_HOST=0.0.0.0 \
    SLIPWAY_DATA_DIR=/data
USER 1000:1000
EXPOSE 4000 9464
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "--max-semi-space-size=8", "dist/main.js"]
