import type { Access, Caller } from './caller.ts';
import { serviceRef } from './module.ts';

/** Who callers are and what they may do. One module provides it; without one everybody is the local user. */
export interface Auth {
  /** From the request's headers, or for a WebSocket from `connectionParams` too. Rejects with UNAUTHENTICATED. */
  authenticate(headers: Headers, connectionParams?: Readonly<Record<string, unknown>>): Promise<Caller>;
  access(caller: Caller): Access;
}
export const Auth = serviceRef<Auth>('slipway.auth');
