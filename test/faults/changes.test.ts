import { describe, expect, test } from 'vitest';
import type { CacheEvent } from '../../src/k8s/cluster.ts';
import { bookmark } from './api-server/answers.ts';
import type { FakeObject } from './api-server/server.ts';
import { changeInTheGap, first, gap, prepare } from './gap.ts';
import { describeEvent, startWatching, until } from './watching.ts';

describe('what changes while nobody watches', () => {
  test('fault 24: an object that was deleted in the gap is told of, as it was last known', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    api.disconnect();
    api.put('gone', 2);
    api.remove('gone');
    api.compact();
    await watching.converged();
    expect(watching.events).toEqual([...first, 'DELETED gone uid-2 1']);
    expect(watching.check()).toEqual([]);
  });

  test.for([
    { how: 'told by the watch', compacts: false },
    { how: 'told by a list', compacts: true },
  ])('fault 25: deleted and made again with the same name is one end and one beginning, $how', async ({ compacts }) => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    api.disconnect();
    api.remove('again');
    api.put('again', 2);
    if (compacts) api.compact();
    await watching.converged();
    expect(watching.events).toEqual([...first, 'DELETED again uid-3 1', 'ADDED again uid-4 2']);
    expect(watching.check()).toEqual([]);
  });

  test('fault 25: also when the end itself is never told', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const [open] = api.openWatches();
    open?.mute();
    api.remove('again');
    open?.exchange.event('ADDED', api.put('again', 2));
    await until(() => watching.events.length === 5);
    expect(watching.events.slice(3)).toEqual(['DELETED again uid-3 1', 'ADDED again uid-4 2']);
    open?.exchange.end();
    await watching.converged();
    expect(watching.events).toHaveLength(5);
    expect(watching.check()).toEqual([]);
  });

  test('fault 25: the late end of a predecessor does not end the object that has the name now', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const [open] = api.openWatches();
    open?.mute();
    const deleted = api.remove('again');
    const added = api.put('again', 2);
    open?.exchange.event('ADDED', added);
    open?.exchange.event('DELETED', {
      ...deleted,
      metadata: { ...deleted.metadata, resourceVersion: String(api.version) },
    });
    open?.exchange.end();
    await watching.converged();
    expect(watching.events).toEqual([...first, 'DELETED again uid-3 1', 'ADDED again uid-4 2']);
    expect(watching.check()).toEqual([]);
  });

  test('fault 26: events that come twice are told once', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const before = api.version;
    changeInTheGap(watching);
    await watching.converged();
    for (let round = 0; round < 3; round += 1) {
      api.onWatch((exchange) => {
        exchange.query.set('resourceVersion', String(before));
        exchange.serve();
      });
      api.disconnect('reset');
      await watching.converged();
    }
    expect(watching.events).toEqual([...first, ...gap]);
    expect(api.count('list')).toBe(1);
    expect(watching.check()).toEqual([]);
  });

  test('fault 27: moved out of what is wanted is an end, and back is a beginning', async () => {
    await using watching = await startWatching({ prepare, wants: (object) => object.metadata.labels?.wanted !== 'no' });
    const { api } = watching;
    await watching.ready();
    api.put('changed', 2, { labels: { wanted: 'no' } });
    api.put('changed', 3, { labels: { wanted: 'no' } });
    api.put('changed', 4);
    await watching.converged();
    expect(watching.events).toEqual([...first, 'DELETED changed uid-1 2', 'ADDED changed uid-1 4']);
    api.disconnect();
    api.put('changed', 5, { labels: { wanted: 'no' } });
    api.compact();
    await watching.converged();
    expect(watching.events.at(-1)).toBe('DELETED changed uid-1 5');
    expect(watching.check()).toEqual([]);
  });

  test('fault 27: a server that selects sends DELETED with a newer version, and ADDED when it is back', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const [open] = api.openWatches();
    open?.mute();
    open?.exchange.event('DELETED', api.put('changed', 'out'));
    open?.exchange.event('ADDED', api.put('changed', 'in'));
    open?.exchange.end();
    await watching.converged();
    expect(watching.events).toEqual([...first, 'DELETED changed uid-1 "out"', 'ADDED changed uid-1 "in"']);
  });
});

