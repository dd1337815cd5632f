import { expect, test } from 'vitest';
import { gateways } from '../../../src/modules/gateways/index.ts';
import { namespace, startInvokeServer } from './surface.ts';
import { answer } from './upstream.ts';

const createSecret =
  'mutation ($input: CreateGatewaySecretInput!) { createGatewaySecret(input: $input) { secret { name } } }';
const createGateway = 'mutation ($input: CreateGatewayInput!) { createGateway(input: $input) { gateway { name } } }';

test('the headers in which gateways expect API keys are redacted, once there is such a gateway', async () => {
  await using server = await startInvokeServer({ modules: [gateways] });
  const run = await server.play('shop', answer('ok'));
  const headers = [{ name: 'X-Shop', value: 'canary' }];
  const kept = async () => {
    const { id } = await server.call(run, { headers });
    const { invocation } = await server.data<{ invocation: { request: { headers: object[] } } }>(
      'query ($id: ID!) { invocation(id: $id) { request { headers { name value redacted } } } }',
      { id },
    );
    return invocation.request.headers;
  };
  expect(await kept()).toEqual([{ name: 'X-Shop', value: 'canary', redacted: false }]);
  await server.data(createSecret, { input: { apiKey: { namespace, name: 'keys', clients: ['lab'] } } });
  await server.data(createGateway, {
    input: {
      name: 'shop',
      backend: { service: 'shop' },
      auth: { apiKey: { secretName: 'keys', headerName: 'x-shop' } },
    },
  });
  expect(await kept()).toEqual([{ name: 'X-Shop', value: '***', redacted: true }]);
});
