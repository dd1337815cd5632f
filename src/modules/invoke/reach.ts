import type { Caller } from '../../caller.ts';
import type { SlipwayError } from '../../errors.ts';
import { type CallOptions, type OpenCall, openCall } from './call.ts';
import { type Connections, type Line, addressOf } from './connections.ts';
import { pinnedConnector } from './connector.ts';
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

/** Straight to the Pod's own address. */
export function createDirectReach(connections: Connections): Reach {
  return {
    problems: () => [],
    open(call, caller, options) {
      const { target, endpoint, limits, ...request } = call;
      const { address, port } = endpoint;
      const line: Line = {
        key: [caller.name, target.uid, endpoint.pod, address, port].join('\n'),
        origin: `http://${addressOf(address)}:${port}`,
        connector: (dial, opened) => pinnedConnector(address, port, dial, opened),
      };
      const { authority, path } = target;
      return openCall({ line, authority, path, ...request }, { ...options, connections, limits });
    },
  };
}
