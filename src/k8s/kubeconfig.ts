import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { fileToken, fixedToken } from './credentials.ts';
import { type ClientIdentity, type ExecCluster, execCredentials } from './exec-credentials.ts';
import { type NamedEntry, pemOf, problem, text } from './kubeconfig-entry.ts';
import { oidcUser } from './kubeconfig-oidc.ts';
import { type Proxy, parseProxy, proxyFromEnvironment } from './proxy.ts';
import { type TlsSource, readTls } from './tls.ts';
import type { Credentials } from './transport.ts';

/** Where an API server is, and what proves who we are. */
export interface Endpoint {
  url: string;
  tls: TlsSource;
  credentials: Credentials | undefined;
  proxy: Proxy | undefined;
  /** The default namespace, where the source names one. */
  namespace: string | undefined;
}

interface Config {
  current: string | undefined;
  clusters: NamedEntry[];
  contexts: NamedEntry[];
  users: NamedEntry[];
}

export interface KubeconfigOptions {
  /** As in the environment variable KUBECONFIG; absent: the file in the home folder. */
  paths?: string | undefined;
  /** Absent: the current one. */
  context?: string | undefined;
  /** The process's: it may name a proxy, and a program that gets credentials for us finds it as its own. */
  environment?: Readonly<Record<string, string | undefined>> | undefined;
  clock: Clock;
  log?: Log | undefined;
}

/** Reads the kubeconfig files as kubectl does: a list of paths, merged, the first to say a thing wins. */
export function readKubeconfig(options: KubeconfigOptions): Endpoint {
  const { paths, context: contextName } = options;
  const files = paths ? paths.split(delimiter).filter(Boolean) : [join(homedir(), '.kube', 'config')];
  const config = merge(files);
  const wanted = contextName ?? config.current;
  if (!wanted) throw problem('The kubeconfig names no current context.', 'Set SLIPWAY_KUBE_CONTEXT.');
  const context = find(config.contexts, wanted, 'context');
  const cluster = find(config.clusters, text(context.context?.cluster) ?? '', 'cluster');
  const userName = text(context.context?.user);
  const user = userName ? find(config.users, userName, 'user') : undefined;
  const url = serverOf(cluster);
  const own = user && identityOf(user, cluster, options);
  return {
    url,
    tls: tlsOf(cluster, user, own),
    credentials: own?.credentials,
    proxy: proxyOf(cluster, url, options),
    namespace: text(context.context?.namespace),
  };
}

function merge(files: readonly string[]): Config {
  const config: Config = { current: undefined, clusters: [], contexts: [], users: [] };
  for (const file of files) {
    const path = resolve(file);
    const where = { file: path, folder: dirname(path) };
    const source = readYaml(file);
    const entries = (key: string) => {
      const list: unknown = source[key];
      return Array.isArray(list)
        ? (list as Omit<NamedEntry, 'file' | 'folder'>[]).map((entry) => ({ ...entry, ...where }))
        : [];
    };
    config.current ??= text(source['current-context']);
    config.clusters.push(...entries('clusters'));
    config.contexts.push(...entries('contexts'));
    config.users.push(...entries('users'));
  }
  return config;
}

function readYaml(file: string): Record<string, unknown> {
  let source: unknown;
  try {
    source = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    // The parser quotes the text it fails on, and that may be a token.
    const why = (error as { code?: string }).code === 'ENOENT' ? 'does not exist' : 'can not be read as YAML';
    throw problem(`The kubeconfig ${file} ${why}.`, 'Set KUBECONFIG to the path of a kubeconfig.');
  }
  if (typeof source === 'object' && source !== null) return source as Record<string, unknown>;
  throw problem(`The kubeconfig ${file} is empty.`, 'Set KUBECONFIG to the path of a kubeconfig.');
}

