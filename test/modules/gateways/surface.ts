import { once } from 'node:events';
import { namespaces, services } from '../../../src/k8s/resources.ts';
import { defineModule } from '../../../src/module.ts';
import { gateways } from '../../../src/modules/gateways/index.ts';
import { Gateways, type GatewayView } from '../../../src/modules/gateways/service.ts';
import { runs } from '../../../src/modules/runs/index.ts';
import { Runs, type RunView } from '../../../src/modules/runs/service.ts';
import { type GraphQLAnswer, startTestServer, type TestServer, type TestServerOptions } from '../../../src/testing.ts';
import { type Answer, type Ask, send } from '../../k8s/embedded/gateway/world.ts';

export { errorsOf, rights } from '../runs/surface.ts';

/** A server with the modules runs and gateways, and ways to wait for what they see. */
export async function startGatewaysServer(options: Omit<TestServerOptions, 'modules'> = {}) {
  const probe: { runs?: Runs; gateways?: Gateways } = {};
  const spy = defineModule({
    name: 'spy',
    needs: { runs: Runs, gateways: Gateways },
    start: ({ deps }) => {
      Object.assign(probe, deps);
    },
  });
  const server = await startTestServer({ ...options, modules: [runs, gateways, spy] });
  const { runs: runViews, gateways: gatewayViews } = probe;
  if (!runViews || !gatewayViews) throw new Error('the modules did not start');
  await server.cluster.synced();
  return Object.assign(server, {
    gateways: gatewayViews,
    /** Resolves when the gateway with this name is as wanted. */
    until: (name: string, wanted: (gateway: GatewayView) => boolean): Promise<GatewayView> =>
      waitFor(gatewayViews, () => [...gatewayViews.all()].find((view) => view.name === name && wanted(view))),
    untilGone: async (name: string): Promise<void> => {
      await waitFor(gatewayViews, () =>
        [...gatewayViews.all()].some((view) => view.name === name) ? undefined : true,
      );
    },
    untilRun: (name: string, wanted: (run: RunView) => boolean): Promise<RunView> =>
      waitFor(runViews, () => [...runViews.all()].find((run) => run.name === name && wanted(run))),
    /** Sends a request to the gateway's port under this hostname. */
    ask: (hostname: string, path: string, ask: Ask = {}): Promise<Answer> =>
      send(Number(new URL(server.gatewayUrl).port), hostname, path, ask),
  });
}
export type GatewaysServer = Awaited<ReturnType<typeof startGatewaysServer>>;

/** Resolves with what `check` finds, now or after a change. */
export async function waitFor<T>(
  source: { subscribe(listener: () => void): () => void },
  check: () => T | undefined,
): Promise<T> {
  const changed = new EventTarget();
  const stop = source.subscribe(() => changed.dispatchEvent(new Event('change')));
  try {
    for (;;) {
      const next = once(changed, 'change', { signal: AbortSignal.timeout(100_000) });
      const found = check();
      if (found !== undefined) {
        next.catch(() => {});
        return found;
      }
      await next;
    }
  } finally {
    stop();
  }
}

export const ready = ({ status }: GatewayView): boolean => status.phase === 'READY';

/** A namespace. */
export async function namespace(server: Pick<TestServer, 'kube'>, name: string): Promise<void> {
  await server.kube.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}

export interface ServiceOptions {
  namespace?: string;
  ports?: { name?: string; port: number; targetPort?: number; protocol?: string }[];
  labels?: Record<string, string>;
  type?: 'ExternalName';
  externalName?: string;
}

/** A Service with nothing behind it. */
export async function service(
  server: Pick<TestServer, 'kube'>,
  name: string,
  { namespace = 'default', ports = [{ port: 80 }], labels = {}, ...spec }: ServiceOptions = {},
): Promise<void> {
  await server.kube.create(services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels },
    spec: { ...spec, ports, ...(spec.type === undefined && { selector: { app: name } }) },
  });
}

