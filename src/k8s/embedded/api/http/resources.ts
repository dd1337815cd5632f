import type { LogOptions } from '../../../cluster.ts';
import type { Core } from '../core.ts';
import { deleteObject, type DeleteRequest } from '../delete.ts';
import type { Definition, Draft } from '../definition.ts';
import { isObject } from '../json.ts';
import { patched, patchTypes } from '../patch/index.ts';
import type { PodLogSource } from '../pod-logs.ts';
import { getObject, listObjects, parseVersion } from '../read.ts';
import { getScale, patchScale, replaceScale } from '../scale.ts';
import { matcher } from '../select.ts';
import { badRequest, invalid, methodNotAllowed, noSuchResource, unsupportedMediaType } from '../status.ts';
import {
  applyChange,
  changeObject,
  createObject,
  type FieldValidation,
  readObject,
  replaceObject,
  type WriteRequest,
} from '../write.ts';
import { mediaType, readValue } from './body.ts';
import { listText, objectText, representationOf } from './representation.ts';
import { type Target, targetOf } from './route.ts';
import { type Exchange, sendJson, sendText } from './server.ts';
import { serveWatch } from './watch.ts';

/** Serves the objects of all kinds with their verbs and subresources. */
export function createResourceHandler(core: Core, logs: PodLogSource) {
  return async (exchange: Exchange): Promise<void> => {
    const target = targetOf(core, exchange.path);
    if (target.subresource) return serveSubresource(core, logs, exchange, target);
    if (target.name === undefined) return serveCollection(core, exchange, target);
    await serveObject(core, exchange, target);
  };
}

function flag(value: string | null): boolean | undefined {
  return value === null ? undefined : value === '' || value === 'true' || value === '1';
}

function integer(query: URLSearchParams, key: string): number | undefined {
  const text = query.get(key);
  if (text === null || text === '') return undefined;
  if (!/^-?\d{1,15}$/.test(text)) throw badRequest(`${key}: ${JSON.stringify(text)} is no integer`);
  return Number(text);
}

async function serveCollection(core: Core, exchange: Exchange, target: Target): Promise<void> {
  switch (exchange.method) {
    case 'GET':
    case 'HEAD':
      return flag(exchange.query.get('watch')) ? serveWatch(core, exchange, target) : serveList(core, exchange, target);
    case 'POST': {
      if (target.definition.namespaced && target.namespace === undefined) throw methodNotAllowed();
      const body = await required(exchange);
      return sendObject(
        core,
        exchange,
        target.definition,
        201,
        createObject(core, writeRequest(exchange, target), body),
      );
    }
    case 'DELETE':
      return deleteCollection(core, exchange, target);
    default:
      throw methodNotAllowed();
  }
}

async function required(exchange: Exchange): Promise<unknown> {
  const value = await readValue(exchange.request);
  if (value === undefined) throw badRequest('the request has no body');
  return value;
}

function selection(query: URLSearchParams, { namespace }: Target) {
  return {
    namespace,
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector: query.get('fieldSelector') ?? undefined,
  };
}

function serveList(core: Core, { request, response, query }: Exchange, target: Target): void {
  const form = representationOf(request.headers, query.get('includeObject'));
  const result = listObjects(core, {
    definition: target.definition,
    ...selection(query, target),
    limit: integer(query, 'limit'),
    continue: query.get('continue') ?? undefined,
    resourceVersion: query.get('resourceVersion') ?? undefined,
    resourceVersionMatch: query.get('resourceVersionMatch') ?? undefined,
  });
  sendText(response, 200, listText(target.definition, result, form, core.clock.now()));
}

async function serveObject(core: Core, exchange: Exchange, target: Target): Promise<void> {
  const { definition, namespace, name = '' } = target;
  switch (exchange.method) {
    case 'GET':
    case 'HEAD': {
      if (flag(exchange.query.get('watch'))) return serveWatch(core, exchange, target);
      const object = getObject(core, definition, namespace, name);
      if (parseVersion(exchange.query.get('resourceVersion') ?? undefined) > core.store.version)
        throw badRequest('Too large resource version');
      return sendObject(core, exchange, definition, 200, object);
    }
    case 'PUT':
      return sendObject(
        core,
        exchange,
        definition,
        200,
        replaceObject(core, writeRequest(exchange, target), await required(exchange)),
      );
    case 'PATCH':
      return patchObject(core, exchange, target);
    case 'DELETE':
      return removeObject(core, exchange, target);
    default:
      throw methodNotAllowed();
  }
}

function sendObject(
  core: Core,
  { request, response, query }: Exchange,
  definition: Definition,
  code: number,
  object: Draft,
): void {
  const form = representationOf(request.headers, query.get('includeObject'));
  sendText(response, code, `${objectText(definition, object, form, core.clock.now())}\n`);
}

