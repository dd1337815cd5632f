import type { Clock } from '../../../src/clock.ts';
import type { KubeObject } from '../../../src/k8s/resources.ts';
import { type Exchange, json } from './exchange.ts';
import type { Change, Store } from './store.ts';

export interface OpenWatch {
  readonly exchange: Exchange;
  /** Goes silent: says nothing any more and never ends. */
  readonly mute: () => void;
}

/** How a good API server answers lists and watches. */
export function createAnswers(store: Store, clock: Clock) {
  const pages = new Map<string, { version: number; rest: KubeObject[] }>();
  const watches = new Set<OpenWatch>();
  const listed: number[] = [];

  function list(exchange: Exchange): void {
    const { query, response, resource, namespace } = exchange;
    const token = query.get('continue');
    // At a version of the past it says nothing new.
    const exact = query.get('resourceVersionMatch') === 'Exact' ? Number(query.get('resourceVersion')) : null;
    if (exact !== null && exact > store.version)
      return exchange.status(504, 'Timeout', { cause: 'ResourceVersionTooLarge' });
    const version = exact ?? store.version;
    const page = token === null ? { version, rest: inNamespace(namespace, version) } : pages.get(token);
    // As the real server does: the snapshot of a list that was begun is gone after a compaction.
    if (!page || page.version < store.oldest) return exchange.status(410, 'Expired');
    if (token === null && exact === null) listed.push(store.moment);
    else if (token !== null) pages.delete(token);
    const limit = Number(query.get('limit') ?? 0) || page.rest.length;
    const rest = page.rest.slice(limit);
    const next = `${page.version}/${resource}/${rest.length}/${Math.random()}`;
    if (rest.length > 0) pages.set(next, { version: page.version, rest });
    json(response, 200, {
      kind: 'List',
      apiVersion: 'v1',
      metadata: { resourceVersion: String(page.version), ...(rest.length > 0 && { continue: next }) },
      // As the real server does, without apiVersion and kind.
      items: page.rest.slice(0, limit).map(bare),
    });

    function inNamespace(wanted: string | null, at: number): KubeObject[] {
      return store.at(resource, at).filter(({ metadata }) => wanted === null || metadata.namespace === wanted);
    }
  }

  function watch(exchange: Exchange): void {
    const { query, response, resource, namespace } = exchange;
    const from = Number(query.get('resourceVersion'));
    if (from < store.oldest) return exchange.status(410, 'Expired');
    if (from > store.version) return exchange.status(504, 'Timeout', { cause: 'ResourceVersionTooLarge' });
    exchange.open();
    const send = ({ type, object }: Change) => {
      if (namespace === null || object.metadata.namespace === namespace) exchange.event(type, object);
    };
    for (const change of store.since(resource, from)) send(change);
    const unsubscribe = store.subscribe(resource, send);
    const cancelEnd = clock.after(Number(query.get('timeoutSeconds')) * 1000, () => {
      if (query.get('allowWatchBookmarks') === 'true') exchange.event('BOOKMARK', bookmark(store.version));
      exchange.end();
    });
    const open: OpenWatch = { exchange, mute };
    function mute(): void {
      watches.delete(open);
      cancelEnd();
      unsubscribe();
    }
    watches.add(open);
    response.on('close', mute);
  }

  return { list, watch, watches, listed };
}

export function bookmark(version: number | string) {
  return { kind: 'Deployment', apiVersion: 'apps/v1', metadata: { resourceVersion: String(version) } };
}

function bare(object: KubeObject): Partial<KubeObject> {
  const { metadata, ...rest }: Partial<KubeObject> = object;
  delete rest.apiVersion;
  delete rest.kind;
  return { ...rest, ...(metadata && { metadata }) };
}
