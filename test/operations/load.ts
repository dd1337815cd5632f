import { once } from 'node:events';
import { Agent, request } from 'undici';

export interface Load {
  /** What went wrong, in words; empty when nothing did. */
  readonly failures: readonly string[];
  readonly answered: number;
  /** Resolves when so many more were answered, or one of them was not. */
  more(count: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Clients that send one request after another: some keep their connections, some open one for each. `next` gives what to
 * send, at its own pace.
 */
export function startLoad(
  url: string,
  options: { keeping: number; opening: number; next: () => Promise<string> | string },
): Load {
  const failures: string[] = [];
  const stopped = new AbortController();
  const agents = [new Agent({ connections: options.keeping }), new Agent({ pipelining: 0 })] as const;
  let answered = 0;
  const told = new EventTarget();

  async function client(dispatcher: Agent, connection: string): Promise<void> {
    while (!stopped.signal.aborted) {
      const body = await options.next();
      if (stopped.signal.aborted) return;
      try {
        const answer = await request(`${url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
          dispatcher,
        });
        const text = await answer.body.text();
        if (answer.statusCode !== 200 || text.includes('"errors"')) failures.push(`${answer.statusCode} ${text}`);
        else answered += 1;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        failures.push(`${connection}: ${code ? `${code}: ` : ''}${String(error)}`);
      }
      told.dispatchEvent(new Event('answer'));
    }
  }

  const clients = [
    ...Array.from({ length: options.keeping }, () => client(agents[0], 'kept connection')),
    ...Array.from({ length: options.opening }, () => client(agents[1], 'new connection')),
  ];
  return {
    failures,
    get answered() {
      return answered;
    },
    async more(count) {
      const wanted = answered + count;
      while (answered < wanted && failures.length === 0) await once(told, 'answer');
    },
    async stop() {
      stopped.abort();
      await Promise.all(clients);
      await Promise.all(agents.map((agent) => agent.close()));
    },
  };
}
