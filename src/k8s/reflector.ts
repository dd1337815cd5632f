import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { ApiError } from './api-error.ts';
import { createBackoff } from './backoff.ts';
import type { CacheWriter } from './cache.ts';
import type { KubeClient, WatchState } from './cluster.ts';
import { guardSilence, sleep } from './deadline.ts';
import { isExpired, listAll } from './list-all.ts';
import { type KubeObject, type Resource, resourceName, resourcePath } from './resources.ts';
import { type Transport, transportError } from './transport.ts';
import { type WatchEvent, watchEvents } from './watch-stream.ts';

export interface ReflectorOptions<T extends KubeObject> {
  resource: Resource<T>;
  /** Null: all. */
  namespace: string | null;
  /** The kind may be missing: then it is empty, not stale. */
  optional: boolean;
  client: KubeClient;
  transport: Transport;
  writer: CacheWriter<T>;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  log: Log;
  /** The watch went up or down. */
  onChange: () => void;
}

export interface Reflector {
  readonly state: Readonly<WatchState>;
  /** Resolves when the kind is listed, or known to be missing or forbidden. */
  readonly settled: Promise<void>;
  stop(): Promise<void>;
}

/** How much longer than it was asked for a watch may stay silent. */
const graceMs = 3_000;
/** A watch that lasted this long was a good one. */
const goodWatchMs = 1_000;
const longestWaitMs = 60_000;
const rememberedChanges = 1024;

/**
 * Keeps one kind, of one namespace or of all, in a cache: lists, then watches from there, for ever. It behaves as
 * client-go's reflector does; what a failure means is decided in `recover` alone.
 */
