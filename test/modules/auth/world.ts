import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../../src/clock.ts';
import { systemClock } from '../../../src/clock.ts';
import { connect } from '../../../src/k8s/connect.ts';
import { startEmbedded } from '../../../src/k8s/embedded/index.ts';
import { type Deployment, type Service, deployments, namespaces, services } from '../../../src/k8s/resources.ts';
import { type Log, createLog } from '../../../src/log.ts';
import type { AnyModule } from '../../../src/module.ts';
import { builtinModules } from '../../../src/modules/index.ts';
import { createServer } from '../../../src/server.ts';
import { startClusterFront } from './cluster-front.ts';
import { audience, startIssuer } from './issuer.ts';
import { type HttpAnswer, bearer, send } from './surface.ts';

export interface WorldOptions {
  modules?: readonly AnyModule[];
  /** Of the auth module, besides issuer and audience. */
  auth?: Record<string, unknown>;
  watchedNamespaces?: string[];
  clock?: Clock;
  log?: Log;
}

/** The whole server with sign-in, an identity provider, and a cluster with RBAC. */
export async function startWorld({ modules = builtinModules, auth, watchedNamespaces, ...rest }: WorldOptions = {}) {
  const { clock = systemClock, log = createLog('silent') } = rest;
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-auth-'));
  const stops: (() => Promise<unknown>)[] = [() => rm(dataDir, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const task of stops.splice(0).reverse()) await task();
  };
  const issuer = await startIssuer(() => clock.now());
  stops.push(() => issuer.close());
  const embedded = await startEmbedded({
    ...{ dataDir, apiPort: 0, gatewayPort: 0, demo: false, namespace: 'default', clock: systemClock, log },
  });
  stops.push(() => embedded.stop());
  const front = await startClusterFront(embedded.url);
  stops.push(() => front.stop());
  const cluster = await connect({
    mode: 'EMBEDDED',
    namespace: 'default',
    namespaces: watchedNamespaces,
    embedded: { ...embedded, url: front.url },
    clock,
    log,
  });
  const server = await createServer({
    modules,
    config: { auth: { issuer: issuer.url, audience: [audience], ...auth }, metrics: { port: 0 } },
    ...{ cluster, port: 0, dataDir, log, clock },
  });
  stops.push(() => server.stop());
  await server.synced();
  const kube = embedded.api.client;
  return {
    issuer,
    front,
    server,
    kube,
    url: server.url,
    /** Asks as the user with these claims; null: without a token. */
    ask: async (claims: Record<string, unknown> | null, document: string): Promise<HttpAnswer> =>
      send(server.url, { headers: claims ? bearer(await issuer.sign(claims)) : [], body: document }),
    /** A run of a project that is there but runs nothing, and that the server knows of. */
    async run(name: string, namespace: string, project: string): Promise<void> {
      await kube
        .create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
        .catch(() => undefined); // it may be there
      const deployment = await kube.create(deployments, deploymentOf(name, namespace, project));
      const service = await kube.create(services, serviceOf(name, namespace, project));
      await server.cluster.cache(deployments).seen(deployment);
      await server.cluster.cache(services).seen(service);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

export type World = Awaited<ReturnType<typeof startWorld>>;

function labelsOf(name: string, project: string): Record<string, string> {
  return { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': name, 'slipway.dev/project': project };
}

function deploymentOf(name: string, namespace: string, project: string): Deployment {
  const labels = labelsOf(name, project);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels },
    spec: {
      replicas: 0,
      selector: { matchLabels: { 'slipway.dev/run': name } },
      template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'image:1' }] } },
    },
  };
}

function serviceOf(name: string, namespace: string, project: string): Service {
  const selector = { 'slipway.dev/run': name };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels: labelsOf(name, project) },
    spec: { selector, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  };
}
