import type { Core } from '../core.ts';
import { deleteObject } from '../delete.ts';
import { isObject } from '../json.ts';
import { createObject, finishChange } from '../write.ts';

const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** Makes the namespaces that every cluster has, and empties those that are deleted before they go. */
export function startNamespaceLifecycle(core: Core): () => void {
  const definition = core.ofKind('v1', 'Namespace');
  if (!definition) return () => {};
  const namespaces = core.collection(definition);
  const contents = core.definitions.filter((each) => each.namespaced).map((each) => core.collection(each));

  const finish = (name: string) => {
    const live = namespaces.get(undefined, name);
    if (live?.metadata.deletionTimestamp === undefined) return;
    for (const collection of contents) {
      for (const { metadata } of collection.list(name)) {
        if (metadata.deletionTimestamp !== undefined) continue;
        deleteObject(core, { definition: collection.definition, namespace: name, name: metadata.name });
      }
    }
    if (contents.some((collection) => collection.list(name).length > 0)) return;
    const spec = isObject(live.spec) ? live.spec : {};
    const { finalizers, ...rest } = spec;
    const left = (Array.isArray(finalizers) ? finalizers : []).filter((each) => each !== 'kubernetes');
    finishChange(core, definition, { ...live, spec: left.length > 0 ? { ...rest, finalizers: left } : rest });
  };

  const stops = [
    namespaces.subscribe(({ type, object }) => {
      if (type === 'MODIFIED') finish(object.metadata.name);
    }),
    ...contents.map((collection) =>
      collection.subscribe(({ type, object }) => {
        if (type === 'DELETED') finish(object.metadata.namespace ?? '');
      }),
    ),
  ];
  for (const name of systemNamespaces) {
    if (!namespaces.get(undefined, name))
      createObject(core, { definition, manager: 'kube-apiserver' }, { metadata: { name } });
  }
  for (const { metadata } of namespaces.list()) finish(metadata.name);
  return () => {
    for (const stop of stops) stop();
  };
}
