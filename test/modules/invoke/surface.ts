import { once } from 'node:events';
import type { Cluster, KubeClient } from '../../../src/k8s/cluster.ts';
import { endpointSlices, pods, services } from '../../../src/k8s/resources.ts';
import type { Pod, Service } from '../../../src/k8s/resources.ts';
import { invoke } from '../../../src/modules/invoke/index.ts';
import { runs } from '../../../src/modules/runs/index.ts';
import { Runs, type RunView } from '../../../src/modules/runs/service.ts';
import { type AnyModule, defineModule } from '../../../src/module.ts';
import { globalId } from '../../../src/schema/ids.ts';
import { type GraphQLAnswer, type TestServer, type TestServerOptions, startTestServer } from '../../../src/testing.ts';
import type { Certificate } from '../../k8s/certificates.ts';
import { type Script, type Upstream, startUpstream } from './upstream.ts';

export const namespace = 'default';

export interface Invocation {
  id: string;
  outcome: string;
  errorCode: string | null;
  message: string | null;
  recorded: boolean;
  replayable: boolean;
  caller: string;
  runId: string;
  request: {
    method: string;
    url: string;
    headers: Header[];
    body: string | null;
    bodyBytes: number;
    curl: string | null;
  };
  response: Response | null;
  timings: { totalMs: number | null; connectMs: number | null; firstByteMs: number | null };
}

export interface Response {
  status: number;
  statusText: string;
  headers: Header[];
  contentType: string | null;
  body: string | null;
  bodyBytes: number;
  truncated: boolean;
  lossy: boolean;
  preview: { format: string; value: unknown; error: string | null } | null;
}

interface Header {
  name: string;
  value: string;
  redacted?: boolean;
}

export const invocationFields = `
  id outcome errorCode message recorded replayable caller runId
  request { method url headers { name value redacted } body bodyBytes curl }
  response {
    status statusText headers { name value redacted } contentType body bodyBytes truncated lossy
    preview { format value error }
  }
  timings { totalMs connectMs firstByteMs }`;

export const invokeService = `mutation ($input: InvokeServiceInput!) {
  invokeService(input: $input) { invocation { ${invocationFields} } }
}`;

export interface ServiceParts {
  service?: Partial<Service['spec']>;
  serviceMetadata?: Partial<Service['metadata']>;
  pod?: Partial<Pod['spec']>;
  podMetadata?: Partial<Pod['metadata']>;
  podIPs?: string[];
  ready?: boolean;
  /** The certificate of a service that is encrypted. */
  tls?: Certificate;
  /** @default 'https' for one that is encrypted, else 'http' */
  portName?: string;
  /** Whether the Pod exists at all. */
  withPod?: boolean;
}

/** A run that this test plays: a Service and a Pod made by hand, and the program behind them in this process. */
export interface PlayedRun {
  id: string;
  /** `http://<address>:8000`, or https. */
  url: string;
  upstream: Upstream;
}

export interface InvokeServer extends TestServer {
  runs: Runs;
  /** Where runs are played. */
  namespace: string;
  /** Plays a run whose Pod answers by this script. */
  play(name: string, script: Script | string | Buffer, parts?: ServiceParts): Promise<PlayedRun>;
  /** Resolves once the views and caches are as wanted. */
  until<T>(check: () => T | undefined): Promise<T>;
  answer(input: object): Promise<GraphQLAnswer<{ invokeService: { invocation: Invocation } | null }>>;
  /** Calls a run; rejects when it is refused. */
  call(run: { id: string }, input?: object): Promise<Invocation>;
}

