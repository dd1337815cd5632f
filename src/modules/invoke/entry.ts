import type { ErrorCode } from '../../errors.ts';
import type { HttpMethod } from '../runs/service.ts';
import type { Timings } from './call.ts';
import type { Outcome } from './failure.ts';
import type { RecordedHeader } from './redaction.ts';

/** One call as the history knows it. What must not be kept has been redacted before. */
export interface Entry {
  /** Unique and rising with time. */
  id: string;
  /** Global id of the run. */
  serviceRunId: string;
  runId: string;
  caller: string;
  /** ms since the epoch. */
  startedAt: number;
  outcome: Outcome;
  errorCode: ErrorCode | null;
  message: string | null;
  /** Whether bodies and headers are kept. */
  recorded: boolean;
  request: RequestRecord;
  response: ResponseRecord | null;
  timings: Timings;
  /** Only on the entry of a call just made; else they are read when asked for. */
  bodies?: Bodies;
}

export interface RequestRecord {
  method: HttpMethod;
  /** Absolute, with redacted query values. */
  url: string;
  headers: RecordedHeader[];
  bodyBytes: number;
  /** The body was longer than the history keeps. */
  bodyCut: boolean;
  /** Configured patterns were found in it. */
  bodyRedacted: boolean;
  /** How to reach the same place again: the Service's port, or the URL itself. */
  port: number | null;
  timeoutMs: number | null;
  /** It passed every check and is kept whole but for what is redacted or cut. */
  repeatable: boolean;
}

export interface ResponseRecord {
  status: number;
  statusText: string;
  headers: RecordedHeader[];
  contentType: string | null;
  bodyBytes: number;
  truncated: boolean;
  lossy: boolean;
}

export interface Bodies {
  request: string | null;
  response: string | null;
}

export const noTimings: Timings = { totalMs: null, connectMs: null, firstByteMs: null };
