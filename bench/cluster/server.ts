// The server to be measured, in a process of its own: started by other benches, which it answers over IPC.
import { subscribe } from 'node:diagnostics_channel';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Auth } from '../../src/auth.ts';
import { fullAccess, localCaller } from '../../src/caller.ts';
import { systemClock } from '../../src/clock.ts';
import { connect } from '../../src/k8s/connect.ts';
import { createLog } from '../../src/log.ts';
import { defineModule } from '../../src/module.ts';
import { builtinModules } from '../../src/modules/index.ts';
import { createServer } from '../../src/server.ts';

/** What the process says of itself. */
export interface Report {
  url: string;
  /** Requests to the cluster so far, those of the caches left out. */
  upstream: number;
  rssMiB: number;
  peakMiB: number;
  heapMiB: number;
  /** In bytes, exactly. */
  memory: { rss: number; heap: number; external: number };
  cpuSeconds: number;
  /** How late the event loop was since the last report: in ms, of which the 1 ms between two looks is none. */
  loop: { p99: number; max: number };
}

/** What it is asked for: `collect` is a report after a full collection of garbage. */
export type Request = 'report' | 'collect';

const [kubeconfig, dataDir] = process.argv.slice(2);
if (!kubeconfig || !dataDir) throw new Error('usage: server.ts KUBECONFIG FOLDER');

let upstream = 0;
subscribe('undici:request:create', (message) => {
  const { path } = (message as { request: { path: string } }).request;
  // Lists of whole kinds are the caches' own: of kinds that the cluster lacks they come again and again.
  if (!/[?&](watch=true|limit=500)|^\/apis$/.test(path)) upstream++;
});

/** Somebody who is signed in and may do everything: what is measured are the caches. */
const auth = defineModule({
  name: 'auth',
  provides: { auth: Auth },
  start: () => ({
    auth: {
      authenticate: () => Promise.resolve({ ...localCaller, local: false, name: 'bench:somebody' }),
      access: () => fullAccess,
    },
  }),
});

const log = createLog(process.env.SLIPWAY_LOG ?? 'error');
const server = await createServer({
  modules: [auth, ...builtinModules.filter(({ name }) => name !== 'auth')],
  config: { metrics: { port: 0 } },
  // All subscribers are the same caller.
  socketLimits: { socketsPerCaller: 100_000 },
  cluster: await connect({ mode: 'KUBECONFIG', kubeconfig, clock: systemClock, log }),
  ...{ port: 0, dataDir, log },
});

const mib = (bytes: number) => Math.round(bytes / 2 ** 20);
const looked = 1;
const loop = monitorEventLoopDelay({ resolution: looked });
loop.enable();
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

process.on('message', (asked: Request) => {
  const delays = { p99: late(loop.percentile(99)), max: late(loop.max) };
  // What the first collection frees outside the heap is given back by the second.
  if (asked === 'collect') for (let n = 0; n < 2; n++) collect();
  const { rss, heapUsed, external } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const report: Report = {
    url: server.url,
    upstream,
    rssMiB: mib(rss),
    heapMiB: mib(heapUsed),
    memory: { rss, heap: heapUsed, external },
    cpuSeconds: Math.round((user + system) / 10_000) / 100,
    peakMiB: mib(process.resourceUsage().maxRSS * 1024),
    loop: delays,
  };
  loop.reset();
  process.send?.(report);
});
process.on('disconnect', () => void server.stop());
process.send?.({ started: true });

function late(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - looked);
}
