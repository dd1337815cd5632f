import type { Writable } from 'node:stream';
import type { ExecutionResult, GraphQLError } from 'graphql';
import type { WebSocket } from 'ws';
import type { SharedResult } from './shared-results.ts';

/** So much may wait for a socket before its events do. */
const waitingBytes = 65_536;

/**
 * Sends the results of a subscription to a socket as `next` messages of graphql-transport-ws, with the text that all who get
 * the same result share. Gives nothing to whoever reads it: only its end.
 */
export function deliver(
  results: AsyncIterable<ExecutionResult>,
  id: string,
  { socket, stream }: { socket: WebSocket; stream: Writable },
): AsyncGenerator<never, void> {
  const source = results[Symbol.asyncIterator]();
  const before = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
  const done = { done: true, value: undefined } as const;
  const delivery: AsyncGenerator<never, void> = {
    async next() {
      for (;;) {
        const step = await source.next();
        if (step.done) return done;
        if (socket.readyState !== socket.OPEN) return delivery.return();
        packed(stream);
        await send(socket, `${before}${textOf(step.value)}}`);
      }
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

function textOf(result: SharedResult): string {
  if (result.stringify) return result.stringify(result);
  const { errors, ...rest } = result;
  return JSON.stringify(errors ? { ...rest, errors: errors.map((error: GraphQLError) => error.toJSON()) } : rest);
}

const corked = new WeakSet<Writable>();

/** All that is sent to a socket in one go leaves in one write. */
function packed(stream: Writable): void {
  if (corked.has(stream)) return;
  corked.add(stream);
  stream.cork();
  process.nextTick(() => {
    corked.delete(stream);
    stream.uncork();
  });
}

/** What a socket takes at once is not waited for; then each event waits for the one before it. */
function send(socket: WebSocket, text: string): Promise<void> | void {
  if (socket.bufferedAmount < waitingBytes) return socket.send(text, ignore);
  return new Promise((resolve) => socket.send(text, () => resolve()));
}

/** A socket that can't be written to tells so by its end. */
const ignore = (): void => {};
