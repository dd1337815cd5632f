import type { Clock } from '../../clock.ts';
import { SlipwayError } from '../../errors.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import { type HTTPRoute, httpRoutes, type KubeObject } from '../../k8s/resources.ts';
import type { Log } from '../../log.ts';
import type { Millis } from '../runs/service.ts';
import { closedBy, isClosed, openPatch } from './closed.ts';
import type { InForce, Taken } from './in-force.ts';
import { authAnnotation, pendingAnnotation, policyNameOf } from './names.ts';
import { askedFor, attachedTo } from './policies.ts';
import type { GatewayView, Policy } from './service.ts';
import type { Store } from './store.ts';
import { isTaken } from './takeover.ts';
import type { Waits } from './waits.ts';
import { annotate, getOrNull, patchRead, pendingMs, unannotate } from './writes.ts';

/** How long a mutation waits for its gateway to open. */
const waitMs = 10_000;
const retryMs = 5_000;

/**
 * Opens closed routes once their protection is in force for every connection: on every server, whoever closed them. With
 * our own identity, for the caller may be gone.
 */
export interface Opening {
  /** The route as it is when it is open, or at once when that takes longer than somebody waits. */
  untilOpen(written: Written, closedMs: Millis): Promise<HTTPRoute>;
  stop(): Promise<void>;
}

interface Options {
  cluster: Cluster;
  store: Store;
  inForce: InForce;
  waits: Waits;
  clock: Clock;
  log: Log;
}

export interface Written {
  route: HTTPRoute;
  policy: Policy | null;
}

/** What there is to do for a route, and after how long; nothing as long as `what` is the same as before. */
interface Step {
  what: string;
  afterMs: Millis;
  run: () => Promise<void>;
}

