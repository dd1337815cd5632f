import { describe, expect, test } from 'vitest';
import { wantedBy } from '../../src/k8s/admission.ts';
import { createCache } from '../../src/k8s/cache.ts';
import type { Watch } from '../../src/k8s/cluster.ts';
import { type KubeEvent, type Pod, type Resource, events, pods } from '../../src/k8s/resources.ts';
import { createLog } from '../../src/log.ts';
import { createTestClock } from '../faults/test-clock.ts';

let versions = 1;

function pod(name: string, metadata: Partial<Pod['metadata']> = {}): Pod {
  const resourceVersion = String((versions += 1));
  const { uid = `uid-${name}` } = metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'lab', ...metadata, uid, resourceVersion },
    spec: { containers: [] },
  };
}

function world<T extends Pod | KubeEvent = Pod>(watches: Watch<T>[] = [{ resource: pods as unknown as Resource<T> }]) {
  const clock = createTestClock();
  let synced = true;
  const resource = watches[0]?.resource as Resource<T>;
  const { cache, writer } = createCache<T>({
    ...{ resource, wants: wantedBy(watches), synced: () => synced, clock, log: createLog('silent') },
  });
  const told: string[] = [];
  cache.subscribe(({ type, object }) => told.push(`${type} ${object.metadata.name} ${object.metadata.uid}`));
  const names = (found: Iterable<T>) => [...found].map((object) => object.metadata.name).sort();
  return { cache, writer, clock, told, names, unsync: () => (synced = false) };
}

describe('a cache', () => {
  test('finds objects by name, uid, namespace, owner and own keys, and forgets them under all of these', () => {
    const { cache, writer, names } = world();
    const owned = { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'owner' }] };
    writer.put(pod('a', owned));
    writer.put(pod('b', { namespace: 'prod', labels: { app: 'x', tier: 'y' } }));
    const byLabel = cache.index('label', (object) => Object.values(object.metadata.labels ?? {}));
    writer.put(pod('c', { labels: { app: 'x' } }));
    expect(cache.get('lab', 'a')?.metadata.uid).toBe('uid-a');
    expect(cache.byUid('uid-b')?.metadata.name).toBe('b');
    expect(names(cache.list())).toEqual(['a', 'b', 'c']);
    expect(names(cache.list('lab'))).toEqual(['a', 'c']);
    expect(names(cache.byOwner('owner'))).toEqual(['a']);
    expect([names(byLabel('x')), names(byLabel('y'))]).toEqual([['b', 'c'], ['b']]);
    expect(cache.index('label', () => [])('x')).toEqual(byLabel('x'));

    writer.put(pod('b', { namespace: 'prod', labels: { app: 'z' } }));
    writer.put(pod('a'));
    writer.remove(pod('c'));
    expect([names(byLabel('x')), names(byLabel('y')), names(byLabel('z'))]).toEqual([[], [], ['b']]);
    expect(names(cache.byOwner('owner'))).toEqual([]);
    expect([names(cache.list('lab')), cache.size, writer.count('prod')]).toEqual([['a'], 2, 1]);
  });

  test('keeps what any of its watches wants', async () => {
    const wants = (label: string) => (object: Pod) => object.metadata.labels?.[label] !== undefined;
    const { cache, writer, names } = world([
      { resource: pods, wants: wants('a') },
      { resource: pods, wants: wants('b') },
    ]);
    await writer.replace([
      pod('one', { labels: { a: '' } }),
      pod('two', { labels: { b: '' } }),
      pod('three', { labels: { c: '' } }),
    ]);
    expect(names(cache.list())).toEqual(['one', 'two']);

    const byPlace = cache.index('place', (object) => [object.metadata.annotations?.place ?? 'here']);
    writer.put(pod('one', { annotations: { place: 'there' } }));
    expect([names(byPlace('here')), names(byPlace('there'))]).toEqual([['two'], []]);
  });

  test('keeps of Events the 20 newest warnings of each object', () => {
    const { cache, writer } = world<KubeEvent>([{ resource: events }]);
    const event = (about: string, second: number, type = 'Warning'): KubeEvent => ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        name: `${about}-${second}`,
        namespace: 'lab',
        uid: `${about}-${second}`,
        resourceVersion: String(second),
      },
      involvedObject: { uid: about },
      lastTimestamp: new Date(second * 1000).toISOString(),
      type,
    });
    writer.put(event('a', 1, 'Normal'));
    for (let second = 30; second > 0; second -= 1) writer.put(event('a', second));
    for (let second = 1; second <= 30; second += 1) writer.put(event('b', second));
    const of = (about: string) => [...cache.list()].filter(({ metadata }) => metadata.name.startsWith(about));
    expect([of('a').length, of('b').length]).toEqual([20, 20]);
    for (const about of ['a', 'b']) {
      expect(
        of(about)
          .map(({ metadata }) => Number(metadata.resourceVersion))
          .toSorted((x, y) => x - y)[0],
      ).toBe(11);
    }
  });
});

describe('a write that was made', () => {
  const never = Symbol('pending');
  const now = (seen: Promise<boolean>) =>
    Promise.race([seen, new Promise((resolve) => setImmediate(() => resolve(never)))]);

  test('is seen when it comes, or when a later one came already', async () => {
    const { cache, writer } = world();
    const [first, second] = [pod('a'), pod('a')];
    const waiting = cache.seen(first);
    expect(await now(waiting)).toBe(never);
    writer.put(structuredClone(first));
    expect(await waiting).toBe(true);
    writer.put(structuredClone(second));
    expect(await now(cache.seen(first))).toBe(true);
    expect(await now(cache.seen(second))).toBe(true);
  });

  test('is seen when the object is gone since', async () => {
    const { cache, writer } = world();
    const [first, second] = [pod('a'), pod('a')];
    writer.put(structuredClone(first));
    const waiting = cache.seen(second);
    await writer.replace([]);
    expect(await waiting).toBe(true);
    expect(await now(cache.seen(pod('a')))).toBe(true);
  });

  test('a deletion is seen when the object is gone, or on its way', async () => {
    const { cache, writer } = world();
    const [a, b] = [pod('a'), pod('b')];
    writer.put(structuredClone(a));
    writer.put(structuredClone(b));
    const waiting = cache.seen(a, { deleted: true });
    expect(await now(waiting)).toBe(never);
    writer.put(pod('a', { deletionTimestamp: '2026-01-01T00:00:00Z' }));
    expect(await waiting).toBe(true);
    writer.remove(structuredClone(b));
    expect(await now(cache.seen(b, { deleted: true }))).toBe(true);
  });

  test('an absent object is not known to be deleted before the first list is in', async () => {
    const { cache, unsync } = world();
    unsync();
    expect(await now(cache.seen(pod('a'), { deleted: true }))).toBe(never);
  });

  test('is given up after 2 s, or as long as one asks, and nothing stays behind', async () => {
    const { cache, clock } = world();
    const [usual, short] = [cache.seen(pod('a')), cache.seen(pod('a'), { timeoutMs: 500 })];
    clock.advance(500);
    expect(await short).toBe(false);
    expect(await now(usual)).toBe(never);
    clock.advance(1_500);
    expect(await usual).toBe(false);
    expect(clock.timers).toBe(0);
  });
});