/** A run that answers with what it was asked, reached through its Service. */
export async function echo(server: GatewaysServer, name = 'echo'): Promise<RunView> {
  const input = {
    name,
    image: 'slipway.dev/demo/echo',
    ports: [{ port: 8080 }],
    readinessPath: '/healthz',
    project: 'shop',
  };
  await server.data('mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } } }', {
    input,
  });
  return server.untilRun(name, (run) => run.status.health === 'HEALTHY');
}

export interface GatewayFields {
  id: string;
  name: string;
  namespace: string;
  project: string | null;
  resourceVersion: string;
  hostname: string;
  hostnames: string[];
  pathPrefix: string | null;
  rewritePathPrefix: string | null;
  url: string;
  managed: boolean;
  auth: { kind: string; secretName: string | null; headerName: string | null; policy: { name: string } | null };
  status: { phase: string; message: string | null };
}
export interface Payload {
  gateway: GatewayFields;
  manifests: string;
  warnings: string[];
  notices: { code: string; field: string | null; message: string }[];
}

const fields = `id name namespace project resourceVersion hostname hostnames pathPrefix rewritePathPrefix url managed
  auth { kind secretName headerName policy { name } } status { phase message }`;
const selection = `gateway { ${fields} } manifests warnings notices { code field message }`;

export const documents = {
  create: `mutation ($input: CreateGatewayInput!) { createGateway(input: $input) { ${selection} } }`,
  update: `mutation ($input: UpdateGatewayInput!) { updateGateway(input: $input) { ${selection} } }`,
  delete: 'mutation ($input: DeleteGatewayInput!) { deleteGateway(input: $input) { id manifests } }',
  createSecret: `mutation ($input: CreateGatewaySecretInput!) {
    createGatewaySecret(input: $input) { secret { name namespace kind principals problem } generated { principal value } } }`,
  rotateSecret: `mutation ($input: RotateGatewaySecretInput!) {
    rotateGatewaySecret(input: $input) { secret { name kind principals problem } generated { principal value } } }`,
  deleteSecret: 'mutation ($input: DeleteGatewaySecretInput!) { deleteGatewaySecret(input: $input) { deleted } }',
  gateways: `query ($filter: GatewayFilter) { gateways(filter: $filter) { nodes { ${fields} } totalCount } }`,
} as const;

/** The mutations of one server. */
export function calls(server: Pick<TestServer, 'data' | 'query'>) {
  const call = async <T>(document: string, input: object): Promise<T> => {
    const [payload] = Object.values(await server.data<Record<string, T>>(document, { input }));
    if (payload === undefined) throw new Error('no payload');
    return payload;
  };
  return {
    create: (input: object) => call<Payload>(documents.create, input),
    update: (input: object) => call<Payload>(documents.update, input),
    delete: (input: object) => call<{ id: string; manifests: string }>(documents.delete, input),
    createSecret: (input: object) => call<SecretPayload>(documents.createSecret, input),
    rotateSecret: (input: object) => call<SecretPayload>(documents.rotateSecret, input),
    deleteSecret: (input: object) => call<{ deleted: boolean }>(documents.deleteSecret, input),
    /** `CODE field reason` of each refusal. */
    refusals: async (document: string, input: object): Promise<string[]> =>
      refusalsOf(await server.query(document, { input })),
  };
}

export interface SecretPayload {
  secret: { name: string; namespace: string; kind: string; principals: string[]; problem: string | null };
  generated: { principal: string; value: string }[];
}

function refusalsOf(answer: GraphQLAnswer): string[] {
  if (answer.data && Object.values(answer.data).some((payload) => payload !== null))
    throw new Error('nothing was refused');
  return (answer.errors ?? []).map(({ extensions }) =>
    [extensions['code'], extensions['field'], extensions['reason']].filter(Boolean).join(' '),
  );
}

export const basic = (user: string, password: string): Ask => ({
  headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
});
