import { manyRef, serviceRef } from '../../module.ts';
import type { Invoker } from './invoker.ts';

/** Decides which header names and query keys never reach the history in the clear. */
export interface Redaction {
  /** True to redact the value of this header (lower case) or query key. Asked of each anew: it may change its mind. */
  redacts(kind: 'header' | 'query', name: string): boolean;
}
export const Redaction = manyRef<Redaction>('slipway.redaction');

/** Calls services for callers and keeps the history of it. */
export type Invocations = Invoker;
export const Invocations = serviceRef<Invocations>('slipway.invocations');
