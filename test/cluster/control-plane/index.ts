import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { fixedToken } from '../../../src/k8s/credentials.ts';
import { Api, type Stored } from '../conformance/api.ts';
import { type Kubelet, startKubelet } from '../kubelet/index.ts';
import { type Binaries, buildBinaries } from './binaries.ts';
import { readCustomResourceDefinitions } from './crds.ts';
import { createSignIn, kubeconfig, type SignIn } from './credentials.ts';
import { freePorts } from '../../ports.ts';
import { type Program, startProgram } from './programs.ts';

/** A Kubernetes cluster on loopback: the real control plane, and a stand-in for its kubelet. */
export interface ControlPlane {
  readonly url: string;
  /** Where its store is. */
  readonly etcdUrl: string;
  /** PEM of what signs the API server's certificate. */
  readonly ca: string;
  readonly adminToken: string;
  /** A user without any right. */
  readonly viewerToken: string;
  /** Of the administrator. */
  readonly kubeconfig: string;
  readonly binaries: Binaries;
  /** Ends and starts kube-apiserver: every watch breaks, and versions from before are too old to watch from. */
  restartApiServer(signal?: NodeJS.Signals): Promise<void>;
  stopApiServer(signal?: NodeJS.Signals): Promise<void>;
  /** Resolves when it is ready. */
  startApiServer(): Promise<void>;
  stop(): Promise<void>;
}

export interface ControlPlaneOptions {
  /** @default ['node-a'] */
  nodes?: readonly string[];
  /** Whether controllers and scheduler are at work. Without, and without nodes, objects stay as they are made. @default true */
  controllers?: boolean;
  /** Further flags of kube-apiserver. */
  apiServerFlags?: readonly string[];
  /** Takes what happens, a line at a time. */
  say?: (line: string) => void;
}

interface Ports {
  etcd: number;
  peers: number;
  api: number;
  controllers: number;
  scheduler: number;
}

/** Builds what is not built yet, and starts it with an empty store on free ports. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const { nodes = ['node-a'], controllers = true, apiServerFlags = [], say = () => {} } = options;
  const binaries = await buildBinaries(say, controllers ? undefined : ['etcd', 'kube-apiserver']);
  const folder = await mkdtemp(join(tmpdir(), 'slipway-cluster-'));
  const stops: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const task of stops.splice(0).toReversed()) await task();
  };
  try {
    const layout = await prepare(folder, nodes, binaries);
    const start = async (program: Program) => {
      stops.push(() => program.stop());
      return program;
    };
    const etcd = await start(await startEtcd(layout));
    await etcd.until(() => isHealthy(`http://127.0.0.1:${layout.ports.etcd}/health`), 600);
    let apiServer = await startApiServer(layout, apiServerFlags);
    stops.push(() => apiServer.stop());
    const ca = await apiServerReady(apiServer, layout);
    await writeKubeconfigs(layout, ca);
    if (controllers) {
      await start(await startControllers(layout));
      await start(await startScheduler(layout));
    }
    const api = adminApi(layout, ca);
    stops.push(() => api.close());
    await installDefinitions(api);
    const kubelets = await startKubelets(layout, ca, api);
    stops.push(async () => void (await Promise.all(kubelets.map((kubelet) => kubelet.stop()))));
    const stopApiServer = (signal?: NodeJS.Signals) => apiServer.stop(signal);
    const restart = async () => {
      apiServer = await startApiServer(layout, apiServerFlags);
      await apiServerReady(apiServer, layout);
    };
    return {
      url: layout.url,
      etcdUrl: `http://127.0.0.1:${layout.ports.etcd}`,
      ca,
      adminToken: layout.signIn.tokens.admin,
      viewerToken: layout.signIn.tokens.viewer,
      kubeconfig: join(folder, 'admin.kubeconfig'),
      binaries,
      stopApiServer,
      startApiServer: restart,
      async restartApiServer(signal) {
        await stopApiServer(signal);
        await restart();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Layout {
  folder: string;
  nodes: readonly string[];
  binaries: Binaries;
  ports: Ports;
  signIn: SignIn;
  url: string;
}

async function prepare(folder: string, nodes: readonly string[], binaries: Binaries): Promise<Layout> {
  await mkdir(join(folder, 'logs'));
  const signIn = await createSignIn(folder, nodes);
  const [etcd = 0, peers = 0, api = 0, controllers = 0, scheduler = 0] = await freePorts(5);
  const ports = { etcd, peers, api, controllers, scheduler };
  return { folder, nodes, binaries, ports, signIn, url: `https://127.0.0.1:${api}` };
}

const logOf = ({ folder }: Layout, name: string) => join(folder, 'logs', `${name}.log`);

function startEtcd(layout: Layout): Promise<Program> {
  const [client, peer] = [layout.ports.etcd, layout.ports.peers].map((port) => `http://127.0.0.1:${port}`);
  return startProgram(
    'etcd',
    layout.binaries.etcd,
    [
      '--name=test',
      `--data-dir=${join(layout.folder, 'etcd')}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=test=${peer}`,
      // Nothing here is to outlive a crash.
      '--unsafe-no-fsync',
      '--log-level=warn',
    ],
    logOf(layout, 'etcd'),
  );
}

const certificates = ({ folder }: Layout) => join(folder, 'certificates');

function startApiServer(layout: Layout, flags: readonly string[]): Promise<Program> {
  const { ports, signIn, folder } = layout;
  return startProgram(
    'kube-apiserver',
    layout.binaries['kube-apiserver'],
    [
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--secure-port=${ports.api}`,
      '--endpoint-reconciler-type=none',
      `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
      // Without a certificate it makes itself one here.
      `--cert-dir=${certificates(layout)}`,
      `--token-auth-file=${signIn.tokenFile}`,
      `--service-account-key-file=${signIn.verifyingKey}`,
      `--service-account-signing-key-file=${signIn.signingKey}`,
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      '--service-cluster-ip-range=10.96.0.0/16',
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--kubelet-preferred-address-types=InternalIP',
      '--shutdown-watch-termination-grace-period=2s',
      '--profiling=false',
      ...flags,
    ],
    join(folder, 'logs', 'kube-apiserver.log'),
  );
}

/** The certificate that the server made for itself, once the server is ready. */
async function apiServerReady(server: Program, layout: Layout): Promise<string> {
  const readCa = () => readFile(join(certificates(layout), 'apiserver.crt'), 'utf8');
  await server.until(async () => isHealthy(`${layout.url}/readyz`, await readCa()), 600);
  return readCa();
}

