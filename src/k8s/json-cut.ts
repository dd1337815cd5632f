import { ApiError } from './api-error.ts';
import {
  afterBlanks,
  afterText,
  afterValue,
  closeBrace,
  closeBracket,
  colon,
  comma,
  openBrace,
  openBracket,
  quote,
} from './json-text.ts';

/** Members to leave out, by their steps: null where one ends. `*` stands for each item, or any other member. */
export interface Omitted {
  [step: string]: Omitted | null;
}

/** What is left of an object's text, and where the object ends. */
export interface Left {
  text: string;
  end: number;
}

/** Reads the object that begins at `start` of some bytes; null when it does not end in them. */
export type Cut = (json: Buffer, start: number) => Left | null;

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

/** Where texts are put together, one at a time. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** There may be more to come. */
const unfinished = new Error('the object does not end here');

/**
 * Half of an object's text may be managed fields. What is never parsed needs no memory for a moment either, and what is
 * parsed without it is smaller than an object from which members were deleted, which V8 keeps as a hash table. The text is
 * not checked beyond what that takes: that is for the parser of what is left. `first` are members that it begins with.
 */
export function createCut(omitted: Omitted, first?: object): Cut {
  const root = nodeOf(omitted);
  const beginning = Buffer.from(first ? `${JSON.stringify(first).slice(0, -1)},` : '{');
  let json: Buffer = Buffer.alloc(0);
  let at = 0;
  /** What is left out: pairs of where it begins and ends. */
  const gaps: number[] = [];

  function leaveOut(start: number, end: number): void {
    // One that begins where the last ends is one with it.
    if (gaps.at(-1) === start) gaps[gaps.length - 1] = end;
    else gaps.push(start, end);
  }

  function expect(byte: number): void {
    if (json[at] !== byte) {
      throw at < json.length
        ? new ApiError(0, 'BadAnswer', 'the API server sent something else than JSON')
        : unfinished;
    }
    at += 1;
  }

  function goTo(end: number): void {
    if (end > json.length) throw unfinished;
    at = end;
  }

  function blanks(): void {
    at = afterBlanks(json, at);
  }

  /** True when nothing is left of what was an object. */
  function value(node: Node | undefined): boolean {
    if (node && json[at] === openBrace) return members(node);
    if (node?.any && json[at] === openBracket) items(node.any);
    else goTo(afterValue(json, at));
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
      const isKept = below !== null && !isEmptied(below);
      if (below === null) goTo(afterValue(json, at));
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

  /** Reads a member's value. When nothing is left of it, it goes as a whole. */
  function isEmptied(below: Node | undefined): boolean {
    const before = gaps.length;
    const emptied = value(below);
    if (emptied) gaps.length = before;
    return emptied;
  }

  function memberOf(node: Node): Node | null | undefined {
    expect(quote);
    const start = at;
    goTo(afterText(json, at));
    for (const { key, below } of node.members) if (isAt(json, start, at - 1, key)) return below;
    return node.any;
  }

  /** The object without its gaps and with what it begins with. */
  function leftOf(start: number): string {
    const most = beginning.length + at - start;
    const room = most <= scratch.length ? scratch : Buffer.allocUnsafe(most);
    let written = beginning.copy(room);
    let from = start + 1;
    for (let index = 0; index < gaps.length; index += 2) {
      written += json.copy(room, written, from, gaps[index]);
      from = gaps[index + 1] ?? at;
    }
    written += json.copy(room, written, from, at);
    return room.toString('utf8', 0, written);
  }

  return (bytes, start) => {
    json = bytes;
    gaps.length = 0;
    try {
      at = start;
      expect(openBrace);
      at = start;
      value(root);
      return { text: leftOf(start), end: at };
    } catch (error) {
      if (error === unfinished) return null;
      throw error;
    } finally {
      json = Buffer.alloc(0);
    }
  };
}

function isAt(json: Buffer, start: number, end: number, key: Buffer): boolean {
  if (key.length !== end - start) return false;
  for (let index = 0; index < key.length; index += 1) if (json[start + index] !== key[index]) return false;
  return true;
}
