import type { Clock } from '../../clock.ts';
import type { Caller, Place } from '../../caller.ts';
import { SlipwayError, throwInvalid } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Context } from '../../module.ts';
import type { RunView, Runs } from '../runs/service.ts';
import type { InvokeConfig } from './config.ts';
import type { Entry } from './entry.ts';
import type { History } from './history.ts';
import { type KeyedInput, checkKey, firstResult } from './idempotency.ts';
import { type CallInput, type PreparedCall, prepareCall } from './prepare.ts';
import { checkedEntry, keptEntry, refusedEntry } from './recording.ts';
import type { Recorder } from './recorder.ts';
import type { Reach } from './reach.ts';
import type { Redactor } from './redaction.ts';
import type { Slots } from './slots.ts';
import { stillLeadsTo } from './target.ts';
import type { Targets } from './targets.ts';

/** What carrying out calls needs. */
export interface CallParts {
  runs: Runs;
  /** null: no history is kept. */
  history: History | null;
  recorder: Recorder | null;
  config: InvokeConfig;
  redactor: Redactor;
  slots: Slots;
  targets: Targets;
  reach: Reach;
  /** Of every call, made or refused, once it has ended. */
  onEnd: (mutation: string, run: RunView, entry: Entry) => void;
  clock: Clock;
  log: Log;
}

/** A mutation or subscription with its idempotency key. */
export interface Keyed {
  mutation: 'invokeService' | 'replayInvocation' | 'invokeServiceStream';
  /** As it was given. */
  key: string | null;
  /** Of all the mutation's input; nobody asks for it without a key. */
  inputHash: string;
}

/** What a caller asked for in one of them. */
export interface Asked extends Keyed {
  input: CallInput;
  /** What is known to be wrong with it. */
  problems: readonly SlipwayError[];
}

/** A call that is recorded and may now be made, once. */
export interface StartedCall {
  entry: Entry;
  call: PreparedCall;
  caller: Caller;
  /** Where the run lies. */
  place: Place;
  /** False once the run's target is another than the one that was checked. */
  confirm: () => boolean;
  /** Records how it ended and lets others begin. Never rejects; resolves with the entry as the caller sees it. */
  readonly finish: (entry: Entry) => Promise<Entry>;
}

export type Begun = { started: StartedCall; first?: undefined } | { first: Entry; started?: undefined };

/** Checks, records and counts calls before they are made. */
export interface Calls {
  /** A call to make; or the result of the one that had the same key. Rejects with a recorded refusal. */
  begin(asked: Asked, context: Context): Promise<Begun>;
  /** The result of the one that had the same key; null when none had. Rejects when that had another input. */
  first(keyed: Keyed, context: Context): Promise<Entry | null>;
  /** Resolves when no call is under way. */
  idle(): Promise<void>;
}

export function createCalls(parts: CallParts): Calls {
  const { runs, history, recorder, config, redactor, onEnd, clock } = parts;
  /** Those with a key. */
  const running = new Map<string, Promise<Entry>>();
  const underWay = createCount();
  const maxWaitMs = config.maxTimeoutMs + config.streamTimeoutMs;

  const first = async (key: KeyedInput | null, context: Context) =>
    key && history ? firstResult({ history, running, clock, maxWaitMs }, key, context.signal) : null;

  const begin: Calls['begin'] = async (asked, context) => {
    throwInvalid(asked.problems);
    const key = keyOf(asked, context, history);
    const before = key ? await first(key, context) : null;
    if (before) return { first: before };

    const run = await runs.visible(asked.input.id, context.access, 'id');
    const now = clock.now();
    const { call, release } = await admit(parts, run, asked.input, context);
    const entry = checkedEntry(run, asked.input, call, context.caller.name, now, redactor);
    const leave = underWay.enter();
    const result = key ? shared(running, entry.id) : null;
    const end = () => {
      result?.forget();
      release();
      leave();
    };
    try {
      if (!(await recordStart(parts, key, entry))) {
        // Somebody else took the key between the two looks.
        end();
        result?.reject(new Error('Another call has the key.'));
        return await begin(asked, context);
      }
    } catch (error) {
      end();
      result?.reject(error);
      throw error;
    }
    const cancelStart = key ? () => {} : recordSoon(parts, entry);
    const finish = async (ended: Entry): Promise<Entry> => {
      cancelStart();
      // Its place is free, however long its record takes.
      release();
      onEnd(asked.mutation, run, ended);
      await recorder?.put(keptEntry(ended, config, redactor));
      end();
      result?.resolve(ended);
      return ended;
    };
    const confirm = () => sameTarget(parts, runs.get(run.key), asked.input, call);
    return { started: { entry, call, caller: context.caller, place: run, confirm, finish } };
  };

  return {
    begin: (asked, context) =>
      begin(asked, context).catch(async (error: unknown) => {
        if (error instanceof SlipwayError) await recordRefusal(parts, asked, context, error);
        throw error;
      }),
    first: async (keyed, context) => first(keyOf(keyed, context, history), context),
    idle: () => underWay.none(),
  };
}