async function writeKubeconfigs(layout: Layout, ca: string): Promise<void> {
  const { folder, url, signIn } = layout;
  for (const user of ['admin', 'controllers', 'scheduler'] as const) {
    await writeFile(join(folder, `${user}.kubeconfig`), kubeconfig(url, ca, signIn.tokens[user]), { mode: 0o600 });
  }
}

const busy = ['--leader-elect=false', '--kube-api-qps=1000', '--kube-api-burst=2000', '--profiling=false'];

async function startControllers(layout: Layout): Promise<Program> {
  const { ports, signIn, folder } = layout;
  const config = join(folder, 'controllers.kubeconfig');
  const program = await startProgram(
    'kube-controller-manager',
    layout.binaries['kube-controller-manager'],
    [
      ...busy,
      '--bind-address=127.0.0.1',
      `--secure-port=${ports.controllers}`,
      `--kubeconfig=${config}`,
      `--authentication-kubeconfig=${config}`,
      `--authorization-kubeconfig=${config}`,
      '--use-service-account-credentials=true',
      `--service-account-private-key-file=${signIn.signingKey}`,
      `--root-ca-file=${join(certificates(layout), 'apiserver.crt')}`,
    ],
    logOf(layout, 'kube-controller-manager'),
  );
  await program.until(() => isHealthy(`https://127.0.0.1:${ports.controllers}/healthz`, 'any'), 600);
  return program;
}

async function startScheduler(layout: Layout): Promise<Program> {
  const { ports, folder } = layout;
  const config = join(folder, 'scheduler.kubeconfig');
  const program = await startProgram(
    'kube-scheduler',
    layout.binaries['kube-scheduler'],
    [
      ...busy,
      '--bind-address=127.0.0.1',
      `--secure-port=${ports.scheduler}`,
      `--kubeconfig=${config}`,
      `--authentication-kubeconfig=${config}`,
      `--authorization-kubeconfig=${config}`,
    ],
    logOf(layout, 'kube-scheduler'),
  );
  await program.until(() => isHealthy(`https://127.0.0.1:${ports.scheduler}/healthz`, 'any'), 600);
  return program;
}

/** `any`: the certificate is one that a program made for itself and tells nobody. */
async function isHealthy(url: string, ca?: string): Promise<boolean> {
  const connect = ca === 'any' ? { rejectUnauthorized: false } : ca ? { ca } : {};
  const dispatcher = new Agent({ connect });
  try {
    const { statusCode, body } = await request(url, { dispatcher });
    await body.dump();
    return statusCode === 200;
  } finally {
    await dispatcher.destroy();
  }
}

function adminApi({ url, signIn }: Layout, ca: string): Api {
  return new Api({ url, tls: { ca }, credentials: fixedToken(`Bearer ${signIn.tokens.admin}`) });
}

const definitionsPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

async function installDefinitions(api: Api): Promise<void> {
  const definitions = await readCustomResourceDefinitions();
  for (const definition of definitions) (await api.post(definitionsPath, definition)).succeeded();
  for (const { metadata } of definitions) {
    await api.until(`${definitionsPath}/${metadata.name}`, ({ status }) =>
      ((status as { conditions?: { type: string; status: string }[] }).conditions ?? []).some(
        (condition) => condition.type === 'Established' && condition.status === 'True',
      ),
    );
  }
}

async function startKubelets(layout: Layout, ca: string, api: Api): Promise<Kubelet[]> {
  const cert = await readFile(join(certificates(layout), 'apiserver.crt'), 'utf8');
  const key = await readFile(join(certificates(layout), 'apiserver.key'), 'utf8');
  const kubelets = await Promise.all(
    layout.nodes.map((node, index) =>
      startKubelet({
        node,
        index,
        target: {
          url: layout.url,
          tls: { ca },
          credentials: fixedToken(`Bearer ${layout.signIn.nodeTokens.get(node)}`),
        },
        // The API server asks kubelets without checking who they are.
        tls: { cert, key },
      }),
    ),
  );
  for (const node of layout.nodes) await api.until(`/api/v1/nodes/${node}`, isReady);
  return kubelets;
}

function isReady({ status, spec }: Stored): boolean {
  const { conditions = [] } = (status ?? {}) as { conditions?: { type: string; status: string }[] };
  const { taints = [] } = (spec ?? {}) as { taints?: unknown[] };
  return taints.length === 0 && conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}
