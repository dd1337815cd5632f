import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureNamespace } from '../../../../src/k8s/embedded/seed/namespaces.ts';
import { localGateway } from '../../../../src/k8s/embedded/seed/gateway.ts';
import { gateways, httpRoutes, referenceGrants } from '../../../../src/k8s/resources.ts';
import { echo } from '../../../cluster/envoy/echo.ts';
import { type Expected, listeners, routeOf, topics } from '../../../cluster/gateways/requests/index.ts';
import { type Answer, createWorld, until, type World } from './world.ts';

/** The same requests go to a real Envoy in the tests on a real control plane. */
let world: World;
beforeAll(async () => {
  world = await createWorld();
  for (const name of ['one', 'two', 'three'])
    await world.service(
      name,
      echo(() => name),
    );
  await world.endpoints('idle', []);
  await ensureNamespace(world.api, 'far');
  for (const name of ['far', 'near'])
    await world.service(
      name,
      echo(() => name),
      'far',
    );
  await world.api.client.create(referenceGrants, {
    apiVersion: 'gateway.networking.k8s.io/v1beta1',
    kind: 'ReferenceGrant',
    metadata: { name: 'near', namespace: 'far' },
    spec: {
      from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'lab' }],
      to: [{ group: '', kind: 'Service', name: 'near' }],
    },
  });
  const { name, namespace } = localGateway;
  const allowedRoutes = { namespaces: { from: 'All' as const } };
  const more = listeners.map((one) => ({ ...one, port: world.port, protocol: 'HTTP', allowedRoutes }));
  const operations = more.map((value) => ({ op: 'add' as const, path: '/spec/listeners/-', value }));
  await world.api.client.patch(gateways, name, namespace, operations);
  for (const spec of topics.flatMap(({ routes }) => routes)) {
    await world.api.client.create(httpRoutes, routeOf(spec, localGateway, 'lab'));
    await until(world.api, httpRoutes, 'lab', spec.name, ({ status }) =>
      (status?.parents?.[0]?.conditions ?? []).some(({ type, status, reason }) =>
        spec.reason === undefined ? type === 'Accepted' && status === 'True' : reason === spec.reason,
      ),
    );
  }
});
afterAll(() => world[Symbol.asyncDispose]());

function seenIn(answer: Answer): Expected {
  if (answer.status !== 200) return { by: answer.status };
  const { backend, url, headers } = answer.json() as { backend: string; url: string; headers: Record<string, string> };
  return { by: backend, url, host: headers['host'] ?? '' };
}

test('there are at least 80 of them', () => {
  expect(topics.flatMap(({ requests }) => requests).length).toBeGreaterThanOrEqual(80);
});

describe.each(topics)('$name', ({ requests }) => {
  test.each(requests)('$method $host$path $headers', async ({ method, host, path, headers = {}, expected }) => {
    expect(seenIn(await world.ask(host, path, { method, headers }))).toMatchObject(expected);
  });
});
