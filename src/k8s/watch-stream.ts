import { ApiError, type Status } from './api-error.ts';
import type { KubeObject } from './resources.ts';

export type WatchEvent<T extends KubeObject> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: T }
  | { type: 'ERROR'; object: Partial<Status> };

const newline = 0x0a;
const longestLine = 64 * 1024 * 1024;

/**
 * The events of a watch. Lines end at line feeds only (readline would also split at U+2028, which JSON allows in
 * strings). A last line without an end is dropped: its event comes again from the last resourceVersion. The bytes that
 * `read` gets are its own.
 */
export async function* watchEvents<T extends KubeObject>(
  body: AsyncIterable<Uint8Array>,
  heard: () => void,
  read: (json: Buffer) => unknown,
): AsyncGenerator<WatchEvent<T>> {
  let pending: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    heard();
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      pending.push(chunk.subarray(start, end));
      const event = parse<T>(Buffer.concat(pending), read);
      pending = [];
      length = 0;
      start = end + 1;
      if (event) yield event;
    }
    pending.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > longestLine) throw notAnEvent();
  }
}

function parse<T extends KubeObject>(line: Buffer, read: (json: Buffer) => unknown): WatchEvent<T> | null {
  if (line.every(isBlank)) return null;
  let event: { type?: unknown; object?: { metadata?: { name?: unknown } } } | null;
  try {
    event = read(line) as typeof event;
  } catch (error) {
    throw notAnEvent(error);
  }
  const { type, object } = event ?? {};
  if (typeof object !== 'object' || object === null) throw notAnEvent();
  if (type === 'ERROR') return { type, object: object as Partial<Status> };
  if (type === 'BOOKMARK') return { type, object: object as T };
  if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') throw notAnEvent();
  if (typeof object.metadata?.name !== 'string') throw notAnEvent();
  return { type, object: object as T };
}

const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x0d || byte === 0x09;

function notAnEvent(cause?: unknown): ApiError {
  return new ApiError(0, 'BadAnswer', 'the watch sent something else than events', { cause });
}
