import type { Clock } from '../../../clock.ts';
import type { Log } from '../../../log.ts';
import type { AddressPool } from '../runtime/addresses.ts';
import type { EmbeddedApi } from '../api/service.ts';

/** What each part of the embedded cluster (controllers, runtime, gateway, seed) is started with. */
export interface EmbeddedPart {
  api: EmbeddedApi;
  clock: Clock;
  log: Log;
  dataDir: string;
  addresses: AddressPool;
}

/** A started part. */
export interface Running {
  stop(): Promise<void>;
}
