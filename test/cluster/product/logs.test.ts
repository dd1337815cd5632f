import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployments, pods, services } from '../../../src/k8s/resources.ts';
import { annotations } from '../kubelet/pod-status.ts';
import { type ProductCluster, clusters } from './clusters.ts';
import { serviceFor, workload } from './objects.ts';
import { type Product, nextOf, startProduct } from './surface.ts';

interface Logs {
  serviceRun: { logs: string };
}
interface Line {
  serviceRunLogs: { line: string; pod: string; container: string; at: string | null };
}

describe.each(clusters)('logs on %s', (_, open) => {
  let cluster: ProductCluster;
  let product: Product;
  let namespace: string;
  const labels = { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': 'talking' };

  beforeAll(async () => {
    cluster = await open();
    namespace = await cluster.namespace('logs');
    product = await startProduct({ kubeconfig: cluster.kubeconfig });
    const said = {
      [annotations.logs]: 'one\ntwo\nthree',
      [annotations.previousLogs]: 'before\nthe end',
      [annotations.restarts]: '1',
    };
    await cluster.kube.create(deployments, workload('talking', namespace, { labels, annotations: said }));
    await cluster.kube.create(services, serviceFor('talking', namespace, labels));
    await product.until(namespace, 'talking', ({ pods: [pod] }) => pod?.ready ?? false);
  });
  afterAll(async () => {
    await product.stop();
    await cluster.close();
  });

  const by = () => ({ service: { namespace, name: 'talking' } });
  const logs = async (args: string) => {
    const document = `query ($by: ServiceRunBy!) { serviceRun(by: $by) { logs${args} } }`;
    return (await product.data<Logs>(document, { by: by() })).serviceRun.logs;
  };
  const follow = (args: string) =>
    product.subscribe<Line>(
      `subscription ($by: ServiceRunBy!) { serviceRunLogs(by: $by${args}) { line pod container at } }`,
      { by: by() },
    );

  it('are what was written, its end, and what the run before wrote', async () => {
    expect(await logs('')).toBe('one\ntwo\nthree\n');
    expect(await logs('(tailLines: 2)')).toBe('two\nthree\n');
    expect(await logs('(previous: true)')).toBe('before\nthe end\n');
  });

  it('are followed as they grow', async () => {
    const stream = follow(', tailLines: 1');
    expect((await nextOf(stream)).serviceRunLogs).toMatchObject({
      line: 'three',
      pod: expect.stringMatching(/^talking-/) as string,
      container: 'c-lking',
      at: expect.stringMatching(/Z$/) as string,
    });
    const run = await product.until(namespace, 'talking', () => true);
    const metadata = { annotations: { [annotations.logs]: 'one\ntwo\nthree\nfour\nfive' } };
    await cluster.kube.patch(pods, run.pods[0]?.name ?? '', namespace, { metadata });
    expect((await nextOf(stream)).serviceRunLogs.line).toBe('four');
    expect((await nextOf(stream)).serviceRunLogs.line).toBe('five');
    await stream.return?.();
  });

  it('end with the run', async () => {
    const stream = follow('');
    expect((await nextOf(stream)).serviceRunLogs.line).toBe('one');
    await cluster.kube.delete(services, 'talking', namespace);
    await cluster.kube.delete(deployments, 'talking', namespace, { propagationPolicy: 'Background' });
    for await (const answer of stream) expect(answer.errors).toBeUndefined();
  });
});
