import { connect, createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { Clock } from '../../../clock.ts';
import type { Log } from '../../../log.ts';
import { type EndpointSlice, endpointSlices, type Service, type ServicePortSpec, services } from '../../resources.ts';
import type { EmbeddedApi } from '../api/service.ts';
import { serviceNameLabel } from '../controllers/endpoints.ts';
import type { EventRecorder } from '../controllers/events.ts';
import { createWorkQueue } from '../controllers/work-queue.ts';
import type { AddressPool } from './addresses.ts';
import { portMap, portsAnnotation } from './ports.ts';

export interface ServiceProxyOptions {
  api: EmbeddedApi;
  clock: Clock;
  log: Log;
  addresses: AddressPool;
  events: EventRecorder;
}

/** The listeners of one Service: by the port it declares. */
interface Served {
  address: string;
  listeners: Map<number, { server: Server; port: number }>;
}

/**
 * Makes Services answer on their addresses, as kube-proxy does: TCP connections go to the ready endpoints in turn, and
 * one that finds none is refused by being closed. Dials the cluster's own Pods only.
 */
export function startServiceProxy(options: ServiceProxyOptions): { stop(): Promise<void>; idle(): Promise<void> } {
  const { api, clock, log, addresses } = options;
  const served = new Map<string, Served>();
  const sockets = new Set<Socket>();
  let turn = 0;

  function endpointFor(namespace: string | undefined, name: string, number: number) {
    // As the Service is now: its ports may have other names than when this one was opened.
    const port = api.get(services, namespace, name)?.spec.ports?.find((candidate) => candidate.port === number);
    if (!port) return undefined;
    const ready = api
      .list(endpointSlices, namespace)
      .filter(({ metadata }) => metadata.labels?.[serviceNameLabel] === name)
      .flatMap((slice) => readyEndpoints(slice, port, addresses));
    turn = (turn + 1) % 0x7fffffff;
    return ready[turn % ready.length];
  }

  function forward(client: Socket, namespace: string | undefined, name: string, port: number): void {
    const endpoint = endpointFor(namespace, name, port);
    if (!endpoint) return void client.resetAndDestroy();
    const upstream = connect({ ...endpoint, allowHalfOpen: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    const end = () => {
      // Both directions are over, or one has failed: nothing more can come.
      if (!client.destroyed && !upstream.destroyed) return;
      client.destroy();
      upstream.destroy();
    };
    pipeline(client, upstream, end);
    pipeline(upstream, client, end);
  }

  async function serve(service: Service, address: string, port: ServicePortSpec) {
    const { namespace, name } = service.metadata;
    const server = createServer({ allowHalfOpen: true }, (client) => forward(client, namespace, name, port.port));
    const wanted = portMap(service)[String(port.port)] ?? (addresses.aliases ? port.port : 0);
    try {
      return { server, port: await listen(server, address, wanted) };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const message = `Port ${port.port} can't be served on ${address} (${why}): a free port is used instead.`;
      options.events.record(service, 'Warning', 'PortTaken', message);
      return { server, port: await listen(server, address, 0) };
    }
  }

  async function sync(key: string): Promise<void> {
    const [namespace, name = ''] = key.split('/');
    const service = api.get(services, namespace, name);
    const address = service && servedAddress(service, addresses);
    const entry = served.get(key);
    if (entry && entry.address !== address) close(key, entry);
    if (!service || address === undefined) return;
    const { listeners } = served.get(key) ?? { listeners: new Map() };
    served.set(key, { address, listeners });
    const ports = (service.spec.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP');
    for (const [port, listener] of listeners) {
      if (ports.some((candidate) => candidate.port === port)) continue;
      listener.server.close();
      listeners.delete(port);
    }
    for (const port of ports) {
      if (!listeners.has(port.port)) listeners.set(port.port, await serve(service, address, port));
    }
    await tellPorts(service, listeners);
  }

  /** Where a port is not served on its own number, the Service says on which. */
  async function tellPorts(service: Service, listeners: Served['listeners']): Promise<void> {
    const moved = Object.fromEntries(
      [...listeners].flatMap(([port, own]) => (own.port === port ? [] : [[port, own.port]])),
    );
    const text = Object.keys(moved).length > 0 ? JSON.stringify(moved) : null;
    if (text === (service.metadata.annotations?.[portsAnnotation] ?? null)) return;
    const { name, namespace } = service.metadata;
    const patch = { metadata: { annotations: { [portsAnnotation]: text } } };
    await api.client.patch(services, name, namespace, patch, { fieldManager: 'kube-proxy' });
  }

  function close(key: string, { listeners }: Served): void {
    for (const { server } of listeners.values()) server.close();
    served.delete(key);
  }

  const failed = (key: string, error: unknown) => log.warn({ service: key, err: error }, 'a Service is not served yet');
  const queue = createWorkQueue({ clock, work: sync, failed });
  const unobserve = api.observe(services, ({ object: { metadata } }) =>
    queue.add(`${metadata.namespace}/${metadata.name}`),
  );
  return {
    idle: () => queue.idle(),
    async stop() {
      unobserve();
      await queue.stop();
      for (const [key, entry] of served) close(key, entry);
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The address to listen on; undefined for a Service that has none of the cluster's own. */
function servedAddress({ spec }: Service, addresses: AddressPool): string | undefined {
  const { clusterIP, type } = spec;
  if (type === 'ExternalName' || clusterIP === undefined) return undefined;
  return addresses.owns(clusterIP) ? clusterIP : undefined;
}

function readyEndpoints(slice: EndpointSlice, { name = '' }: ServicePortSpec, addresses: AddressPool) {
  const port = slice.ports?.find((candidate) => (candidate.name ?? '') === name)?.port;
  if (port === undefined) return [];
  return (slice.endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap((endpoint) => endpoint.addresses.filter((address) => addresses.owns(address)))
    .map((host) => ({ host, port }));
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}
