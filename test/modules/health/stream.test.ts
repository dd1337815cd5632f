import { expect, test } from 'vitest';
import { everything } from '../../../src/caller.ts';
import { createHealthStream } from '../../../src/modules/health/health.ts';
import type { HealthStatus, RunView } from '../../../src/modules/runs/service.ts';
import type { StreamEvent } from '../../../src/schema/stream.ts';
import { manualClock } from '../../schema/stream/world.ts';
import { createFakeRuns, run } from './world.ts';

function open(matches: (view: RunView) => boolean = () => true) {
  const fake = createFakeRuns();
  const freshness = { state: 'FRESH' as const, staleSince: null, watches: () => [], subscribe: () => () => {} };
  const stream = createHealthStream(fake.runs, { freshness }, manualClock().clock);
  return { ...fake, events: stream.subscribe({ filter: null, matches, scope: everything }) };
}

async function read(events: AsyncIterator<StreamEvent<RunView>>): Promise<string> {
  const { value } = (await events.next()) as { value: StreamEvent<RunView> };
  const health = (view: RunView | null): HealthStatus | '' => view?.status.health ?? '';
  return [value.type, value.id, health(value.previous), health(value.item)].filter(Boolean).join(' ');
}

test('a change of anything in status is told, with the health before; when it was observed is no change', async () => {
  const { put, events } = open();
  put(run('a', { health: 'PROGRESSING', state: 'PENDING' }));
  expect(await read(events)).toBe('SYNCED');
  expect(await read(events)).toBe('ADDED id-a PROGRESSING');
  put(run('a', { health: 'PROGRESSING', state: 'PENDING', observedAt: 5 }, { labels: { team: 'x' } }));
  put(run('a', { health: 'HEALTHY' }));
  expect(await read(events)).toBe('CHANGED id-a PROGRESSING HEALTHY');
  put(run('a', { health: 'HEALTHY', restarts: 1 }));
  expect(await read(events)).toBe('CHANGED id-a HEALTHY HEALTHY');
});

test('an ERROR between two reads is told though the run has recovered', async () => {
  const { put, events } = open();
  await read(events);
  put(run('a'));
  expect(await read(events)).toBe('ADDED id-a HEALTHY');
  put(run('a', { health: 'PROGRESSING' }));
  put(run('a', { health: 'DEGRADED', state: 'ERROR' }));
  put(run('a', { health: 'PROGRESSING' }));
  put(run('a', { health: 'HEALTHY' }));
  expect(await read(events)).toBe('CHANGED id-a HEALTHY DEGRADED');
  expect(await read(events)).toBe('CHANGED id-a DEGRADED HEALTHY');
});

test('a run that no longer has the health asked for is REMOVED', async () => {
  const { put, events } = open((view) => view.status.health === 'DEGRADED');
  await read(events);
  put(run('a', { health: 'DEGRADED' }));
  put(run('a', { health: 'HEALTHY' }));
  expect(await read(events)).toBe('ADDED id-a DEGRADED');
  expect(await read(events)).toBe('REMOVED id-a');
});
