import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { ApiError } from '../../../src/k8s/api-error.ts';
import type { KubeClient } from '../../../src/k8s/cluster.ts';
import { type KubeObject, namespaces, type Resource, secrets } from '../../../src/k8s/resources.ts';
import { type Program, startProgram } from '../control-plane/programs.ts';
import { readEnvoyGatewayDefinitions } from './crds.ts';
import { startForward } from './forward.ts';
import { definitions } from './kinds.ts';
import type { TestNetwork } from './network.ts';

const run = promisify(execFile);

export const systemNamespace = 'envoy-gateway-system';
export interface Controller {
  /** What the controller gave Envoy to sign in with. */
  certificates: Readonly<Record<string, Buffer>>;
  program: Program;
  stop(): Promise<void>;
}

const config = {
  apiVersion: 'gateway.envoyproxy.io/v1alpha1',
  kind: 'EnvoyGateway',
  gateway: { controllerName: 'gateway.envoyproxy.io/gatewayclass-controller' },
  provider: { type: 'Kubernetes', kubernetes: { leaderElection: { disable: true } } },
  logging: { level: { default: 'info' } },
  // Envoy is in the same network and has the ports that these would take.
  admin: { address: { host: '127.0.0.1', port: 19080 } },
  telemetry: { metrics: { prometheus: { disable: true } } },
};

/** Starts the real controller on a cluster. It looks for files at fixed paths, so it gets a root folder of its own. */
export async function startController(options: {
  kube: KubeClient;
  network: TestNetwork;
  program: string;
  kubeconfig: string;
  folder: string;
}): Promise<Controller> {
  const { kube, network, folder } = options;
  await installDefinitions(kube);
  await ensure(kube, namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: systemNamespace } });
  const root = join(folder, 'controller');
  for (const name of ['certs', 'tmp', 'var', 'root']) await mkdir(join(root, name), { recursive: true });
  await copyFile(options.program, join(root, 'envoy-gateway'));
  await chmod(join(root, 'envoy-gateway'), 0o755);
  await writeFile(join(root, 'config.yaml'), stringify(config));
  const api = await forwardApi(network, options.kubeconfig);
  await writeFile(join(root, 'kubeconfig'), api.kubeconfig, { mode: 0o600 });
  const environment = {
    HOME: '/root',
    KUBECONFIG: '/kubeconfig',
    ENVOY_GATEWAY_NAMESPACE: systemNamespace,
  };
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const inside = (...args: string[]) =>
    network.inside('env', [...variables, 'chroot', root, '/envoy-gateway', ...args]);
  await run(...inside('certgen', '--disable-topology-injector'));
  const certificates = await filesOf(kube, 'envoy');
  for (const [name, bytes] of Object.entries(await filesOf(kube, 'envoy-gateway'))) {
    await writeFile(join(root, 'certs', name), bytes);
  }
  const [command, args] = inside('server', '--config-path', '/config.yaml');
  const program = await startProgram('envoy-gateway', command, args, join(folder, 'envoy-gateway.log'));
  return {
    certificates,
    program,
    async stop() {
      await program.stop();
      await api.stop();
    },
  };
}

/** The API server listens on loopback only, which is another one in there. */
async function forwardApi(network: TestNetwork, path: string): Promise<{ kubeconfig: string; stop(): Promise<void> }> {
  const config = parse(await readFile(path, 'utf8')) as { clusters: { cluster: Record<string, string> }[] };
  const { cluster } = config.clusters[0] ?? {};
  if (!cluster?.['server']) throw new Error(`${path} has no cluster`);
  const { hostname, port } = new URL(cluster['server']);
  const forward = await startForward(network.host, Number(port));
  Object.assign(cluster, { server: `https://${network.host}:${forward.port}`, 'tls-server-name': hostname });
  return { kubeconfig: stringify(config), stop: () => forward.stop() };
}

async function installDefinitions(kube: KubeClient): Promise<void> {
  for (const definition of await readEnvoyGatewayDefinitions()) await ensure(kube, definitions, definition);
}

async function ensure<T extends KubeObject>(
  kube: KubeClient,
  resource: Resource<T>,
  object: KubeObject,
): Promise<void> {
  try {
    await kube.create(resource, object as T);
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 409)) throw error;
  }
}

async function filesOf(kube: KubeClient, name: string): Promise<Record<string, Buffer>> {
  const { data = {} } = await kube.get(secrets, name, systemNamespace);
  return Object.fromEntries(Object.entries(data).map(([file, value]) => [file, Buffer.from(value, 'base64')]));
}
