import type { IncomingMessage } from 'node:http';
import { parse as parseYaml } from 'yaml';
import { decodeProtobuf } from '../protobuf/decode.ts';
import { ProtobufError } from '../protobuf/wire.ts';
import { badRequest, tooLarge } from '../status.ts';
import { duplicateFields } from './duplicate-fields.ts';

/** As the API server: 3 MiB. */
const maxBytes = 3 * 1024 * 1024;
/** Deeper than any object is; what comes after recurses. */
const maxDepth = 512;

/** A body as plain values. */
export interface Body {
  /** Undefined when there was no body. */
  value: unknown;
  /** Paths of members that were given twice. */
  duplicates: readonly string[];
}

/** Makes the error of a body that can't be read. */
type Refuse = (why: string) => Error;

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function readText(request: IncomingMessage): Promise<string> {
  return (await readBytes(request)).toString('utf8');
}

/** The media type of a body, without parameters. */
export function mediaType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

export async function readJson(request: IncomingMessage, refuse: Refuse): Promise<Body> {
  const text = await readText(request);
  if (text.trim() === '') return { value: undefined, duplicates: [] };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refuse((error as Error).message);
  }
  checkDepth(value, 0);
  return { value, duplicates: duplicateFields(text) };
}

export async function readYaml(request: IncomingMessage, refuse: Refuse): Promise<Body> {
  const text = await readText(request);
  if (text.trim() === '') return { value: undefined, duplicates: [] };
  let value: unknown;
  try {
    // The core schema: a bare `y` or `no` is text, as in the JSON that kubectl makes of it.
    value = parseYaml(text, { maxAliasCount: 100, merge: false });
  } catch (error) {
    throw refuse((error as Error).message);
  }
  checkDepth(value, 0);
  return { value, duplicates: [] };
}

export const protobufType = 'application/vnd.kubernetes.protobuf';

export async function readProtobuf(
  request: IncomingMessage,
  kind: Parameters<typeof decodeProtobuf>[0],
  refuse: Refuse,
): Promise<Body> {
  const bytes = await readBytes(request);
  if (bytes.length === 0) return { value: undefined, duplicates: [] };
  try {
    return { value: decodeProtobuf(kind, bytes), duplicates: [] };
  } catch (error) {
    if (error instanceof ProtobufError || error instanceof TypeError) throw refuse(error.message);
    throw error;
  }
}

function checkDepth(value: unknown, depth: number): void {
  if (depth > maxDepth) throw badRequest('the object is nested too deeply');
  if (typeof value !== 'object' || value === null) return;
  for (const member of Object.values(value)) checkDepth(member, depth + 1);
}
