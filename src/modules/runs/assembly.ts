import type { Cache, CacheEvent, Cluster } from '../../k8s/cluster.ts';
import {
  type Deployment,
  type KubeEvent,
  type KubeObject,
  type Pod,
  type ReplicaSet,
  type Service,
  deployments,
  endpointSlices,
  events,
  pods,
  replicaSets,
  resourceName,
  services,
} from '../../k8s/resources.ts';
import { createdAt, eventTime, newerFirst } from './diagnosis/situation.ts';
import type { RunIdentity, RunObjects, RunSource } from './service.ts';
import type { Sightings } from './sightings.ts';
import { type SourcedIdentity, runKey } from './view.ts';

/** Finds the objects of each run in the shared caches, and the runs of each object. */
export interface Assembly {
  /** The keys of all runs there are. */
  keys(): Set<string>;
  /** The objects of one run with its identity; null when nothing is left of it. */
  collect(key: string): { objects: RunObjects; identity: SourcedIdentity } | null;
  /** The key of the run whose primary or alias Service this is. */
  keyOfService(namespace: string, name: string): string | null;
  /** Calls `mark` with the key of each run that an event touches from now on. */
  watch(mark: (key: string) => void): () => void;
  stop(): void;
}

const revisionAnnotation = 'deployment.kubernetes.io/revision';
const serviceNameLabel = 'kubernetes.io/service-name';
/** Warnings kept for each object. */
const eventsPerObject = 20;

export function createAssembly(cluster: Cluster, sources: readonly RunSource[], sightings: Sightings): Assembly {
  const caches = {
    deployments: cluster.cache(deployments),
    replicaSets: cluster.cache(replicaSets),
    pods: cluster.cache(pods),
    services: cluster.cache(services),
    slices: cluster.cache(endpointSlices),
    events: cluster.cache(events),
  };
  const identify = createIdentify(sources);
  const keyOf = (object: Deployment | Service): string | null => {
    const identity = identify(object);
    return identity && runKey(object.metadata.namespace ?? '', identity.runId);
  };
  const keysOf = (object: Deployment | Service): string[] => {
    const key = keyOf(object);
    return key === null ? [] : [key];
  };
  const find = {
    deployments: caches.deployments.index('runs:run', keysOf),
    services: caches.services.index('runs:run', keysOf),
    slices: caches.slices.index('runs:service', (slice) => {
      const name = slice.metadata.labels?.[serviceNameLabel];
      return name === undefined ? [] : [`${slice.metadata.namespace}/${name}`];
    }),
    events: caches.events.index('runs:involved', (event) =>
      event.involvedObject.uid === undefined ? [] : [event.involvedObject.uid],
    ),
  };
  /** Which run an object belonged to when its run was last collected: by uid, for what can no longer be resolved. */
  const members = new Map<string, string>();
  const membersOf = new Map<string, string[]>();

  const remember = (key: string, uids: string[]): void => {
    for (const uid of membersOf.get(key) ?? []) if (members.get(uid) === key) members.delete(uid);
    for (const uid of uids) members.set(uid, key);
    if (uids.length > 0) membersOf.set(key, uids);
    else membersOf.delete(key);
  };

  const warningsOf = (uids: readonly string[]): KubeEvent[] =>
    uids
      .flatMap((uid) =>
        [...find.events(uid)]
          .filter((event) => event.type === 'Warning')
          .sort(byEventTime)
          .slice(-eventsPerObject),
      )
      .sort(byEventTime);

  /** Kinds that were never listed though the cluster was: forbidden, or not served. */
  const unreadableIn = (namespace: string | undefined): string[] => {
    const unsynced = Object.values(caches).flatMap(({ synced, resource }) => (synced ? [] : [resource]));
    if (unsynced.length === 0) return [];
    const silent = cluster.freshness.watches().filter(({ synced }) => !synced);
    return unsynced
      .filter((resource) =>
        silent.some(
          (watch) => watch.resource === resourceName(resource) && (watch.namespace ?? namespace) === namespace,
        ),
      )
      .map(({ kind }) => kind);
  };

  const collect: Assembly['collect'] = (key) => {
    const [workload = null, ...duplicates] = [...find.deployments(key)].sort(byAge);
    const found = [...find.services(key)].sort(byAge);
    const service = found.find((candidate) => identify(candidate)?.primary !== false) ?? found[0] ?? null;
    const main = workload ?? service;
    const identity = main && identify(main);
    if (!main || !identity) {
      remember(key, []);
      return null;
    }
    const sets = workload ? [...caches.replicaSets.byOwner(workload.metadata.uid ?? '')].sort(byRevision) : [];
    const owned = sets.flatMap((set) => [...caches.pods.byOwner(set.metadata.uid ?? '')]).sort(byAge);
    const slices = service
      ? [...find.slices(`${service.metadata.namespace}/${service.metadata.name}`)].sort(byName)
      : [];
    const uids = [workload, service, ...sets, ...owned].flatMap((object) => object?.metadata.uid ?? []);
    remember(key, uids);
    const unreadable = unreadableIn(main.metadata.namespace);
    const objects: RunObjects = {
      workload,
      service,
      aliases: found.filter((candidate) => candidate !== service).sort(byName),
      ...(duplicates.length > 0 && { duplicates }),
      replicaSets: sets,
      pods: owned,
      slices,
      events: warningsOf(uids),
      sightings: sightings.of(owned),
      ...(unreadable.length > 0 && { unreadable }),
    };
    return { objects, identity: workload && service ? merged(identity, identify(service)) : identity };
  };

  const keyOfOwned = (object: ReplicaSet | Pod): string | null => {
    for (const owner of object.metadata.ownerReferences ?? []) {
      const deployment = caches.deployments.byUid(owner.uid);
      if (deployment) return keyOf(deployment);
      const set = caches.replicaSets.byUid(owner.uid);
      if (set) return keyOfOwned(set);
    }
    return null;
  };
  const stop = caches.pods.subscribe((event) => {
    if (event.type === 'DELETED') sightings.forget(event.object);
    else sightings.observe(event.type === 'MODIFIED' ? event.previous : undefined, event.object);
  });
  const keyOfService: Assembly['keyOfService'] = (namespace, name) => {
    const service = caches.services.get(namespace, name);
    return service ? keyOf(service) : null;
  };

  return {
    keys: () => new Set([...caches.deployments.list(), ...caches.services.list()].flatMap(keysOf)),
    collect,
    keyOfService,
    watch(mark) {
      const touch = (key: string | null | undefined): void => {
        if (key) mark(key);
      };
      const on = <T extends KubeObject>(cache: Cache<T>, resolve: (object: T) => string | null | undefined) =>
        cache.subscribe((event: CacheEvent<T>) => {
          touch(resolve(event.object));
          if (event.type === 'MODIFIED') touch(resolve(event.previous));
          touch(members.get(event.object.metadata.uid ?? ''));
        });
      const stops = [
        on(caches.deployments, keyOf),
        on(caches.services, keyOf),
        on(caches.replicaSets, keyOfOwned),
        on(caches.pods, keyOfOwned),
        on(caches.slices, (slice) =>
          keyOfService(slice.metadata.namespace ?? '', slice.metadata.labels?.[serviceNameLabel] ?? ''),
        ),
        on(caches.events, (event) => members.get(event.involvedObject.uid ?? '')),
      ];
      return () => {
        for (const stop of stops) stop();
      };
    },
    stop,
  };
}

