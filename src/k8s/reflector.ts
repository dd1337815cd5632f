import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { ApiError } from './api-error.ts';
import { watchConsistency } from './consistency.ts';
import type { CacheWriter } from './cache.ts';
import { listRequest } from './client.ts';
import type { KubeList, ListOptions, WatchState } from './cluster.ts';
import { type SilenceGuard, guardSilence, within } from './deadline.ts';
import { isAbsent } from './discovery.ts';
import type { Entry } from './entry.ts';
import { listAll } from './list-all.ts';
import { type ReadItem, readList } from './list-stream.ts';
import type { Outage } from './outage.ts';
import { type Failure, createRecovery, goodWatchMs } from './recovery.ts';
import { createReplays, isOlder } from './replays.ts';
import { type KubeObject, type Resource, resourceName, resourcePath } from './resources.ts';
import { transportError } from './transport-error.ts';
import type { Transport } from './transport.ts';
import { createWatchStatus } from './watch-status.ts';
import { type WatchEvent, watchEvents } from './watch-stream.ts';

export interface ReflectorOptions<T extends KubeObject> {
  resource: Resource<T>;
  /** Null: all. */
  namespace: string | null;
  /** The kind may be missing: then it is empty, not stale. */
  optional: boolean;
  transport: Transport;
  writer: CacheWriter<T>;
  /** How objects come in. */
  entry: Entry<T>;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  log: Log;
  /** Of all reflectors of one server. */
  outage: Outage;
  /** How often the cache is compared with a list; 0: never. */
  checkEveryMs: number;
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
/** One that ended sooner, and without an event, was none. */
const shortestWatchMs = 1_000;
const discoveryMs = 10_000;

/**
 * Keeps one kind, of one namespace or of all, in a cache: lists, then watches from there, for ever. It behaves as
 * client-go's reflector does; what a failure means is decided in recovery.ts alone.
 */
export function createReflector<T extends KubeObject>(options: ReflectorOptions<T>): Reflector {
  const { resource, namespace, optional, transport, writer, entry, clock, random, onChange } = options;
  const scope = namespace ?? undefined;
  const log = options.log.child({ resource: resourceName(resource), ...(namespace !== null && { namespace }) });
  const stopped = new AbortController();
  const { signal } = stopped;
  const recovery = createRecovery(clock, random, options.outage);
  const settled = Promise.withResolvers<void>();
  const replays = createReplays();
  const status = createWatchStatus({
    resource: resourceName(resource),
    namespace,
    optional,
    objects: () => writer.count(scope),
    clock,
    log,
    onChange() {
      if (state.downSince === null) recovery.answered();
      onChange();
    },
  });
  const { state } = status;
  /** Where to go on watching, if there is no need to list. */
  let version = '';
  let mustList = true;
  let events = 0;
  /** Ends the watch that is open: it can't be relied on. */
  let distrust = () => {};

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const phase = mustList ? 'list' : 'watch';
      const began = clock.now();
      try {
        if (phase === 'list') await list();
        else await watch();
      } catch (error) {
        if (!signal.aborted) await recover({ error: transportError(error), phase, lasted: clock.now() - began });
      }
    }
  }

  async function list(): Promise<void> {
    const { items, resourceVersion } = await listAll((page) => listPage(page, enter), { clock, signal });
    if (signal.aborted) return;
    status.heard();
    status.listed();
    recovery.answered();
    // A cluster that was restored from a backup uses versions a second time: equal ones may be of different objects.
    await writer.replace(items, scope, { compare: isOlder(resourceVersion, version) });
    version = resourceVersion;
    mustList = false;
    replays.clear();
    settle(true);
  }

  async function listPage(page: ListOptions, read: ReadItem<T>): Promise<KubeList<T>> {
    const body = await transport.stream(
      listRequest(resource, { ...page, ...(scope !== undefined && { namespace: scope }) }),
    );
    return readList(body, read);
  }

  /** What a page has in common with others is shared before the next item is read: else it would grow old for nothing. */
  function enter(json: Buffer, start: number): ReturnType<ReadItem<T>> {
    const found = entry.read(json, start);
    return found && { item: keep(found.item), end: found.end };
  }

  function keep(object: T): T {
    return entry.keep(object, writer.held(object));
  }

  /** Resolves some time after the normal end of a watch. */
  async function watch(): Promise<void> {
    // Short time-outs make a half-open connection show; different ones keep the watches from coming back together.
    const seconds = 8 + Math.floor(random() * 4);
    const distrusted = new AbortController();
    distrust = () => distrusted.abort();
    const guard = guardSilence(clock, AbortSignal.any([signal, distrusted.signal]), seconds * 1000, graceMs);
    const began = clock.now();
    events = 0;
    try {
      await follow(seconds, guard);
    } catch (error) {
      if (distrusted.signal.aborted) throw new ApiError(410, 'Expired', 'a list showed something else than the watch');
      throw guard.expired ? new ApiError(0, 'NoAnswerInTime', 'the watch fell silent', { cause: error }) : error;
    } finally {
      guard.clear();
      status.down({ silent: guard.expired });
    }
    const lasted = clock.now() - began;
    if (lasted >= goodWatchMs) recovery.rest();
    else if (lasted < shortestWatchMs && events === 0) throw new ApiError(0, 'Unreachable', 'the watch ended at once');
    else await recovery.breathe(signal);
  }

  async function follow(timeoutSeconds: number, guard: SilenceGuard): Promise<void> {
    const heard = () => {
      status.heard();
      guard.heard();
    };
    const body = await transport.stream({
      method: 'GET',
      path: resourcePath(resource, scope),
      query: { watch: true, resourceVersion: version, allowWatchBookmarks: true, timeoutSeconds },
      signal: guard.signal,
    });
    // From here on the server counts the seconds; one that is just starting may have answered late.
    guard.restart();
    status.heard();
    status.opened();
    for await (const event of watchEvents<T>(body, heard, (line) => entry.readEvent(line))) take(event);
  }

  function take(event: WatchEvent<T>): void {
    if (event.type === 'ERROR') throw ApiError.fromStatus(event.object);
    events += 1;
    const { type, object } = event;
    const { resourceVersion, uid } = object.metadata ?? {};
    if (resourceVersion) {
      // Sent again after a resume: it must not undo what came since.
      if (type !== 'BOOKMARK' && !replays.isNew(`${type === 'DELETED'} ${uid} ${resourceVersion}`)) return;
      if (isOlder(resourceVersion, version)) throw new ApiError(410, 'Expired', 'the API server went back in time');
      version = resourceVersion;
    }
    recovery.heard();
    status.proven();
    if (type === 'BOOKMARK') return;
    state.lastEventAt = clock.now();
    if (type === 'DELETED') writer.remove(object);
    else writer.put(keep(object));
  }

  async function recover(failure: Failure): Promise<void> {
    if (recovery.failed(failure)) mustList = true;
    status.failed(failure.error);
    if (failure.phase === 'list') await unlisted(failure.error);
    await recovery.pause(signal);
  }

  /** The kind is not served, so there are none of it; or we could not list it, so what we have grows old. */
  async function unlisted({ status: code }: ApiError): Promise<void> {
    const ask = { clock, signal, ms: discoveryMs };
    const absent = code === 404 && (await within(ask, (signal) => isAbsent(transport, resource, signal)));
    if (signal.aborted) return;
    if (absent) await writer.replace([], scope);
    if (optional && (absent || (code === 403 && !state.synced))) status.idle();
    // One that was missing, and can't be asked for now, has nothing that could grow old; the other watches tell of the outage.
    else if (code === 403) status.down();
    if (code === 403 || code === 404) settle(absent && optional);
  }

  function settle(synced: boolean): void {
    state.synced ||= synced;
    settled.resolve();
  }

  function compared(equal: boolean): void {
    state.checks += 1;
    if (equal) return;
    state.mismatches += 1;
    mustList = true;
    distrust();
  }

  const held = () => {
    const digest = state.downSince === null && state.synced && !mustList ? writer.digest(scope) : null;
    return digest && { ...digest, resourceVersion: version };
  };
  const checking =
    options.checkEveryMs > 0
      ? watchConsistency<T>({
          ...{ clock, random, signal, log, held, compared },
          page: (page) => listPage(page, entry.read),
          wants: (object) => writer.wants(object),
          everyMs: options.checkEveryMs,
        })
      : Promise.resolve();
  const running = run();
  return {
    state,
    settled: settled.promise,
    async stop() {
      stopped.abort();
      await Promise.all([running, checking]);
    },
  };
}
