import type { Product } from './surface.ts';

const list = `query ($namespace: [String!]) {
  serviceRuns(filter: { namespace: $namespace }, first: 200, orderBy: { field: NAME, direction: ASC }) { nodes { id } } }`;
const detail = `query ($id: ID!) {
  serviceRun(by: { id: $id }) {
    id runId name namespace project function kind source user createdAt actions
    labels { key value }
    spec { image command args replicas env { name value secret } }
    status {
      state health message restarts since
      reasons { code rawReason message hint count object { apiVersion kind namespace name } }
      replicas { desired ready updated available }
      service { name namespace type clusterIP externalName externalIPs ip hostname url aliases
        ports { name port protocol targetPort nodePort } urls { name url method port path description } }
      openInference { baseUrl model inferenceUrl modelMetadataUrl modelReadinessUrl readinessUrl livenessUrl }
      openAI { baseUrl model engine features }
    }
    pods { name phase ready ip node startedAt
      containers { name image ready restartCount state reason message lastExitCode init } }
  } }`;

interface Container {
  reason: string | null;
}
export interface ShownRun {
  name: string;
  runId: string;
  createdAt: string;
  actions: string[];
  status: {
    health: string;
    message: string | null;
    since: string;
    reasons: { code: string; rawReason: string | null; message: string }[];
    service: {
      clusterIP: string | null;
      ports: { port: number; targetPort: string; nodePort: number | null }[];
      url: string;
      urls: { url: string }[];
      aliases: string[];
    } | null;
  };
  pods: { name: string; ip: string | null; node: string | null; startedAt: string | null; containers: Container[] }[];
  [field: string]: unknown;
}

/** All that callers see of the runs of a namespace. */
export async function shownRuns(product: Product, namespace: string): Promise<ShownRun[]> {
  const { serviceRuns } = await product.data<{ serviceRuns: { nodes: { id: string }[] } }>(list, { namespace });
  // One by one: all fields of all runs at once cost more than a caller may ask for.
  const details = serviceRuns.nodes.map(({ id }) => product.data<{ serviceRun: ShownRun }>(detail, { id }));
  return (await Promise.all(details)).map(({ serviceRun }) => serviceRun);
}

/** What may differ between two clusters with the same objects is put out of sight: times, addresses, generated names. */
export function comparable(runs: readonly ShownRun[], namespace: string): unknown {
  const masked = structuredClone(runs) as ShownRun[];
  let names: [string, string][] = [];
  for (const run of masked) {
    delete run['id'];
    // Whether EXPOSE is among them depends on the Gateways that the whole cluster has, and others make some.
    run.actions = run.actions.filter((action) => action !== 'EXPOSE');
    run.createdAt = 'time';
    run.status.since = 'time';
    const { service } = run.status;
    if (service) {
      service.clusterIP &&= 'address';
      // The embedded cluster gives none (its README).
      for (const port of service.ports) port.nodePort = null;
    }
    for (const [index, pod] of run.pods.entries()) {
      names = [...names, [pod.name, `${run.name}-pod-${index}`]];
      pod.ip &&= 'address';
      pod.node &&= 'node';
      pod.startedAt &&= 'time';
    }
  }
  let text = JSON.stringify(masked).replaceAll(namespace, 'namespace');
  for (const [name, mask] of names) text = text.replaceAll(name, mask);
  return JSON.parse(text);
}
