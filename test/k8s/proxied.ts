import { readKubeconfig } from '../../src/k8s/kubeconfig.ts';
import { ApiError } from '../../src/k8s/api-error.ts';
import { createTransport } from '../../src/k8s/transport.ts';
import { createTestClock } from '../faults/test-clock.ts';
import { writeKubeconfig } from '../faults/watching.ts';
import { createAuthority } from './certificates.ts';
import { ok, startHttpServer } from './http-world.ts';
import type { TestProxy } from './proxies.ts';
import { join } from 'node:path';

const clock = createTestClock();
/** Of servers that are reached through proxies, and of some proxies. */
export const authority = createAuthority();
/** What their certificates are for: a name that only a proxy knows. */
export const served = { names: ['api.test'], addresses: ['127.0.0.1'] };

export interface Way {
  server: string;
  cluster?: Record<string, unknown>;
  user?: Record<string, unknown>;
  environment?: Record<string, string>;
}

/** HTTP to the cluster of a kubeconfig. */
export async function open(
  folder: string,
  { server, cluster = {}, user = { token: 'secret-token' }, environment = {} }: Way,
) {
  const path = join(folder, 'config');
  const ca = { 'certificate-authority-data': Buffer.from(authority.cert).toString('base64') };
  await writeKubeconfig(server, { path, user, cluster: { ...(server.startsWith('https') && ca), ...cluster } });
  const transport = createTransport({
    ...readKubeconfig({ paths: path, environment, clock }),
    ...{ connectTimeoutMs: 60_000, headersTimeoutMs: 60_000 },
  });
  return { ...transport, [Symbol.asyncDispose]: () => transport.close() };
}

/** A server by a name that only the proxy knows. */
export async function behind(proxy: TestProxy, { tls = true, requestCert = false } = {}) {
  const own = authority.forServer(served);
  const client = { ca: authority.cert, requestCert: true, rejectUnauthorized: true };
  const server = await startHttpServer(ok({ fine: true }), tls ? { ...own, ...(requestCert && client) } : undefined);
  const name = `api.test:${tls ? 6443 : 8080}`;
  proxy.route(name, server.url);
  return Object.assign(server, { named: `${tls ? 'https' : 'http'}://${name}` });
}

/** What a promise rejects with, which must be an ApiError. */
export async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await promise.then(
    () => new Error('it did not reject'),
    (reason: unknown) => reason,
  );
  if (error instanceof ApiError) return error;
  throw error;
}

/** The header for `name:password`. */
export const basic = (account: string) => `Basic ${Buffer.from(account).toString('base64')}`;
