import { expect, test } from 'vitest';
import type { Clock } from '../../../src/clock.ts';
import { openSqlite } from '../../../src/database.ts';
import { createLog } from '../../../src/log.ts';
import { healthConfig } from '../../../src/modules/health/config.ts';
import { startHistory } from '../../../src/modules/health/health.ts';
import { openTransitions } from '../../../src/modules/health/transitions.ts';
import { manualClock } from '../../schema/stream/world.ts';
import { createFakeRuns, run } from './world.ts';

const log = createLog('silent');
const day = 86_400_000;

/** A history over a database that outlives it, as a file outlives the server. */
function createWorld(time = manualClock()) {
  const database = openSqlite(':memory:');
  const fake = createFakeRuns();
  const start = async (config: Record<string, unknown> = {}, clock: Clock = time.clock) => {
    const store = await openTransitions({ ...database, close: () => Promise.resolve() }, () => clock.now());
    return startHistory({ runs: fake.runs, store, config: healthConfig.parse(config), clock, log });
  };
  return { ...fake, time, start };
}

test('every change of health is kept once, with what it was before and the time it began', async () => {
  const { put, start } = createWorld();
  const history = await start();
  put(run('a', { health: 'PROGRESSING', since: 1000, message: 'Starting.' }));
  put(run('a', { health: 'PROGRESSING', since: 1000, message: 'Still starting.' }));
  put(run('a', { health: 'HEALTHY', since: 2000 }));
  put(run('b', { health: 'DEGRADED', since: 1500, message: 'No image.' }));
  expect(await history.transitions('default/a', 20)).toEqual([
    { at: 1000, from: null, to: 'PROGRESSING', message: 'Starting.' },
    { at: 2000, from: 'PROGRESSING', to: 'HEALTHY', message: null },
  ]);
  expect(await history.transitions('default/b', 20)).toHaveLength(1);
  await history.stop();
});

test('the newest are given, oldest of them first', async () => {
  const { put, start } = createWorld();
  const history = await start();
  for (let i = 0; i < 10; i++) put(run('a', { health: i % 2 === 0 ? 'HEALTHY' : 'DEGRADED', since: i * 1000 }));
  const [two, all] = await Promise.all([history.transitions('default/a', 2), history.transitions('default/a', 200)]);
  expect(two?.map(({ at }) => at)).toEqual([8000, 9000]);
  expect(all).toHaveLength(10);
  await history.stop();
});

test('transitions within the same second keep their order', async () => {
  const { put, start } = createWorld();
  const history = await start();
  for (const health of ['HEALTHY', 'DEGRADED', 'HEALTHY', 'DEGRADED'] as const) put(run('a', { health, since: 1000 }));
  const kept = await history.transitions('default/a', 20);
  expect(kept?.map(({ to, at }) => `${to} ${at}`)).toEqual([
    'HEALTHY 1000',
    'DEGRADED 1001',
    'HEALTHY 1002',
    'DEGRADED 1003',
  ]);
  await history.stop();
});

test('what changed while no server looked comes after what was known, though the cluster keeps no time of it', async () => {
  const { put, start, time } = createWorld();
  const first = await start();
  put(run('a', { health: 'HEALTHY', since: time.clock.now() - 5000 }));
  await first.stop();
  time.advance(60_500);
  put(run('a', { health: 'MISSING', since: 1000 }));
  const second = await start();
  expect(await second.transitions('default/a', 20)).toMatchObject([
    { to: 'HEALTHY' },
    { from: 'HEALTHY', to: 'MISSING', at: time.clock.now() - 500 },
  ]);
  await second.stop();
  const third = await start();
  expect(await third.transitions('default/a', 20)).toHaveLength(2);
  await third.stop();
});

