import { once } from 'node:events';
import { request as send } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { deployments, namespaces } from '../../src/k8s/resources.ts';
import { startTestServer } from '../../src/testing.ts';
import { writeKubeconfig } from '../faults/watching.ts';
import { createAuthority } from '../k8s/certificates.ts';
import { startHttpProxy } from '../k8s/proxies.ts';
import { serverEnvironment, startProcess } from './process.ts';

/** TLS in front of the embedded cluster's API. */
async function startTlsFront(target: string, certificate: { cert: string; key: string }) {
  const { hostname, port } = new URL(target);
  const server = createServer(certificate, (incoming, response) => {
    const { method, url: path, headers } = incoming;
    const outgoing = send(
      { hostname, port, method, path, headers: { ...headers, host: `${hostname}:${port}` } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        response.flushHeaders();
        answer.on('error', () => response.destroy()).pipe(response);
      },
    );
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

// A process of its own is started, which takes long on a busy machine.
test('a server whose cluster only the proxy of its environment reaches shows and changes the namespaces it watches', async () => {
  const authority = createAuthority();
  await using home = await startTestServer({ modules: [] });
  for (const name of ['lab', 'prod']) {
    await home.kube.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  await using front = await startTlsFront(home.kubernetesUrl, authority.forServer({ names: ['api.test'] }));
  await using proxy = await startHttpProxy();
  proxy.route('api.test:6443', front.url);
  const folder = await mkdtemp(join(tmpdir(), 'slipway-proxied-'));
  const kubeconfig = join(folder, 'config');
  const ca = Buffer.from(authority.cert).toString('base64');
  await writeKubeconfig('https://api.test:6443', {
    path: kubeconfig,
    cluster: { 'certificate-authority-data': ca },
  });
  {
    await using server = await startProcess(
      serverEnvironment(folder, {
        ...{ SLIPWAY_CLUSTER: 'kubeconfig', KUBECONFIG: kubeconfig, SLIPWAY_NAMESPACES: 'lab,prod' },
        SLIPWAY_METRICS_PORT: '0',
        HTTPS_PROXY: `http://me:secret-pass@127.0.0.1:${proxy.port}`,
      }),
    );
    const ask = async (query: string) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(server.ready.graphql, { method: 'POST', headers, body: JSON.stringify({ query }) });
      return (await response.json()) as unknown;
    };
    const run = (name: string, namespace: string) =>
      ask(`mutation { runService(input: { name: "${name}", namespace: "${namespace}", image: "a", ports: [{ port: 80 }] })
        { serviceRun { name namespace } } }`);
    expect(await run('web', 'lab')).toEqual({
      data: { runService: { serviceRun: { name: 'web', namespace: 'lab' } } },
    });
    expect(await ask('{ serviceRuns { nodes { name } } }')).toEqual({
      data: { serviceRuns: { nodes: [{ name: 'web' }] } },
    });
  }
  expect((await home.kube.list(deployments)).items.map(({ metadata }) => metadata.namespace)).toEqual(['lab']);
  expect(new Set(proxy.asked)).toEqual(new Set(['CONNECT api.test:6443']));
  expect(proxy.credentials[0]).toBe(`Basic ${Buffer.from('me:secret-pass').toString('base64')}`);
  await rm(folder, { recursive: true, force: true });
}, 120_000);
