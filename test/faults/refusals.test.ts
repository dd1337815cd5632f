import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import type { Exchange, Step } from './api-server/exchange.ts';
import { changeInTheGap, first, gap, gapByList, prepare } from './gap.ts';
import { type Watching, startWatching } from './watching.ts';

const expired = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 410, reason: 'Expired' };

/** A watch that is accepted and then answers with an ERROR event, and leaves the stream open. */
function errorEvent(status: object): Step {
  return (exchange) => {
    exchange.open();
    exchange.event('ERROR', status);
  };
}

const refuse = (code: number, reason?: string, headers?: Record<string, string>): Step => {
  return (exchange) => exchange.status(code, reason, { ...(headers && { headers }) });
};

/** Requests from now on, with the ms between each and the one before. */
function spacing({ api, clock }: Watching): () => { kind: string; after: number }[] {
  const begin = api.requests.length;
  let before = clock.now();
  return () =>
    api.requests.slice(begin).map(({ kind, at }) => {
      const after = at - before;
      before = at;
      return { kind, after };
    });
}

describe('a resourceVersion that is too old', () => {
  test.for<{ fault: string; step?: Step }>([
    { fault: '9: 410 as the status of a watch' },
    { fault: '10: 410 as an ERROR event', step: errorEvent(expired) },
  ])('fault $fault: one list, and what was missed is told, ends first', async ({ step }) => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    if (step) api.onWatch(step);
    api.disconnect();
    changeInTheGap(watching);
    api.compact();
    await watching.converged();
    expect(watching.events).toEqual([...first, ...gapByList]);
    expect(api.count('list')).toBe(2);
    expect(watching.check()).toEqual([]);
  });

  test('fault 12: the token of the next page is too old: the list comes in one page instead', async () => {
    const names = Array.from({ length: 1200 }, (_, index) => `object-${index}`);
    await using watching = await startWatching({
      prepare(api) {
        for (const name of names) api.put(name);
        api.onList((exchange) => {
          exchange.serve();
          api.put('meanwhile');
          api.put('object-3', 2);
          api.remove('object-4');
          api.compact();
        });
      },
    });
    await watching.ready();
    expect(watching.cache.size).toBe(1200);
    expect(watching.names()).not.toContain('object-4');
    expect(watching.api.requests.filter(({ kind }) => kind === 'list').map(({ query }) => query.get('limit'))).toEqual([
      '500',
      '500',
      null,
    ]);
    expect(watching.check()).toEqual([]);
  });

  test('lists come by pages of 500, all of one moment', async () => {
    await using watching = await startWatching({
      prepare(api) {
        for (let index = 0; index < 1200; index += 1) api.put(`object-${index}`);
        api.onList((exchange) => {
          exchange.serve();
          api.put('object-1100', 2);
          api.remove('object-1101');
        });
      },
    });
    await watching.ready();
    expect(watching.api.count('list')).toBe(3);
    expect(watching.events.slice(1200)).toEqual(['MODIFIED object-1100 uid-1101 2', 'DELETED object-1101 uid-1102 1']);
    expect(watching.check()).toEqual([]);
  });

  test.for<{ how: string; step: (watching: Watching) => Step }>([
    { how: 'at once', step: () => refuse(410, 'Expired') },
    { how: 'after an event', step: () => eventThenExpired },
    { how: 'after 6 s', step: ({ clock }) => expiredAfter(clock, 6_000) },
  ])('fault 13: expired again right after each list, $how: lists become rare', async ({ step }) => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    for (let count = 0; count < 200; count += 1) api.onWatch(step(watching));
    api.disconnect();
    await watching.pass(300_000);
    expect(api.count('list')).toBeLessThan(30);
    api.forgetSteps();
    changeInTheGap(watching);
    await watching.converged(35_000);
    expect(watching.check()).toEqual([]);
  });
});

function eventThenExpired(exchange: Exchange): void {
  const version = Number(exchange.query.get('resourceVersion'));
  exchange.open();
  exchange.event('BOOKMARK', { metadata: { resourceVersion: String(version + 1) } });
  exchange.event('ERROR', expired);
}

function expiredAfter(clock: Clock, ms: number): Step {
  return (exchange) => {
    exchange.open();
    clock.after(ms, () => exchange.event('ERROR', expired));
  };
}

