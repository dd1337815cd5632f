import type { Cluster } from '../../../k8s/cluster.ts';
import type { Clock } from '../../../clock.ts';
import type { Log } from '../../../log.ts';
import { type Context, serviceRef } from '../../../module.ts';
import type { RunView, Runs } from '../service.ts';
import type { ViewSettings } from '../view.ts';
import { createActions } from './actions.ts';
import { type Deletions, createDeletions } from './deletions.ts';
import { createIdempotency, type Idempotency } from './idempotency.ts';
import type { RunServiceInput } from './request.ts';
import { createRunService } from './run-service.ts';

/** What a mutation did, or with `dryRun` would do. */
export interface Written {
  /** The run as it is now; a preview in a dry run. */
  run: RunView | null;
  /** YAML of all that was written. */
  manifests: string;
}

export interface ActionInput {
  id: string;
  dryRun?: boolean | null | undefined;
  idempotencyKey?: string | null | undefined;
}

/** The writes behind the mutations of this module: each as the caller, and only if they may. */
export interface RunOperations {
  run(input: RunServiceInput, context: Context): Promise<Written>;
  scale(input: ActionInput & { replicas: number }, context: Context): Promise<Written>;
  stop(input: ActionInput, context: Context): Promise<Written>;
  resume(input: ActionInput, context: Context): Promise<Written>;
  restart(input: ActionInput, context: Context): Promise<Written>;
  remove(input: ActionInput, context: Context): Promise<Written>;
}
export const RunOperations = serviceRef<RunOperations>('slipway.run-operations');

export interface OperationParts {
  runs: Runs;
  cluster: Cluster;
  clock: Clock;
  log: Log;
  settings: ViewSettings;
  maxReplicas: number;
}

export interface OperationTools extends OperationParts {
  idempotency: Idempotency;
  deletions: Deletions;
}

export function createOperations(parts: OperationParts): RunOperations {
  const { cluster, clock, log } = parts;
  const idempotency = createIdempotency(cluster, clock);
  const tools = { ...parts, idempotency, deletions: createDeletions({ cluster, idempotency, log }) };
  return { run: createRunService(tools), ...createActions(tools) };
}
