import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { Auth } from '../../../src/auth.ts';
import { fullAccess, localCaller } from '../../../src/caller.ts';
import { systemClock } from '../../../src/clock.ts';
import { connect } from '../../../src/k8s/connect.ts';
import { namespaces } from '../../../src/k8s/resources.ts';
import { createLog } from '../../../src/log.ts';
import { defineModule } from '../../../src/module.ts';
import { gateways } from '../../../src/modules/gateways/index.ts';
import { runs } from '../../../src/modules/runs/index.ts';
import { createServer } from '../../../src/server.ts';
import type { GraphQLAnswer } from '../../../src/testing.ts';
import { type Authority, createAuthority } from '../../k8s/certificates.ts';
import type { Answer, Ask } from '../../k8s/embedded/gateway/world.ts';
import { startEnvoyWorld } from '../envoy/index.ts';
import { createTestNetwork } from '../envoy/network.ts';

const say = (line: string) => void process.stderr.write(`envoy: ${line}\n`);

/** Somebody who may do everything, with the rights of the server. */
const auth = defineModule({
  name: 'auth',
  provides: { auth: Auth },
  start: () => ({
    auth: {
      authenticate: () => Promise.resolve({ ...localCaller, local: false, ownIdentity: true, name: 'test:somebody' }),
      access: () => fullAccess,
    },
  }),
});

/** Slipway on a real control plane with a real Envoy under a real Envoy Gateway. */
export async function createWorld(kubeconfig: string) {
  const authority = createAuthority();
  const network = await createTestNetwork();
  const stops: (() => Promise<unknown>)[] = [() => network.stop()];
  const stop = async () => {
    for (const task of stops.splice(0).toReversed()) await task();
  };
  try {
    const envoy = await startEnvoyWorld({ kubeconfig, authority: authority.cert, network, say });
    stops.push(() => envoy.stop());
    for (const name of ['lab', 'far']) {
      await envoy.kube.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
    const start = async (more: object = {}) => {
      const server = await startSlipway(kubeconfig, envoy.parent, more);
      let stopped: Promise<void> | undefined;
      const stopOnce = () => (stopped ??= server.stop());
      stops.push(stopOnce);
      return { ...server, stop: stopOnce, [Symbol.asyncDispose]: stopOnce };
    };
    const slipway = await start();
    return {
      ...{ address: envoy.address, port: envoy.port, kube: envoy.kube, parent: envoy.parent, slipway, stop },
      /** Another server, with other settings of the module. Every server opens what is closed, so it must end with its test. */
      startSlipway: start,
      addService: (name: string, namespace: string) => envoy.addService(name, namespace),
      ask: (host: string, path: string, ask: Ask = {}) => answered(() => send(envoy, host, path, ask)),
      async startIssuer() {
        const issuer = await startIssuer(network.host, authority);
        stops.push(() => issuer.stop());
        return issuer;
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
export type World = Awaited<ReturnType<typeof createWorld>>;

async function startSlipway(kubeconfig: string, parent: { namespace: string; name: string }, more: object) {
  const log = createLog(process.env['SLIPWAY_TEST_LOG'] ?? 'silent');
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-test-'));
  const server = await createServer({
    modules: [auth, runs, gateways],
    config: {
      gateways: {
        parent: `${parent.namespace}/${parent.name}/http`,
        domain: 'services.example.org',
        ...more,
      },
    },
    cluster: await connect({ mode: 'KUBECONFIG', kubeconfig, namespace: 'lab', clock: systemClock, log }),
    ...{ port: 0, dataDir, log },
  });
  await server.synced();
  const query = async <Data>(document: string, variables?: Record<string, unknown>): Promise<GraphQLAnswer<Data>> => {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ query: document, variables }),
    });
    return (await response.json()) as GraphQLAnswer<Data>;
  };
  return {
    query,
    async data<Data>(document: string, variables?: Record<string, unknown>): Promise<Data> {
      const { data, errors } = await query<Data>(document, variables);
      if (errors || !data) throw new Error(JSON.stringify(errors));
      return data;
    },
    async stop() {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** An issuer of tokens with an address that Envoy reaches, and a certificate that it trusts. */
async function startIssuer(address: string, authority: Authority) {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
  const server = createHttpsServer(authority.forServer({ names: [], addresses: [address] }), (_, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const url = `https://${address}:${(server.address() as AddressInfo).port}`;
  return {
    url,
    token: (claims: Record<string, unknown> = {}) =>
      new SignJWT({ iss: url, aud: 'shop', preferred_username: 'maria', ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'one' })
        .setExpirationTime('10 minutes')
        .sign(privateKey),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function send(
  { address, port }: { address: string; port: number },
  host: string,
  path: string,
  { method = 'GET', headers = {}, body }: Ask,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: address, port, path, method, headers: { host, ...headers }, agent: false as const };
    const request = httpRequest(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString();
        const json = () => JSON.parse(text) as Record<string, unknown>;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
      });
    });
    request.once('error', reject);
    request.end(body);
  });
}

/** Envoy resets what waits at a listener that it replaces. That lets nobody through, and is no answer: so it is asked again. */
async function answered(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
    }
  }
}

/** Envoy takes over what the controller gives it in its own time: asked again until the answer is as wanted. */
export async function eventually<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean, seconds = 200): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (wanted(answer) || Date.now() > deadline) return answer;
    await delay(100);
  }
}
