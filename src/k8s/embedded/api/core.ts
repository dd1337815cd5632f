import type { Clock } from '../../../clock.ts';
import type { Definition, Draft, Surroundings } from './definition.ts';
import { groupVersionOf } from './definition.ts';
import { forbidden, notFound } from './status.ts';
import type { Collection, Store } from './store.ts';

/** What every operation works with. */
export interface Core {
  readonly store: Store;
  readonly clock: Clock;
  readonly definitions: readonly Definition[];
  readonly around: Surroundings;
  collection(definition: Definition): Collection;
  find(group: string, version: string, plural: string): Definition | undefined;
  ofKind(apiVersion: string, kind: string): Definition | undefined;
}

export function createCore(options: {
  store: Store;
  clock: Clock;
  definitions: readonly Definition[];
  allocateClusterIP: () => string;
  releaseClusterIP: (address: string) => void;
}): Core {
  const byPath = new Map(options.definitions.map((each) => [`${groupVersionOf(each)}/${each.plural}`, each]));
  const byKind = new Map(options.definitions.map((each) => [`${groupVersionOf(each)}/${each.kind}`, each]));
  return {
    store: options.store,
    clock: options.clock,
    definitions: options.definitions,
    around: {
      now: () => options.clock.now(),
      allocateClusterIP: options.allocateClusterIP,
      releaseClusterIP: options.releaseClusterIP,
    },
    collection: (definition) => options.store.collection(definition),
    find: (group, version, plural) => byPath.get(`${groupVersionOf({ group, version })}/${plural}`),
    ofKind: (apiVersion, kind) => byKind.get(`${apiVersion}/${kind}`),
  };
}

/** The time as metav1.Time prints it. */
export function timestamp(core: Pick<Core, 'clock'>): string {
  return new Date(core.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Nothing is created in a namespace that is not there or is going away. */
export function requireNamespace(core: Core, definition: Definition, object: Draft): void {
  const namespace = object.metadata.namespace;
  if (!definition.namespaced || namespace === undefined) return;
  const namespaces = core.ofKind('v1', 'Namespace');
  if (!namespaces) return;
  const found = core.collection(namespaces).get(undefined, namespace);
  if (!found) throw notFound(namespaces, namespace);
  if (found.metadata.deletionTimestamp === undefined) return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  throw forbidden(definition, object.metadata.name, why, {
    causes: [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  });
}
