import { serviceRef } from '../../module.ts';
import type { Stream } from '../../schema/stream.ts';
import type { HealthStatus, RunView } from '../runs/service.ts';

export interface HealthTransition {
  /** ms since the epoch. */
  at: number;
  from: HealthStatus | null;
  to: HealthStatus;
  message: string | null;
}

/** Changes of health: as they happen, and kept. */
export interface Health {
  /** Every run, then every change of its status. */
  readonly changes: Stream<RunView>;
  /** The kept transitions of a run, newest last; null when no history is kept. */
  readonly transitions: (runKey: string, last: number) => Promise<HealthTransition[] | null>;
}
export const Health = serviceRef<Health>('slipway.health');
