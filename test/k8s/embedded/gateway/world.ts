import { type IncomingMessage, request as httpRequest, type RequestListener, createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../../../src/clock.ts';
import { startApi } from '../../../../src/k8s/embedded/api/index.ts';
import type { EmbeddedApi } from '../../../../src/k8s/embedded/api/service.ts';
import { startGateway } from '../../../../src/k8s/embedded/gateway/index.ts';
import { ensureGateway, localGateway } from '../../../../src/k8s/embedded/seed/gateway.ts';
import { ensureNamespace } from '../../../../src/k8s/embedded/seed/namespaces.ts';
import {
  type Condition,
  endpointSlices,
  gateways,
  type HTTPRoute,
  type HTTPRouteRule,
  httpRoutes,
  type KubeObject,
  type Resource,
  type Secret,
  type SecurityPolicy,
  secrets,
  securityPolicies,
  services,
} from '../../../../src/k8s/resources.ts';
import { createLog } from '../../../../src/log.ts';

export interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
  json(): Record<string, unknown>;
}

export interface Ask {
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: string;
}

/** What a backend saw. */
export interface Seen {
  backend: string;
  method: string;
  url: string;
  headers: Record<string, string | string[]>;
  body: string;
}

/** A gateway on an embedded API with namespace `lab`, whose Services lead to servers of the test. */
export async function createWorld(options: { clock?: Clock; owns?: (address: string) => boolean } = {}) {
  const log = createLog(process.env['SLIPWAY_TEST_LOG'] ?? 'silent');
  const clock = options.clock ?? systemClock;
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-gateway-'));
  const api = await startApi({ dataDir, port: 0, clock, log });
  const owns = options.owns ?? ((address: string) => address === '127.0.0.1');
  const addresses = { owns, aliases: false, allocate: () => '127.0.0.1', reserve() {}, release() {} };
  const gateway = await startGateway({ api, clock, log, dataDir, addresses, port: 0 });
  const port = Number(new URL(gateway.url).port);
  await ensureGateway(api, port);
  await ensureNamespace(api, 'lab');
  const closers: (() => Promise<unknown>)[] = [];

  const world = {
    api,
    port,
    gateway,
    ...manifests(api, closers),
    /** Sends a request with this Host to the gateway. */
    ask: (host: string, path: string, ask: Ask = {}) => send(port, host, path, ask),
    async [Symbol.asyncDispose]() {
      await gateway.stop();
      for (const close of closers) await close();
      await api.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
  await until(api, gateways, localGateway.namespace, localGateway.name, (object) =>
    isCurrent(object, object.status?.conditions, 'Programmed'),
  );
  return world;
}
export type World = Awaited<ReturnType<typeof createWorld>>;

function manifests(api: EmbeddedApi, closers: (() => Promise<unknown>)[]) {
  const world = {
    /** A Service whose endpoint is a server that tells what it saw, or the given one. */
    async service(name: string, listener?: RequestListener, namespace = 'lab'): Promise<void> {
      const server = createServer(listener ?? ((request, response) => void tell(name, request, response)));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      closers.push(() => {
        server.closeAllConnections();
        return new Promise((resolve) => server.close(resolve));
      });
      await world.endpoints(name, [(server.address() as AddressInfo).port], namespace);
    },
    async endpoints(name: string, ports: number[], namespace = 'lab', address = '127.0.0.1'): Promise<void> {
      await api.client.create(services, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace },
        spec: { ports: [{ name: 'http', port: 80 }] },
      });
      for (const port of ports) {
        await api.client.create(endpointSlices, {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: { name: `${name}-${port}`, namespace, labels: { 'kubernetes.io/service-name': name } },
          addressType: 'IPv4',
          endpoints: [{ addresses: [address], conditions: { ready: true } }],
          ports: [{ name: 'http', port, protocol: 'TCP' }],
        });
      }
    },
    /** Creates a route to the local Gateway and waits until its status is current. */
    async route(name: string, hostnames: string[], rules: HTTPRouteRule[], more: Partial<HTTPRoute['spec']> = {}) {
      const parentRefs = [{ ...localGateway }];
      await api.client.create(httpRoutes, {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'HTTPRoute',
        metadata: { name, namespace: 'lab' },
        spec: { parentRefs, hostnames, rules, ...more },
      });
      return world.routeStatus(name);
    },
    /** The conditions under the first parent, once they are for the present generation. */
    async routeStatus(name: string, wanted: (conditions: Condition[]) => boolean = () => true) {
      const conditionsOf = (object: HTTPRoute) => object.status?.parents?.[0]?.conditions;
      const found = await until(api, httpRoutes, 'lab', name, (object) => {
        return isCurrent(object, conditionsOf(object), 'Accepted') && wanted(conditionsOf(object) ?? []);
      });
      return conditionsOf(found) ?? [];
    },
    async policy(name: string, target: string, spec: SecurityPolicy['spec'], namespace = 'lab'): Promise<void> {
      const targetRefs = [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: target }];
      await api.client.create(securityPolicies, {
        apiVersion: 'gateway.envoyproxy.io/v1alpha1',
        kind: 'SecurityPolicy',
        metadata: { name, namespace },
        spec: { targetRefs, ...spec },
      });
    },
    /** The policy's Accepted condition, once it has this reason. */
    async policyStatus(name: string, reason: string, namespace = 'lab'): Promise<Condition> {
      const accepted = (object: SecurityPolicy) =>
        object.status?.ancestors?.[0]?.conditions?.find(({ type }) => type === 'Accepted');
      const found = await until(api, securityPolicies, namespace, name, (object) => {
        const condition = accepted(object);
        return condition?.reason === reason && condition.observedGeneration === object.metadata.generation;
      });
      return accepted(found) as Condition;
    },
    async secret(name: string, stringData: Record<string, string>, namespace = 'lab'): Promise<Secret> {
      return api.client.create(secrets, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name, namespace },
        stringData,
      });
    },
  };
  return world;
}

function isCurrent(object: KubeObject, conditions: Condition[] | undefined, type: string): boolean {
  const condition = conditions?.find((candidate) => candidate.type === type);
  return condition?.observedGeneration === object.metadata.generation;
}

/** Resolves with the object as soon as it is as wanted. */
export function until<T extends KubeObject>(
  api: EmbeddedApi,
  resource: Resource<T>,
  namespace: string,
  name: string,
  wanted: (object: T) => boolean,
): Promise<T> {
  return new Promise((resolve) => {
    let stop = () => {};
    let done = false;
    stop = api.observe(resource, ({ type, object }) => {
      if (done || type === 'DELETED') return;
      if (object.metadata.name !== name || object.metadata.namespace !== namespace || !wanted(object)) return;
      done = true;
      stop();
      resolve(object);
    });
    if (done) stop();
  });
}

async function tell(backend: string, request: IncomingMessage, response: Parameters<RequestListener>[1]) {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const seen = { backend, method: request.method, url: request.url, headers: request.headers };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ ...seen, body: Buffer.concat(chunks).toString() }));
}

export function send(
  port: number,
  host: string,
  path: string,
  { method = 'GET', headers = {}, body }: Ask,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers: { host, ...headers }, agent: false as const };
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

/** The backend that answered, or the status when none did. */
export function answeredBy(answer: Answer): string | number {
  return answer.status === 200 ? String(answer.json()['backend']) : answer.status;
}

export const prefix = (value: string) => ({ path: { type: 'PathPrefix' as const, value } });
export const to = (name: string) => [{ name, port: 80 }];
