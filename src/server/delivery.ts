import type { ExecutionResult } from 'graphql';
import type { WebSocket } from 'ws';
import type { Outlet } from './outlet.ts';
import { payloadOf } from './payload.ts';

/** Larger ones are not copied for each socket. */
const copiedBytes = 4_096;
const end = Buffer.from('}');

/**
 * Sends the results of a subscription to a socket as `next` messages of graphql-transport-ws, with the payload that all who
 * get the same result share. Gives nothing to whoever reads it: only its end.
 */
export function deliver(
  results: AsyncIterable<ExecutionResult>,
  id: string,
  { socket, outlet }: { socket: WebSocket; outlet: Outlet },
): AsyncGenerator<never, void> {
  const source = results[Symbol.asyncIterator]();
  const before = Buffer.from(`{"id":${JSON.stringify(id)},"type":"next","payload":`);
  const done = { done: true, value: undefined } as const;
  const delivery: AsyncGenerator<never, void> = {
    async next() {
      for (;;) {
        const step = await source.next();
        if (step.done) break;
        if (socket.readyState !== socket.OPEN) return delivery.return();
        outlet.push(...frame(before, payloadOf(step.value)));
        if (outlet.full) await outlet.full;
      }
      // Whoever reads us says next that this was all.
      outlet.flush();
      return done;
    },
    async return() {
      await source.return?.();
      return done;
    },
    async throw(error) {
      await source.return?.();
      throw error;
    },
    [Symbol.asyncIterator]: () => delivery,
    [Symbol.asyncDispose]: async () => void (await delivery.return()),
  };
  return delivery;
}

/** A text message in one unmasked frame, as servers send it. */
function frame(before: Buffer, payload: Buffer): Buffer[] {
  const length = before.length + payload.length + end.length;
  const short = payload.length < copiedBytes;
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const first = Buffer.allocUnsafe(head + before.length + (short ? payload.length + end.length : 0));
  first[0] = 0x81;
  if (head === 2) first[1] = length;
  else if (head === 4) {
    first[1] = 126;
    first.writeUInt16BE(length, 2);
  } else {
    first[1] = 127;
    first.writeBigUInt64BE(BigInt(length), 2);
  }
  before.copy(first, head);
  if (!short) return [first, payload, end];
  payload.copy(first, head + before.length);
  end.copy(first, first.length - end.length);
  return [first];
}