describe('bookmarks', () => {
  test('move the place to go on from', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    api.openWatches()[0]?.exchange.event('BOOKMARK', bookmark(api.version));
    api.compact();
    api.disconnect();
    await watching.converged();
    expect(api.count('list')).toBe(1);
  });

  test('fault 28: none ever: what is quiet is listed again only after the history is gone', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    api.always((exchange) => {
      exchange.query.delete('allowWatchBookmarks');
      exchange.serve();
    });
    api.disconnect();
    await watching.pass(120_000);
    expect(api.count('list')).toBe(1);
    api.of({ group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }).store(pod);
    api.compact();
    await watching.pass(60_000);
    await watching.converged();
    expect(api.count('list')).toBe(2);
    expect(watching.events).toEqual(first);
  });

  test('fault 28: without a version they are only a sign of life', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const [open] = api.openWatches();
    open?.exchange.event('BOOKMARK', { kind: 'Deployment', metadata: {} });
    open?.exchange.event('BOOKMARK', { kind: 'Deployment' });
    api.disconnect();
    changeInTheGap(watching);
    await watching.converged();
    expect(watching.events).toEqual([...first, ...gap]);
    expect(api.count('list')).toBe(1);
  });

  test('fault 28: with an old version they never lead back to it', async () => {
    await using watching = await startWatching({
      prepare: (api) => {
        prepare(api);
        api.put('short');
        api.remove('short');
      },
    });
    const { api } = watching;
    await watching.ready();
    api.openWatches()[0]?.exchange.event('BOOKMARK', bookmark(1001));
    await watching.pass(1_000);
    api.disconnect();
    await watching.converged();
    expect(watching.events).toEqual(first);
    const watches = api.requests.filter(({ kind }) => kind === 'watch');
    expect(watches.map(({ query }) => Number(query.get('resourceVersion'))).every((from) => from >= 1005)).toBe(true);
    expect(watching.check()).toEqual([]);
  });
});

const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', namespace: 'lab' } };

describe('listeners', () => {
  test('one that throws, or rejects, stops neither the others nor the watch, and nothing is told twice', async () => {
    const told: string[] = [];
    const note = (event: CacheEvent<FakeObject>) => void told.push(describeEvent(event));
    await using watching = await startWatching({
      prepare,
      listen: (cache) => {
        cache.subscribe(() => {
          throw new Error('thrown');
        });
        // oxlint-disable-next-line typescript/no-misused-promises -- what callers do, and the compiler lets pass
        cache.subscribe(() => Promise.reject(new Error('rejected')));
        cache.subscribe(note);
        cache.index('broken', () => {
          throw new Error('no key');
        });
      },
    });
    const { api } = watching;
    watching.cluster.freshness.subscribe(() => {
      throw new Error('thrown');
    });
    const turns: string[] = [];
    watching.cluster.freshness.subscribe((state) => turns.push(state));
    await watching.ready();
    api.disconnect();
    changeInTheGap(watching);
    await watching.converged();
    expect(told).toEqual([...first, ...gap]);
    expect(watching.events).toEqual(told);
    expect(api.count('list')).toBe(1);
    await api.stop();
    await watching.pass(6_000);
    await api.start();
    await watching.converged();
    expect(turns).toEqual(['STALE', 'FRESH']);
  });

  test('one that has left is not told', async () => {
    const told: string[] = [];
    await using watching = await startWatching({ prepare });
    const leave = watching.cache.subscribe((event) => told.push(describeEvent(event)));
    await watching.ready();
    leave();
    changeInTheGap(watching);
    await watching.converged();
    expect(told).toEqual(first);
  });
});
