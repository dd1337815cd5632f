import { describe, expect, test } from 'vitest';
import {
  deployments,
  endpointSlices,
  events,
  pods,
  replicaSets,
  resourcePath,
  services,
} from '../../src/k8s/resources.ts';
import { startWatching } from './watching.ts';

const kinds = [deployments, replicaSets, pods, services, endpointSlices, events];

/** Different each time, and the same in every run. */
function drawn(): () => number {
  let state = 7;
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
}

const start = () => startWatching({ watches: kinds.map((resource) => ({ resource })), random: drawn() });

describe('an outage of the API server', () => {
  test.for([
    { what: 'that goes on where it was', forgets: false },
    { what: 'that has forgotten its history', forgets: true },
  ])(
    'the first kind that is answered by a server $what brings the others along, one after the other',
    async (given) => {
      await using watching = await start();
      const { api, clock, cluster } = watching;
      await watching.ready();
      await api.stop();
      if (given.forgets) api.compact();
      await watching.pass(30_000);
      expect(cluster.freshness.state).toBe('STALE');
      // None has asked just now: all are in the middle of their waits.
      await api.start();
      const isUp = ({ downSince }: { downSince: number | null }) => downSince === null;
      await watching.flow(() => cluster.freshness.watches().some(isUp), 6_000);
      const before = api.requests.length;
      const began = clock.now();
      expect(await watching.flow(() => cluster.freshness.state === 'FRESH', 1_800)).toBeLessThan(1_800);
      const asked = api.requests.slice(before).map(({ at }) => at - began);
      expect(new Set(asked).size).toBeGreaterThan(2);
    },
  );

  test('a kind that is served later than the rest is up soon, though a load balancer stood for the server meanwhile', async () => {
    await using watching = await start();
    const { api, cluster } = watching;
    await watching.ready();
    api.always((exchange) => exchange.status(503, 'ServiceUnavailable'));
    api.disconnect('reset');
    api.compact();
    // By then the waits are at their longest.
    await watching.pass(120_000);
    const late = resourcePath(pods).slice(1);
    api.always((exchange) => {
      if (exchange.resource !== late) exchange.serve();
      else exchange.status(503, 'ServiceUnavailable', { headers: { 'retry-after': '5' } });
    });
    const areUp = (many: number) => () =>
      cluster.freshness.watches().filter(({ downSince }) => downSince === null).length === many;
    await watching.flow(areUp(kinds.length - 1), 35_000);
    await watching.pass(4_000);
    api.always(null);
    expect(await watching.flow(() => cluster.freshness.state === 'FRESH', 2_000)).toBeLessThanOrEqual(2_000);
  });

  test('what fails again and again is not asked for more often, nor are others, though lists are answered', async () => {
    await using watching = await start();
    const { api } = watching;
    await watching.ready();
    const gone = resourcePath(pods).slice(1);
    api.always(({ kind, resource, ...exchange }) => {
      if (resource === gone) exchange.reset();
      else if (kind === 'watch') exchange.status(400, 'BadRequest');
      else exchange.serve();
    });
    api.disconnect('reset');
    await watching.pass(20_000);
    const before = api.requests.length;
    await watching.pass(60_000);
    // Waits are of 2 to 4 s, then a list goes before the next watch.
    expect(api.requests.length - before).toBeLessThanOrEqual((kinds.length * 2 - 1) * (60 / 2));
    expect(api.requests.slice(before).filter(({ resource }) => resource === gone).length).toBeLessThanOrEqual(60 / 2);
  });
});
