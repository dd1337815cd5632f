import type { AnswerHead } from './answer-head.ts';
import { improper } from './failure.ts';

/** How the end of a body is known. */
export interface Framing {
  kind: 'none' | 'length' | 'chunked' | 'untilClose';
  /** Bytes, of the kind `length`. */
  length: number;
  /** The connection may be used for another request after it. */
  persistent: boolean;
}

const framing = /^(content-length|transfer-encoding|connection|keep-alive)$/i;

/** By RFC 9112, section 6.3. Throws where two parsers could see two ends. */
export function framingOf({ status, headers, isVersion11 }: AnswerHead, method: string): Framing {
  let length: string | null = null;
  let chunked = false;
  let last = false;
  for (const { name, value } of headers) {
    if (!framing.test(name)) continue;
    const lower = name.toLowerCase();
    if (lower === 'content-length') {
      if (length !== null || !/^\d{1,15}$/.test(value)) throw improper();
      length = value;
    } else if (lower === 'transfer-encoding') {
      if (chunked || value.toLowerCase() !== 'chunked') throw improper();
      chunked = true;
    } else if (endsConnection(lower, value)) last = true;
  }
  if (chunked && length !== null) throw improper();
  // Some send a body where there may be none: the next answer would begin with it.
  if (method === 'HEAD' || status === 204 || status === 304) return { kind: 'none', length: 0, persistent: false };
  const persistent = isVersion11 && !last;
  if (chunked) return { kind: 'chunked', length: 0, persistent };
  if (length !== null) return { kind: 'length', length: Number(length), persistent };
  return { kind: 'untilClose', length: 0, persistent: false };
}

/** Connections rest for half a second: a service that closes them as early must not meet the next request. */
function endsConnection(name: string, value: string): boolean {
  return name === 'connection' ? /(^|[\s,])close($|[\s,])/i.test(value) : /(^|[\s,])timeout\s*=\s*[01]\b/i.test(value);
}
