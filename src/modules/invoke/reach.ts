import { type SecureContext, createSecureContext, getCACertificates } from 'node:tls';
import type { Caller } from '../../caller.ts';
import type { SlipwayError } from '../../errors.ts';
import { type CallOptions, type OpenCall, openCall } from './call.ts';
import type { Connections, Line } from './connections.ts';
import { connectPinned } from './connector.ts';
import type { Header } from './headers.ts';
import type { PreparedCall } from './prepare.ts';
import type { Target } from './target.ts';

/** The way from this server to the Pods. */
export interface Reach {
  /** What can't be passed on this way. */
  problems(target: Target, headers: readonly Header[]): SlipwayError[];
  /** Sends a checked call, once, and waits for the head of its answer. Rejects with a CallFailure. */
  open(call: PreparedCall, caller: Caller, options: ReachOptions): Promise<OpenCall>;
}

export type ReachOptions = Omit<CallOptions, 'connections' | 'limits'>;

/** Straight to the Pod's own address. `authorities`, in PEM, are trusted besides those of the system. */
export function createDirectReach(connections: Connections, authorities?: string): Reach {
  // To read them all takes a while, and most services need none.
  let context: SecureContext | undefined;
  const trusted = () =>
    (context ??= createSecureContext({ ca: [...getCACertificates('default'), ...(authorities ? [authorities] : [])] }));
  return {
    problems: () => [],
    open(call, caller, options) {
      const { target, endpoint, limits, method, headers, body } = call;
      const { address, port } = endpoint;
      const { authority, path, tlsName } = target;
      const { clock, endings, confirm } = options;
      const tls = tlsName === null ? null : { name: tlsName, context: trusted() };
      const line: Line = {
        key: `${caller.name}\n${target.uid}\n${endpoint.key}\n${tlsName}`,
        connect: (dial, take) => connectPinned({ address, port, tls }, dial, take),
      };
      const request = { line, authority, path, method, headers, body };
      return openCall(request, { connections, limits, clock, endings, confirm });
    },
  };
}
