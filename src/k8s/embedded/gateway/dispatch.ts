import type { IncomingMessage } from 'node:http';
import { createHttpGuard, hostName } from '../../../http-guard.ts';
import type { Credentials, Refusal } from './auth/guard.ts';
import type { Backend, Endpoint } from './backends.ts';
import { headerLines, headerValues, modifyHeaders, setHeader } from './headers.ts';
import { anyHostname } from './hostnames.ts';
import { normalizeTarget } from './paths.ts';
import { forwardedHeaders, type Outgoing } from './proxy.ts';
import { redirectLocation } from './rules.ts';
import type { Entry, RoutingTable } from './table.ts';

export type Decision = { outgoing: Outgoing } | { refusal: Refusal };

/** Decides what becomes of a request: which endpoint gets it in which form, or what the gateway answers itself. */
export type Dispatch = (incoming: IncomingMessage) => Promise<Decision>;

const noRoute: Refusal = { status: 404, message: 'No route has this host name and path.' };

export function createDispatch(table: () => RoutingTable, random: () => number = Math.random): Dispatch {
  const refuseStranger = createHttpGuard({ allowsHost: (name) => findHost(table(), name) !== undefined });
  return async (incoming) => {
    const stranger = refuseStranger(incoming);
    if (stranger && !(stranger.status === 403 && isNavigation(incoming))) {
      return { refusal: stranger.status === 421 ? noRoute : stranger };
    }
    const headers = headerLines(incoming.rawHeaders);
    // Node looks at the first Host only; a backend might look at another.
    if (headerValues(headers, 'host').length > 1)
      return { refusal: { status: 400, message: 'There is more than one Host.' } };
    const authority = incoming.headers.host ?? '';
    const host = findHost(table(), hostName(authority) ?? '');
    if (!host) return { refusal: noRoute };
    const target = normalizeTarget(incoming.url ?? '');
    if ('malformed' in target) return { refusal: { status: 400, message: 'The path is malformed.' } };
    if ('redirect' in target) return { refusal: redirect(307, target.redirect) };

    const entry = host.find({ method: incoming.method ?? 'GET', target, headers });
    if (!entry) return { refusal: noRoute };
    const request = { target, headers, uri: `http://${authority}${target.path}` };
    const verdict = entry.guard ? await entry.guard(request) : { request };
    if ('refusal' in verdict) return verdict;
    if (entry.actions.redirect) {
      const { status, location } = redirectLocation(entry.actions.redirect, entry.match, target, authority);
      return { refusal: redirect(status, location) };
    }
    const endpoint = pickEndpoint(entry.backends, random);
    if ('status' in endpoint) return { refusal: endpoint };
    return { outgoing: toOutgoing(incoming, entry, verdict.request, endpoint) };
  };
}

/** A route for every host name would answer to a rebound one too: it serves this machine's own names only. */
function findHost(table: RoutingTable, name: string) {
  const host = table.host(name);
  const local = /(?:^|\.)localhost$|^127(?:\.\d{1,3}){3}$|^::1$/.test(name);
  return host && (host.hostname !== anyHostname || local) ? host : undefined;
}

/** Following a link from another site is no attack: that page can't read the answer, and no Origin is claimed. */
function isNavigation({ method, headers }: IncomingMessage): boolean {
  return (
    method === 'GET' &&
    headers.origin === undefined &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document'
  );
}

function redirect(status: number, location: string): Refusal {
  return { status, message: `See ${location}`, headers: [['Location', location]] };
}

/** A backend by weight, then one of its endpoints. An invalid backend keeps its share, as errors. */
export function pickEndpoint(backends: readonly Backend[], random: () => number): Endpoint | Refusal {
  const total = backends.reduce((sum, { weight }) => sum + weight, 0);
  let remaining = random() * total;
  const backend = backends.find(({ weight }) => {
    remaining -= weight;
    return remaining < 0;
  });
  if (!backend?.endpoints) return { status: 500, message: "The route's backend is invalid." };
  const endpoint = backend.endpoints[Math.floor(random() * backend.endpoints.length)];
  return endpoint ?? { status: 503, message: 'The service has no ready endpoint.' };
}

function toOutgoing(incoming: IncomingMessage, entry: Entry, request: Credentials, endpoint: Endpoint): Outgoing {
  const { actions, match } = entry;
  let headers = actions.requestHeaders.reduce(modifyHeaders, forwardedHeaders(incoming, request.headers));
  if (actions.rewriteHostname !== null) {
    headers = setHeader(headers, 'X-Forwarded-Host', incoming.headers.host ?? '');
    headers = setHeader(headers, 'Host', actions.rewriteHostname);
  }
  const path = actions.rewritePath ? actions.rewritePath(request.target.path, match) : request.target.path;
  return {
    method: incoming.method ?? 'GET',
    target: path + request.target.query,
    headers,
    endpoint,
    responseHeaders: actions.responseHeaders,
    timeoutMs: actions.timeoutMs,
  };
}
