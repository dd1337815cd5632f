import { serviceRef } from '../../module.ts';
import type { HealthStatus } from '../runs/service.ts';

export interface HealthTransition {
  /** ms since the epoch. */
  at: number;
  from: HealthStatus | null;
  to: HealthStatus;
  message: string | null;
}

/** The kept transitions of each run. */
export interface Health {
  /** Newest last. */
  transitions(runKey: string, last: number): Promise<HealthTransition[]>;
}
export const Health = serviceRef<Health>('slipway.health');
