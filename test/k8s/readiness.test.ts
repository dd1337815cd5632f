import { expect, test } from 'vitest';
import { connect } from '../../src/k8s/connect.ts';
import { createLog } from '../../src/log.ts';
import { auth } from '../../src/modules/auth/index.ts';
import { runs } from '../../src/modules/runs/index.ts';
import { createServer } from '../../src/server.ts';
import { createAuthority } from './certificates.ts';
import { startHttpServer } from './http-world.ts';
import { base64, useKubeconfigs } from './kubeconfig-world.ts';
import { startIdentityProvider } from './oidc-world.ts';
import { startHttpProxy } from './proxies.ts';

const { clock, file, write } = useKubeconfigs();

/** What `/readyz` says once a watch of the kubeconfig's cluster has failed, and all that was logged. */
async function notReady(kubeconfig: string): Promise<{ reasons: string[]; logged: string }> {
  const lines: string[] = [];
  const failed = Promise.withResolvers<void>();
  const log = createLog('info', {
    write(line) {
      lines.push(line);
      if (line.includes('watch is down')) failed.resolve();
    },
  });
  const cluster = await connect({ mode: 'KUBECONFIG', kubeconfig, clock, log });
  const server = await createServer({
    modules: [auth, runs],
    config: {},
    cluster,
    port: 0,
    dataDir: file(),
    log,
    clock,
  });
  try {
    await failed.promise;
    const response = await fetch(`${server.url}/readyz`);
    expect(response.status).toBe(503);
    const { reasons } = (await response.json()) as { reasons: string[] };
    return { reasons, logged: lines.join('') };
  } finally {
    await server.stop();
  }
}

const listed = 'runs: the cluster has not been listed yet:';

test('a sign-in that is over is why the server is not ready', async () => {
  const authority = createAuthority();
  clock.set(Date.now());
  await using provider = await startIdentityProvider({ authority });
  await using api = await startHttpServer(() => {});
  const config = {
    ...{ 'idp-issuer-url': provider.issuer, 'client-id': provider.clientId, 'client-secret': provider.secret },
    ...{ 'idp-certificate-authority-data': base64(authority.cert), 'refresh-token': 'spent-token' },
  };
  const kubeconfig = await write('config', { server: api.url, user: { 'auth-provider': { name: 'oidc', config } } });
  const { reasons, logged } = await notReady(kubeconfig);
  const why = 'the identity provider of the user "u" does not renew the sign-in (invalid_grant): sign in again';
  expect(reasons).toEqual([`${listed} ${why}.`]);
  expect(logged).toContain('(invalid_grant)');
  expect(reasons.join() + logged).not.toMatch(/spent-token|secret of/);
  expect(api.received).toEqual([]);
});

test('a proxy that wants other credentials is, too; the log names it without those it was given', async () => {
  await using proxy = await startHttpProxy();
  proxy.refuse(407);
  const cluster = { 'proxy-url': `http://me:secret-pass@127.0.0.1:${proxy.port}` };
  const { reasons, logged } = await notReady(await write('config', { server: 'https://api.test', cluster }));
  expect(reasons).toEqual([`${listed} the proxy on the way wants other credentials (407).`]);
  expect(logged).toContain(`http://127.0.0.1:${proxy.port} (proxy-url of the kubeconfig)`);
  expect(reasons.join() + logged).not.toContain('secret-pass');
});
