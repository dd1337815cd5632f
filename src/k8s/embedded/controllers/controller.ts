import type { Clock } from '../../../clock.ts';
import type { Log } from '../../../log.ts';
import type { EmbeddedApi } from '../api/service.ts';
import type { EventRecorder } from './events.ts';

/** One control loop: brings what belongs to a key to the state its objects ask for, from what is there now. */
export interface Controller {
  readonly name: string;
  sync(key: string): Promise<void>;
}

/** What a controller works with. */
export interface ControllerPart {
  api: EmbeddedApi;
  clock: Clock;
  log: Log;
  events: EventRecorder;
  /** Syncs a key again after some time. */
  requeue: (key: string, ms: number) => void;
}
