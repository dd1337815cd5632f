import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { ExecutionResult } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { payloadOf } from './payload.ts';
import type { ServerContext } from './yoga.ts';

const pingEveryMs = 12_000;
/** So much may wait for a response before its events do. */
const waitingBytes = 32_768;

const headers = {
  'content-type': 'text/event-stream',
  connection: 'keep-alive',
  'cache-control': 'no-cache',
  'content-encoding': 'none',
};
const comment = Buffer.from(':\n\n');
const [before, after] = [Buffer.from('event: next\ndata: '), Buffer.from('\n\n')];
const events = new WeakMap<ExecutionResult, Buffer>();
const complete = Buffer.from('event: complete\ndata:\n\n');

/**
 * Subscriptions over SSE (graphql-sse, distinct connections): with the payload that all who get the same result share, and no
 * more than a bounded part of what is there handed to a response before it has taken the last one.
 */
export function useEventStreams(): Plugin {
  const subscriptions = new WeakSet<ServerResponse>();
  return {
    onSubscribe({ args }) {
      const { res } = args.contextValue as Partial<ServerContext>;
      if (res) subscriptions.add(res);
    },
    onResultProcess: (negotiated) => {
      const { result, resultProcessor, serverContext } = negotiated;
      const { res } = serverContext as Partial<ServerContext>;
      if (!resultProcessor || !res || !subscriptions.has(res) || !(Symbol.asyncIterator in result)) return;
      const process = (_: unknown, { Response }: { Response: typeof globalThis.Response }) =>
        new Response(eventStream(result as AsyncIterable<ExecutionResult>, res) as never, { headers });
      negotiated.setResultProcessor(process as never, 'text/event-stream');
    },
  };
}

/** Made once for all who get the same result: a copy for each would stay with those that do not read. */
function eventOf(result: ExecutionResult): Buffer {
  const present = events.get(result);
  if (present) return present;
  const event = Buffer.concat([before, payloadOf(result), after]);
  events.set(result, event);
  return event;
}

function eventStream(results: AsyncIterable<ExecutionResult>, response: ServerResponse): Readable {
  const source = results[Symbol.asyncIterator]();
  let reading = false;
  const stream = new Readable({
    highWaterMark: waitingBytes,
    read: () => void pump(),
  });
  // The first is for browsers that tell nobody of an answer before something of it is there.
  stream.push(comment);
  const pings = setInterval(() => {
    if (stream.readableLength === 0 && response.writableLength === 0) stream.push(comment);
  }, pingEveryMs).unref();
  response.once('close', () => stream.destroy());
  stream.once('close', () => {
    clearInterval(pings);
    void source.return?.().catch(() => undefined);
  });

  /** Goes on until what waits is enough. */
  async function pump(): Promise<void> {
    if (reading) return;
    reading = true;
    try {
      for (let more = true; more; ) {
        const step = await source.next();
        if (stream.destroyed) return;
        if (step.done) {
          stream.push(complete);
          stream.push(null);
          return;
        }
        more = stream.push(eventOf(step.value));
      }
    } catch (error) {
      stream.destroy(error as Error);
    } finally {
      reading = false;
    }
  }
  return stream;
}