export function startOpening({ cluster, store, inForce, waits, clock, log }: Options): Opening {
  const routes = cluster.cache(httpRoutes);
  const steps = new Map<string, { what: string; cancel: () => void }>();
  const running = new Set<Promise<void>>();
  let stopped = false;

  const get = (key: string): HTTPRoute | undefined => {
    const slash = key.indexOf('/');
    return routes.get(key.slice(0, slash), key.slice(slash + 1));
  };

  function consider(key: string): void {
    const route = get(key);
    const step = route && nextStep(key, route);
    const waiting = steps.get(key);
    if (waiting && waiting.what === step?.what) return;
    waiting?.cancel();
    steps.delete(key);
    store.opens(key, null);
    if (step) schedule(key, step);
  }

  function schedule(key: string, { what, afterMs, run }: Step): void {
    if (stopped) return;
    const start = async (): Promise<void> => {
      try {
        await run();
      } catch (error) {
        // Another server was faster, or somebody has changed it.
        const moved = error instanceof SlipwayError && ['CHANGED', 'NOT_FOUND'].includes(error.reason ?? error.code);
        if (!moved) log.warn({ err: error, gateway: key }, 'a closed gateway could not be opened; tried again later');
      }
      // What it has brought about is an event, which ends this.
      if (steps.get(key) === step) schedule(key, { what, afterMs: retryMs, run: () => again(key) });
    };
    const keep = (): void => {
      const task = start().finally(() => running.delete(task));
      running.add(task);
    };
    const step = { what, cancel: clock.after(afterMs, keep) };
    steps.set(key, step);
  }

  async function again(key: string): Promise<void> {
    steps.delete(key);
    consider(key);
  }

  function nextStep(key: string, route: HTTPRoute): Step | undefined {
    const value = closedBy(route);
    if (value === null || route.metadata.deletionTimestamp) return undefined;
    if (isPending(route)) {
      // The minute begins when we see it, not at the time it bears: clocks of replicas differ.
      return { what: `complete ${value}`, afterMs: pendingMs, run: () => complete(route, value) };
    }
    const asked = askedFor(route) ?? 'NONE';
    const taken = inForce.of(route);
    if (taken) {
      if (isPending(taken.policy) || (asked !== 'NONE' && taken.kind === 'NONE')) return undefined;
      if (!isTaken(route, taken.policy, store.parents)) return undefined;
      const { uid, generation } = taken.policy.metadata;
      const afterMs = Math.max(0, taken.since + waits.takeoverMs - clock.now());
      return { what: `open ${value} ${uid} ${generation}`, afterMs, run: () => openProtected(key, route, value) };
    }
    const free = asked === 'NONE' && store.policies.attachedTo(route).length === 0;
    return free ? { what: `open ${value}`, afterMs: 0, run: () => open(route, value, null) } : undefined;
  }

  async function openProtected(key: string, route: HTTPRoute, value: string): Promise<void> {
    const taken = inForce.of(route);
    if (!taken) return again(key);
    const remaining = taken.since + (await waits.closedMs(route, taken)) - clock.now();
    const run = () => openProtected(key, route, value);
    const waiting = steps.get(key);
    if (remaining > 0) {
      if (!waiting) return;
      store.opens(key, clock.now() + remaining);
      return schedule(key, { what: waiting.what, afterMs: remaining, run });
    }
    await open(route, value, taken);
  }

  /** What it rests on is read anew: caches of two kinds are never of the same moment. */
  async function open({ metadata }: HTTPRoute, value: string, taken: Taken | null): Promise<void> {
    const { namespace = '', name } = metadata;
    const live = await getOrNull(cluster.client, httpRoutes, namespace, name);
    if (!live || closedBy(live) !== value || isPending(live)) return;
    if (taken && !(await isAsSeen(live, taken.policy))) return;
    await patchRead(cluster.client, httpRoutes, live, openPatch(live));
    log.info({ gateway: `${namespace}/${name}` }, 'gateway opened');
  }

  async function isAsSeen(route: HTTPRoute, policy: Policy): Promise<boolean> {
    const { namespace = '', name, uid, generation } = policy.metadata;
    const resource = store.policies.cacheOf(policy)?.resource;
    const live = resource && (await getOrNull(cluster.client, resource, namespace, name));
    if (!live || live.metadata.uid !== uid || live.metadata.generation !== generation) return false;
    return isTaken(route, live, store.parents);
  }

  /** What a change that died has left: the route says what its policy is now, and opens when that is in force. */
  async function complete({ metadata }: HTTPRoute, value: string): Promise<void> {
    const { namespace = '', name } = metadata;
    const live = await getOrNull(cluster.client, httpRoutes, namespace, name);
    if (!live || closedBy(live) !== value || !isPending(live)) return;
    const resource = store.backendOf(live)?.resource;
    const policy = resource && (await getOrNull(cluster.client, resource, namespace, policyNameOf(name)));
    const word = policy && attachedTo(live, [policy]).length > 0 && policy.metadata.annotations?.[authAnnotation];
    await patchRead(cluster.client, httpRoutes, live, [
      ...unannotate(live, pendingAnnotation),
      ...(word ? annotate(live, authAnnotation, word) : []),
    ]);
    log.info({ gateway: `${namespace}/${name}` }, 'a change of protection that died was completed');
  }

  const unsubscribe = inForce.subscribe(consider);
  for (const { metadata } of routes.list()) consider(`${metadata.namespace}/${metadata.name}`);

  return {
    async untilOpen(written, closedMs) {
      const { route, policy } = written;
      // One whose policy could not be tied to it opens after that.
      if (!isClosed(route) || closedMs > waitMs || (policy && isPending(policy))) return route;
      const key = `${route.metadata.namespace}/${route.metadata.name}`;
      const { promise, resolve } = Promise.withResolvers<void>();
      const check = (): void => {
        const view = store.get(key);
        if (view && hasCome(view, written)) resolve();
      };
      const stop = store.subscribe(check);
      const cancel = clock.after(waitMs + closedMs, resolve);
      check();
      await promise;
      stop();
      cancel();
      const found = get(key);
      return found && isOf(found, route) ? found : route;
    },
    async stop() {
      stopped = true;
      unsubscribe();
      for (const { cancel } of steps.values()) cancel();
      steps.clear();
      await Promise.all(running);
    },
  };
}

const isPending = ({ metadata }: HTTPRoute | Policy): boolean =>
  metadata.annotations?.[pendingAnnotation] !== undefined;

/** The same object, as it is now or was later. */
const isOf = ({ metadata }: KubeObject, written: KubeObject): boolean =>
  metadata.uid === written.metadata.uid && (metadata.generation ?? 0) >= (written.metadata.generation ?? 0);

/** What was written is open, or will not be before something else changes. */
function hasCome({ objects, status }: GatewayView, { route, policy }: Written): boolean {
  if (!isOf(objects.route, route)) return false;
  if (!isClosed(objects.route)) return true;
  return status.phase === 'REJECTED' && (!policy || objects.policies.some((one) => isOf(one, policy)));
}
