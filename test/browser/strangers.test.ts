import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestServer, startTestServer } from '../../src/testing.ts';
import { type Page, servePage, startBrowser } from './browser.ts';

let browser: Browser;
let server: TestServer;
let stranger: Page;
beforeAll(async () => {
  [server, browser, stranger] = await Promise.all([
    startTestServer({ demo: true }),
    startBrowser(),
    servePage('<!doctype html><title>A page of another origin</title>'),
  ]);
});
afterAll(async () => {
  await browser.close();
  await stranger[Symbol.asyncDispose]();
  await server.stop();
});

interface Attempt {
  method?: string;
  body?: string;
  headers?: Record<string, string>;
  mode?: 'no-cors';
}

/** What a page of another origin gets when it tries. */
async function tries(target: string, init: Attempt): Promise<string> {
  const page = await browser.newPage();
  await page.goto(stranger.url);
  const got = await page.evaluate(
    async ([url, options]) => {
      try {
        const response = await fetch(url, options);
        return `${response.type} ${response.status} ${await response.text()}`;
      } catch (error) {
        return String(error);
      }
    },
    [target, init] as const,
  );
  await page.close();
  return got;
}

const blocked = 'TypeError: Failed to fetch';
const query = JSON.stringify({ query: '{ serviceRuns { nodes { name } } }' });
const mutation = JSON.stringify({
  query: `mutation { runService(input: { name: "evil", process: { command: ["true"] }, ports: [{ port: 80 }] }) { manifests } }`,
});
const evil = () =>
  server.data<{ serviceRun: unknown }>(
    '{ serviceRun(by: { service: { namespace: "default", name: "evil" } }) { id } }',
  );

describe('a web page of another origin', () => {
  test.each([
    ['a query', query, { 'content-type': 'application/json' }],
    ['a query that needs no preflight', query, { 'content-type': 'text/plain' }],
    ['a mutation', mutation, { 'content-type': 'application/json' }],
    ['a mutation that needs no preflight', mutation, { 'content-type': 'text/plain' }],
  ])('reads nothing by %s, and changes nothing', async (_, body, headers) => {
    expect(await tries(`${server.url}/graphql`, { method: 'POST', body, headers })).toBe(blocked);
    await tries(`${server.url}/graphql`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'text/plain' },
      mode: 'no-cors',
    });
    expect((await evil()).serviceRun).toBeNull();
  });

  test('reads nothing of the Kubernetes API, and creates nothing there', async () => {
    const pods = `${server.kubernetesUrl}/api/v1/namespaces/default/pods`;
    expect(await tries(pods, {})).toBe(blocked);
    const manifest = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'evil' }, spec: { containers: [] } };
    await tries(pods, { method: 'POST', body: JSON.stringify(manifest), mode: 'no-cors' });
    const { items } = await server.kube.list({
      group: '',
      version: 'v1',
      kind: 'Pod',
      plural: 'pods',
      namespaced: true,
    });
    expect(items.map(({ metadata }) => metadata.name)).not.toContain('evil');
  });

  test('reads nothing through the gateway', async () => {
    const { port } = new URL(server.gatewayUrl);
    expect(await tries(`http://echo.services.localhost:${port}/`, {})).toBe(blocked);
  });

  test('opens no WebSocket', async () => {
    const page = await browser.newPage();
    await page.goto(stranger.url);
    const end = await page.evaluate(
      (url) =>
        new Promise((resolve) => {
          const socket = new WebSocket(url, 'graphql-transport-ws');
          socket.addEventListener('open', () => resolve('open'));
          socket.addEventListener('close', ({ code }) => resolve(code));
        }),
      `${server.url.replace('http', 'ws')}/graphql`,
    );
    await page.close();
    expect(end).toBe(1006);
  });
});

test('a host name that was rebound to this machine gets nothing', async () => {
  const { port } = new URL(server.url);
  const rebinding = await startBrowser(['--host-resolver-rules=MAP rebound.example 127.0.0.1']);
  try {
    const page = await rebinding.newPage();
    const response = await page.goto(`http://rebound.example:${port}/graphiql`);
    expect(response?.status()).toBe(421);
    const got = await page.evaluate(async (body) => {
      const answer = await fetch('/graphql', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
      return [answer.status, await answer.text()] as const;
    }, query);
    expect(got[0]).toBe(421);
    expect(got[1]).not.toContain('echo');
  } finally {
    await rebinding.close();
  }
});
