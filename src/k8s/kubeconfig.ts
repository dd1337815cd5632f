import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { BootError } from '../boot-error.ts';
import { fileToken, fixedToken } from './credentials.ts';
import type { Credentials, TlsOptions } from './transport.ts';

/** Where an API server is, and what proves who we are. */
export interface Endpoint {
  url: string;
  tls: TlsOptions;
  credentials: Credentials | undefined;
  /** The default namespace, where the source names one. */
  namespace: string | undefined;
}

interface NamedEntry {
  name?: string;
  cluster?: Record<string, unknown>;
  context?: Record<string, unknown>;
  user?: Record<string, unknown>;
  /** The folder of the file it stands in: paths are relative to it. */
  folder: string;
}

interface Config {
  current: string | undefined;
  clusters: NamedEntry[];
  contexts: NamedEntry[];
  users: NamedEntry[];
}

/** Reads the kubeconfig files as kubectl does: a list of paths, merged, the first to say a thing wins. */
export function readKubeconfig(paths: string | undefined, contextName?: string): Endpoint {
  const files = paths ? paths.split(delimiter).filter(Boolean) : [join(homedir(), '.kube', 'config')];
  const config = merge(files);
  const wanted = contextName ?? config.current;
  if (!wanted) throw problem('The kubeconfig names no current context.', 'Set SLIPWAY_KUBE_CONTEXT.');
  const context = find(config.contexts, wanted, 'context');
  const cluster = find(config.clusters, text(context.context?.cluster) ?? '', 'cluster');
  const userName = text(context.context?.user);
  const user = userName ? find(config.users, userName, 'user') : undefined;
  return {
    url: serverOf(cluster),
    tls: tlsOf(cluster, user),
    credentials: user && credentialsOf(user),
    namespace: text(context.context?.namespace),
  };
}

function merge(files: readonly string[]): Config {
  const config: Config = { current: undefined, clusters: [], contexts: [], users: [] };
  for (const file of files) {
    const folder = dirname(resolve(file));
    const source = readYaml(file);
    const entries = (key: string) => {
      const list: unknown = source[key];
      return Array.isArray(list) ? (list as Omit<NamedEntry, 'folder'>[]).map((entry) => ({ ...entry, folder })) : [];
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
  if (text(entry.cluster?.['proxy-url'])) {
    throw problem(`The cluster "${entry.name}" is behind a proxy (proxy-url), which is not supported.`, 'Remove it.');
  }
  return server;
}

function tlsOf(entry: NamedEntry, user: NamedEntry | undefined): TlsOptions {
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
  const servername = text(cluster['tls-server-name']);
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }), ...(servername && { servername }) };
}

/** `<name>-data` in base64, else the file named by `<name>`. */
function pemOf(entry: NamedEntry, source: Record<string, unknown>, name: string): string | undefined {
  const inline = text(source[`${name}-data`]);
  if (inline) return Buffer.from(inline, 'base64').toString('utf8');
  const path = text(source[name]);
  if (!path) return undefined;
  try {
    return readFileSync(resolve(entry.folder, path), 'utf8');
  } catch {
    throw problem(`The kubeconfig's ${name} ${path} of "${entry.name}" can not be read.`, 'Correct the path.');
  }
}

function credentialsOf(entry: NamedEntry): Credentials | undefined {
  const { user = {} } = entry;
  for (const kind of ['exec', 'auth-provider']) {
    if (!user[kind]) continue;
    throw problem(
      `The user "${entry.name}" of the kubeconfig signs in by "${kind}", which is not supported yet.`,
      'Use a user with a client certificate, a token or a tokenFile.',
    );
  }
  const path = text(user.tokenFile);
  if (path) return fileToken(resolve(entry.folder, path));
  const token = text(user.token);
  if (token) return fixedToken(`Bearer ${token}`);
  const name = text(user.username);
  const password = text(user.password);
  if (!name || password === undefined) return undefined;
  return fixedToken(`Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function problem(message: string, remedy: string): BootError {
  return new BootError([{ module: 'server', field: 'SLIPWAY_CLUSTER', message, remedy }]);
}
