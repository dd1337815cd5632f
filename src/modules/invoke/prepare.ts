import { SlipwayError, invalid, throwInvalid } from '../../errors.ts';
import type { HttpMethod, RunView } from '../runs/service.ts';
import { encodeBody } from './body.ts';
import type { CallLimits } from './call.ts';
import type { InvokeConfig } from './config.ts';
import { type Header, headerProblems } from './headers.ts';
import type { Endpoint } from './endpoints.ts';
import type { Reach } from './reach.ts';
import type { Target } from './target.ts';
import type { Targets } from './targets.ts';

/** What `invokeService` is asked for, with its defaults filled in. */
export interface CallInput {
  id: string;
  method: HttpMethod;
  port?: number | null | undefined;
  path?: string | null | undefined;
  url?: string | null | undefined;
  headers: readonly Header[];
  body: string | null;
  timeoutMs: number | null;
  record: boolean;
}

/** A call that passed every check. */
export interface PreparedCall {
  target: Target;
  /** The one that is called. */
  endpoint: Endpoint;
  method: HttpMethod;
  headers: readonly Header[];
  body: Buffer | null;
  limits: CallLimits;
}

export interface PrepareParts {
  config: InvokeConfig;
  targets: Targets;
  reach: Reach;
}

/** Checks a call against every policy, and says all that is wrong with its input at once. */
export function prepareCall(run: RunView, input: CallInput, { config, targets, reach }: PrepareParts): PreparedCall {
  const problems = [...headerProblems(input.headers), ...timeoutProblems(input, config)];
  const attempt = <T>(check: () => T): T | undefined => {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof SlipwayError)) throw error;
      problems.push(error);
      return undefined;
    }
  };
  const body = attempt(() => encodeBody(input.body, config.maxRequestBytes));
  const target = attempt(() => targets.resolve(run, input));
  if (target) problems.push(...reach.problems(target, input.headers));
  throwInvalid(problems);
  const endpoint = target?.endpoints[Math.floor(Math.random() * target.endpoints.length)];
  if (!endpoint || !target || body === undefined) throw new Error('A check failed without a problem.');
  const { method, headers } = input;
  return { target, endpoint, method, headers, body, limits: callLimits(input, config) };
}

function timeoutProblems({ timeoutMs }: CallInput, { maxTimeoutMs }: InvokeConfig): SlipwayError[] {
  if (timeoutMs === null || (timeoutMs >= 1 && timeoutMs <= maxTimeoutMs)) return [];
  return [invalid('timeoutMs', `A time limit is from 1 to ${maxTimeoutMs} ms, not ${timeoutMs}.`, 'TIMEOUT_RANGE')];
}

function callLimits({ timeoutMs }: CallInput, config: InvokeConfig): CallLimits {
  return {
    connectTimeoutMs: config.connectTimeoutMs,
    firstByteTimeoutMs: timeoutMs ?? config.firstByteTimeoutMs,
    totalTimeoutMs: timeoutMs ?? config.timeoutMs,
  };
}
