import type { ServerResponse } from 'node:http';
import { Bag } from '../bag.ts';
import type { When } from '../endings.ts';

/** Of a response that was tracked. */
const ends = Symbol('ends');

interface Tracked extends ServerResponse {
  [ends]?: Bag<() => void> | null;
}

/**
 * Calls `closed` when the response closes, whole or not. It is the only listener for that: where listeners come and go on
 * responses, V8's collector of young memory frees no request any more.
 */
export function trackResponse(response: ServerResponse, closed: () => void): void {
  const tracked: Tracked = response;
  tracked[ends] = null;
  response.on('close', () => {
    closed();
    // A complete answer closes too.
    if (!response.writableFinished) for (const end of tracked[ends] ?? []) end();
  });
}

/** When the client goes away before its answer is complete. For responses that are tracked. */
export function clientGone(response: ServerResponse): When {
  return (end) => {
    if (!response.closed) return ((response as Tracked)[ends] ??= new Bag()).add(end);
    if (!response.writableFinished) end();
    return () => {};
  };
}

/** The same as a signal. */
export function requestSignal(response: ServerResponse): AbortSignal {
  const aborter = new AbortController();
  clientGone(response)(() => aborter.abort());
  return aborter.signal;
}
