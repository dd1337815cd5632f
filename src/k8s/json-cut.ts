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

/** What is left out: pairs of where it begins and ends. */
type Gaps = number[];

/**
 * Half of an object's text may be managed fields. What is never parsed needs no memory for a moment either, and what is
 * parsed without it is smaller than an object from which members were deleted, which V8 keeps as a hash table. The text is
 * not checked beyond what that takes: that is for the parser of what is left. `first` are members that it begins with.
 */
export function createCut(omitted: Omitted, first?: object): Cut {
  const root = nodeOf(omitted);
  const beginning = Buffer.from(first ? `${JSON.stringify(first).slice(0, -1)},` : '{');
  return (json, start) => {
    const gaps: Gaps = [];
    try {
      expect(json, start, openBrace);
      const end = Math.abs(afterMembers(json, start, root, gaps));
      return { text: leftOf(json, start, end, beginning, gaps), end };
    } catch (error) {
      if (error === unfinished) return null;
      throw error;
    }
  };
}

// Each of these reads what begins at a place and gives back where it ends: negative when nothing is left of what was an
// object. Where they are is no variable around them, which V8 would read and write for each byte.

function afterCut(json: Buffer, at: number, node: Node | undefined, gaps: Gaps): number {
  if (node && json[at] === openBrace) return afterMembers(json, at, node, gaps);
  if (node?.any && json[at] === openBracket) return afterItems(json, at, node.any, gaps);
  return within(json, afterValue(json, at));
}

function afterItems(json: Buffer, open: number, each: Node, gaps: Gaps): number {
  let at = afterBlanks(json, open + 1);
  if (json[at] === closeBracket) return at + 1;
  for (;;) {
    at = afterBlanks(json, Math.abs(afterCut(json, afterBlanks(json, at), each, gaps)));
    if (json[at] === closeBracket) return at + 1;
    at = expect(json, at, comma);
  }
}

function afterMembers(json: Buffer, open: number, node: Node, gaps: Gaps): number {
  let at = afterBlanks(json, open + 1);
  if (json[at] === closeBrace) return at + 1;
  let kept = false;
  let begin = at;
  for (;;) {
    // Once a member is kept, there is a comma before the next.
    const start = at;
    const name = expect(json, afterBlanks(json, kept ? at + 1 : at), quote);
    const nameEnd = within(json, afterText(json, name));
    const below = memberOf(json, name, nameEnd - 1, node);
    const value = afterBlanks(json, expect(json, afterBlanks(json, nameEnd), colon));
    const before = gaps.length;
    const end = below === null ? within(json, afterValue(json, value)) : afterCut(json, value, below, gaps);
    // Of what nothing is left goes as a whole.
    if (end < 0) gaps.length = before;
    at = afterBlanks(json, Math.abs(end));
    const isLast = json[at] !== comma;
    if (isLast) expect(json, at, closeBrace);
    if (below !== null && end > 0) kept = true;
    else if (kept || isLast) leaveOut(gaps, kept ? start : begin, at);
    else leaveOut(gaps, begin, (at += 1));
    if (isLast) return kept ? at + 1 : -(at + 1);
    if (!kept) begin = at;
  }
}

function memberOf(json: Buffer, name: number, end: number, node: Node): Node | null | undefined {
  for (const { key, below } of node.members) if (isAt(json, name, end, key)) return below;
  return node.any;
}

function leaveOut(gaps: Gaps, start: number, end: number): void {
  // One that begins where the last ends is one with it.
  if (gaps.at(-1) === start) gaps[gaps.length - 1] = end;
  else gaps.push(start, end);
}

/** After this byte. */
function expect(json: Buffer, at: number, byte: number): number {
  if (json[at] === byte) return at + 1;
  throw at < json.length ? new ApiError(0, 'BadAnswer', 'the API server sent something else than JSON') : unfinished;
}

function within(json: Buffer, end: number): number {
  if (end > json.length) throw unfinished;
  return end;
}

/** The object without its gaps and with what it begins with. */
function leftOf(json: Buffer, start: number, end: number, beginning: Buffer, gaps: Gaps): string {
  const most = beginning.length + end - start;
  const room = most <= scratch.length ? scratch : Buffer.allocUnsafe(most);
  let written = beginning.copy(room);
  let from = start + 1;
  for (let index = 0; index < gaps.length; index += 2) {
    written += json.copy(room, written, from, gaps[index]);
    from = gaps[index + 1] ?? end;
  }
  written += json.copy(room, written, from, end);
  return room.toString('utf8', 0, written);
}

function isAt(json: Buffer, start: number, end: number, key: Buffer): boolean {
  if (key.length !== end - start) return false;
  for (let index = 0; index < key.length; index += 1) if (json[start + index] !== key[index]) return false;
  return true;
}
