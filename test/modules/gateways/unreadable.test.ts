import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { globalId } from '../../../src/schema/ids.ts';
import { forward, refuse } from './failures/api-proxy.ts';
import { startReplica } from './failures/world.ts';
import { calls, documents, errorsOf, type GatewaysServer, service, startGatewaysServer } from './surface.ts';

let home: GatewaysServer;
beforeAll(async () => {
  home = await startGatewaysServer();
  await service(home, 'shop');
  await calls(home).create({ name: 'shop', backend: { service: 'shop' }, auth: { none: true } });
});
afterAll(() => home.stop());

/** One more server, whose identity may not list some kinds. */
async function without(plurals: string) {
  const proxy = createServer((request, response) => {
    const hidden = new RegExp(`/(${plurals})(\\?|$)`).test(request.url ?? '') && request.method === 'GET';
    if (hidden) refuse(response);
    else void forward(home.kubernetesUrl, request, response);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const replica = await startReplica(home, systemClock, url);
  return {
    query: (document: string, variables?: Record<string, unknown>) => replica.query(document, variables),
    async [Symbol.asyncDispose]() {
      await replica.stop();
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}

const id = globalId('Gateway', 'default/shop');
const input = { name: 'more', backend: { service: 'shop' }, auth: { none: true } };

test('gateways that the server may not list are never taken for none', async () => {
  await using server = await without('httproutes');
  for (const query of [
    '{ gateways { totalCount } }',
    '{ gateway(by: { name: { namespace: "default", name: "shop" } }) { name } }',
    `{ node(id: "${id}") { id } }`,
  ]) {
    const answer = await server.query(query);
    expect(errorsOf(answer)).toEqual(['UNAVAILABLE NOT_READABLE']);
    expect(answer.errors?.[0]?.message).toMatch(/could not list the httproutes.*slipway check/);
  }
  for (const [document, given] of [
    [documents.create, input],
    [documents.update, { id, pathPrefix: '/v1' }],
    [documents.delete, { id }],
  ] as const) {
    expect(errorsOf(await server.query(document, { input: given }))).toEqual(['UNAVAILABLE NOT_READABLE']);
  }
  const rest = await server.query('{ gatewayParents { name } gatewayBackends { totalCount } }');
  expect(rest).toEqual({ data: { gatewayParents: [{ name: 'local' }], gatewayBackends: { totalCount: 1 } } });
});

test('nor are Gateways', async () => {
  await using server = await without('gateways');
  const answer = await server.query('{ gatewayParents { name } gateways { totalCount } }');
  expect(errorsOf(answer)).toEqual(['UNAVAILABLE NOT_READABLE']);
  expect(answer.data).toEqual({ gatewayParents: null, gateways: { totalCount: 1 } });
});

test('policies that it may not list leave the protection unknown, and none is given', async () => {
  await using server = await without('securitypolicies');
  await calls(home).createSecret({ basic: { namespace: 'default', name: 'users', users: [{ username: 'maria' }] } });
  const auth = { basic: { secretName: 'users' } };
  for (const [document, given] of [
    [documents.create, { ...input, auth }],
    [documents.update, { id, auth }],
  ] as const) {
    const answer = await server.query(document, { input: given });
    expect(errorsOf(answer)).toEqual(['UNAVAILABLE NOT_READABLE']);
    expect(answer.errors?.[0]?.message).toMatch(/could not list the securitypolicies/);
  }
  const { data } = await server.query('{ gateways { nodes { auth { kind } status { phase message } } } }');
  expect(data).toEqual({
    gateways: {
      nodes: [
        {
          auth: { kind: 'UNKNOWN' },
          status: { phase: 'PROGRESSING', message: expect.stringMatching(/may not read the policies/) as string },
        },
      ],
    },
  });
});
