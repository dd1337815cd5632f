import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report, Request } from '../cluster/server.ts';
import type { Order } from './api-server.ts';

/** A server of its own process on an API server of its own process, of which everything can change at once. */
export interface FakeCluster extends AsyncDisposable {
  readonly graphql: string;
  /** What `resume` of a stopped run brings back: its message tells the nonce. */
  touch(run: number, nonce: number): Promise<void>;
  /** Its rollout has stalled since then, or not at all. */
  stall(run: number, since: Date | null): Promise<void>;
  make(run: number): Promise<void>;
  remove(run: number): Promise<void>;
  /** All runs change while no watch is open: the server has to list them again. */
  relist(nonce: number): Promise<void>;
  report(asked?: Request): Promise<Report>;
}

/** The first `fat` runs have an argument of so many bytes, for those who ask for it. */
export async function startFakeCluster(
  runs: number,
  { fat, bytes }: { fat: number; bytes: number } = { fat: 0, bytes: 0 },
): Promise<FakeCluster> {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const kubeconfig = join(dataDir, 'kubeconfig');
  const api = await start('api-server.ts', [kubeconfig]);
  // As many as there are orders under way.
  api.setMaxListeners(0);
  let number = 0;
  const order = async (what: DistributiveOmit<Order, 'number'>): Promise<void> => {
    const mine = ++number;
    const done = new Promise<void>((resolve) => {
      const listen = (answer: number) => {
        if (answer !== mine) return;
        api.off('message', listen);
        resolve();
      };
      api.on('message', listen);
    });
    api.send({ ...what, number: mine });
    await done;
  };
  await order({ do: 'fill', runs, fat, bytes });
  const server = await start('../cluster/server.ts', [kubeconfig, dataDir]);
  const report = async (asked: Request = 'report'): Promise<Report> => {
    const answered = once(server, 'message') as Promise<[Report]>;
    server.send(asked);
    return (await answered)[0];
  };
  const { url } = await report();
  return {
    graphql: `${url}/graphql`,
    touch: (run, nonce) => order({ do: 'touch', run, nonce }),
    stall: (run, since) => order({ do: 'stall', run, since: since?.toISOString() ?? null }),
    make: (run) => order({ do: 'make', run }),
    remove: (run) => order({ do: 'remove', run }),
    relist: (nonce) => order({ do: 'relist', nonce }),
    report,
    async [Symbol.asyncDispose]() {
      for (const child of [server, api]) await end(child);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

async function start(program: string, args: string[]): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, program), args, {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const failed = once(child, 'exit').then(([code]) => Promise.reject(new Error(`${program} ended with ${code}`)));
  failed.catch(() => undefined);
  await Promise.race([once(child, 'message'), failed]);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.disconnect();
  await ended;
}
