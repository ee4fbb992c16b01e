# syntax=docker/dockerfile:1
# The server as an image: compiled code, production dependencies, the proto file; no sources, no build tools.
# The runtime is the one that package.json pins for development (node 24.21.0).
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# No production dependency needs an install script.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mixscaler" \
      org.opencontainers.image.description="KEDA external scaler for vLLM fleets" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production
WORKDIR /app
COPY package.json LICENSE ./
COPY proto ./proto
COPY web ./web
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# By number, so that Kubernetes can prove `runAsNonRoot`. Nothing is written: the root may be read-only.
USER 65532:65532
# 9090 gRPC (KEDA, health), 8080 HTTP (metrics, probes, page).
EXPOSE 9090 8080
# For plain Docker; Kubernetes uses the probes in deploy/base/deployment.yaml.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=6 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--enable-source-maps", "dist/main.js"]
CMD ["--help"]
