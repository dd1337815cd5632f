import type { Access, Caller } from './caller.ts';
import { serviceRef } from './module.ts';

/** Who callers are and what they may do. One module provides it; without one everybody is the local user. */
export interface Auth {
  /** Whether nobody gets in without a token. Otherwise the server listens on loopback only and answers no other origin. */
  readonly signIn?: boolean;
  /** Who all callers are, where nothing of a request decides it. */
  readonly everybody?: Caller;
  /**
   * From the request's headers, or for a WebSocket from `connectionParams` too. Rejects with UNAUTHENTICATED, or with
   * UNAVAILABLE when nobody can be signed in at the moment.
   */
  authenticate(headers: Headers, connectionParams?: Readonly<Record<string, unknown>>): Promise<Caller>;
  access(caller: Caller): Access;
}
export const Auth = serviceRef<Auth>('slipway.auth');