/** What others with the same key wait for. */
function shared(running: Map<string, Promise<Entry>>, id: string) {
  const { promise, resolve, reject } = Promise.withResolvers<Entry>();
  // Mostly nobody does.
  promise.catch(() => {});
  running.set(id, promise);
  return { resolve, reject, forget: () => void running.delete(id) };
}

/** How many calls are under way. */
function createCount() {
  let count = 0;
  let waiting: (() => void)[] = [];
  return {
    /** The returned function ends it; idempotent. */
    enter() {
      let inside = true;
      count += 1;
      return () => {
        if (!inside) return;
        inside = false;
        count -= 1;
        if (count > 0) return;
        for (const tell of waiting) tell();
        waiting = [];
      };
    },
    none: () => (count === 0 ? Promise.resolve() : new Promise<void>((resolve) => void waiting.push(resolve))),
  };
}

function keyOf({ key, mutation, inputHash }: Keyed, { caller }: Context, history: History | null): KeyedInput | null {
  if (key === null) return null;
  checkKey(key);
  if (history) return { caller: caller.name, mutation, key, inputHash };
  throw new SlipwayError('NOT_SUPPORTED', 'Idempotency keys need the history, which is off on this server.', {
    field: 'idempotencyKey',
    reason: 'HISTORY_OFF',
  });
}

/** Every check before a call, and a slot for it. */
async function admit(
  parts: CallParts,
  run: RunView,
  input: CallInput,
  { access, caller }: Context,
): Promise<{ call: PreparedCall; release: () => void }> {
  if (!(await access.allows('invoke', run))) {
    throw new SlipwayError('FORBIDDEN', `You may see ${run.name} but not call it.`, { field: 'id' });
  }
  const call = prepareCall(run, input, parts);
  const release = parts.slots.take(caller.local ? null : caller.name);
  if (release) return { call, release };
  throw new SlipwayError('RATE_LIMITED', 'Too many calls are under way. Try again when one has ended.', {
    reason: 'CONCURRENT_CALLS',
  });
}

/** What names no run that the caller may see is nobody's call. */
async function recordRefusal(
  { runs, recorder, config, redactor, onEnd, clock }: CallParts,
  { mutation, input }: Asked,
  { access, caller }: Context,
  { code, message }: SlipwayError,
): Promise<void> {
  const run = await runs.visible(input.id, access, 'id').catch(() => null);
  if (!run) return;
  const entry = refusedEntry(run, input, caller.name, clock.now(), redactor);
  const refused: Entry = { ...entry, outcome: 'REFUSED', errorCode: code, message };
  onEnd(mutation, run, refused);
  await recorder?.put(keptEntry(refused, config, redactor));
}

/**
 * With a key nothing is called that is not on record: it is taken together with the entry. False when it was taken
 * before.
 */
async function recordStart(
  { history, config, redactor }: CallParts,
  key: KeyedInput | null,
  entry: Entry,
): Promise<boolean> {
  if (!key || !history) return true;
  const claim = { inputHash: key.inputHash, invocationId: entry.id };
  return (await history.claim(key, claim, keptEntry(entry, config, redactor))) === null;
}

/** A call that takes longer is listed while it is under way; one that does not is written once. */
const startAfterMs = 50;

function recordSoon({ recorder, clock, config, redactor }: CallParts, entry: Entry): () => void {
  return clock.after(startAfterMs, () => void recorder?.put(keptEntry(entry, config, redactor)));
}

/** Whether the run still leads to the address that was checked: the Service may have been replaced meanwhile. */
function sameTarget(
  { targets }: CallParts,
  run: RunView | undefined,
  input: CallInput,
  { target, endpoint }: PreparedCall,
): boolean {
  if (!run) return false;
  try {
    return stillLeadsTo(endpoint, target, targets.resolve(run, input));
  } catch (error) {
    if (error instanceof SlipwayError) return false;
    throw error;
  }
}