test('a restart of the server invents no transition and keeps the old ones', async () => {
  const { put, start } = createWorld();
  const first = await start();
  put(run('a', { health: 'HEALTHY', since: 1000 }));
  put(run('b', { health: 'HEALTHY', since: 1000 }));
  await first.stop();
  put(run('b', { health: 'DEGRADED', since: 3000, message: 'Crashed while we were away.' }));
  const second = await start();
  expect(await second.transitions('default/a', 20)).toEqual([{ at: 1000, from: null, to: 'HEALTHY', message: null }]);
  expect((await second.transitions('default/b', 20))?.at(-1)).toMatchObject({
    at: 3000,
    from: 'HEALTHY',
    to: 'DEGRADED',
  });
  await second.stop();
});

test('two replicas that see the same keep it once', async () => {
  const { put, start } = createWorld();
  const [one, other] = [await start(), await start()];
  put(run('a', { health: 'PROGRESSING', since: 1000 }));
  put(run('a', { health: 'HEALTHY', since: 2000 }));
  await one.transitions('default/a', 20);
  expect(await other.transitions('default/a', 20)).toHaveLength(2);
  await one.stop();
  await other.stop();
});

test('a run made again under the same name begins anew', async () => {
  const { put, start } = createWorld();
  const history = await start();
  put(run('a', { health: 'DEGRADED', since: 1000 }, { uid: 'first' }));
  put(run('a', { health: 'PROGRESSING', since: 2000 }, { uid: 'second' }));
  expect(await history.transitions('default/a', 20)).toEqual([
    { at: 2000, from: null, to: 'PROGRESSING', message: null },
  ]);
  await history.stop();
});

test('an unknown run has none', async () => {
  const history = await createWorld().start();
  expect(await history.transitions('default/nobody', 20)).toEqual([]);
  await history.stop();
});

test('old ones go, but never the last of a run that is still there', async () => {
  const { put, remove, start, time } = createWorld();
  const history = await start();
  const begun = time.clock.now();
  put(run('a', { health: 'PROGRESSING', since: begun }));
  put(run('a', { health: 'HEALTHY', since: begun + 1000 }));
  const gone = run('gone', { health: 'HEALTHY', since: begun });
  put(gone);
  await history.transitions('default/a', 1);
  remove(gone);
  time.advance(31 * day);
  const anHourLater = () => {
    time.advance(3_600_000);
    return history.transitions('default/a', 20);
  };
  await expect.poll(anHourLater).toEqual([{ at: begun + 1000, from: 'PROGRESSING', to: 'HEALTHY', message: null }]);
  put(run('gone', { health: 'DEGRADED', since: begun + 31 * day }));
  expect(await history.transitions('default/gone', 20)).toMatchObject([{ from: null, to: 'DEGRADED' }]);
  await history.stop();
});

test('only so many are kept of one run', async () => {
  const { put, start, time } = createWorld();
  const history = await start({ historyPerRun: 5 });
  const begun = time.clock.now();
  for (let i = 0; i < 30; i++) put(run('a', { health: i % 2 === 0 ? 'HEALTHY' : 'DEGRADED', since: begun + i }));
  expect(await history.transitions('default/a', 200)).toHaveLength(30);
  time.advance(60_000);
  await expect.poll(() => history.transitions('default/a', 200)).toHaveLength(5);
  await history.stop();
});

test('stopping leaves no timer and no listener', async () => {
  const { start, listeners, time } = createWorld();
  const history = await start();
  expect(listeners.size).toBe(1);
  await history.stop();
  expect(listeners.size).toBe(0);
  expect(time.pending).toBe(0);
});

test('a database that fails is logged and harms nothing else', async () => {
  const { put, runs, time } = createWorld();
  const broken = {
    add: () => Promise.reject(new Error('disk full')),
    newest: () => Promise.resolve(new Map()),
    prune: () => Promise.reject(new Error('disk full')),
    close: () => Promise.resolve(),
  };
  const history = startHistory({ runs, store: broken, config: healthConfig.parse({}), clock: time.clock, log });
  put(run('a', { health: 'DEGRADED' }));
  expect(await history.transitions('default/a', 20)).toEqual([]);
  await history.stop();
});