const fieldValidations = ['Ignore', 'Strict', 'Warn'];

function writeRequest(exchange: Exchange, target: Target): WriteRequest {
  const { query, request, response } = exchange;
  const fieldValidation = query.get('fieldValidation') || 'Warn';
  const optionErrors = [
    ...(isDryRun(query.getAll('dryRun')) === undefined
      ? [
          {
            reason: 'FieldValueNotSupported' as const,
            field: 'dryRun',
            message: `Unsupported value: ${JSON.stringify(query.getAll('dryRun'))}: supported values: "All"`,
          },
        ]
      : []),
    ...(fieldValidations.includes(fieldValidation)
      ? []
      : [
          {
            reason: 'FieldValueNotSupported' as const,
            field: 'fieldValidation',
            message: `Unsupported value: ${JSON.stringify(fieldValidation)}: supported values: "Ignore", "Strict", "Warn"`,
          },
        ]),
  ];
  if (optionErrors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'UpdateOptions' }, '', optionErrors);
  const { definition, namespace, name } = target;
  return {
    definition,
    namespace,
    name,
    manager: query.get('fieldManager') || agentOf(request.headers['user-agent']),
    dryRun: isDryRun(query.getAll('dryRun')),
    fieldValidation: fieldValidation as FieldValidation,
    warn: (text) => response.appendHeader('warning', `299 - "${text.replaceAll(/["\\]/g, '\\$&')}"`),
  };
}

/** Undefined when the value is none that is known. */
function isDryRun(values: readonly string[]): boolean | undefined {
  if (values.length === 0 || values.every((value) => value === '')) return false;
  return values.every((value) => value === 'All') ? true : undefined;
}

/** Who does not name a field manager is known by the program's name. */
function agentOf(userAgent: string | undefined): string {
  return (userAgent ?? 'unknown').split('/')[0]?.slice(0, 128) || 'unknown';
}

