import type { Core } from '../core.ts';
import { deleteObject } from '../delete.ts';
import type { Definition, Draft } from '../definition.ts';
import type { PodLogSource } from '../pod-logs.ts';
import { getObject, listObjects, parseVersion } from '../read.ts';
import { getScale, replaceScale } from '../scale.ts';
import { matcher } from '../select.ts';
import { methodNotAllowed, noSuchResource, tooLargeVersion, unclassified } from '../status.ts';
import { createObject, makesNew, replaceObject, type WriteRequest } from '../write.ts';
import { readObjectBody } from './object-body.ts';
import { serveLog } from './logs.ts';
import { deleteRequest, flag, integer, selection, writeRequest } from './options.ts';
import { patchScaleObject, patchTarget } from './patches.ts';
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

async function serveCollection(core: Core, exchange: Exchange, target: Target): Promise<void> {
  const { definition, namespace } = target;
  switch (exchange.method) {
    case 'GET':
    case 'HEAD':
      return flag(exchange.query.get('watch')) ? serveWatch(core, exchange, target) : serveList(core, exchange, target);
    case 'POST': {
      if (definition.namespaced && namespace === undefined) throw methodNotAllowed();
      const [request, value] = await writeWithBody(exchange, target);
      return sendObject(core, exchange, definition, 201, createObject(core, request, value));
    }
    case 'DELETE':
      return deleteCollection(core, exchange, target);
    default:
      throw methodNotAllowed();
  }
}

async function writeWithBody(exchange: Exchange, target: Target): Promise<[WriteRequest, unknown]> {
  const request = writeRequest(exchange, target);
  const { value, duplicates } = await readObjectBody(exchange.request, target.definition);
  return [{ ...request, duplicates }, value];
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
    sendInitialEvents: query.has('sendInitialEvents'),
  });
  sendText(response, 200, listText(target.definition, result, form, core.clock.now()));
}

async function serveObject(core: Core, exchange: Exchange, target: Target): Promise<void> {
  const { definition } = target;
  switch (exchange.method) {
    case 'GET':
    case 'HEAD':
      return sendObject(core, exchange, definition, 200, readTarget(core, exchange, target));
    case 'PUT': {
      const [request, value] = await writeWithBody(exchange, target);
      const code = makesNew(core, request) ? 201 : 200;
      return sendObject(core, exchange, definition, code, replaceObject(core, request, value));
    }
    case 'PATCH': {
      const { object, created } = await patchTarget(core, exchange, target);
      return sendObject(core, exchange, definition, created ? 201 : 200, object);
    }
    case 'DELETE':
      return removeObject(core, exchange, target);
    default:
      throw methodNotAllowed();
  }
}

function readTarget(core: Core, { query }: Exchange, { definition, namespace, name = '' }: Target): Draft {
  const asked = parseVersion(query.get('resourceVersion') ?? undefined, unclassified);
  if (asked > core.store.version) throw tooLargeVersion(asked, core.store.version);
  return getObject(core, definition, namespace, name);
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
  if (definition.singleDelete || (definition.namespaced && namespace === undefined)) throw methodNotAllowed();
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
  const { definition } = target;
  switch (exchange.method) {
    case 'GET':
      return sendObject(core, exchange, definition, 200, readTarget(core, exchange, target));
    case 'PUT': {
      const [request, value] = await writeWithBody(exchange, target);
      const object = replaceObject(core, { ...request, subresource: 'status' }, value);
      return sendObject(core, exchange, definition, 200, object);
    }
    case 'PATCH': {
      const { object } = await patchTarget(core, exchange, target, 'status');
      return sendObject(core, exchange, definition, 200, object);
    }
    default:
      throw methodNotAllowed();
  }
}

async function serveScale(core: Core, exchange: Exchange, target: Target): Promise<void> {
  const { definition, namespace, name = '' } = target;
  switch (exchange.method) {
    case 'GET':
      return sendJson(exchange.response, 200, getScale(core, definition, namespace, name));
    case 'PUT': {
      const request = writeRequest(exchange, target);
      const { value } = await readObjectBody(exchange.request, { kind: 'Scale', custom: true });
      return sendJson(exchange.response, 200, replaceScale(core, request, value));
    }
    case 'PATCH':
      return sendJson(exchange.response, 200, await patchScaleObject(core, exchange, target));
    default:
      throw methodNotAllowed();
  }
}
