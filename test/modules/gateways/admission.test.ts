import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { gatewayClasses, gateways, httpRoutes, securityPolicies } from '../../../src/k8s/resources.ts';
import { globalId } from '../../../src/schema/ids.ts';
import { forward } from './failures/api-proxy.ts';
import { startReplica } from './failures/world.ts';
import { calls, documents, type GatewaysServer, ready, service, startGatewaysServer } from './surface.ts';

/** The Gateway that the cluster's administrator puts every route on: its controller knows no policies of ours. */
const forced = { namespace: 'default', name: 'forced' };

let home: GatewaysServer;
beforeAll(async () => {
  home = await startGatewaysServer();
  await service(home, 'shop');
  await home.kube.create(gatewayClasses, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GatewayClass',
    metadata: { name: 'other' },
    spec: { controllerName: 'example.org/controller' },
  });
  await home.kube.create(gateways, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: forced,
    spec: { gatewayClassName: 'other', listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] },
  });
  await calls(home).createSecret({ basic: { namespace: 'default', name: 'users', users: [{ username: 'maria' }] } });
  await calls(home).create({ name: 'before', backend: { service: 'shop' }, auth: { basic: { secretName: 'users' } } });
  await home.until('before', ready);
});
afterAll(() => home.stop());

/** One more server, on the same cluster with such an admission policy. */
async function startAdmitted() {
  const proxy = createServer((request, response) => {
    const { method = 'GET', url = '', headers } = request;
    if (!/\/httproutes/.test(url) || !['POST', 'PATCH'].includes(method)) {
      return void forward(home.kubernetesUrl, request, response);
    }
    void text(request).then((body) => {
      const changed = JSON.stringify(rewritten(JSON.parse(body)));
      const { host, hostname, port } = new URL(home.kubernetesUrl);
      const length = String(Buffer.byteLength(changed));
      const onward = { hostname, port, method, path: url, headers: { ...headers, host, 'content-length': length } };
      send(onward, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      }).end(changed);
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const replica = await startReplica(home, systemClock, url);
  return {
    query: (document: string, input: object) => replica.query(document, { input }),
    async [Symbol.asyncDispose]() {
      await replica.stop();
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}

function rewritten(body: unknown): unknown {
  if (Array.isArray(body)) return [...(body as unknown[]), { op: 'add', path: '/spec/parentRefs', value: [forced] }];
  const object = body as { spec: object };
  return { ...object, spec: { ...object.spec, parentRefs: [forced] } };
}

const refusal = {
  message:
    'An admission policy of the cluster puts this gateway on default/forced, not on slipway-system/local. Give that Gateway ' +
    'as the parent, so that everything is checked for it.',
  extensions: { code: 'INVALID', field: 'parent', reason: 'PARENT_REWRITTEN' },
};

test('a route that the cluster puts on another Gateway is not written for the one that was asked for', async () => {
  await using server = await startAdmitted();
  const input = { name: 'shop', backend: { service: 'shop' }, auth: { basic: { secretName: 'users' } } };
  for (const dryRun of [true, false]) {
    expect((await server.query(documents.create, { ...input, dryRun })).errors).toMatchObject([refusal]);
  }
  expect(home.embedded.api.get(httpRoutes, 'default', 'shop')).toBeUndefined();
  expect(home.embedded.api.get(securityPolicies, 'default', 'shop-sp')).toBeUndefined();
  const there = { ...input, parent: forced };
  expect((await server.query(documents.create, there)).errors).toMatchObject([
    { extensions: { reason: 'AUTH_NOT_SUPPORTED' } },
  ]);
  expect((await server.query(documents.create, { ...there, auth: { none: true } })).errors).toBeUndefined();
  expect(home.embedded.api.get(httpRoutes, 'default', 'shop')?.spec.parentRefs).toMatchObject([forced]);
});

test('nor is it moved there by a change of something else', async () => {
  await using server = await startAdmitted();
  const before = home.embedded.api.get(httpRoutes, 'default', 'before');
  const id = globalId('Gateway', 'default/before');
  expect((await server.query(documents.update, { id, pathPrefix: '/v2' })).errors).toMatchObject([refusal]);
  expect(home.embedded.api.get(httpRoutes, 'default', 'before')).toEqual(before);
});
