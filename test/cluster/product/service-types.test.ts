import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Service, deployments, services } from '../../../src/k8s/resources.ts';
import { type ProductCluster, clusters } from './clusters.ts';
import { workload } from './objects.ts';
import { type Product, startProduct } from './surface.ts';
import { type ShownRun, comparable, shownRuns } from './views.ts';

type Ingress = { ip?: string; hostname?: string };
const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
const several = [...ports, { name: 'grpc', port: 81 }, { name: 'https-admin', port: 8443 }];

/** Each kind of Service, with the host of its addresses (null: its DNS name) and what else is to be seen of it. */
const kinds: { name: string; spec: Service['spec']; ingress?: Ingress; host?: string; shown?: object }[] = [
  { name: 'cluster-ip', spec: {}, shown: { type: 'ClusterIP', clusterIP: expect.any(String) } },
  { name: 'headless', spec: { clusterIP: 'None' }, shown: { type: 'ClusterIP', clusterIP: null } },
  { name: 'node-port', spec: { type: 'NodePort' }, shown: { type: 'NodePort' } },
  { name: 'waiting-balancer', spec: { type: 'LoadBalancer' }, shown: { ip: null, hostname: null } },
  {
    name: 'address-balancer',
    spec: { type: 'LoadBalancer' },
    ingress: { ip: '192.0.2.7' },
    host: '192.0.2.7',
    shown: { type: 'LoadBalancer', ip: '192.0.2.7', hostname: null },
  },
  {
    name: 'named-balancer',
    spec: { type: 'LoadBalancer' },
    ingress: { hostname: 'lb.example.org' },
    host: 'lb.example.org',
    shown: { type: 'LoadBalancer', ip: null, hostname: 'lb.example.org' },
  },
  {
    name: 'elsewhere',
    spec: { type: 'ExternalName', externalName: 'api.example.org' },
    host: 'api.example.org',
    shown: { type: 'ExternalName', externalName: 'api.example.org', clusterIP: null },
  },
  { name: 'external-address', spec: { externalIPs: ['198.51.100.9'] }, shown: { externalIPs: ['198.51.100.9'] } },
  { name: 'several-ports', spec: { ports: several } },
];

const labelsOf = (run: string) => ({ 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': run });

const shown: unknown[] = [];

describe.each(clusters)('Services on %s', (_, open) => {
  let cluster: ProductCluster;
  let product: Product;
  let namespace: string;
  let runs: ShownRun[];
  const serviceOf = (name: string) => runs.find((run) => run.name === name)?.status.service;

  beforeAll(async () => {
    cluster = await open();
    namespace = await cluster.namespace('service-types');
    product = await startProduct({ kubeconfig: cluster.kubeconfig });
    for (const { name, spec, ingress } of kinds) {
      const labels = labelsOf(name);
      await cluster.kube.create(deployments, workload(name, namespace, { labels, replicas: 0 }));
      const selector = spec.type === 'ExternalName' ? {} : { selector: labels };
      await cluster.kube.create(services, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace, labels },
        spec: { ports, ...selector, ...spec },
      });
      if (!ingress) continue;
      const status = { loadBalancer: { ingress: [ingress] } };
      await cluster.kube.patch(services, name, namespace, { status }, { subresource: 'status' });
    }
    for (const { name, host = name } of kinds) {
      await product.until(namespace, name, ({ status }) => status.service?.url?.startsWith(host) ?? false);
    }
    runs = await shownRuns(product, namespace);
    shown.push(comparable(runs, namespace));
  }, 120_000);
  afterAll(async () => {
    await product.stop();
    await cluster.close();
  });

  it.each(kinds)('$name', ({ name, host = `${name}.${namespace}`, shown: more = {} }) => {
    expect(serviceOf(name)).toMatchObject({ name, namespace, url: `${host}:80`, aliases: [], ...more });
    expect(serviceOf(name)?.urls[0]).toMatchObject({ name: 'base', url: `http://${host}:80/`, port: 80, path: '/' });
  });

  it('of several ports show each, and offer those that speak HTTP', () => {
    const host = `several-ports.${namespace}`;
    const info = serviceOf('several-ports');
    expect(info?.ports.map(({ port, targetPort }) => [port, targetPort])).toEqual([
      [80, '8080'],
      [81, '81'],
      [8443, '8443'],
    ]);
    expect(info?.urls.map(({ url }) => url)).toEqual([`http://${host}:80/`, `https://${host}:8443/`]);
  });
});

it('both clusters show the same', () => {
  const [real, embedded] = shown;
  expect(real).toBeDefined();
  expect(embedded).toEqual(real);
});
