import { manyRef } from '../../module.ts';

/** Decides which header names and query keys never reach the history in the clear. */
export interface Redaction {
  /** True to redact the value of this header (lower case) or query key. */
  redacts(kind: 'header' | 'query', name: string): boolean;
}
export const Redaction = manyRef<Redaction>('slipway.redaction');
