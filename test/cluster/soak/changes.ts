import { setTimeout as delay } from 'node:timers/promises';
import { ApiError } from '../../../src/k8s/api-error.ts';
import type { KubeClient } from '../../../src/k8s/cluster.ts';
import { type KubeObject, type Resource, deployments, httpRoutes, replicaSets } from '../../../src/k8s/resources.ts';
import { type Life, stateOf } from '../../faults/api-server/store.ts';
import type { Random } from '../../faults/soak/random.ts';

/** A kind of the soak: how an object of it begins. */
export interface SoakKind {
  readonly resource: Resource;
  readonly names: number;
  readonly make: () => Record<string, unknown>;
}

const container = { name: 'main', image: 'team/shop:1' };
const labels = { app: 'soak' };

const workload = () => ({
  spec: {
    replicas: 0,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [container] } },
  },
});

/**
 * Built-in ones and one of a CustomResourceDefinition, which a restarted API server serves later than the others. None whose
 * end has stages: of those in between only the watch itself would tell.
 */
export const soakKinds: readonly SoakKind[] = [
  { resource: deployments, names: 1_000, make: workload },
  { resource: replicaSets, names: 500, make: workload },
  { resource: httpRoutes, names: 500, make: () => ({ spec: { hostnames: ['soak.example.com'] } }) },
];

export const outside = 'soak.test/outside';
const value = 'soak.test/value';

/** What nobody wants is dropped on entry. */
export const wants = (object: KubeObject): boolean => object.metadata.labels?.[outside] !== 'yes';

type Action = 'create' | 'update' | 'delete' | 'leave' | 'recreate';

export interface Changes {
  /** What the server held of each uid, by versions; ends are not among it. */
  readonly lives: ReadonlyMap<string, Life[]>;
  /** The uids that had a name, in order: `deployments/object-1`. */
  readonly owners: ReadonlyMap<string, string[]>;
  /** How many objects were ended so far. */
  readonly ends: number;
  /** Makes every object. */
  fill(): Promise<void>;
  /** So many random changes, at most a few at once, each until it is done. */
  make(count: number): Promise<void>;
}

const atOnce = 8;
const retryMs = 100;

export function createChanges(kube: KubeClient, namespace: string, random: Random): Changes {
  const lives = new Map<string, Life[]>();
  const owners = new Map<string, string[]>();
  const present = new Set<string>();
  let ends = 0;
  const names = soakKinds.flatMap((kind) =>
    Array.from({ length: kind.names }, (_, index) => ({ kind, name: `object-${index}` })),
  );

  function record(key: string, object: KubeObject): void {
    const { managedFields: _, ...metadata } = object.metadata;
    const kept = { ...object, metadata };
    const { uid = '', resourceVersion } = metadata;
    const life = lives.get(uid) ?? [];
    if (!lives.has(uid)) {
      lives.set(uid, life);
      owners.set(key, [...(owners.get(key) ?? []), uid]);
    }
    const moment = Number(resourceVersion);
    // A change that is sent again because its answer was lost is none.
    if (life.at(-1)?.moment !== moment) life.push({ moment, state: stateOf(kept), object: kept });
  }

  async function create({ resource, make }: SoakKind, name: string, key: string, text: string): Promise<void> {
    const metadata = { name, namespace, annotations: { [value]: text }, labels };
    const object = { apiVersion: '', kind: resource.kind, metadata, ...make() };
    object.apiVersion = resource.group ? `${resource.group}/${resource.version}` : resource.version;
    const made = await kube.create(resource, object).catch((error: unknown) => {
      if (codeOf(error) !== 409) throw error;
      return kube.get(resource, name, namespace);
    });
    record(key, made);
  }

  async function update({ resource }: SoakKind, name: string, key: string, text: string, away: boolean): Promise<void> {
    const metadata = { annotations: { [value]: text }, labels: { [outside]: away ? 'yes' : null } };
    record(key, await kube.patch(resource, name, namespace, { metadata }));
  }

  async function remove({ resource }: SoakKind, name: string): Promise<void> {
    await kube.delete(resource, name, namespace, { propagationPolicy: 'Background' }).catch((error: unknown) => {
      // Not every 404 is about the object: a kind may not be served yet.
      if (!(error instanceof ApiError && error.status === 404 && error.details.name === name)) throw error;
    });
  }

  async function perform(kind: SoakKind, name: string, action: Action, text: string): Promise<void> {
    const key = keyOf(kind.resource, name);
    if (action === 'delete' || action === 'recreate') await insist(() => remove(kind, name));
    if (action === 'create' || action === 'recreate') await insist(() => create(kind, name, key, text));
    if (action === 'update' || action === 'leave')
      await insist(() => update(kind, name, key, text, action === 'leave'));
  }

  function choose(key: string): Action {
    const chance = random.next();
    const action = !present.has(key)
      ? 'create'
      : chance < 0.13
        ? 'delete'
        : chance < 0.2
          ? 'recreate'
          : chance < 0.27
            ? 'leave'
            : 'update';
    if (action === 'delete' || action === 'recreate') ends += 1;
    if (action === 'delete') present.delete(key);
    else present.add(key);
    return action;
  }

  async function each(picked: readonly { kind: SoakKind; name: string }[]): Promise<void> {
    // Chosen at once, so that the seed alone decides; those of one name wait for each other.
    const last = new Map<string, Promise<void>>();
    const tasks = picked.map(({ kind, name }) => {
      const key = keyOf(kind.resource, name);
      return { key, run: perform.bind(null, kind, name, choose(key), `${random.next()}`) };
    });
    const work = async () => {
      for (let task = tasks.shift(); task; task = tasks.shift()) {
        const done = (last.get(task.key) ?? Promise.resolve()).then(task.run);
        last.set(task.key, done);
        await done;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
  }

  return {
    lives,
    owners,
    get ends() {
      return ends;
    },
    fill: () => each(names),
    make: (count) => each(Array.from({ length: count }, () => random.pick(names))),
  };
}

export const keyOf = (resource: Resource, name: string): string => `${resource.plural}/${name}`;

const codeOf = (error: unknown): number | null => (error instanceof ApiError ? error.status : null);

/** While the API server is down, or not quite up: again until it is done. */
async function insist(task: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await task();
    } catch (error) {
      const code = codeOf(error);
      // A CustomResourceDefinition may be served a moment after all else.
      if (code === null || (code >= 400 && code < 500 && ![403, 404, 429].includes(code))) throw error;
      await delay(retryMs);
    }
  }
}
