import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import type { KubeClient } from '../../../src/k8s/cluster.ts';
import { configMaps, type Deployment, deployments } from '../../../src/k8s/resources.ts';
import { type Program, startProgram } from '../control-plane/programs.ts';
import { systemNamespace } from './controller.ts';
import type { TestNetwork } from './network.ts';

interface DataPlaneOptions {
  kube: KubeClient;
  network: TestNetwork;
  /** Envoy. */
  program: string;
  certificates: Readonly<Record<string, Buffer>>;
  /** PEM of an authority that Envoy trusts besides the system's. */
  authority: string;
  /** The Deployment that the controller made. */
  deployment: Deployment;
  folder: string;
}

/** Starts Envoy as its Deployment says, in place of the Pod that has no containers here. */
export async function startDataPlane(options: DataPlaneOptions): Promise<Program> {
  const { network, folder, deployment } = options;
  const root = join(folder, 'envoy');
  const [certs, sds] = [join(root, 'certs'), join(root, 'sds')];
  for (const path of [certs, sds]) await mkdir(path, { recursive: true });
  for (const [name, bytes] of Object.entries(options.certificates)) await writeFile(join(certs, name), bytes);
  const here = (text: string) => text.replaceAll('/certs/', `${certs}/`).replaceAll('/sds/', `${sds}/`);
  const { data = {} } = await options.kube.get(configMaps, deployment.metadata.name, systemNamespace);
  for (const [name, text] of Object.entries(data)) await writeFile(join(sds, name), here(text));
  const authorities = join(root, 'authorities.pem');
  await writeFile(authorities, options.authority);

  const container = deployment.spec.template.spec.containers.find(({ name }) => name === 'envoy');
  if (!container) throw new Error('The Deployment of the controller has no container "envoy".');
  const found = (container.args ?? []).map((argument) =>
    here(argument)
      .replaceAll(new RegExp(`envoy-gateway\\.${systemNamespace}\\.svc[.a-z]*`, 'g'), '127.0.0.1')
      .replaceAll('$(ENVOY_POD_NAME)', 'envoy-test')
      .replaceAll('$(ENVOY_POD_NAMESPACE)', systemNamespace),
  );
  // Its certificates of the system are those that it trusts for JWKS: in its mounts, and nobody else's, ours take their place.
  const trust = `mount --bind ${authorities} /etc/ssl/certs/ca-certificates.crt && exec "$0" "$@"`;
  const [ip, args] = network.inside('unshare', [
    '-m',
    'sh',
    '-c',
    trust,
    options.program,
    ...found,
    '--concurrency',
    '2',
  ]);
  const program = await startProgram('envoy', ip, args, join(folder, 'envoy.log'));
  await program.until(() => isReady(network.envoy), 600);
  return program;
}

async function isReady(address: string): Promise<boolean> {
  const { statusCode, body } = await request(`http://${address}:19003/ready`);
  await body.dump();
  return statusCode === 200;
}

/** The Deployment that the controller makes for a Gateway, once it is there. */
export async function deploymentOf(kube: KubeClient, gateway: string): Promise<Deployment | undefined> {
  const labelSelector = `gateway.envoyproxy.io/owning-gateway-name=${gateway}`;
  const { items } = await kube.list(deployments, { namespace: systemNamespace, labelSelector });
  return items[0];
}
