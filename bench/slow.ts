// Sockets that do not read beside healthy ones, while runs change and while all of them change at once.
import { type Figure, ms, quantile, report, round, scaled } from './rig/figures.ts';
import { makeRuns, startBenchServer, touchRun } from './rig/server.ts';
import { subscribe, subscribeAll, subscription } from './rig/subscriber.ts';

const paused = scaled(100);
const healthy = scaled(100);
/** Enough that their snapshot fills what the system keeps for a socket. */
const runs = Math.max(2_500, scaled(5_000));
const changes = scaled(2_000);
/** Until then all must be closed. */
const resumeAfterMs = 15_000;
/** A document whose events are some 4 KiB. */
const large = subscription.replace(
  'serviceRun { name',
  `serviceRun { ${Array.from({ length: 12 }, (_, n) => `m${n}: manifests`).join(' ')} name`,
);

export async function benchSlow(): Promise<Figure[]> {
  await using server = await startBenchServer();
  await makeRuns(server, runs);
  const seen: number[] = Array.from({ length: healthy }, () => 0);
  const delays: number[] = [];
  let sentAt = 0;
  const good = await subscribeAll(healthy, (index) =>
    subscribe(server.graphql, ({ type, coalesced }) => {
      if (type !== 'CHANGED') return;
      seen[index] = (seen[index] ?? 0) + coalesced + 1;
      if (sentAt > 0) delays.push(performance.now() - sentAt);
    }),
  );
  const before = await server.memory();
  const pausedAt = performance.now();
  const codes = new Map<number, number>();
  const bad = Array.from({ length: paused }, () => {
    const subscriber = subscribe(server.graphql, () => subscriber.socket.pause(), null, large);
    void subscriber.closed.then((code) => codes.set(code, (codes.get(code) ?? 0) + 1));
    return subscriber;
  });
  // A client that comes to itself just before the server would cut it learns why it was closed.
  setTimeout(() => bad.forEach(({ socket }) => socket.resume()), resumeAfterMs);
  let most = before;
  let made = 0;
  for (; made < changes || performance.now() - pausedAt < resumeAfterMs; made++) {
    sentAt = performance.now();
    await touchRun(server, `run-${made % runs}`, made + 1);
    if (made % 100 === 0) most = Math.max(most, await server.memory());
  }
  const late = new Promise<void>((resolve) => setTimeout(resolve, 10_000).unref());
  await Promise.race([late, Promise.all(bad.map(({ closed }) => closed))]);
  sentAt = 0;
  for (let last = -1; last !== seen.reduce((sum, one) => sum + one, 0); ) {
    last = seen.reduce((sum, one) => sum + one, 0);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  for (const { socket } of [...good, ...bad]) socket.terminate();
  const lost = seen.filter((count) => count < Math.max(...seen)).length;
  return [
    {
      what: `growth of the server for each of ${paused} sockets that do not read`,
      ours: `${round((most - before) / paused / 1024)} KiB`,
      comparedWith: 'allowed: 1024 KiB',
    },
    {
      what: 'they are closed within 15 s, with',
      ours: [...codes].map(([code, count]) => `${count} × ${code}`).join(', '),
      comparedWith: '4410',
    },
    { what: `of ${healthy} healthy ones, those that lost something`, ours: `${lost}`, comparedWith: '0' },
    { what: 'delay of the healthy ones, p99', ours: ms(quantile(delays, 0.99)), comparedWith: 'allowed: 250 ms' },
  ];
}

if (import.meta.main) report(await benchSlow());
