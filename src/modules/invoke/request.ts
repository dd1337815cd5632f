import type { Header } from './headers.ts';

/** A request as it is sent. */
export interface OutgoingRequest {
  method: string;
  /** From the request line to the empty line. */
  head: string;
  body: Buffer | null;
}

export interface RequestParts {
  /** The Host header. */
  authority: string;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
  /** Sent byte for byte. */
  path: string;
  headers: readonly Header[];
  body: Buffer | null;
}

const withBody = new Set(['POST', 'PUT', 'PATCH']);
const pathText = /^[\x21-\x7e]+$/;
/** As one text: a line break of our own stands after each line, so none may be within. */
const lineText = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Every part was checked before; that none of it can end its line is made sure of here once more, whoever calls. */
export function requestOf({ authority, method, path, headers, body }: RequestParts): OutgoingRequest {
  if (!pathText.test(path) || !pathText.test(authority)) throw new Error('A request line has what it may not have.');
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${authority}\r\nconnection: keep-alive\r\n`;
  for (const { name, value } of headers) {
    const line = `${name}: ${value}`;
    if (!lineText.test(line)) throw new Error('A header has what it may not have.');
    head += `${line}\r\n`;
  }
  const length = body?.length ?? 0;
  head += length > 0 || withBody.has(method) ? `content-length: ${length}\r\n\r\n` : '\r\n';
  return { method, head, body: length > 0 ? body : null };
}
