import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../../src/clock.ts';
import type { Cluster, ClusterMode } from '../../../src/k8s/cluster.ts';
import { createLog } from '../../../src/log.ts';
import { auth } from '../../../src/modules/auth/index.ts';
import { type ServerOptions, createServer } from '../../../src/server.ts';
import { createTestClock } from '../../faults/test-clock.ts';

/** A clock that stands, and can be moved to exactly the next time at which something is due. */
export function createSteppingClock() {
  const clock = createTestClock();
  const pending = new Set<{ at: number }>();
  return {
    now: () => clock.now(),
    advance: (ms: number) => clock.advance(ms),
    after(ms: number, task: () => void) {
      const timer = { at: clock.now() + ms };
      pending.add(timer);
      const cancel = clock.after(ms, () => {
        pending.delete(timer);
        task();
      });
      return () => {
        pending.delete(timer);
        cancel();
      };
    },
    /** How long until something is due. */
    get wait(): number {
      return Math.min(...[...pending].map(({ at }) => at)) - clock.now();
    },
    /** Moves to when the next thing is due. */
    step(): void {
      // Fractions of a millisecond do not add up exactly.
      clock.advance(Math.ceil(this.wait));
    },
  };
}
export type SteppingClock = ReturnType<typeof createSteppingClock>;

export interface BareOptions extends Partial<Pick<ServerOptions, 'host' | 'allowedHosts' | 'allowedOrigins'>> {
  config?: Record<string, unknown>;
  mode?: ClusterMode;
  clock?: Clock;
}

/** The server with the auth module alone, and no cluster that anything would come from. */
export async function startBare({ config, mode = 'EMBEDDED', ...options }: BareOptions) {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-auth-'));
  const log = new EventEmitter();
  const lines: string[] = [];
  const cluster = {
    mode,
    namespace: 'default',
    watchedNamespaces: null,
    namespacesOf: () => [],
    freshness: { state: 'FRESH', staleSince: null, watches: () => [], subscribe: () => () => {} },
    as: () => ({}),
    synced: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  } as unknown as Cluster;
  const server = await createServer({
    modules: [auth],
    config: config ? { auth: config } : {},
    cluster: { open: () => Promise.resolve(cluster) },
    port: 0,
    dataDir,
    log: createLog('debug', {
      write: (line) => {
        lines.push(line);
        const { msg, err } = JSON.parse(line);
        log.emit(msg, err?.message);
      },
    }),
    ...options,
  });
  const stop = async (): Promise<void> => {
    await server.stop();
    await rm(dataDir, { recursive: true });
  };
  return {
    url: server.url,
    /** All that was logged. */
    lines,
    /** The message of the error of the next log line with this text. */
    logged: async (message: string): Promise<string> => (await once(log, message))[0],
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

export type BareServer = Awaited<ReturnType<typeof startBare>>;