export function createReflector<T extends KubeObject>(options: ReflectorOptions<T>): Reflector {
  const { resource, namespace, optional, client, transport, writer, clock, random, onChange } = options;
  const log = options.log.child({ resource: resourceName(resource), ...(namespace !== null && { namespace }) });
  const stopped = new AbortController();
  const backoff = createBackoff(random);
  const settled = Promise.withResolvers<void>();
  const state: WatchState = {
    resource: resourceName(resource),
    namespace,
    get objects() {
      return writer.count(namespace ?? undefined);
    },
    synced: false,
    lastEventAt: null,
    lastContactAt: null,
    restarts: 0,
    error: null,
    downSince: clock.now(),
  };
  /** Where to go on watching; null: list first. */
  let version: string | null = null;
  /** The watches since the last list brought us on. */
  let progressed = false;
  let serverErrors = 0;
  /** What was applied of late: a server that replays after a resume must not take an object back in time. */
  const applied = new Set<string>();

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      const phase = version === null ? 'list' : 'watch';
      try {
        if (version === null) await list();
        else await watch(version);
      } catch (error) {
        if (stopped.signal.aborted) return;
        await sleep(clock, recover(transportError(error), phase), stopped.signal);
      }
    }
  }

  async function list(): Promise<void> {
    const signal = stopped.signal;
    const { items, resourceVersion } = await listAll({ client, resource, namespace, clock, signal });
    if (signal.aborted) return;
    state.lastContactAt = clock.now();
    writer.replace(items, namespace ?? undefined);
    version = resourceVersion;
    progressed = false;
    applied.clear();
    settle(true);
  }

  /** Resolves at the normal end of a watch. */
  async function watch(from: string): Promise<void> {
    // Short time-outs make a half-open connection show; different ones keep the watches from coming back together.
    const seconds = 8 + Math.floor(random() * 5);
    const guard = guardSilence(clock, stopped.signal, seconds * 1000 + graceMs, graceMs);
    const started = clock.now();
    let events = 0;
    const heard = () => {
      state.lastContactAt = clock.now();
      guard.heard();
    };
    try {
      const body = await transport.stream({
        method: 'GET',
        path: resourcePath(resource, namespace ?? undefined),
        query: { watch: true, resourceVersion: from, allowWatchBookmarks: true, timeoutSeconds: seconds },
        signal: guard.signal,
      });
      up();
      heard();
      for await (const event of watchEvents<T>(body, heard)) {
        take(event);
        events += 1;
      }
    } catch (error) {
      throw guard.expired ? new ApiError(0, 'NoAnswerInTime', 'the watch fell silent', { cause: error }) : error;
    } finally {
      guard.clear();
      down();
    }
    if (clock.now() - started >= goodWatchMs) {
      progressed = true;
      backoff.reset();
    } else if (events === 0) {
      throw new ApiError(0, 'Unreachable', 'the watch ended at once');
    } else {
      await sleep(clock, backoff.least(), stopped.signal);
    }
  }

  function take(event: WatchEvent<T>): void {
    if (event.type === 'ERROR') throw ApiError.fromStatus(event.object);
    const { type, object } = event;
    const { resourceVersion, uid } = object.metadata ?? {};
    if (resourceVersion) {
      version = resourceVersion;
      progressed = true;
      serverErrors = 0;
    }
    if (type === 'BOOKMARK') return;
    state.lastEventAt = clock.now();
    if (resourceVersion && !isNew(`${type === 'DELETED' ? '-' : '+'}${uid}/${resourceVersion}`)) return;
    if (type === 'DELETED') writer.remove(object);
    else writer.put(object);
  }

  function isNew(change: string): boolean {
    if (applied.has(change)) return false;
    applied.add(change);
    if (applied.size > rememberedChanges) {
      const [oldest] = applied;
      if (oldest !== undefined) applied.delete(oldest);
    }
    return true;
  }

  /** Decides what a failure means; returns how long to wait. */
  function recover(error: ApiError, phase: 'list' | 'watch'): number {
    const wait = backoff.next();
    noteFailure(error);
    if (phase === 'list') {
      if (error.status === 404 || error.status === 403) unavailable(error.status);
      else down();
    }
    if (phase === 'watch' && isExpired(error)) {
      version = null;
      // Expired again right after a list: the server is not well, and lists are dear.
      return progressed ? random() * 500 : wait;
    }
    if (phase === 'watch' && needsList(error)) version = null;
    const asked = error.retryAfterMs === undefined ? 0 : error.retryAfterMs + random() * 1000;
    return Math.min(Math.max(error.status === 429 && asked ? 0 : wait, asked), longestWaitMs);
  }

  /** A refused watch is not healed by the same request again; a failing server may have lost our resourceVersion. */
  function needsList({ status }: ApiError): boolean {
    if (status >= 500) return ++serverErrors % 3 === 0;
    return status >= 400 && ![401, 403, 408, 429].includes(status);
  }

  /** The kind is not served, so there are none of it; or we may not read it, so what we had grows old. */
  function unavailable(status: 403 | 404): void {
    if (status === 404) writer.replace([], namespace ?? undefined);
    if (optional && (status === 404 || !state.synced) && state.downSince !== null) {
      state.downSince = null;
      onChange();
    }
    settle(status === 404 && optional);
  }

  function settle(synced: boolean): void {
    state.synced ||= synced;
    settled.resolve();
  }

  function noteFailure(error: ApiError): void {
    state.restarts += 1;
    const text = describe(error);
    if (state.error === text) return;
    state.error = text;
    log.warn({ status: error.status, reason: error.reason }, `watch is down: ${text}`);
  }

  function up(): void {
    if (state.error !== null) log.info('watch is up again');
    state.error = null;
    state.downSince = null;
    onChange();
  }

  function down(): void {
    state.downSince ??= clock.now();
    onChange();
  }

  const running = run();
  return {
    state,
    settled: settled.promise,
    async stop() {
      stopped.abort();
      await running;
    },
  };
}

function describe({ status, reason, message }: ApiError): string {
  switch (status) {
    case 0:
      return message;
    case 401:
      return "the cluster does not accept Slipway's credentials (401)";
    case 403:
      return "Slipway's own identity may not list and watch this kind (403)";
    case 404:
      return 'the cluster does not serve this kind (404)';
    default:
      return `the API server answered ${reason} (${status})`;
  }
}
