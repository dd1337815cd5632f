import type { Core } from './core.ts';
import type { Definition, Draft } from './definition.ts';
import { groupVersionOf } from './definition.ts';
import { expired, type FieldError, unclassified } from './status.ts';
import { forbiddenField, unsupportedValue } from './validation/field-errors.ts';
import { matcher, type Matches, type Selection } from './select.ts';
import { listOptionsError, parseVersion } from './read.ts';
import type { Change } from './store.ts';

export interface WatchRequest extends Selection {
  definition: Definition;
  resourceVersion?: string | undefined;
  resourceVersionMatch?: string | undefined;
  allowWatchBookmarks?: boolean | undefined;
  sendInitialEvents?: boolean | undefined;
  timeoutSeconds?: number | undefined;
}

export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: Draft;
}

/** Takes the events of a watch; `end` is the server's own end of it. */
export interface WatchSink {
  event(event: WatchEvent): void;
  end(): void;
}

/** As the API server: bookmarks about once a minute, and one shortly before the end. */
const bookmarkEvery = 60_000;
const bookmarkBeforeEnd = 2_000;
const defaultTimeout = 30 * 60_000;

/** Starts a watch; returns what stops it. Throws before the first event when the version is not known any more. */
export function watchObjects(core: Core, request: WatchRequest, sink: WatchSink): () => void {
  const { definition } = request;
  checkOptions(request);
  const matches = matcher(definition, request);
  const collection = core.collection(definition);
  const from = parseVersion(request.resourceVersion, unclassified);
  const initial = request.sendInitialEvents ?? from === 0;
  // A version of the future was never given out by this data folder: whoever holds it must begin anew.
  if (from > core.store.version) throw expired(`too old resource version: ${from} (${core.store.version})`);
  const missed = initial ? [] : collection.since(from);
  const present = initial ? collection.list(request.namespace) : [];
  const send = (event: WatchEvent) => sink.event(event);

  const unsubscribe = collection.subscribe((change) => {
    const event = eventFor(change, matches);
    if (event) send(event);
  });
  for (const object of present) if (!matches || matches(object)) send({ type: 'ADDED', object });
  for (const change of missed) {
    const event = eventFor(change, matches);
    if (event) send(event);
  }
  if (request.sendInitialEvents) send({ type: 'BOOKMARK', object: bookmark(core, definition, true) });
  return scheduleEnd(core, request, sink, unsubscribe);
}

function checkOptions({ sendInitialEvents, resourceVersionMatch: match }: WatchRequest): void {
  const field = 'resourceVersionMatch';
  const wanted = 'NotOlderThan';
  const errors: FieldError[] = [];
  if (sendInitialEvents !== undefined && match !== wanted) {
    errors.push(forbiddenField(field, `sendInitialEvents requires setting ${field} to ${wanted}`));
  }
  if (match && sendInitialEvents === undefined) {
    errors.push(forbiddenField(field, `${field} is forbidden for watch unless sendInitialEvents is provided`));
  }
  if (match && match !== wanted) errors.push(unsupportedValue(field, match, [wanted]));
  if (errors.length > 0) throw listOptionsError(errors);
}

/** What a change means to a watcher that sees only matching objects. */
function eventFor(change: Change, matches: Matches | undefined): WatchEvent | undefined {
  if (!matches) return change;
  const before = change.previous !== undefined && matches(change.previous);
  const now = change.type !== 'DELETED' && matches(change.object);
  if (now) return { type: before ? 'MODIFIED' : 'ADDED', object: change.object };
  if (!before) return undefined;
  return { type: 'DELETED', object: change.type === 'DELETED' ? change.object : leaving(change) };
}

const departures = new WeakMap<Change, Draft>();

/** An object that left the selection: as it was, at the version of the change; made once for all watchers. */
function leaving(change: Change): Draft {
  const present = departures.get(change);
  if (present) return present;
  const previous = change.previous ?? change.object;
  const object = { ...previous, metadata: { ...previous.metadata, resourceVersion: String(change.version) } };
  departures.set(change, object);
  return object;
}

function bookmark(core: Core, definition: Definition, initialEventsEnd = false): Draft {
  return {
    apiVersion: groupVersionOf(definition),
    kind: definition.kind,
    metadata: {
      resourceVersion: String(core.store.version),
      ...(initialEventsEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } }),
    } as unknown as Draft['metadata'],
  };
}

function scheduleEnd(core: Core, request: WatchRequest, sink: WatchSink, unsubscribe: () => void): () => void {
  const { clock } = core;
  const lasts = request.timeoutSeconds ? request.timeoutSeconds * 1000 : defaultTimeout * (1 + Math.random());
  const endsAt = clock.now() + lasts;
  let cancelBookmark = () => {};
  const stop = () => {
    unsubscribe();
    cancelBookmark();
    cancelEnd();
  };
  const cancelEnd = clock.after(lasts, () => {
    stop();
    sink.end();
  });
  const planBookmark = () => {
    const beforeEnd = endsAt - bookmarkBeforeEnd - clock.now();
    if (beforeEnd <= 0) return;
    cancelBookmark = clock.after(Math.min(bookmarkEvery, beforeEnd), () => {
      sink.event({ type: 'BOOKMARK', object: bookmark(core, request.definition) });
      planBookmark();
    });
  };
  if (request.allowWatchBookmarks) planBookmark();
  return stop;
}
