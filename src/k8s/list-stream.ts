import { nextTurn, turnIsOver } from '../turns.ts';
import { ApiError } from './api-error.ts';
import type { KubeList } from './cluster.ts';
import type { KubeObject } from './resources.ts';

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];
const longestItem = 64 * 1024 * 1024;

/**
 * Reads a list while it comes in, item by item, so that never more of its text is in memory than one item's. The bytes that
 * `read` gets are its own.
 */
export async function readList<T extends KubeObject>(
  body: AsyncIterable<Uint8Array>,
  read: (item: Buffer) => T,
): Promise<KubeList<T>> {
  const items: T[] = [];
  const scan = createScan((item) => {
    try {
      items.push(read(item));
    } catch (error) {
      throw notAList(error);
    }
  });
  for await (const chunk of body) {
    scan.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    // A near server sends faster than this reads: without a pause nobody else would have a turn.
    if (turnIsOver()) await nextTurn();
  }
  const { metadata, items: rest } = scan.end();
  // The items are taken out of their array; of an empty list some servers write null.
  if (typeof metadata?.resourceVersion !== 'string' || !(Array.isArray(rest) || rest === null)) throw notAList();
  return { metadata: metadata as KubeList<T>['metadata'], items };
}

/** What is left of a list. */
interface ListHead {
  metadata?: { resourceVersion?: unknown } | null;
  items?: unknown;
}

function createScan(take: (item: Buffer) => void) {
  let depth = 0;
  let isText = false;
  let isEscaped = false;
  /** Within the array of items. */
  let inItems = false;
  /** The list without its items. */
  const head: Buffer[] = [];
  /** Of an item of which only the beginning has come. */
  let pending: Buffer[] = [];
  let length = 0;

  function itemEnds(last: Buffer): void {
    const item = pending.length > 0 ? Buffer.concat([...pending, last]) : last;
    [pending, length] = [[], 0];
    take(item);
  }

  function hold(part: Buffer): void {
    pending.push(part);
    length += part.length;
    if (length > longestItem) throw notAList();
  }

  /** Goes on in `chunk` between two items; where the next begins, or the array ends. */
  function between(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (byte === openBrace || byte === closeBracket) return at;
      if (byte !== comma && byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) throw notAList();
    }
    return chunk.length;
  }

  /** Goes on within a text; where it ends, or beyond the chunk. */
  function ofText(chunk: Buffer, from: number): number {
    let at = from;
    for (; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (byte === quote) {
        isText = false;
        return at + 1;
      }
      if (byte === backslash) at += 1;
    }
    isText = true;
    isEscaped = at > chunk.length;
    return chunk.length + 1;
  }

  /** Goes on in `chunk` until the depth is `until`, or that of an array of the list; beyond the chunk if it never is. */
  function within(chunk: Buffer, from: number, until: number): number {
    // A variable of our own: this looks at every byte of every list.
    let level = depth;
    let at = isText ? ofText(chunk, isEscaped ? from + 1 : from) : from;
    isEscaped &&= at > chunk.length;
    while (at < chunk.length) {
      const byte = chunk[at];
      at += 1;
      if (byte === quote) at = ofText(chunk, at);
      else if (byte === openBrace || byte === openBracket) {
        level += 1;
        if (level === 2 && byte === openBracket) return ends(level, at);
      } else if (byte === closeBrace || byte === closeBracket) {
        level -= 1;
        if (level === until) return ends(level, at);
      }
    }
    return ends(level, chunk.length + 1);
  }

  function ends(level: number, at: number): number {
    depth = level;
    return at;
  }

  function ofItems(chunk: Buffer, from: number): number {
    const start = depth === 2 ? between(chunk, from) : from;
    if (start === chunk.length) return start;
    if (depth === 2 && chunk[start] === closeBracket) {
      inItems = false;
      return start;
    }
    const end = within(chunk, start, 2);
    if (end > chunk.length) hold(chunk.subarray(start));
    else itemEnds(chunk.subarray(start, end));
    return end;
  }

  function ofHead(chunk: Buffer, from: number): number {
    const end = within(chunk, from, 0);
    head.push(Buffer.from(chunk.subarray(from, end)));
    inItems = end <= chunk.length && depth === 2 && /[{,]\s*"items"\s*:\s*\[$/.test(Buffer.concat(head).toString());
    return end;
  }

  return {
    push(chunk: Buffer): void {
      for (let at = 0; at < chunk.length; ) at = inItems ? ofItems(chunk, at) : ofHead(chunk, at);
    },

    end(): ListHead {
      try {
        const list: unknown = JSON.parse(Buffer.concat(head).toString());
        if (typeof list === 'object' && list !== null) return list;
      } catch (error) {
        throw notAList(error);
      }
      throw notAList();
    },
  };
}

function notAList(cause?: unknown): ApiError {
  return new ApiError(0, 'BadAnswer', 'the API server answered with something else than a list', { cause });
}
