import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { nextTurn, turnIsOver } from '../turns.ts';
import { ApiError } from './api-error.ts';
import type { KubeList } from './cluster.ts';
import {
  afterBlanks,
  afterText,
  afterValue,
  closeBracket,
  colon,
  comma,
  openBrace,
  openBracket,
  quote,
} from './json-text.ts';
import type { KubeObject } from './resources.ts';

/** Reads the item that begins at `start`; null when the bytes end before it does. They are overwritten afterwards. */
export type ReadItem<T> = (json: Buffer, start: number) => { item: T; end: number } | null;

const smallest = 64 * 1024;
const longestItem = 64 * 1024 * 1024;

/** Reads a list while it comes in, item by item, so that not much more of its text is in memory than one item's. */
export async function readList<T extends KubeObject>(body: Readable, read: ReadItem<T>): Promise<KubeList<T>> {
  const scan = createScan(read);
  // Flowing: what has come by now would be copied into one, were it asked for.
  body.on('data', (chunk: Uint8Array) => {
    try {
      scan.push(chunk);
    } catch (error) {
      body.destroy(error as Error);
    }
    // A near server sends faster than this reads: without a pause nobody else would have a turn.
    if (!turnIsOver() || body.isPaused()) return;
    body.pause();
    void nextTurn().then(() => body.resume());
  });
  await finished(body);
  const { metadata, items } = scan.end();
  // The items are taken out of their array; of an empty list some servers write null.
  if (typeof metadata?.resourceVersion !== 'string' || !(Array.isArray(items) || items === null)) throw notAList();
  return { metadata: metadata as KubeList<T>['metadata'], items: scan.items };
}

/** What is left of a list. */
interface ListHead {
  metadata?: { resourceVersion?: unknown } | null;
  items?: unknown;
}

function createScan<T>(read: ReadItem<T>) {
  const items: T[] = [];
  const bytes = createBytes();
  /** The list without its items. */
  let head = '';
  let where: 'before' | 'within' | 'after' = 'before';

  /** Goes on as far as the bytes reach. */
  function goOn(): void {
    if (where === 'before') {
      const json = bytes.unread();
      const start = startOfItems(json);
      bytes.drop(start ?? 0);
      if (start === null) return;
      head = json.toString('utf8', 0, start);
      where = 'within';
    }
    if (where === 'within') {
      const json = bytes.unread();
      const end = readItems(json);
      bytes.drop(end);
      if (json[end] === closeBracket) where = 'after';
    }
  }

  /** Where the next item begins, or their array ends, or the bytes do. */
  function readItems(json: Buffer): number {
    for (let at = 0; ; ) {
      const start = between(json, at);
      if (json[start] !== openBrace) return start;
      const found = read(json, start);
      if (!found) return start;
      items.push(found.item);
      at = found.end;
    }
  }

  return {
    items,

    push(chunk: Uint8Array): void {
      if (bytes.push(chunk)) guarded(goOn);
    },

    end(): ListHead {
      guarded(goOn);
      const rest = bytes.unread();
      const list = guarded(() => JSON.parse(head + rest.toString()) as unknown);
      if (typeof list === 'object' && list !== null) return list;
      throw notAList();
    },
  };
}

/** The bytes that were not read yet, with room for more. */
function createBytes() {
  let room = Buffer.allocUnsafe(2 * smallest);
  let [start, end] = [0, 0];
  /** What was looked at in vain is not looked at again before there is as much again. */
  let wanted = smallest;

  function makeRoom(length: number): void {
    const unread = room.subarray(start, end);
    if (unread.length + length > room.length) room = Buffer.allocUnsafe(2 * (unread.length + length));
    if (unread.length > longestItem) throw notAList();
    unread.copy(room);
    [start, end] = [0, unread.length];
  }

  return {
    /** True when there are so many that it is worth a look. */
    push(chunk: Uint8Array): boolean {
      if (end + chunk.length > room.length) makeRoom(chunk.length);
      room.set(chunk, end);
      end += chunk.length;
      return end - start >= wanted;
    },
    unread: () => room.subarray(start, end),
    drop(length: number): void {
      start += length;
      wanted = Math.max(smallest, 2 * (end - start));
    },
  };
}

/** Where the next item begins, or their array ends, or the bytes do. */
function between(json: Buffer, from: number): number {
  let at = from;
  for (; at < json.length; at += 1) {
    const byte = json[at];
    if (byte === openBrace || byte === closeBracket) break;
    if (byte !== comma && byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) throw notAList();
  }
  return at;
}

const nameOfItems = Buffer.from('"items"');

/** Where the array of items of this list has begun; null when it has not yet. */
function startOfItems(json: Buffer): number | null {
  let at = afterBlanks(json, 0);
  if (json[at] !== openBrace) return null;
  do {
    const name = afterBlanks(json, at + 1);
    if (json[name] !== quote) return null;
    const nameEnd = afterText(json, name + 1);
    at = afterBlanks(json, nameEnd);
    if (json[at] !== colon) return null;
    at = afterBlanks(json, at + 1);
    if (json[at] === openBracket && json.compare(nameOfItems, 0, nameOfItems.length, name, nameEnd) === 0)
      return at + 1;
    at = afterBlanks(json, afterValue(json, at));
  } while (json[at] === comma);
  return null;
}

/** What is no JSON is no list either. */
function guarded<R>(work: () => R): R {
  try {
    return work();
  } catch (error) {
    throw notAList(error);
  }
}

function notAList(cause?: unknown): ApiError {
  return new ApiError(0, 'BadAnswer', 'the API server answered with something else than a list', { cause });
}