async function patchObject(core: Core, exchange: Exchange, target: Target, subresource?: 'status'): Promise<void> {
  const type = mediaType(exchange.request);
  const { definition } = target;
  const request: WriteRequest = { ...writeRequest(exchange, target), subresource };
  if (!(Object.values(patchTypes) as string[]).includes(type)) {
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${Object.values(patchTypes).join(', ')}`,
    );
  }
  const patch = await required(exchange);
  if (type === patchTypes.applyYaml || type === patchTypes.applyJson) {
    if (!exchange.query.get('fieldManager')) {
      throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [
        { reason: 'FieldValueRequired', field: 'fieldManager', message: 'Required value: is required for apply patch' },
      ]);
    }
    const force = flag(exchange.query.get('force')) ?? false;
    const { object, created } = applyChange(core, { ...request, force }, patch);
    return sendObject(core, exchange, definition, created ? 201 : 200, object);
  }
  const change = (live: Draft) => readObject(request, patched(definition, type, live, patch), live);
  sendObject(core, exchange, definition, 200, changeObject(core, request, change));
}

async function deleteRequest(exchange: Exchange, target: Target): Promise<Omit<DeleteRequest, 'name'>> {
  const body = await readValue(exchange.request);
  const options = isObject(body) ? body : {};
  const { query } = exchange;
  const policy = options.propagationPolicy ?? query.get('propagationPolicy') ?? undefined;
  const orphan = options.orphanDependents ?? flag(query.get('orphanDependents'));
  const chosen = policy ?? (orphan === undefined || orphan === null ? undefined : orphan ? 'Orphan' : 'Background');
  if (chosen !== undefined && !['Background', 'Foreground', 'Orphan'].includes(String(chosen))) {
    throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', [
      {
        reason: 'FieldValueNotSupported',
        field: 'propagationPolicy',
        message: `Unsupported value: ${JSON.stringify(chosen)}: supported values: "Background", "Foreground", "Orphan"`,
      },
    ]);
  }
  const grace = options.gracePeriodSeconds ?? integer(query, 'gracePeriodSeconds');
  const dryRun = Array.isArray(options.dryRun) ? options.dryRun.includes('All') : isDryRun(query.getAll('dryRun'));
  return {
    definition: target.definition,
    namespace: target.namespace,
    dryRun,
    gracePeriodSeconds: typeof grace === 'number' ? grace : undefined,
    propagationPolicy: chosen as DeleteRequest['propagationPolicy'],
    preconditions: isObject(options.preconditions)
      ? (options.preconditions as DeleteRequest['preconditions'])
      : undefined,
  };
}

async function removeObject(core: Core, exchange: Exchange, target: Target): Promise<void> {
  const { definition, name = '' } = target;
  const { object, gone } = deleteObject(core, { ...(await deleteRequest(exchange, target)), name });
  if (!gone || definition.deleteReturnsObject) return sendObject(core, exchange, definition, 200, object);
  const details = {
    name,
    ...(definition.group && { group: definition.group }),
    kind: definition.plural,
    uid: object.metadata.uid,
  };
  sendJson(exchange.response, 200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details });
}

async function deleteCollection(core: Core, exchange: Exchange, target: Target): Promise<void> {
  const { definition, namespace } = target;
  if (definition.namespaced && namespace === undefined) throw methodNotAllowed();
  const request = await deleteRequest(exchange, target);
  const matches = matcher(definition, selection(exchange.query, target));
  const doomed = core
    .collection(definition)
    .list(namespace)
    .filter((object) => !matches || matches(object));
  for (const { metadata } of doomed) deleteObject(core, { ...request, name: metadata.name });
  const form = representationOf(exchange.request.headers, null);
  const result = { items: doomed, metadata: { resourceVersion: String(core.store.version) } };
  sendText(exchange.response, 200, listText(definition, result, form, core.clock.now()));
}

async function serveSubresource(core: Core, logs: PodLogSource, exchange: Exchange, target: Target): Promise<void> {
  const { definition, subresource } = target;
  if (subresource === 'status' && definition.statusSubresource) return serveStatus(core, exchange, target);
  if (subresource === 'scale' && definition.scale) return serveScale(core, exchange, target);
  if (subresource === 'log' && definition.logs) return serveLog(logs, exchange, target);
  throw noSuchResource();
}

async function serveStatus(core: Core, exchange: Exchange, target: Target): Promise<void> {
  const { definition, namespace, name = '' } = target;
  switch (exchange.method) {
    case 'GET':
      return sendObject(core, exchange, definition, 200, getObject(core, definition, namespace, name));
    case 'PUT': {
      const request: WriteRequest = { ...writeRequest(exchange, target), subresource: 'status' };
      return sendObject(core, exchange, definition, 200, replaceObject(core, request, await required(exchange)));
    }
    case 'PATCH':
      return patchObject(core, exchange, target, 'status');
    default:
      throw methodNotAllowed();
  }
}

async function serveScale(core: Core, exchange: Exchange, target: Target): Promise<void> {
  const { definition, namespace, name = '' } = target;
  switch (exchange.method) {
    case 'GET':
      return sendJson(exchange.response, 200, getScale(core, definition, namespace, name));
    case 'PUT':
      return sendJson(
        exchange.response,
        200,
        replaceScale(core, writeRequest(exchange, target), await required(exchange)),
      );
    case 'PATCH': {
      const type = mediaType(exchange.request);
      return sendJson(
        exchange.response,
        200,
        patchScale(core, writeRequest(exchange, target), type, await required(exchange)),
      );
    }
    default:
      throw methodNotAllowed();
  }
}

async function serveLog(logs: PodLogSource, exchange: Exchange, target: Target): Promise<void> {
  if (exchange.method !== 'GET') throw methodNotAllowed();
  const bytes = logs.open(target.namespace ?? '', target.name ?? '', logOptions(exchange));
  const { response } = exchange;
  response.writeHead(200, {
    'content-type': 'text/plain',
    'cache-control': 'no-cache, private',
    'x-content-type-options': 'nosniff',
  });
  response.flushHeaders();
  for await (const chunk of bytes) {
    if (exchange.signal.aborted) break;
    if (!response.write(chunk)) await drained(exchange);
  }
  response.end();
}

function drained({ response, signal }: Exchange): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });
}

function logOptions({ query, signal }: Exchange): LogOptions {
  const container = query.get('container');
  const sinceTime = query.get('sinceTime');
  const tailLines = integer(query, 'tailLines');
  if (tailLines !== undefined && tailLines < 0) {
    throw invalid({ group: '', kind: 'PodLogOptions' }, '', [
      {
        reason: 'FieldValueInvalid',
        field: 'tailLines',
        message: `Invalid value: ${tailLines}: must be greater than or equal to 0`,
      },
    ]);
  }
  const since = integer(query, 'sinceSeconds');
  const from = sinceTime ?? (since === undefined ? undefined : new Date(Date.now() - since * 1000).toISOString());
  return {
    ...(container && { container }),
    ...(from !== undefined && { sinceTime: from }),
    ...(tailLines !== undefined && { tailLines }),
    follow: flag(query.get('follow')) ?? false,
    previous: flag(query.get('previous')) ?? false,
    timestamps: flag(query.get('timestamps')) ?? false,
    signal,
  };
}
