import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** One line of one container. */
export interface LogLine {
  pod: string;
  container: string;
  at: number | null;
  line: string;
}

/** A line with its time as the cluster wrote it: nanoseconds, so that equal milliseconds still have an order. */
export interface StampedLine {
  /** RFC 3339 with nine digits: compares as text. '' for a line without a time. */
  stamp: string;
  line: string;
}

/** What is longer is cut: a line without an end must not fill the memory. */
const longestLine = 64 * 1024;

/** The lines of a log stream that was asked for with timestamps. */
export async function* linesOf(stream: Readable): AsyncGenerator<StampedLine> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let skipping = false;
  for await (const chunk of stream as AsyncIterable<Buffer | string>) {
    const text = typeof chunk === 'string' ? chunk : decoder.write(chunk);
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      if (!skipping) yield parseLine(part);
      skipping = false;
    }
    if (skipping) rest = '';
    else if (rest.length > longestLine) {
      yield parseLine(`${rest.slice(0, longestLine)}…`);
      [rest, skipping] = ['', true];
    }
  }
  if (rest && !skipping) yield parseLine(rest);
}

const timestamp = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z ?/;

function parseLine(text: string): StampedLine {
  const match = timestamp.exec(text);
  const line = (match ? text.slice(match[0].length) : text).replace(/\r$/, '');
  return { stamp: match ? `${match[1]}.${(match[2] ?? '').padEnd(9, '0')}Z` : '', line };
}

/** ms since the epoch. */
export function timeOf(stamp: string): number | null {
  return stamp ? Date.parse(`${stamp.slice(0, 23)}Z`) : null;
}
