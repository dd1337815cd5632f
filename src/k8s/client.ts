import { ApiError, type Status } from './api-error.ts';
import type { DeleteOptions, KubeClient, KubeList, ListOptions, LogOptions, WriteOptions } from './cluster.ts';
import { type KubeObject, type Resource, apiVersionOf, pods, resourcePath } from './resources.ts';
import type { ApiRequest, Identity, Transport } from './transport.ts';

/** A KubeClient over HTTP; with `identity` it acts as that user and these groups. */
export function createKubeClient(transport: Transport, identity?: Identity): KubeClient {
  const send = <T>(request: ApiRequest) => transport.json<T>({ ...request, identity });

  function patch<T>(path: string, contentType: string, body: unknown, options: WriteOptions = {}): Promise<T> {
    return send({ method: 'PATCH', path, query: writeQuery(options), contentType, body, signal: options.signal });
  }

  const client: KubeClient = {
    get: (resource, name, namespace, { signal } = {}) =>
      send({ method: 'GET', path: resourcePath(resource, namespace, name), signal }),

    async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}) {
      const { metadata, items } = await send<KubeList<T>>(listRequest(resource, options));
      if (typeof metadata?.resourceVersion !== 'string' || !(Array.isArray(items) || items === null)) {
        throw new ApiError(0, 'BadAnswer', 'the API server answered with something else than a list');
      }
      return { metadata, items: withKind(resource, items ?? []) };
    },

    create: (resource, object, options = {}) =>
      send({
        method: 'POST',
        path: resourcePath(resource, object.metadata.namespace),
        query: writeQuery(options),
        body: object,
        signal: options.signal,
      }),

    replace: (resource, object, options = {}) =>
      send({
        method: 'PUT',
        path: objectPath(resource, object, options.subresource),
        query: writeQuery(options),
        body: object,
        signal: options.signal,
      }),

    apply(resource, object, options = {}) {
      const { managedFields: _, ...metadata } = object.metadata;
      const body = { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object, metadata };
      const path = objectPath(resource, object, options.subresource);
      return patch(path, 'application/apply-patch+yaml', body, options);
    },

    patch(resource, name, namespace, operations, options = {}) {
      const type = Array.isArray(operations) ? 'application/json-patch+json' : 'application/merge-patch+json';
      return patch(resourcePath(resource, namespace, name, options.subresource), type, operations, options);
    },

    async delete(resource, name, namespace, options = {}) {
      // For most kinds the server answers a delete with a bare Status, so what it was must be asked before.
      const before = await client.get(resource, name, namespace, options);
      const answer = await send<typeof before | Status>({
        method: 'DELETE',
        path: resourcePath(resource, namespace, name),
        body: deleteBody(options),
        signal: options.signal,
      });
      return answer.kind === 'Status' ? before : (answer as typeof before);
    },

    podLogs: (name, namespace, options = {}) =>
      transport.stream({
        method: 'GET',
        path: resourcePath(pods, namespace, name, 'log'),
        query: logQuery(options),
        identity,
        signal: options.signal,
      }),
  };
  return client;
}

function objectPath(resource: Resource, { metadata }: { metadata: KubeObject['metadata'] }, subresource?: string) {
  return resourcePath(resource, metadata.namespace, metadata.name, subresource);
}

export function listRequest(resource: Resource, options: ListOptions): ApiRequest {
  const { namespace, signal, labelSelector, fieldSelector, limit, at } = options;
  const exactly = at !== undefined && { resourceVersion: at, resourceVersionMatch: 'Exact' };
  const query = { labelSelector, fieldSelector, limit, continue: options.continue, ...exactly };
  return { method: 'GET', path: resourcePath(resource, namespace), query, signal };
}

/** Items of built-in kinds come without apiVersion and kind, which the list has for all of them. */
function withKind<T extends KubeObject>(resource: Resource, items: T[]): T[] {
  const apiVersion = apiVersionOf(resource);
  for (const item of items) {
    item.apiVersion ??= apiVersion;
    item.kind ??= resource.kind;
  }
  return items;
}

/** Strict: a field that the served version does not know, protection of a route say, must not vanish silently. */
function writeQuery({ dryRun, fieldManager = 'slipway' }: WriteOptions): ApiRequest['query'] & object {
  return { fieldManager, fieldValidation: 'Strict', dryRun: dryRun ? 'All' : undefined };
}

function deleteBody({ propagationPolicy, preconditions, gracePeriodSeconds, dryRun }: DeleteOptions) {
  return {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    propagationPolicy,
    preconditions,
    gracePeriodSeconds,
    ...(dryRun && { dryRun: ['All'] }),
  };
}

function logQuery({
  container,
  previous,
  tailLines,
  sinceTime,
  follow,
  timestamps,
}: LogOptions): ApiRequest['query'] & object {
  return { container, previous, tailLines, sinceTime, follow, timestamps };
}
