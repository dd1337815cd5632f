import { createHash } from 'node:crypto';
import { invalid } from '../../errors.ts';

/** A place in one stream: written and read by one server process only. */
export interface StreamPosition {
  /** The stream that wrote it. */
  writer: string;
  /** Everything up to this change has been told, but for what the span still owes. */
  seq: number;
  /** Where changes were merged before they were told: of this span, what was last changed by `seq` or before has been told. */
  span: Span | null;
  /** False for a cursor from before SYNCED: its holder has only a part of the snapshot. */
  synced: boolean;
  /** Stands for filter and access scope. */
  view: string;
}

/** The changes after `from` up to `to`. */
export interface Span {
  from: number;
  to: number;
}

const form = /^([\w-]{12})\.([0-9a-z]{1,10})\.(u?)[0-9a-z]{1,10}\.([\w-]{16})(?:\.([0-9a-z]{1,10})-([0-9a-z]{1,10}))?$/;

/** `nth` tells events of the same change apart, so that no cursor repeats. */
export function writeCursor(position: Omit<StreamPosition, 'span'>, nth: number): string {
  const phase = position.synced ? '' : 'u';
  return `${position.writer}.${position.seq.toString(36)}.${phase}${nth.toString(36)}.${position.view}`;
}

/** The same place, told of as part of a span. */
export function writeSpan(cursor: string, { from, to }: Span): string {
  return `${cursor}.${from.toString(36)}-${to.toString(36)}`;
}

/** INVALID on `after` for anything that no stream has written. */
export function readCursor(cursor: string): StreamPosition {
  const [, writer, seq, phase, view, from, to] = form.exec(cursor) ?? [];
  if (writer === undefined || seq === undefined || view === undefined) {
    const message = '"after" is not a cursor of this stream. Use the `cursor` of an event, or leave it out.';
    throw invalid('after', message, 'BAD_CURSOR');
  }
  const span = from === undefined || to === undefined ? null : { from: number(from), to: number(to) };
  return { writer, seq: number(seq), span, synced: phase === '', view };
}

const number = (text: string): number => Number.parseInt(text, 36);

/** Equal for equal filters (whatever the order of their fields) in equal scopes. */
export function viewOf(filter: unknown, scopeKey: string): string {
  const text = JSON.stringify([canonical(filter), scopeKey]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

/** Null fields mean the same as absent ones, and lists are sets. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical).toSorted(byText);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .filter(([, field]) => field !== null && field !== undefined)
    .map(([name, field]) => [name, canonical(field)])
    .toSorted(byText);
}

function byText(a: unknown, b: unknown): number {
  const [x, y] = [JSON.stringify(a), JSON.stringify(b)];
  return x === y ? 0 : x < y ? -1 : 1;
}
