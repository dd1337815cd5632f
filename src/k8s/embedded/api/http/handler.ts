import type { Core } from '../core.ts';
import type { PodLogSource } from '../pod-logs.ts';
import { createResourceHandler } from './resources.ts';
import type { Handler } from './server.ts';

/** Sends each request to what answers it. */
export function createHandler(core: Core, logs: PodLogSource): Handler {
  return createResourceHandler(core, logs);
}
