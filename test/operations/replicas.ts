import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ServerProcess, serverEnvironment, startProcess } from '../commands/process.ts';
import type { Balancer } from './balancer.ts';

export interface Restart {
  exitCode: number | null;
  /** From the signal until no new connection goes to it: more than the 12 s it waits, and requests are lost. */
  secondsToLeave: number;
  /** From the signal to its end. */
  secondsToEnd: number;
}

export interface Replica {
  readonly url: string;
  /** As in a rolling update: it is told to end, leaves the balancer late, ends, and a new one takes its place. */
  restart(): Promise<Restart>;
  stop(): Promise<void>;
}

/** The cluster that all replicas are servers of. */
export async function startCluster(folder: string): Promise<{ kubeconfig: string; stop(): Promise<void> }> {
  const dataDir = join(folder, 'cluster');
  const server = await startProcess(serverEnvironment(dataDir, { SLIPWAY_DEMO: 'false' }));
  return { kubeconfig: join(dataDir, 'kubeconfig'), stop: () => server.end() };
}

/** A server behind the balancer. */
export async function startReplica(
  dataDir: string,
  balancer: Balancer,
  settings: { drainMs: number; kubeconfig: string },
): Promise<Replica> {
  const start = (): Promise<ServerProcess> =>
    startProcess(
      serverEnvironment(dataDir, {
        SLIPWAY_CLUSTER: 'kubeconfig',
        KUBECONFIG: settings.kubeconfig,
        SLIPWAY_METRICS_PORT: '0',
        SLIPWAY_DRAIN_MS: String(settings.drainMs),
      }),
    );
  const enter = (): string => {
    const { origin } = new URL(running.ready.graphql);
    balancer.add(origin);
    return origin;
  };
  let running = await start();
  let url = enter();

  return {
    get url() {
      return url;
    },
    async restart() {
      const began = performance.now();
      running.child.kill('SIGTERM');
      // Endpoints are removed some time after a Pod has begun to end: until then it gets new connections. Whether any come
      // or not, that is over long before the time that the server was told.
      const late = notReady(url).then(() => balancer.connections(url, 2));
      await Promise.race([late, sleep(settings.drainMs / 2, undefined, { ref: false })]);
      balancer.remove(url);
      const secondsToLeave = (performance.now() - began) / 1000;
      const exitCode = await running.ended;
      const secondsToEnd = (performance.now() - began) / 1000;
      running = await start();
      url = enter();
      return { exitCode, secondsToLeave, secondsToEnd };
    },
    stop: () => running.end(),
  };
}

async function notReady(url: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${url}/readyz`).catch(() => null);
    if (answer?.status !== 200) return;
    // As a probe, which leaves the server time for others.
    await sleep(50);
  }
}
