/**
 * The kinds Slipway reads and writes: where the API server serves them, and the fields of each that we use. Objects
 * are raw JSON as the server sent it, so a field that is not declared here is still there and survives an edit.
 */
export * from './resources/apps.ts';
export * from './resources/core.ts';
export * from './resources/envoy-gateway.ts';
export * from './resources/gateway-api.ts';
export * from './resources/kinds.ts';
export * from './resources/traefik.ts';
