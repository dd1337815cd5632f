import type { Clock } from '../../clock.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import { httpRoutes, type Resource } from '../../k8s/resources.ts';
import type { Log } from '../../log.ts';
import { managedByLabel, pendingAnnotation, routeNameOf } from './names.ts';
import type { Policy } from './service.ts';
import { deleteRead, getOrNull, linkPatch, patchRead, pendingMs } from './writes.ts';

interface SweepOptions {
  cluster: Cluster;
  resource: Resource<Policy>;
  clock: Clock;
  log: Log;
}

/** Why a policy is looked at again: since when it is pending, or that it has lost its route as an owner. */
function reasonOf({ metadata }: Policy): string | undefined {
  const since = metadata.annotations?.[pendingAnnotation];
  const untied = !metadata.ownerReferences?.some(({ kind }) => kind === httpRoutes.kind);
  const ours = metadata.labels?.[managedByLabel] === 'slipway';
  return since ?? (ours && untied ? 'untied' : undefined);
}

/**
 * Finishes what creates that died left behind: a policy still marked as pending after a minute is tied to its route, or
 * goes when there is none. One of ours without the mark that nothing owns, from a backup say, is tied, and never goes.
 * With our own identity, for the caller is gone.
 */
export function startSweep({ cluster, resource, clock, log }: SweepOptions): { stop(): Promise<void> } {
  const policies = cluster.cache(resource);
  const timers = new Map<string, { since: string; cancel: () => void }>();
  let sweeping = Promise.resolve();
  let stopped = false;

  const keyOf = ({ metadata }: Policy): string => metadata.uid ?? `${metadata.namespace}/${metadata.name}`;

  function consider(policy: Policy): void {
    const key = keyOf(policy);
    const since = reasonOf(policy);
    const waiting = timers.get(key);
    if (waiting && waiting.since === since) return;
    waiting?.cancel();
    timers.delete(key);
    if (since !== undefined && !stopped) schedule(policy, since);
  }

  /** The minute begins when we see it, not at the time it bears: clocks of replicas differ. */
  function schedule(policy: Policy, since: string): void {
    const cancel = clock.after(pendingMs, () => {
      timers.delete(keyOf(policy));
      sweeping = sweeping.then(() => sweep(policy, since));
    });
    timers.set(keyOf(policy), { since, cancel });
  }

  async function sweep(policy: Policy, since: string): Promise<void> {
    const { namespace = '', name } = policy.metadata;
    const present = policies.get(namespace, name);
    if (stopped || !present || keyOf(present) !== keyOf(policy)) return;
    try {
      await finish(present);
    } catch (error) {
      log.warn(
        { err: error, policy: `${namespace}/${name}` },
        'a policy could not be tied to its route; tried again later',
      );
      if (!stopped) schedule(present, since);
    }
  }

  async function finish(policy: Policy): Promise<void> {
    if (reasonOf(policy) === undefined) return;
    const { namespace = '', name } = policy.metadata;
    const route = await getOrNull(cluster.client, httpRoutes, namespace, routeNameOf(name));
    if (route) {
      await patchRead(cluster.client, resource, policy, linkPatch(policy, route));
      log.info({ policy: `${namespace}/${name}` }, 'a policy was tied to its route');
      return;
    }
    if (policy.metadata.annotations?.[pendingAnnotation] === undefined) return;
    await deleteRead(cluster.client, resource, policy, { strict: true });
    log.info({ policy: `${namespace}/${name}` }, 'a policy without a route was removed');
  }

  const unsubscribe = policies.subscribe((event) => {
    if (event.type !== 'DELETED') return consider(event.object);
    timers.get(keyOf(event.object))?.cancel();
    timers.delete(keyOf(event.object));
  });
  for (const policy of policies.list()) consider(policy);

  return {
    async stop() {
      stopped = true;
      unsubscribe();
      for (const { cancel } of timers.values()) cancel();
      timers.clear();
      await sweeping;
    },
  };
}
