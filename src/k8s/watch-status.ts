import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { ApiError } from './api-error.ts';
import type { WatchState } from './cluster.ts';

/** A watch that is opened after a failure counts once it has lasted so long, or has sent something. */
const probationMs = 1_000;

/** What is known of one watch, and the turns of it. */
export interface WatchStatus {
  readonly state: WatchState;
  /** The server was heard. */
  heard(): void;
  /** A list came in: only an API server sends one. */
  listed(): void;
  /** The server has accepted the watch. */
  opened(): void;
  /** The watch has sent something that only an API server sends. */
  proven(): void;
  /** The watch has ended, or there is none. `silent`: nobody knows when, so it is down since the server was last heard. */
  down(options?: { silent: boolean }): void;
  /** There is nothing to watch, and that is known. */
  idle(): void;
  failed(error: ApiError): void;
}

export function createWatchStatus(
  parts: Pick<WatchState, 'resource' | 'namespace'> & {
    /** The cluster may be without the kind: then that is no reason to warn. */
    optional: boolean;
    objects: () => number;
    clock: Clock;
    log: Log;
    /** It went up or down. */
    onChange: () => void;
  },
): WatchStatus {
  const { resource, namespace, optional, objects, clock, log, onChange } = parts;
  let cancelProbation = () => {};
  /** What answers now is an API server. */
  let known = true;
  const state: WatchState = {
    resource,
    namespace,
    get objects() {
      return objects();
    },
    synced: false,
    lastEventAt: null,
    lastContactAt: null,
    restarts: 0,
    error: null,
    downSince: clock.now(),
    checks: 0,
    mismatches: 0,
  };

  function up(): void {
    cancelProbation();
    if (state.downSince === null && state.error === null) return;
    if (state.error !== null) log.info('watch is up again');
    known = true;
    state.error = null;
    state.downSince = null;
    onChange();
  }

  return {
    state,
    heard() {
      state.lastContactAt = clock.now();
    },
    listed() {
      known = true;
    },
    opened() {
      // What answers after a failure may be a load balancer that says 200 to everything.
      if (known) up();
      else cancelProbation = clock.after(probationMs, up);
    },
    proven: up,
    down({ silent } = { silent: false }) {
      cancelProbation();
      state.downSince ??= (silent ? state.lastContactAt : null) ?? clock.now();
      onChange();
    },
    idle() {
      if (state.downSince === null) return;
      state.downSince = null;
      onChange();
    },
    failed(error) {
      known = false;
      state.restarts += 1;
      const text = describe(error);
      if (state.error === text) return;
      state.error = text;
      if (optional && error.status === 404) log.info(text);
      else log.warn({ status: error.status, reason: error.reason }, `watch is down: ${text}`);
    },
  };
}

function describe({ status, reason, message }: ApiError): string {
  switch (status) {
    case 0:
      return message;
    case 401:
      return reason === 'NoCredentials' ? message : "the cluster does not accept Slipway's credentials (401)";
    case 403:
      return "Slipway's own identity may not list and watch this kind (403)";
    case 404:
      return 'the cluster does not serve this kind (404)';
    default:
      return `the API server answered ${reason} (${status})`;
  }
}
