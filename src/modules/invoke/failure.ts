import type { Timings } from './call.ts';

export const outcomes = [
  'IN_PROGRESS',
  'REFUSED',
  'COMPLETED',
  'TIMEOUT',
  'UNREACHABLE',
  'RESPONSE_TOO_LARGE',
  'UNSUPPORTED_CONTENT',
  'PROTOCOL_ERROR',
  'CANCELLED',
] as const;
export type Outcome = (typeof outcomes)[number];

/** How a call went wrong, in words that tell nothing of the network behind the service. */
export class CallFailure extends Error {
  readonly outcome: Outcome;
  /** How far the call came before. */
  timings?: Timings;

  constructor(outcome: Outcome, message: string) {
    super(message);
    this.name = 'CallFailure';
    this.outcome = outcome;
  }
}

export const brokeOff = 'The service closed the connection before its answer was complete.';

const closedCodes = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE']);
const unreachableCodes = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'ETIMEDOUT',
]);

/** What came is not what HTTP says. */
export function improper(): CallFailure {
  return new CallFailure('PROTOCOL_ERROR', 'The answer is not proper HTTP.');
}

/** What an error of a socket or of a decoder means; anything unexpected is thrown on. */
export function callFailure(error: unknown): CallFailure {
  if (error instanceof CallFailure) return error;
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'string') throw error;
  if (unreachableCodes.has(code)) return new CallFailure('UNREACHABLE', 'The service refused the connection.');
  if (closedCodes.has(code)) return new CallFailure('PROTOCOL_ERROR', brokeOff);
  if (code.startsWith('Z') || code.startsWith('ERR_')) {
    return new CallFailure('PROTOCOL_ERROR', 'The body of the answer is damaged.');
  }
  return improper();
}
