import dns from 'node:dns';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createAuthority } from '../k8s/certificates.ts';
import { startFakeApi } from './api-server/server.ts';
import { changeInTheGap, first, gap, gapByList, prepare } from './gap.ts';
import { startWatching } from './watching.ts';

const tooLarge = {
  kind: 'Status',
  code: 504,
  reason: 'Timeout',
  details: { causes: [{ reason: 'ResourceVersionTooLarge' }] },
};

afterEach(() => void vi.restoreAllMocks());

describe('the way to the server', () => {
  test('fault 19: a name that can not be resolved, and then is another address', async () => {
    const addresses: { now: string | null } = { now: '127.0.0.1' };
    const { lookup } = dns;
    const resolve = (name: string, options: { all?: boolean }, answer: Answer) => {
      const address = addresses.now;
      if (name !== 'api.test') lookup(name, options, answer);
      else if (address === null) answer(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }));
      else if (options.all) answer(null, [{ address, family: 4 }]);
      else answer(null, address, 4);
    };
    vi.spyOn(dns, 'lookup').mockImplementation(resolve as unknown as typeof dns.lookup);
    const authority = { port: 0 };
    await using watching = await startWatching({
      prepare: (api) => {
        prepare(api);
        authority.port = api.port;
      },
      nameOf: (url) => url.replace('127.0.0.1', 'api.test'),
    });
    const { api, clock } = watching;
    await watching.ready();
    addresses.now = null;
    await api.stop();
    await watching.flow(() => watching.cluster.freshness.state === 'STALE', 5_100);
    expect(watching.watchState().error).toContain('ENOTFOUND');

    const moved = await startFakeApi({ clock, host: '127.0.0.2', port: authority.port });
    moved.put('changed', 9);
    addresses.now = '127.0.0.2';
    await watching.flow(() => watching.events.at(-1)?.endsWith(' 9') === true, 35_000);
    expect(watching.names()).toEqual(['changed']);
    expect(moved.count('list')).toBe(1);
    await moved.stop();
  });

  test('fault 20: the authority of the API server is replaced: its file is read again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-ca-'));
    const kubeconfig = join(folder, 'config');
    const [old, renewed] = [createAuthority('old'), createAuthority('new')];
    await writeFile(join(folder, 'ca.crt'), old.cert);
    await using watching = await startWatching({
      prepare,
      api: { tls: old.forServer() },
      connect: { mode: 'KUBECONFIG', kubeconfig },
      kubeconfig: { path: kubeconfig, cluster: { 'certificate-authority': 'ca.crt' } },
    });
    const { api } = watching;
    await watching.ready();
    await api.stop();
    await api.start(renewed.forServer());
    changeInTheGap(watching);
    await watching.flow(() => watching.cluster.freshness.state === 'STALE', 10_000);
    expect(watching.events).toEqual(first);
    expect(watching.watchState().error).toContain('the API server can not be reached');

    await writeFile(join(folder, 'ca.crt'), renewed.cert);
    await watching.converged(35_000);
    expect(watching.events).toEqual([...first, ...gap]);
    expect(watching.check()).toEqual([]);
    await rm(folder, { recursive: true });
  });

  test.for([
    { what: 'that remembers', forgets: false, events: gap, lists: 1 },
    { what: 'that has forgotten its history', forgets: true, events: gapByList, lists: 2 },
  ])('fault 21: a restart of the API server $what', async ({ forgets, events, lists }) => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    await api.stop();
    changeInTheGap(watching);
    if (forgets) api.compact();
    await watching.pass(3_000);
    expect(watching.watchState().error).toContain('ECONNREFUSED');
    await api.start();
    await watching.converged();
    expect(watching.events).toEqual([...first, ...events]);
    expect(api.count('list')).toBe(lists);
    expect(watching.check()).toEqual([]);
  });
});

type Answer = (error: Error | null, ...found: unknown[]) => void;

describe('another server', () => {
  test.for([
    { how: 'as a status', event: false },
    { how: 'as an ERROR event', event: true },
  ])('fault 22: one that is behind: the version is too large for it, $how', async ({ event }) => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    api.onWatch((exchange) => {
      if (!event) return exchange.status(504, 'Timeout', { cause: 'ResourceVersionTooLarge' });
      exchange.open();
      exchange.event('ERROR', tooLarge);
    });
    api.disconnect();
    changeInTheGap(watching);
    await watching.converged();
    expect(watching.events).toEqual([...first, ...gapByList]);
    expect(watching.check()).toEqual([]);
  });

  test('fault 22: one that tells old changes once more takes nothing back in time', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const before = api.version;
    changeInTheGap(watching);
    await watching.converged();
    api.onWatch((exchange) => {
      exchange.query.set('resourceVersion', String(before));
      exchange.serve();
    });
    api.disconnect();
    api.put('changed', 3);
    await watching.converged();
    expect(watching.events).toEqual([...first, ...gap, 'MODIFIED changed uid-1 3']);
    expect(api.count('list')).toBe(1);
    expect(watching.check()).toEqual([]);
  });

  test('fault 22: one that tells what was before the list is not believed: a list decides', async () => {
    await using watching = await startWatching({
      prepare: (api) => {
        prepare(api);
        api.put('short');
        api.remove('short');
      },
    });
    const { api } = watching;
    await watching.ready();
    api.onWatch((exchange) => {
      exchange.query.set('resourceVersion', '1000');
      exchange.serve();
    });
    api.disconnect();
    changeInTheGap(watching);
    await watching.converged();
    expect(watching.events.filter((event) => event.includes('short'))).toEqual([]);
    expect(api.count('list')).toBe(2);
    expect(watching.check()).toEqual([]);
  });

  test('fault 23: etcd restored from a backup: versions are used again, and the cache is built anew', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const backup = api.backup();
    changeInTheGap(watching);
    api.put('changed', 3);
    await watching.converged();
    const told = watching.events.length;

    await api.stop();
    api.restore(backup);
    // The same versions as before the restore, and other objects.
    api.put('changed', 'else');
    api.put('other');
    await api.start();
    await watching.converged();
    expect(watching.events.slice(told)).toEqual([
      'DELETED again uid-4 2',
      'DELETED new uid-5 1',
      'MODIFIED changed uid-1 "else"',
      'ADDED gone uid-2 1',
      'ADDED again uid-3 1',
      'ADDED other uid-6 1',
    ]);
    expect(watching.check()).toEqual([]);
  });

  test('fault 23: a restore behind an open watch shows by versions that go back', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const backup = api.backup();
    changeInTheGap(watching);
    await watching.converged();
    api.restore(backup);
    api.put('changed', 'else');
    await watching.converged();
    expect(watching.names()).toEqual(['again', 'changed', 'gone']);
    expect(watching.check()).toEqual([]);
  });

  test('fault 23: the same version with another content is taken over after a restore', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const backup = api.backup();
    api.put('changed', 'before');
    api.put('more');
    await watching.converged();
    await api.stop();
    api.restore(backup);
    api.put('changed', 'after');
    await api.start();
    await watching.converged();
    expect(watching.events.slice(-2)).toEqual(['DELETED more uid-4 1', 'MODIFIED changed uid-1 "after"']);
    expect(watching.check()).toEqual([]);
  });
});
