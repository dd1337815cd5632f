import { Readable } from 'node:stream';
import type { KubeClient, KubeList, WriteOptions } from '../../cluster.ts';
import { apiVersionOf, type KubeObject, type Resource } from '../../resources.ts';
import { applyChange } from './apply-change.ts';
import type { Core } from './core.ts';
import { deleteObject } from './delete.ts';
import type { Definition, Draft } from './definition.ts';
import { clone } from './json.ts';
import { patched, patchTypes } from './patch/index.ts';
import type { PodLogSource } from './pod-logs.ts';
import { getObject, listObjects } from './read.ts';
import { patchScale, replaceScale } from './scale.ts';
import { noSuchResource } from './status.ts';
import { changeObject, createObject, readPatched, replaceObject, type WriteRequest } from './write.ts';

/** A KubeClient on the store itself: the same operations as over HTTP, without HTTP. */
export function createLocalClient(core: Core, logs: PodLogSource): KubeClient {
  const definitionOf = (resource: Resource): Definition => {
    const found = core.find(resource.group, resource.version, resource.plural);
    if (!found) throw noSuchResource();
    return found;
  };
  const place = (resource: Resource, namespace: string | undefined) => (resource.namespaced ? namespace : undefined);
  const request = (
    resource: Resource,
    name: string | undefined,
    namespace: string | undefined,
    options: WriteOptions & { subresource?: string } = {},
  ): WriteRequest => ({
    definition: definitionOf(resource),
    name,
    namespace: place(resource, namespace),
    manager: options.fieldManager ?? 'slipway',
    dryRun: options.dryRun,
    fieldValidation: 'Strict',
    subresource: subresourceOf(options.subresource),
  });
  // What leaves is the caller's to change; what comes in stays theirs.
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- each method knows its T
  const out = <T extends KubeObject>(object: Draft): T => clone(object) as unknown as T;

  return {
    async get(resource, name, namespace, options) {
      options?.signal?.throwIfAborted();
      return out(getObject(core, definitionOf(resource), place(resource, namespace), name));
    },

    async list<T extends KubeObject>(resource: Resource<T>, options: Parameters<KubeClient['list']>[1] = {}) {
      options.signal?.throwIfAborted();
      const { namespace, signal: _, at, ...selection } = options;
      const exactly = at !== undefined && { resourceVersion: at, resourceVersionMatch: 'Exact' };
      const { items, metadata } = listObjects(core, {
        definition: definitionOf(resource),
        namespace: place(resource, namespace),
        ...selection,
        ...exactly,
      });
      return { items: items.map((item) => out<T>(item)), metadata } satisfies KubeList<T>;
    },

    async create(resource, object, options) {
      return out(createObject(core, request(resource, undefined, object.metadata.namespace, options), clone(object)));
    },

    async replace(resource, object, options) {
      const { name, namespace } = object.metadata;
      const write = request(resource, name, namespace, options);
      const sent = clone(object);
      return out(write.subresource === 'scale' ? replaceScale(core, write, sent) : replaceObject(core, write, sent));
    },

    async apply(resource, object, options) {
      const { managedFields: _, ...metadata } = object.metadata;
      const config = clone({ apiVersion: apiVersionOf(resource), kind: resource.kind, ...object, metadata });
      const write = request(resource, metadata.name, metadata.namespace, options);
      if (write.subresource === 'scale') return out(patchScale(core, write, patchTypes.apply, config));
      return out(applyChange(core, { ...write, force: false }, config).object);
    },

    async patch(resource, name, namespace, patch, options) {
      const write = request(resource, name, namespace, options);
      const type = Array.isArray(patch) ? patchTypes.json : patchTypes.merge;
      if (write.subresource === 'scale') return out(patchScale(core, write, type, clone(patch)));
      const change = (live: Draft) => readPatched(write, patched(write.definition, type, live, clone(patch)), live);
      return out(changeObject(core, write, change));
    },

    async delete(resource, name, namespace, options = {}) {
      const { dryRun, propagationPolicy, preconditions, gracePeriodSeconds } = options;
      const definition = definitionOf(resource);
      const { object } = deleteObject(core, {
        definition,
        name,
        namespace: place(resource, namespace),
        dryRun,
        propagationPolicy,
        preconditions,
        gracePeriodSeconds,
      });
      return out(object);
    },

    async podLogs(name, namespace, options = {}) {
      return Readable.from(logs.open(namespace, name, options), { objectMode: false });
    },
  };
}

function subresourceOf(subresource: string | undefined): 'status' | 'scale' | undefined {
  if (subresource === undefined || subresource === '') return undefined;
  if (subresource !== 'status' && subresource !== 'scale') throw noSuchResource();
  return subresource;
}
