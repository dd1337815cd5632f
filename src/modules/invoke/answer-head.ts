import { isUtf8 } from 'node:buffer';
import { CallFailure, improper } from './failure.ts';
import type { Header } from './headers.ts';

/** Status and headers of an answer, in their order. */
export interface AnswerHead {
  status: number;
  statusText: string;
  headers: Header[];
  /** HTTP/1.1; else 1.0. */
  isVersion11: boolean;
}

export const maxHeadBytes = 16_384;
const headEnd = '\r\n\r\n';

const statusLine = /^HTTP\/1\.([01]) (\d{3})(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
/** Blanks around the value are not a part of it; a line that goes on in the next one is obsolete and refused. */
export const headerLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/;

/** The head that begins at `at`, and where it ends; null when its end is still to come. Throws what is wrong with it. */
export function readHead(bytes: Buffer, at: number): { head: AnswerHead; next: number } | null {
  const end = bytes.indexOf(headEnd, at, 'latin1');
  if (end < 0) checkBeginning(bytes, at);
  if ((end < 0 ? bytes.length : end) - at > maxHeadBytes) {
    throw new CallFailure('PROTOCOL_ERROR', 'The answer has too large headers.');
  }
  if (end < 0) return null;
  const lines = bytes.toString('latin1', at, end).split('\r\n');
  const [, minor, digits, statusText = ''] = statusLine.exec(lines[0] ?? '') ?? [];
  if (digits === undefined) throw improper();
  const headers: Header[] = [];
  for (let index = 1; index < lines.length; index++) {
    const [, name, value = ''] = headerLine.exec(lines[index] ?? '') ?? [];
    const kept = trimmedEnd(value);
    if (name === undefined || (value.includes('\t', kept.length) && isFraming(name))) throw improper();
    headers.push({ name, value: text(kept) });
  }
  const head = {
    status: Number(digits),
    statusText: text(statusText.trim()),
    headers,
    isVersion11: minor === '1',
  };
  return { head, next: end + headEnd.length };
}

/** What does not begin like an answer will not become one. */
export function checkBeginning(bytes: Buffer, at: number): void {
  const start = bytes.toString('latin1', at, Math.min(bytes.length, at + 7));
  if (!'HTTP/1.'.startsWith(start)) throw improper();
}

/** A tab after its value is a blank to some parsers, and to others a part of it: they would see another body. */
function isFraming(name: string): boolean {
  return /^(content-length|transfer-encoding)$/i.test(name);
}

function trimmedEnd(value: string): string {
  const last = value.charCodeAt(value.length - 1);
  return last === 0x20 || last === 0x09 ? value.replace(/[ \t]+$/, '') : value;
}

/** UTF-8 where it is, else byte by byte, as HTTP once had it. */
function text(latin1: string): string {
  if (!/[\x80-\xff]/.test(latin1)) return latin1;
  const bytes = Buffer.from(latin1, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : latin1;
}
