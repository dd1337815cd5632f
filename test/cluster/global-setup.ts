import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import { buildBinaries } from './control-plane/binaries.ts';
import { type ControlPlane, startControlPlane } from './control-plane/index.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The cluster that all tests of a run work on. */
    cluster: {
      kubeconfig: string;
      /** The path of kubectl. */
      kubectl: string;
      /** POST to /stop, /start or /restart does that with the API server; absent on a cluster that is not ours. */
      apiServer: string | undefined;
      /** Signs in as a user without rights; absent on a cluster that is not ours. */
      viewerToken: string | undefined;
    };
  }
}

const say = (line: string) => void process.stderr.write(`cluster: ${line}\n`);

/** Starts the control plane for all test files; with KUBECONFIG_TEST set, that cluster is used instead. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['KUBECONFIG_TEST'];
  if (given) {
    const { kubectl } = await buildBinaries(say, ['kubectl']);
    project.provide('cluster', { kubeconfig: given, kubectl, apiServer: undefined, viewerToken: undefined });
    return async () => {};
  }
  const started = Date.now();
  const plane = await startControlPlane({ say });
  const orders = await serveOrders(plane);
  say(`up after ${((Date.now() - started) / 1000).toFixed(1)} s`);
  project.provide('cluster', {
    kubeconfig: plane.kubeconfig,
    kubectl: plane.binaries.kubectl,
    apiServer: orders.url,
    viewerToken: plane.viewerToken,
  });
  return async () => {
    await orders.stop();
    await plane.stop();
  };
}

/** Tests run in other processes than the control plane is started from. */
async function serveOrders(plane: ControlPlane) {
  const orders: Record<string, () => Promise<void>> = {
    '/stop': () => plane.stopApiServer(),
    '/start': () => plane.startApiServer(),
    '/restart': () => plane.restartApiServer(),
  };
  const server = createServer(({ url = '' }, response) => {
    const order = orders[url];
    if (!order) return void response.writeHead(404).end();
    order().then(
      () => response.end(),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
