import { ApiError } from '../../../api-error.ts';
import type { Core } from '../core.ts';
import type { Definition } from '../definition.ts';
import { statusOf } from '../status.ts';
import { type WatchEvent, watchObjects } from '../watch.ts';
import { eventObjectText, type Representation, representationOf } from './representation.ts';
import { flag, integer } from './options.ts';
import type { Target } from './route.ts';
import type { Exchange } from './server.ts';

/** A client that lets this much pile up is dropped: it must list again. */
const maxBacklog = 16 * 1024 * 1024;

/** Streams a watch as JSON lines until the client goes, the time is over or the server stops. */
export function serveWatch(core: Core, exchange: Exchange, target: Target): Promise<void> {
  const { query, request, response, signal } = exchange;
  const form = representationOf(request.headers, query.get('includeObject'));
  const timeoutSeconds = integer(query, 'timeoutSeconds');
  const write = (line: string | Buffer) => {
    response.write(line);
    if (response.writableLength > maxBacklog) response.destroy();
  };
  let stop = () => {};
  const begin = () => {
    response.writeHead(200, {
      'content-type': 'application/json',
      'cache-control': 'no-cache, private',
      'x-content-type-options': 'nosniff',
    });
    response.flushHeaders();
  };
  let first = true;
  return new Promise((resolve, reject) => {
    const finish = () => {
      stop();
      response.end();
      resolve();
    };
    const sink = {
      event(event: WatchEvent) {
        if (!response.headersSent) begin();
        write(eventLine(target.definition, event, form, core.clock.now(), first));
        if (event.type !== 'BOOKMARK') first = false;
      },
      end: finish,
    };
    try {
      stop = watchObjects(
        core,
        {
          definition: target.definition,
          namespace: target.namespace,
          labelSelector: query.get('labelSelector') ?? undefined,
          fieldSelector: query.get('fieldSelector') ?? undefined,
          resourceVersion: query.get('resourceVersion') ?? undefined,
          resourceVersionMatch: query.get('resourceVersionMatch') ?? undefined,
          allowWatchBookmarks: flag(query.get('allowWatchBookmarks')),
          sendInitialEvents: flag(query.get('sendInitialEvents')),
          timeoutSeconds,
        },
        sink,
      );
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 410) return reject(error);
      // A version that is gone is told inside the stream, as the API server does.
      begin();
      write(`${JSON.stringify({ type: 'ERROR', object: statusOf(error) })}\n`);
      return finish();
    }
    if (!response.headersSent) begin();
    if (signal.aborted) finish();
    else signal.addEventListener('abort', finish, { once: true });
  });
}

/** Encoded once for all watchers of a kind that want the same form. */
const lines = new WeakMap<object, Map<string, Buffer>>();

function eventLine(
  definition: Definition,
  event: WatchEvent,
  form: Representation,
  now: number,
  first: boolean,
): Buffer {
  // The ages in a table depend on the moment, the columns on the position.
  const key = `${event.type} ${form.form} ${form.includeObject} ${form.form === 'table' ? `${first} ${Math.floor(now / 1000)}` : ''}`;
  const known = lines.get(event.object) ?? new Map<string, Buffer>();
  const present = known.get(key);
  if (present) return present;
  const line = Buffer.from(
    `{"type":"${event.type}","object":${eventObjectText(definition, event.object, form, now, first).trimEnd()}}\n`,
  );
  known.set(key, line);
  lines.set(event.object, known);
  return line;
}
