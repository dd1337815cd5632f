import { once } from 'node:events';
import { request } from 'node:http';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type KubeClient } from '../../../src/k8s/cluster.ts';
import { deployments } from '../../../src/k8s/resources.ts';
import { defineModule } from '../../../src/module.ts';
import { builtinModules } from '../../../src/modules/index.ts';
import { Metrics } from '../../../src/modules/metrics/service.ts';
import { type TestServer, type TestServerOptions, startTestServer } from '../../../src/testing.ts';

const start = (options: TestServerOptions = {}) => startTestServer({ ...options, config: { metrics: { port: 0 } } });

const urlOf = (server: TestServer): string => {
  const url = server.server.modules.use(Metrics).url;
  if (url === null) throw new Error('metrics are off');
  return url;
};

/** The samples by name with labels, as Prometheus reads them. */
async function scrape(server: TestServer): Promise<Map<string, number>> {
  const text = await (await fetch(urlOf(server))).text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

const operations = (type: string, code: string) => `slipway_graphql_operations_total{type="${type}",code="${code}"}`;

/** A run that is there and never ready. */
const stoppedRun = (kube: KubeClient) =>
  kube.create(deployments, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'web',
      namespace: 'default',
      labels: { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': 'r1' },
    },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'none' }] } },
    },
  });

test('operations count by type and code, refused documents too', async () => {
  await using server = await start();
  await server.query('{ viewer { name } }');
  await server.query('{ viewer { name } }');
  await server.query('{ nothing }');
  await server.query('{ viewer {');
  await server.query('mutation { stopServiceRun(input: { id: "absent" }) { serviceRun { id } } }');
  const samples = await scrape(server);
  expect(samples.get(operations('query', 'OK'))).toBe(2);
  expect(samples.get(operations('refused', 'INVALID'))).toBe(2);
  expect(samples.get(operations('mutation', 'NOT_FOUND'))).toBe(1);
  expect(samples.get('slipway_graphql_operation_duration_seconds_count{type="query",outcome="ok"}')).toBe(2);
  expect(samples.get('slipway_graphql_operation_duration_seconds_count{type="mutation",outcome="error"}')).toBe(1);
});

test.each(['ws', 'sse'] as const)(
  'subscriptions over %s count while they are open, and their events',
  async (transport) => {
    await using server = await start();
    const events = server.subscribe('subscription { serviceHealthChanged { type } }', {}, transport);
    await events.next();
    const open = await scrape(server);
    expect(open.get('slipway_graphql_subscriptions')).toBe(1);
    expect(open.get('slipway_stream_subscribers{field="serviceHealthChanged"}')).toBe(1);
    expect(open.get('slipway_stream_events_total{field="serviceHealthChanged"}')).toBe(1);
    expect(open.get(operations('subscription', 'OK'))).toBe(1);
    await events.return?.();
    await expect.poll(async () => (await scrape(server)).get('slipway_graphql_subscriptions')).toBe(0);
  },
);

test('watches, caches and the process are told by kind', async () => {
  await using server = await start({ seed: stoppedRun });
  const samples = await scrape(server);
  expect(samples.get('slipway_stale')).toBe(0);
  expect(samples.get('slipway_watches_down{resource="deployments.apps"}')).toBe(0);
  expect(samples.get('slipway_watch_restarts_total{resource="deployments.apps"}')).toBe(0);
  expect(samples.get('slipway_cache_objects{resource="deployments.apps"}')).toBe(1);
  expect(samples.get('slipway_watch_last_contact_timestamp_seconds{resource="deployments.apps"}')).toBeGreaterThan(0);
  expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(0);
});

test('calls of services count by outcome', async () => {
  await using server = await start({ seed: stoppedRun });
  const { serviceRuns } = await server.data<{ serviceRuns: { nodes: { id: string }[] } }>(
    '{ serviceRuns { nodes { id } } }',
  );
  await server.query(
    'mutation ($id: ID!) { invokeService(input: { id: $id, method: GET, path: "/" }) { invocation { outcome } } }',
    { id: serviceRuns.nodes[0]?.id },
  );
  const samples = await scrape(server);
  expect(samples.get('slipway_invocations_total{mutation="invokeService",outcome="REFUSED"}')).toBe(1);
});

test('whatever names users choose, the number of series stays below 500', async () => {
  await using server = await start();
  const names = fc.sample(fc.stringMatching(/^user_[a-z_]{1,30}$/), 200);
  await Promise.all(
    names.flatMap((name) => [
      server.query(`query ${name} { ${name}: viewer { name } }`),
      server.query(`{ ${name} }`),
      server.query(`mutation ${name} { ${name}: stopServiceRun(input: { id: "${name}" }) { serviceRun { id } } }`),
    ]),
  );
  const samples = await scrape(server);
  expect(samples.get(operations('query', 'OK'))).toBe(200);
  expect(samples.size).toBeLessThan(500);
  expect([...samples.keys()].filter((key) => names.some((name) => key.includes(`"${name}"`)))).toEqual([]);
});

test('a module counts with labels of a closed list; anything else is `other`', async () => {
  const quotes = defineModule({
    name: '@acme/quotes',
    uses: { metrics: Metrics },
    start({ deps }) {
      const labels = { currency: ['EUR', 'USD'] };
      const count = deps.metrics?.counter({ name: 'acme_quotes_total', help: 'Quotes given.', labels });
      for (const currency of ['EUR', 'EUR', 'USD', ...fc.sample(fc.string(), 10_000)]) count?.({ currency });
    },
  });
  await using server = await start({ modules: [...builtinModules, quotes] });
  const found = [...(await scrape(server))].filter(([name]) => name.startsWith('acme_quotes_total'));
  expect(found).toEqual([
    ['acme_quotes_total{currency="EUR"}', 2],
    ['acme_quotes_total{currency="USD"}', 1],
    ['acme_quotes_total{currency="other"}', 10_000],
  ]);
  await using without = await startTestServer({ modules: [quotes] });
  expect(await without.data('{ viewer { name } }')).toEqual({ viewer: { name: 'local' } });
});

test('in embedded mode they are off unless a port is set', async () => {
  await using server = await startTestServer();
  expect(server.server.modules.use(Metrics).url).toBeNull();
});

test('the port serves nothing else, and nothing to web pages of strangers', async () => {
  await using server = await start();
  const url = new URL(urlOf(server));
  expect((await fetch(new URL('/', url))).status).toBe(404);
  expect((await fetch(url, { method: 'POST' })).status).toBe(404);
  expect((await fetch(new URL('/metrics', server.url))).status).toBe(404);
  for (const [headers, status] of [
    [{ host: 'evil.example' }, 421],
    [{ origin: 'https://evil.example' }, 403],
  ] as const) {
    const outgoing = request(url, { headers });
    outgoing.end();
    const [response] = await once(outgoing, 'response');
    response.resume();
    expect(response.statusCode).toBe(status);
  }
});
