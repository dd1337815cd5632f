import { ApiError } from './api-error.ts';

/** Members to leave out, by their steps: null where one ends. `*` stands for each item, or any other member. */
export interface Omitted {
  [step: string]: Omitted | null;
}

/** Takes what is omitted out of a JSON object's bytes, which are overwritten. */
export type Cut = (json: Buffer) => Buffer;

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];

interface Node {
  /** null: left out. */
  members: readonly { key: Buffer; below: Node | null }[];
  any: Node | undefined;
}

function nodeOf(omitted: Omitted): Node {
  const { '*': any, ...named } = omitted;
  return {
    members: Object.entries(named).map(([key, below]) => ({
      // As it stands in the text: with escapes, without quotes.
      key: Buffer.from(JSON.stringify(key).slice(1, -1)),
      below: below && nodeOf(below),
    })),
    any: any ? nodeOf(any) : undefined,
  };
}

/**
 * Half of an object's text may be managed fields. What is never parsed needs no memory for a moment either, and what is
 * parsed without it is smaller than an object from which members were deleted, which V8 keeps as a hash table. The text is
 * not checked beyond what that takes: that is for the parser of what is left.
 */
export function createCut(omitted: Omitted): Cut {
  const root = nodeOf(omitted);
  let json: Buffer = Buffer.alloc(0);
  let at = 0;
  /** What is kept: up to `written`, and from `from` on what was not moved there yet. */
  let written = 0;
  let from = 0;

  /** Keeps what stands before `start`, and goes on at `end`. */
  function leaveOut(start: number, end: number): void {
    if (written !== from) json.copyWithin(written, from, start);
    written += start - from;
    from = end;
  }

  function blanks(): void {
    for (let byte = json[at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = json[at])
      at += 1;
  }

  function expect(byte: number): void {
    if (json[at] !== byte) throw new ApiError(0, 'BadAnswer', 'the API server sent something else than JSON');
    at += 1;
  }

  function text(): void {
    expect(quote);
    at = afterText(json, at);
    if (at > json.length) expect(quote);
  }

  /** A value that is kept or left out as it is. */
  function skip(): void {
    at = afterValue(json, at);
    if (at > json.length) expect(closeBrace);
  }

  /** True when nothing is left of what was an object. */
  function value(node: Node | undefined): boolean {
    if (node && json[at] === openBrace) return members(node);
    if (node?.any && json[at] === openBracket) items(node.any);
    else skip();
    return false;
  }

  function items(each: Node): void {
    at += 1;
    blanks();
    if (json[at] === closeBracket) return void (at += 1);
    for (;;) {
      blanks();
      value(each);
      blanks();
      if (json[at] === closeBracket) return void (at += 1);
      expect(comma);
    }
  }

  function members(node: Node): boolean {
    at += 1;
    blanks();
    if (json[at] === closeBrace) return !(at += 1);
    let kept = false;
    let begin = at;
    for (;;) {
      // Once a member is kept, there is a comma before the next.
      const start = at;
      if (kept) at += 1;
      blanks();
      const below = memberOf(node);
      blanks();
      expect(colon);
      blanks();
      const isKept = below !== null && !isEmptied(below, kept ? start : begin);
      if (below === null) skip();
      blanks();
      const isLast = json[at] !== comma;
      if (isLast && json[at] !== closeBrace) expect(closeBrace);
      if (isKept) kept = true;
      else if (kept || isLast) leaveOut(kept ? start : begin, at);
      else leaveOut(begin, (at += 1));
      if (isLast) {
        at += 1;
        return !kept;
      }
      if (!kept) begin = at;
    }
  }

  /** Reads a member's value; when nothing is left of it, nothing of it counts as written. */
  function isEmptied(below: Node | undefined, start: number): boolean {
    if (!below) {
      skip();
      return false;
    }
    leaveOut(start, start);
    const before = written;
    const emptied = value(below);
    if (emptied) [written, from] = [before, start];
    return emptied;
  }

  function memberOf(node: Node): Node | null | undefined {
    const start = at + 1;
    text();
    const length = at - 1 - start;
    for (const { key, below } of node.members) {
      if (key.length === length && json.compare(key, 0, length, start, at - 1) === 0) return below;
    }
    return node.any;
  }

  return (bytes) => {
    json = bytes;
    [at, written, from] = [0, 0, 0];
    try {
      blanks();
      value(root);
      leaveOut(json.length, json.length);
      return json.subarray(0, written);
    } finally {
      json = Buffer.alloc(0);
    }
  };
}

/** Where the text ends that begins before `at`; beyond the end when it does not. */
function afterText(json: Buffer, at: number): number {
  const { length } = json;
  for (let next = at; next < length; next += 1) {
    const byte = json[next];
    if (byte === quote) return next + 1;
    if (byte === backslash) next += 1;
  }
  return length + 1;
}

/** Where the value ends that begins at `at`, with what blanks follow a number; beyond the end when it does not. */
function afterValue(json: Buffer, at: number): number {
  const { length } = json;
  let depth = 0;
  for (let next = at; next < length; next += 1) {
    const byte = json[next];
    if (byte === quote) {
      next = afterText(json, next + 1) - 1;
      if (depth === 0) return next + 1;
    } else if (byte === openBrace || byte === openBracket) depth += 1;
    else if (byte === closeBrace || byte === closeBracket) {
      if (depth === 0) return next;
      depth -= 1;
      if (depth === 0) return next + 1;
    } else if (byte === comma && depth === 0) return next;
  }
  return length + 1;
}
