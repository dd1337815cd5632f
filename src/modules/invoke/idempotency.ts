import { createHash } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { SlipwayError, invalid } from '../../errors.ts';
import type { Entry } from './entry.ts';
import type { History, IdempotencyKey } from './history.ts';

/** A key with the hash of the input it came with. */
export interface KeyedInput extends IdempotencyKey {
  inputHash: string;
}

/** How long to wait before looking again whether another replica has finished. */
const lookAgainMs = 250;

/** Refuses what has not the form of an idempotency key. */
export function checkKey(key: string): void {
  if (/^[\x20-\x7e]{8,128}$/.test(key)) return;
  throw invalid('idempotencyKey', 'An idempotency key has 8 to 128 printable ASCII characters.', 'BAD_KEY');
}

/** Equal for equal inputs, whatever the order of their fields; null and absent are the same. */
export function inputHash(input: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(input)
    .filter(([, value]) => value !== null && value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(fields)).digest('base64url');
}

/** The calls of this process that are under way, by entry id. */
export type RunningCalls = ReadonlyMap<string, Promise<Entry>>;

export interface FirstResultOptions {
  history: History;
  running: RunningCalls;
  clock: Clock;
  /** Calls that began longer ago are not waited for: their server is gone. */
  maxWaitMs: number;
}

/** The result of the call that has the key already, also when it is still under way somewhere; null when none has. */
export async function firstResult(
  { history, running, clock, maxWaitMs }: FirstResultOptions,
  key: KeyedInput,
  signal: AbortSignal,
): Promise<Entry | null> {
  const claim = await history.claimed(key);
  if (!claim) return null;
  if (claim.inputHash !== key.inputHash) throw conflict('was used with another input. Use a new key for another call.');
  for (;;) {
    const own = running.get(claim.invocationId);
    if (own) return own;
    const entry = await history.get(key.caller, claim.invocationId);
    if (!entry) throw conflict('was used before, and its call is no longer in the history. Use a new key.');
    if (entry.outcome !== 'IN_PROGRESS' || clock.now() > entry.startedAt + maxWaitMs) return entry;
    await pause(clock, lookAgainMs, signal);
  }
}

function conflict(what: string): SlipwayError {
  return new SlipwayError('CONFLICT', `This idempotency key ${what}`, {
    field: 'idempotencyKey',
    reason: 'IDEMPOTENCY_KEY_REUSED',
  });
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancelled = () => {
      cancel();
      reject(new SlipwayError('TIMEOUT', 'The request ended before the first call with this key did.'));
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', cancelled);
      resolve();
    });
    if (signal.aborted) cancelled();
    else signal.addEventListener('abort', cancelled, { once: true });
  });
}
