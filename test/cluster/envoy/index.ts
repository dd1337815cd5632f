import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/clock.ts';
import { createKubeClient } from '../../../src/k8s/client.ts';
import type { KubeClient } from '../../../src/k8s/cluster.ts';
import { readKubeconfig } from '../../../src/k8s/kubeconfig.ts';
import {
  type Deployment,
  deployments,
  type EnvoyProxy,
  envoyProxies,
  gatewayClasses,
  gateways,
  namespaces,
  pods,
  services,
} from '../../../src/k8s/resources.ts';
import { createTransport } from '../../../src/k8s/transport.ts';
import { type Program, startProgram } from '../control-plane/programs.ts';
import { annotations } from '../kubelet/pod-status.ts';
import { buildEnvoyGateway, installEnvoy } from './binaries.ts';
import { startController } from './controller.ts';
import { deploymentOf, startDataPlane } from './data-plane.ts';
import type { TestNetwork } from './network.ts';

/** Envoy as Envoy Gateway runs it, in front of Pods that answer. */
export interface EnvoyWorld {
  readonly kube: KubeClient;
  readonly network: TestNetwork;
  /** The Gateway: `namespace` has no other use. */
  readonly parent: { namespace: string; name: string };
  /** Where Envoy takes requests for it. */
  readonly address: string;
  readonly port: number;
  /** A Service `name` with one Pod that answers; resolves when Kubernetes knows its endpoint. */
  addService(name: string, namespace: string): Promise<{ address: string }>;
  /** The end of a program's log. */
  stop(): Promise<void>;
}

const parent = { namespace: 'edge', name: 'edge' };
const podPort = 8000;
/** How long Envoy goes on serving connections by a configuration that it had before. */
export const drainSeconds = 5;

export async function startEnvoyWorld(options: {
  kubeconfig: string;
  /** PEM of the authority that signs what Envoy fetches keys from. */
  authority: string;
  network: TestNetwork;
  say: (line: string) => void;
}): Promise<EnvoyWorld> {
  const { network, say } = options;
  const programs = { controller: await buildEnvoyGateway(say), envoy: await installEnvoy(say) };
  const folder = await mkdtemp(join(tmpdir(), 'slipway-envoy-'));
  const stops: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const task of stops.splice(0).toReversed()) await task();
  };
  const keep = (program: Program): Program => {
    stops.push(() => program.stop());
    return program;
  };
  try {
    const { url, tls, credentials } = readKubeconfig({ paths: options.kubeconfig, clock: systemClock });
    const transport = createTransport({ url, tls, ...(credentials && { credentials }) });
    stops.push(() => transport.close());
    const kube = createKubeClient(transport);
    const { certificates, program, ...controller } = await startController({
      ...{ kube, network, folder, program: programs.controller, kubeconfig: options.kubeconfig },
    });
    stops.push(() => controller.stop());
    await addGateway(kube);
    let deployment: Deployment | undefined;
    await program.until(async () => {
      deployment = await deploymentOf(kube, parent.name);
      return deployment !== undefined;
    }, 600);
    say('Envoy Gateway has made the Deployment of its Envoy');
    if (!deployment) throw new Error('the Deployment is gone');
    keep(
      await startDataPlane({
        ...{ kube, network, folder, certificates, deployment },
        authority: options.authority,
        program: programs.envoy,
      }),
    );
    say('Envoy is ready');
    const [node, args] = network.inside(process.execPath, [join(import.meta.dirname, 'pods.ts'), String(podPort)]);
    keep(await startProgram('pods', node, args, join(folder, 'pods.log')));
    const listener = 80;
    return {
      kube,
      network,
      parent,
      address: network.envoy,
      // Ports that only root may open are moved up, for Envoy runs as somebody else in its Pod.
      port: listener + 10_000,
      addService: (name, namespace) => addService(kube, network, program, { name, namespace }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function addGateway(kube: KubeClient): Promise<void> {
  const { name, namespace } = parent;
  await kube.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const proxy: EnvoyProxy & { spec: { provider: object } } = {
    apiVersion: 'gateway.envoyproxy.io/v1alpha1',
    kind: 'EnvoyProxy',
    metadata: { name, namespace },
    // Nobody gives addresses to load balancers here. Connections of an old configuration end soon: docs/gateways.md says why.
    spec: {
      provider: { type: 'Kubernetes', kubernetes: { envoyService: { type: 'ClusterIP' } } },
      shutdown: { drainTimeout: `${drainSeconds}s` },
    },
  };
  await kube.create(envoyProxies, proxy);
  await kube.create(gatewayClasses, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GatewayClass',
    metadata: { name },
    spec: {
      controllerName: 'gateway.envoyproxy.io/gatewayclass-controller',
      parametersRef: { group: 'gateway.envoyproxy.io', kind: 'EnvoyProxy', name, namespace },
    },
  });
  await kube.create(gateways, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name, namespace },
    spec: {
      gatewayClassName: name,
      listeners: [{ name: 'http', port: 80, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' } } }],
    },
  });
}

async function addService(
  kube: KubeClient,
  network: TestNetwork,
  program: Program,
  { name, namespace }: { name: string; namespace: string },
): Promise<{ address: string }> {
  const address = network.podAddress();
  const labels = { app: name };
  await kube.create(deployments, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations: { [annotations.podIp]: address } },
        spec: { containers: [{ name: 'main', image: 'example.org/main', ports: [{ containerPort: podPort }] }] },
      },
    },
  });
  await kube.create(services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { selector: labels, ports: [{ port: 80, targetPort: podPort }] },
  });
  await program.until(async () => {
    const { items } = await kube.list(pods, { namespace, labelSelector: `app=${name}` });
    return items.some(({ status }) => status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'));
  }, 600);
  return { address };
}
