import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { BootError } from '../boot-error.ts';
import { fileToken } from './credentials.ts';
import type { Endpoint } from './kubeconfig.ts';
import { proxyFromEnvironment } from './proxy.ts';
import { readTls } from './tls.ts';

const folder = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface InClusterOptions {
  /** The process's environment. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** Where the ServiceAccount's files are mounted. */
  folder?: string;
}

/** The API server of the cluster that this process runs in, with the Pod's ServiceAccount. */
export function readInCluster(options: InClusterOptions = {}): Endpoint {
  const mount = options.folder ?? folder;
  const { environment = {} } = options;
  const host = environment.KUBERNETES_SERVICE_HOST ?? 'kubernetes.default.svc';
  const port = environment.KUBERNETES_SERVICE_PORT ?? '443';
  const url = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const token = join(mount, 'token');
  const ca = join(mount, 'ca.crt');
  for (const file of [token, ca]) read(file);
  return {
    url,
    tls: readTls({ ca: { path: ca } }),
    credentials: fileToken(token),
    proxy: proxyFromEnvironment(url, environment),
    namespace: read(join(mount, 'namespace')).trim() || undefined,
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new BootError([
      {
        module: 'server',
        field: 'SLIPWAY_CLUSTER',
        message: `This process does not run in a Pod with a ServiceAccount: ${path} can not be read.`,
        remedy: 'Set SLIPWAY_CLUSTER to kubeconfig or embedded, or mount the token (automountServiceAccountToken).',
      },
    ]);
  }
}
