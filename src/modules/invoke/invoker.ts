import type { When } from '../../endings.ts';
import { SlipwayError, invalid, throwInvalid } from '../../errors.ts';
import type { Context } from '../../module.ts';
import { whileAllowed } from '../../schema/stream/withdrawal.ts';
import { type Asked, type CallParts, type Calls, type Keyed, type StartedCall } from './calls.ts';
import type { Bodies, Entry } from './entry.ts';
import type { Header } from './headers.ts';
import type { History } from './history.ts';
import { inputHash } from './idempotency.ts';
import type { CallInput } from './prepare.ts';
import { answeredEntry, failedEntry } from './recording.ts';
import { isRedacted } from './redaction.ts';
import type { Previews } from './previews.ts';
import type { Reach } from './reach.ts';
import { readResponse } from './response.ts';
import { type InvocationChunk, streamCall } from './stream.ts';

export interface ReplayInput {
  /** Of the entry, not global. */
  id: string;
  path: string | null;
  headers: readonly Header[] | null;
  body: string | null;
  idempotencyKey: string | null;
}

/** Calls services for callers, and keeps the history of it. `problems`: for which a call is refused, whatever it is. */
export interface Invoker {
  invoke(
    input: CallInput,
    idempotencyKey: string | null,
    context: Context,
    problems?: readonly SlipwayError[],
  ): Promise<Entry>;
  /** Makes a call of the history again. */
  replay(input: ReplayInput, context: Context, problems?: readonly SlipwayError[]): Promise<Entry>;
  /** The answer as it comes. Rejects with a refusal before the first chunk. */
  stream(
    input: CallInput,
    idempotencyKey: string | null,
    context: Context,
  ): Promise<AsyncIterableIterator<InvocationChunk>>;
  /** null: no history is kept. */
  readonly history: History | null;
  readonly previews: Previews;
}

export interface InvokerParts extends Pick<CallParts, 'history' | 'config' | 'clock' | 'log'> {
  previews: Previews;
  calls: Calls;
  reach: Reach;
  whenStopped: When;
}

export function createInvoker(parts: InvokerParts): Invoker {
  const { calls, history, previews } = parts;

  const perform = async (asked: Asked, context: Context): Promise<Entry> => {
    const { started, first } = await calls.begin(asked, context);
    return started ? makeCall(parts, started, context.whenGone) : first;
  };

  return {
    history,
    previews,
    invoke: (input, key, context, problems) => perform(askedFor('invokeService', input, key, problems), context),
    async replay(input, context, problems = []) {
      const { idempotencyKey: key, ...rest } = input;
      const keyed: Keyed = { mutation: 'replayInvocation', key, inputHash: inputHash(rest) };
      const again = await replayed(input, history, context);
      if (again) return perform({ ...keyed, ...again, problems: [...problems, ...again.problems] }, context);
      throwInvalid(problems);
      // Its key outlives it: who asks once more has the first result.
      const first = await calls.first(keyed, context);
      if (first) return first;
      throw new SlipwayError('NOT_FOUND', 'There is no such invocation.', { field: 'id' });
    },
    async stream(input, idempotencyKey, context) {
      const { started, first } = await calls.begin(askedFor('invokeServiceStream', input, idempotencyKey), context);
      if (started) {
        return whileAllowed(streamCall(parts, started, context.signal), context, 'invoke', started.place);
      }
      const bodies = first.bodies ?? (await history?.bodies(first.caller, [first.id]))?.get(first.id);
      return chunks([{ invocation: first, text: bodies?.response ?? '', final: true }]);
    },
  };
}

function askedFor(
  mutation: Asked['mutation'],
  input: CallInput,
  key: string | null,
  problems: readonly SlipwayError[] = [],
): Asked {
  return { mutation, input, key, inputHash: key === null ? '' : inputHash({ ...input }), problems };
}

async function* chunks(list: readonly InvocationChunk[]): AsyncIterableIterator<InvocationChunk> {
  yield* list;
}

/** Makes the call and records its end, whatever happens. */
async function makeCall(parts: InvokerParts, started: StartedCall, whenGone: When): Promise<Entry> {
  const { entry, call, caller, confirm, finish } = started;
  try {
    const { clock, whenStopped } = parts;
    const open = await parts.reach.open(call, caller, { clock, confirm, endings: [whenGone, whenStopped] });
    const { outcome, message, response } = await readResponse(open, call.method, parts.config.maxResponseBytes);
    return await finish(answeredEntry(entry, response, { outcome, message, timings: open.timings }));
  } catch (error) {
    const ended = failedEntry(entry, error);
    await finish(ended);
    if (ended.errorCode === 'INTERNAL') throw error;
    return ended;
  }
}

/** The call of a recorded one, of which what was redacted or cut has to be given anew; null when it is not there. */
async function replayed(
  input: ReplayInput,
  history: History | null,
  context: Context,
): Promise<Pick<Asked, 'input' | 'problems'> | null> {
  const entry = await history?.get(context.caller.name, input.id);
  if (!entry) return null;
  const bodies = (await history?.bodies(entry.caller, [entry.id]))?.get(entry.id);
  return { input: callAgain(entry, bodies, input), problems: missingParts(entry, input) };
}

function missingParts({ request }: Entry, input: ReplayInput): SlipwayError[] {
  if (!request.repeatable) {
    const why = 'This call was not recorded whole, so it cannot be made again. Call the service anew.';
    return [invalid('id', why, 'NOT_REPLAYABLE')];
  }
  const given = new Set((input.headers ?? []).map(({ name }) => name.toLowerCase()));
  const missing = request.headers
    .filter((header) => header.redacted && !given.has(header.name.toLowerCase()))
    .map(({ name }) => anew('headers', `the header "${name}", which the history redacted`));
  if (input.path === null && isRedacted(request.url))
    missing.push(anew('path', 'the path, of which the history redacted a part'));
  if (input.body === null && request.bodyCut)
    missing.push(anew('body', 'the body, which was too long for the history'));
  else if (input.body === null && request.bodyRedacted)
    missing.push(anew('body', 'the body, of which the history redacted a part'));
  return missing;
}

function anew(field: string, what: string): SlipwayError {
  return invalid(field, `Give ${what}.`, 'GIVE_ANEW');
}

/** Headers given now replace recorded ones of the same name. */
function callAgain({ request, serviceRunId }: Entry, bodies: Bodies | undefined, input: ReplayInput): CallInput {
  const [origin = ''] = /^https?:\/\/[^/]+/.exec(request.url) ?? [];
  const path = input.path ?? request.url.slice(origin.length);
  const given = new Set((input.headers ?? []).map(({ name }) => name.toLowerCase()));
  const kept = request.headers.filter(({ name }) => !given.has(name.toLowerCase()));
  const where = request.port === null ? { url: origin + path } : { port: request.port, path };
  return {
    id: serviceRunId,
    method: request.method,
    ...where,
    headers: [...kept.map(({ name, value }) => ({ name, value })), ...(input.headers ?? [])],
    body: input.body ?? bodies?.request ?? null,
    timeoutMs: request.timeoutMs,
    record: true,
  };
}
