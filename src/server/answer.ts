import type { ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import type { HttpStatus } from './errors.ts';

export type JsonType = 'application/json' | 'application/graphql-response+json';

const wholeTypes: Readonly<Record<string, JsonType>> = {
  '*/*': 'application/json',
  'application/*': 'application/json',
  'application/json': 'application/json',
  'application/graphql-response+json': 'application/graphql-response+json',
};

/** In which form of JSON a client wants its answer, by its Accept header: the first that we have; null when in none. */
export function jsonTypeFor(accept: string | undefined): JsonType | null {
  if (accept === undefined) return 'application/json';
  const known = wholeTypes[accept];
  if (known) return known;
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const charset = parameters.find((parameter) => parameter.startsWith('charset='));
    const found = wholeTypes[type];
    if (found && (charset === undefined || charset === 'charset=utf-8')) return found;
  }
  return null;
}

/** The status of a result, by GraphQL over HTTP. */
function statusOf({ errors }: ExecutionResult, type: JsonType): number {
  let status = 200;
  for (const { extensions } of errors ?? []) {
    const { http } = extensions as { http?: HttpStatus };
    if (http && !(http.spec && type === 'application/json')) status = Math.max(status, http.status);
  }
  return status;
}

interface Answer {
  response: ServerResponse;
  status: number;
  type: JsonType;
  text: string;
}

/** So many characters wait for the others of their turn at most. */
const mostWaiting = 65_536;

let answers: Answer[] = [];
let waiting = 0;

/**
 * Sends a whole result, with all others of this turn: a client that sleeps is woken once for them, which takes longer than
 * all the rest of sending.
 */
export function sendResult(response: ServerResponse, result: ExecutionResult, type: JsonType): void {
  const text = JSON.stringify(result);
  if (answers.length === 0) process.nextTick(sendAll);
  answers.push({ response, status: statusOf(result, type), type, text });
  waiting += text.length;
  if (waiting > mostWaiting) sendAll();
}

function sendAll(): void {
  const all = answers;
  [answers, waiting] = [[], 0];
  for (const answer of all) send(answer);
}

function send({ response, status, type, text }: Answer): void {
  // Nobody is there any more, or has been told something else: the others of the turn must have theirs.
  if (response.destroyed || response.headersSent) return void response.destroy();
  const bytes = Buffer.byteLength(text);
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, 'content-length': bytes });
  // Text that is all ASCII takes a shorter way.
  const encoding = bytes === text.length ? 'latin1' : 'utf8';
  // Long text would be copied together with the headers, and once more for the socket.
  response.end(text.length > mostWaiting ? Buffer.from(text, encoding) : text, encoding);
}