function find(entries: readonly NamedEntry[], name: string, what: string): NamedEntry {
  const entry = entries.find((candidate) => candidate.name === name);
  if (entry) return entry;
  const known = entries.map((candidate) => candidate.name).join(', ') || 'none';
  throw problem(`The kubeconfig has no ${what} "${name}".`, `It has: ${known}. Choose one with SLIPWAY_KUBE_CONTEXT.`);
}

function serverOf(entry: NamedEntry): string {
  const server = text(entry.cluster?.server) ?? '';
  if (!URL.canParse(server) || !/^https?:$/.test(new URL(server).protocol)) {
    throw problem(`The cluster "${entry.name}" of the kubeconfig has no valid server URL.`, 'Correct its "server".');
  }
  return server;
}

/** The cluster's own proxy is used whatever the environment says of exceptions, as kubectl does. */
function proxyOf(entry: NamedEntry, server: string, { environment = {} }: KubeconfigOptions): Proxy | undefined {
  const own = text(entry.cluster?.['proxy-url']);
  if (!own) return proxyFromEnvironment(server, environment);
  const proxy = parseProxy(own, 'proxy-url of the kubeconfig');
  if (proxy) return proxy;
  // Not quoted: it may have a password.
  throw problem(
    `The proxy-url of the cluster "${entry.name}" of the kubeconfig is no proxy that can be used.`,
    'Give an http, https or socks5 URL, such as http://proxy.example.org:3128.',
  );
}

function tlsOf(entry: NamedEntry, user: NamedEntry | undefined, own: ClientIdentity | undefined): TlsSource {
  const { cluster = {} } = entry;
  if (cluster['insecure-skip-tls-verify'] === true) {
    throw problem(
      `The cluster "${entry.name}" of the kubeconfig turns off the check of the server's certificate.`,
      'Give its certificate-authority instead of insecure-skip-tls-verify.',
    );
  }
  const ca = pemOf(entry, cluster, 'certificate-authority');
  const cert = user && pemOf(user, user.user ?? {}, 'client-certificate');
  const key = user && pemOf(user, user.user ?? {}, 'client-key');
  const files = readTls({ ca, cert, key }, text(cluster['tls-server-name']));
  return async () => ({ ...(await files()), ...(await own?.certificate?.()) });
}

function identityOf(entry: NamedEntry, cluster: NamedEntry, options: KubeconfigOptions): ClientIdentity {
  const { user = {} } = entry;
  if (user.exec) {
    return execCredentials({
      ...{ user: entry.name ?? '', exec: user.exec, folder: entry.folder, cluster: execClusterOf(cluster) },
      ...{ environment: options.environment ?? {}, clock: options.clock },
    });
  }
  if (user['auth-provider']) return { credentials: oidcUser(entry, options) };
  const credentials = headerOf(user, entry.folder);
  return credentials ? { credentials } : {};
}

function execClusterOf(entry: NamedEntry): () => Promise<ExecCluster> {
  const { cluster = {} } = entry;
  const read = readTls({ ca: pemOf(entry, cluster, 'certificate-authority') });
  const extensions = Array.isArray(cluster.extensions) ? (cluster.extensions as Record<string, unknown>[]) : [];
  const own = extensions.find(({ name }) => name === 'client.authentication.k8s.io/exec');
  return async () => {
    const { ca } = await read();
    return {
      server: serverOf(entry),
      'tls-server-name': text(cluster['tls-server-name']),
      'certificate-authority-data': ca && Buffer.from(ca).toString('base64'),
      'proxy-url': text(cluster['proxy-url']),
      config: own?.extension,
    };
  };
}

/** A token file wins over a token, as with kubectl. */
function headerOf(user: Record<string, unknown>, folder: string): Credentials | undefined {
  const path = text(user.tokenFile);
  if (path) return fileToken(resolve(folder, path));
  const token = text(user.token);
  if (token) return fixedToken(`Bearer ${token}`);
  const name = text(user.username);
  const password = text(user.password);
  if (!name || password === undefined) return undefined;
  return fixedToken(`Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`);
}