describe('a server that refuses', () => {
  test.for([500, 504])('fault 11: ERROR event %i with the stream left open', async (code) => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    api.onWatch(errorEvent({ kind: 'Status', code, reason: 'InternalError' }));
    api.disconnect();
    changeInTheGap(watching);
    await watching.converged();
    expect(watching.events).toEqual([...first, ...gap]);
    expect(api.count('list')).toBe(1);
    expect(watching.check()).toEqual([]);
  });

  test('fault 11: a watch that fails again and again inside is started over with a list', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const failing = errorEvent({ kind: 'Status', code: 500, reason: 'InternalError', message: 'decoding failed' });
    api.onWatch(failing, failing, failing);
    api.disconnect();
    changeInTheGap(watching);
    await watching.converged(10_000);
    expect(watching.events).toEqual([...first, ...gapByList]);
    expect(api.count('list')).toBe(2);
  });

  test('fault 14: 429 on a watch: as long as the server asks, and no list', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const requests = spacing(watching);
    api.onWatch(refuse(429, 'TooManyRequests', { 'retry-after': '7' }));
    api.disconnect();
    changeInTheGap(watching);
    await watching.converged(9_000);
    expect(watching.events).toEqual([...first, ...gap]);
    expect(api.count('list')).toBe(1);
    expect(requests().at(-1)?.after).toBeGreaterThanOrEqual(7_000);
  });

  test('fault 14: 429 on a list: as long as the server asks', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const requests = spacing(watching);
    api.onList(refuse(429, 'TooManyRequests', { 'retry-after': '9' }));
    api.disconnect();
    changeInTheGap(watching);
    api.compact();
    await watching.converged(12_000);
    const lists = requests().filter(({ kind }) => kind === 'list');
    expect(lists).toHaveLength(2);
    expect(lists[1]?.after).toBeGreaterThanOrEqual(9_000);
    expect(watching.check()).toEqual([]);
  });

  test('fault 14: a server that is always too busy and asks for no time at all gets a rising one', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const begin = api.requests.length;
    api.always(refuse(429, 'TooManyRequests', { 'retry-after': '0' }));
    api.disconnect();
    await watching.pass(600_000);
    expect(api.requests.length - begin).toBeLessThan(60);
    expect(api.count('list')).toBe(1);
  });

  test.for<{ fault: string; step: Step }>([
    { fault: '15: 503 for 10 minutes', step: refuse(503, 'ServiceUnavailable') },
    { fault: '15: 502 of a load balancer for 10 minutes', step: (exchange) => exchange.html(502) },
    { fault: '4: watches that end at once for 10 minutes', step: endAtOnce },
    { fault: '21: connections that break for 10 minutes', step: (exchange) => exchange.reset() },
    { fault: '21: connections that break and 503 by turns for 10 minutes', step: byTurns() },
  ])('fault $fault: at most a request in 2 s, and well within 35 s after', async ({ step }) => {
    await using watching = await startWatching({ prepare, random: () => 0.3 });
    const { api } = watching;
    await watching.ready();
    const begin = api.requests.length;
    api.always(step);
    api.disconnect();
    changeInTheGap(watching);
    await watching.pass(600_000);
    expect(api.requests.length - begin).toBeLessThanOrEqual(300);
    expect(api.requests.length - begin).toBeGreaterThan(15);
    expect(watching.events).toEqual(first);
    expect(watching.cluster.freshness.state).toBe('STALE');
    api.always(null);
    await watching.converged(35_000);
    expect(watching.check()).toEqual([]);
    expect(watching.cluster.freshness.state).toBe('FRESH');
  });

  test('fault 21: a server that was gone, then says 503 and 429 before it is well: within 5 s of its first answer', async () => {
    await using watching = await startWatching({ prepare, random: () => 0.999 });
    const { api } = watching;
    await watching.ready();
    api.always((exchange) => exchange.reset());
    api.disconnect();
    changeInTheGap(watching);
    api.compact();
    await watching.pass(20_000);
    const requests = api.count('watch');
    api.onWatch(refuse(503), refuse(429, 'TooManyRequests', { 'retry-after': '1' }));
    api.always(null);
    await watching.flow(() => api.count('watch') > requests, 4_000);
    await watching.converged(5_000);
    expect(watching.events).toEqual([...first, ...gapByList]);
    expect(watching.cluster.freshness.state).toBe('FRESH');
  });

  test.for<{ how: string; headers?: Record<string, string> }>([
    { how: '' },
    { how: ', though kube-apiserver asks for 5 s at each time', headers: { 'retry-after': '5' } },
  ])(
    'fault 21: of what a server that is there again serves later than the rest, it is soon known that it does$how',
    async ({ headers }) => {
      await using watching = await startWatching({ prepare, random: () => 0.999 });
      const { api, clock } = watching;
      await watching.ready();
      api.always((exchange) => exchange.reset());
      api.disconnect();
      changeInTheGap(watching);
      api.compact();
      await watching.pass(20_000);
      const requests = api.requests.length;
      api.always(refuse(503, 'ServiceUnavailable', headers));
      await watching.flow(() => api.requests.length > requests, 4_500);
      const answers = clock.now();
      await watching.flow(() => clock.now() >= answers + 7_000, 8_000);
      api.always(null);
      await watching.converged(2_000);
      expect(watching.events).toEqual([...first, ...gapByList]);
      expect(watching.check()).toEqual([]);
    },
  );

  test('fault 15: a burst of 503 is over within 5 s', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    api.onWatch(refuse(503), refuse(503));
    api.disconnect();
    changeInTheGap(watching);
    await watching.converged(5_000);
    expect(watching.events).toEqual([...first, ...gap]);
  });

  test('fault 16: 401: the token file is read again, and nothing is listed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-token-'));
    const token = join(folder, 'token');
    const kubeconfig = join(folder, 'config');
    await writeFile(token, 'first\n');
    let accepted = 'Bearer first';
    const authenticated: Step = (exchange) =>
      exchange.headers.authorization === accepted ? exchange.serve() : exchange.status(401, 'Unauthorized');
    await using watching = await startWatching({
      prepare: (api) => {
        prepare(api);
        api.always(authenticated);
      },
      connect: { mode: 'KUBECONFIG', kubeconfig },
      kubeconfig: { path: kubeconfig, user: { tokenFile: 'token' } },
    });
    await watching.ready();
    accepted = 'Bearer second';
    watching.api.disconnect();
    changeInTheGap(watching);
    await watching.flow(() => watching.cluster.freshness.state === 'STALE', 10_000);
    expect(watching.watchState().error).toContain('401');
    await writeFile(token, 'second\n');
    await watching.converged(10_000);
    expect(watching.events).toEqual([...first, ...gap]);
    expect(watching.api.count('list')).toBe(1);
    await rm(folder, { recursive: true });
  });

  test('fault 17: 403 after a change of rights, and back: what was known stays, and is called stale', async () => {
    await using watching = await startWatching({ prepare, optional: true });
    const { api } = watching;
    await watching.ready();
    api.always(refuse(403, 'Forbidden'));
    api.disconnect();
    changeInTheGap(watching);
    api.compact();
    await watching.pass(120_000);
    expect(watching.events).toEqual(first);
    expect(watching.cluster.freshness.state).toBe('STALE');
    expect(watching.watchState().error).toContain('may not list and watch');
    api.always(null);
    await watching.converged(60_000);
    expect(watching.events).toEqual([...first, ...gapByList]);
    expect(watching.check()).toEqual([]);
  });

  test('fault 18: a kind that is no longer served is empty; when it comes back it is listed', async () => {
    await using watching = await startWatching({ prepare, optional: true });
    const { api } = watching;
    await watching.ready();
    for (const name of ['changed', 'gone', 'again']) api.remove(name);
    api.uninstall();
    api.disconnect();
    await watching.flow(() => watching.watchState().error !== null, 10_000);
    await watching.pass(60_000);
    expect(watching.cache.size).toBe(0);
    expect(watching.cluster.freshness.state).toBe('FRESH');
    expect(watching.watchState().error).toContain('does not serve this kind');
    api.install();
    api.put('changed', 3);
    await watching.converged(60_000);
    expect(watching.events.at(-1)).toBe('ADDED changed uid-4 3');
    expect(watching.check()).toEqual([]);
  });

  test.for<{ what: string; step: Step }>([
    { what: 'a load balancer', step: (exchange) => exchange.html(404) },
    { what: 'a server that is still starting', step: startingServer },
  ])('fault 18: 404 from $what makes nothing vanish', async ({ step }) => {
    await using watching = await startWatching({ prepare, optional: true });
    const { api } = watching;
    await watching.ready();
    api.always(step);
    api.disconnect();
    changeInTheGap(watching);
    await watching.pass(60_000);
    expect(watching.events).toEqual(first);
    expect(watching.cluster.freshness.state).toBe('STALE');
    api.always(null);
    await watching.converged(35_000);
    expect(watching.events).toEqual([...first, ...gapByList]);
    expect(watching.check()).toEqual([]);
  });
});

function byTurns(): Step {
  let turn = 0;
  return (exchange) => ((turn += 1) % 2 === 0 ? exchange.reset() : exchange.status(503, 'ServiceUnavailable'));
}

function endAtOnce(exchange: Exchange): void {
  if (exchange.kind !== 'watch') return exchange.serve();
  exchange.open();
  exchange.end();
}

/** Discovery answers before the kinds do. */
function startingServer(exchange: Exchange): void {
  if (exchange.kind === 'get') exchange.serve();
  else exchange.response.writeHead(404).end('404 page not found\n');
}