/** The first source that knows an object names its run. Objects never change in place, so an answer holds for good. */
function createIdentify(sources: readonly RunSource[]): (object: Deployment | Service) => SourcedIdentity | null {
  const known = new WeakMap<KubeObject, SourcedIdentity | null>();
  return (object) => {
    const present = known.get(object);
    if (present !== undefined) return present;
    let identity: SourcedIdentity | null = null;
    for (const source of sources) {
      const found: RunIdentity | null = source.identify(object);
      if (!found) continue;
      identity = { ...found, source: source.name };
      break;
    }
    known.set(object, identity);
    return identity;
  };
}

/** The workload's word counts; what it leaves open may stand on the Service. */
function merged(own: SourcedIdentity, other: SourcedIdentity | null): SourcedIdentity {
  if (!other) return own;
  return {
    ...own,
    project: own.project ?? other.project,
    function: own.function ?? other.function,
    kind: own.kind ?? other.kind,
    user: own.user ?? other.user,
    model: own.model ?? other.model,
  };
}

const byName = (a: KubeObject, b: KubeObject): number => (a.metadata.name < b.metadata.name ? -1 : 1);
const byAge = (a: KubeObject, b: KubeObject): number => createdAt(a) - createdAt(b) || byName(a, b);
const byEventTime = (a: KubeEvent, b: KubeEvent): number =>
  (eventTime(a) ?? 0) - (eventTime(b) ?? 0) || newerFirst(b, a);
const revisionOf = (set: ReplicaSet): number => Number(set.metadata.annotations?.[revisionAnnotation] ?? 0);
const byRevision = (a: ReplicaSet, b: ReplicaSet): number => revisionOf(b) - revisionOf(a) || byName(a, b);
