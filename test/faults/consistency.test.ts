import { describe, expect, test } from 'vitest';
import { deployments, events } from '../../src/k8s/resources.ts';
import { bookmark } from './api-server/answers.ts';
import { prepare } from './gap.ts';
import { type Watching, startWatching } from './watching.ts';

const checkEveryMs = 60_000;

/** An API server that leaves a change out, and goes on as if it had told it. */
function leaveOut({ api }: Watching): void {
  const [open] = api.openWatches();
  open?.mute();
  api.put('changed', 2);
  api.remove('gone');
  open?.exchange.event('BOOKMARK', bookmark(api.version));
  open?.exchange.end();
}

const valueOf = ({ cache }: Watching, name: string) => cache.get('lab', name)?.spec.value;

describe('each cache is compared with a list of the version that it has', () => {
  test('as long as both are the same nothing happens but one list', async () => {
    await using watching = await startWatching({ prepare, connect: { checkEveryMs } });
    await watching.ready();
    await watching.pass(5 * checkEveryMs);
    const { checks, mismatches, restarts } = watching.watchState();
    expect([checks, mismatches, restarts]).toEqual([5, 0, 0]);
    expect(watching.api.count('list')).toBe(1 + checks);
    const exact = watching.api.requests.filter(({ kind }) => kind === 'list').slice(1);
    expect(new Set(exact.map(({ query }) => query.get('resourceVersionMatch')))).toEqual(new Set(['Exact']));
  });

  test('a change that no watch told is found, told and mended', async () => {
    await using watching = await startWatching({ prepare, connect: { checkEveryMs } });
    await watching.ready();
    leaveOut(watching);
    await watching.pass(15_000);
    expect([valueOf(watching, 'changed'), valueOf(watching, 'gone')]).toEqual([1, 1]);
    expect(watching.cluster.freshness.state).toBe('FRESH');
    await watching.flow(() => watching.watchState().mismatches === 1, checkEveryMs);
    await watching.converged();
    expect(watching.events.slice(-2)).toEqual(['DELETED gone uid-2 1', 'MODIFIED changed uid-1 2']);
    await watching.flow(() => watching.watchState().checks === 2, checkEveryMs + 1000);
    expect(watching.watchState().mismatches).toBe(1);
    expect(watching.check()).toEqual([]);
  });

  test('what changes while the list is on its way makes no difference, however many pages it has', async () => {
    const many = (api: Watching['api']) => {
      for (let index = 0; index < 1_200; index += 1) api.put(`many-${index}`);
    };
    await using watching = await startWatching({ prepare: many, connect: { checkEveryMs } });
    const { api } = watching;
    await watching.ready();
    api.onList((exchange) => {
      api.put('many-0', 2);
      api.remove('many-1199');
      exchange.serve();
    });
    await watching.pass(checkEveryMs);
    expect(watching.watchState()).toMatchObject({ checks: 1, mismatches: 0 });
  });

  test('a version that the server does not keep any more, and a watch that is down, say nothing', async () => {
    await using watching = await startWatching({ prepare, connect: { checkEveryMs } });
    const { api } = watching;
    await watching.ready();
    api.onList((exchange) => exchange.status(410, 'Expired'));
    await watching.pass(checkEveryMs);
    expect(watching.watchState().checks).toBe(0);
    api.always((exchange) => exchange.status(503));
    api.disconnect();
    const lists = api.count('list');
    await watching.pass(2 * checkEveryMs);
    // Those are the reflector's own.
    const exact = api.requests.filter(({ query }) => query.has('resourceVersionMatch'));
    expect([exact.length, api.count('list') >= lists]).toEqual([1, true]);
    api.always(null);
    await watching.converged(35_000);
    await watching.pass(checkEveryMs);
    expect(watching.watchState()).toMatchObject({ checks: 1, mismatches: 0 });
  });

  test('Events are left out: only the last of each object are kept', async () => {
    const watches = [{ resource: deployments }, { resource: events }];
    await using watching = await startWatching({ watches, connect: { checkEveryMs } });
    await watching.pass(3 * checkEveryMs);
    const checks = watching.cluster.freshness.watches().map((state) => [state.resource, state.checks > 0]);
    expect(checks).toEqual([
      ['deployments.apps', true],
      ['events', false],
    ]);
  });
});