export const labels = (name: string) => ({ 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': name });

/** The cluster that services are played on, where it is not the embedded one of the server. */
export interface Stage {
  kube: KubeClient;
  namespace: string;
  /** One that nobody else has, and on which this process can listen. */
  nextAddress(): string;
  /** Makes a Pod with this address, which becomes ready by itself. */
  addPod(pod: Pod, address: string): Promise<void>;
}

let addresses = 0;
/** An address of the embedded range that nobody else has in this process. */
export const nextAddress = (): string => {
  addresses += 1;
  return `127.${64 + (process.pid % 60)}.${addresses >> 8}.${(addresses % 250) + 1}`;
};

export type InvokeServerOptions = Omit<TestServerOptions, 'modules'> & { modules?: AnyModule[]; stage?: Stage };

/** A way to services, to tell the same cases to. */
export interface Way {
  reach: 'direct' | 'apiserver';
  open: (options?: InvokeServerOptions) => Promise<InvokeServer>;
}

/** Pods of the embedded cluster. */
export const embedded: Way = { reach: 'direct', open: startInvokeServer };

/** Where they are not what a test is about, they only end what hangs. */
const patient = { connectTimeoutMs: 60_000, firstByteTimeoutMs: 60_000, timeoutMs: 120_000 };

/** A server with runs and invoke, where tests play services. */
export async function startInvokeServer({ config = {}, ...options }: InvokeServerOptions = {}): Promise<InvokeServer> {
  const probe: { runs?: Runs } = {};
  const spy = defineModule({
    name: 'spy',
    needs: { runs: Runs },
    start: ({ deps }) => {
      probe.runs = deps.runs;
    },
  });
  const server = await startTestServer({
    ...options,
    modules: [...(options.modules ?? []), runs, invoke, spy],
    config: { ...config, invoke: { ...patient, ...(config['invoke'] as object | undefined) } },
  });
  const views = probe.runs;
  if (!views) throw new Error('the runs module did not start');
  const { cluster } = server;
  const stage = options.stage ?? embeddedStage(server);
  const upstreams: Upstream[] = [];
  const until: InvokeServer['until'] = async (check) => {
    const changed = new EventTarget();
    const tell = () => void changed.dispatchEvent(new Event('change'));
    const stops = [
      views.subscribe(tell),
      ...[services, pods, endpointSlices].map((resource) => cluster.cache(resource as typeof pods).subscribe(tell)),
    ];
    try {
      for (;;) {
        const next = once(changed, 'change', { signal: AbortSignal.timeout(100_000) });
        const found = check();
        if (found === undefined) {
          await next;
          continue;
        }
        next.catch(() => {});
        return found;
      }
    } finally {
      for (const stop of stops) stop();
    }
  };
  const answer: InvokeServer['answer'] = (input) => server.query(invokeService, { input });
  const stop = async () => {
    await server.stop();
    for (const upstream of upstreams) await upstream[Symbol.asyncDispose]();
  };
  return {
    ...server,
    runs: views,
    namespace: stage.namespace,
    until,
    answer,
    async play(name, script, parts = {}) {
      const upstream = await startUpstream(script, stage.nextAddress(), parts.tls);
      upstreams.push(upstream);
      await playObjects(stage, name, upstream, parts);
      const withEndpoint = parts.withPod !== false && parts.ready !== false;
      const view = await until(() => found(cluster, views, { name, namespace: stage.namespace }, withEndpoint));
      return { id: view.id, url: `${parts.tls ? 'https' : 'http'}://${view.status.service?.url}`, upstream };
    },
    async call({ id }, input = {}) {
      const { data, errors } = await answer({ id, ...input });
      if (!data?.invokeService) throw new Error(JSON.stringify(errors));
      return data.invokeService.invocation;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The view of a played run, once the caches hold what it needs. */
function found(
  cluster: Cluster,
  views: Runs,
  { name, namespace }: { name: string; namespace: string },
  withEndpoint: boolean,
): RunView | undefined {
  const view = views.byId(globalId('ServiceRun', `${namespace}/${name}`));
  if (!view?.objects.service) return undefined;
  if (!withEndpoint) return view;
  const slices = [...cluster.cache(endpointSlices).list(namespace)].filter(
    ({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name,
  );
  const ready = slices.some(({ endpoints }) => endpoints?.some(({ conditions }) => conditions?.ready !== false));
  const pod = cluster.cache(pods).get(namespace, `${name}-1`);
  const conditions = pod?.status?.conditions ?? [];
  return ready && conditions.some(({ type, status }) => type === 'Ready' && status === 'True') ? view : undefined;
}

async function playObjects(
  stage: Stage & { addPod: (pod: Pod, address: string, parts: ServiceParts) => Promise<void> },
  name: string,
  upstream: Upstream,
  parts: ServiceParts,
): Promise<void> {
  const { kube, namespace } = stage;
  await kube.create(services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels: labels(name), ...parts.serviceMetadata },
    spec: {
      selector: { 'slipway.dev/run': name },
      ports: [
        {
          name: parts.portName ?? (parts.tls ? 'https' : 'http'),
          port: 8000,
          targetPort: upstream.port,
          protocol: 'TCP',
        },
      ],
      ...parts.service,
    },
  });
  if (parts.withPod === false) return;
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${name}-1`, namespace, labels: labels(name), ...parts.podMetadata },
    spec: { containers: [{ name: 'main', image: 'played' }], ...parts.pod },
  };
  await stage.addPod(pod, upstream.address, parts);
}

function embeddedStage({ kube }: TestServer) {
  return {
    ...{ kube, namespace, nextAddress },
    async addPod(pod: Pod, address: string, { podIPs = [address], ready = true }: ServiceParts = {}): Promise<void> {
      // A node that is not there: no kubelet meddles.
      const created = await kube.create(pods, { ...pod, spec: { nodeName: 'played', ...pod.spec } });
      await kube.replace(pods, { ...created, status: podStatus(podIPs, ready) }, { subresource: 'status' });
    },
  };
}

function podStatus(podIPs: string[], ready: boolean): NonNullable<Pod['status']> {
  const condition = {
    status: ready ? ('True' as const) : ('False' as const),
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  return {
    phase: 'Running',
    podIP: podIPs[0] ?? '',
    podIPs: podIPs.map((ip) => ({ ip })),
    conditions: [
      { type: 'Ready', ...condition },
      { type: 'ContainersReady', ...condition },
    ],
    containerStatuses: [
      {
        name: 'main',
        image: 'played',
        imageID: '',
        ready,
        restartCount: 0,
        state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
      },
    ],
  };
}

/** `CODE field reason` of each error of an answer. */
export function errorsOf(answer: GraphQLAnswer<unknown>): string[] {
  return (answer.errors ?? []).map(({ extensions }) =>
    [extensions['code'], extensions['field'], extensions['reason']].filter(Boolean).join(' '),
  );
}
