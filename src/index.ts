// What a third party's module may import as "slipway".
export * from './module.ts';
export * from './caller.ts';
export { Auth } from './auth.ts';
export { type Clock, systemClock } from './clock.ts';
export { type ErrorCode, type ErrorDetails, InvalidInput, SlipwayError, invalid, throwInvalid } from './errors.ts';
export type { Log } from './log.ts';
export type { Cache, CacheEvent, Cluster, KubeClient, Watch } from './k8s/cluster.ts';
export * from './k8s/resources.ts';
export { type Builder, perBuilder } from './schema/builder.ts';
export type { InterfaceTypes, ObjectTypes } from './schema/object-types.ts';
export { addConnection } from './schema/connection.ts';
export { type Page, type PageArgs, pageArgs, paginate } from './schema/paging.ts';
export { RunAction, RunSource, Runs } from './modules/runs/service.ts';
export type { RunChange, RunFilter, RunIdentity, RunView } from './modules/runs/service.ts';
export { PolicyBackend } from './modules/gateways/service.ts';
export { Redaction } from './modules/invoke/service.ts';
export { Health } from './modules/health/service.ts';
export { type ServerOptions, createServer } from './server.ts';
