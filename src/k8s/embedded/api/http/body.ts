import type { IncomingMessage } from 'node:http';
import { parse as parseYaml } from 'yaml';
import { badRequest, tooLarge } from '../status.ts';

/** As the API server: 3 MiB. */
const maxBytes = 3 * 1024 * 1024;
/** Deeper than any object is; what comes after recurses. */
const maxDepth = 512;

export async function readBody(request: IncomingMessage): Promise<string> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The media type of a body, without parameters. */
export function mediaType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** A body as plain values; undefined when there is none. */
export async function readValue(request: IncomingMessage): Promise<unknown> {
  const text = await readBody(request);
  if (text.trim() === '') return undefined;
  const value = mediaType(request).endsWith('yaml') ? fromYaml(text) : fromJson(text);
  checkDepth(value, 0);
  return value;
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`invalid JSON document: ${(error as Error).message}`);
  }
}

function fromYaml(text: string): unknown {
  try {
    // The core schema: a bare `y` or `no` is text, as in the JSON that kubectl makes of it.
    return parseYaml(text, { maxAliasCount: 100, merge: false });
  } catch (error) {
    throw badRequest(`error decoding YAML: ${(error as Error).message}`);
  }
}

function checkDepth(value: unknown, depth: number): void {
  if (depth > maxDepth) throw badRequest('the object is nested too deeply');
  if (typeof value !== 'object' || value === null) return;
  for (const member of Object.values(value)) checkDepth(member, depth + 1);
}
