import { createHash, timingSafeEqual } from 'node:crypto';
import type { SecurityPolicy } from '../../../resources.ts';
import { headerValues, removeHeader, setHeader } from '../headers.ts';
import { queryValues, removeQueryParameter } from '../query.ts';
import { cookieValues, removeCookie } from './cookies.ts';
import { latin1 } from './basic.ts';
import type { Credentials, Guard } from './guard.ts';

export type ApiKeyAuth = NonNullable<SecurityPolicy['spec']['apiKeyAuth']>;
type Source = ApiKeyAuth['extractFrom'][number];

/** Client id to API key. */
export type Clients = ReadonlyMap<string, string>;

/** Collects the clients of several Secrets' entries: of two with one id the first counts. */
export function collectClients(secrets: readonly Readonly<Record<string, string>>[]): Clients {
  const clients = new Map<string, string>();
  const seen = new Set<string>();
  for (const entries of secrets) {
    for (const [client, key] of Object.entries(entries).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      if (clients.has(client)) continue;
      // Envoy refuses its whole configuration for an empty key; Envoy Gateway does not look.
      if (key === '') throw new Error(`the API key of client ${JSON.stringify(client)} is empty`);
      if (seen.has(key)) throw new Error('duplicated API key');
      seen.add(key);
      clients.set(client, key);
    }
  }
  if (clients.size === 0) throw new Error('there is no API key in the referenced secrets');
  return clients;
}

export function createApiKeyGuard(clients: Clients, auth: ApiKeyAuth): Guard {
  const known = [...clients].map(([client, key]) => ({ client, digest: digest(key) }));
  return (request) => {
    const key = extractKey(request, auth.extractFrom);
    const client = key === null ? null : findClient(known, key);
    if (client === null) {
      const headers: [string, string][] = [['WWW-Authenticate', 'ApiKey']];
      return { refusal: { status: 401, message: 'Client authentication failed.', headers } };
    }
    const sanitized = auth.sanitize === true ? withoutKeys(request, auth.extractFrom) : request;
    const headers =
      auth.forwardClientIDHeader === undefined
        ? sanitized.headers
        : setHeader(sanitized.headers, auth.forwardClientIDHeader, latin1(client));
    return { request: { ...sanitized, headers } };
  };
}

/** The first source with a value decides; several values in it are no credential. */
function extractKey(request: Credentials, sources: readonly Source[]): string | null {
  for (const source of sources) {
    for (const values of candidates(request, source)) {
      if (values.length > 1) return null;
      const [value] = values;
      if (value !== undefined && value !== '') return value;
    }
  }
  return null;
}

function candidates(request: Credentials, source: Source): string[][] {
  return [
    ...(source.headers ?? []).map((name) =>
      headerValues(request.headers, name).map((value) => value.replace(/^Bearer /, '')),
    ),
    ...(source.params ?? []).map((name) => queryValues(request.target.query, name).map(latin1)),
    ...(source.cookies ?? []).map((name) => cookieValues(request.headers, name)),
  ];
}

function findClient(known: readonly { client: string; digest: Buffer }[], key: string): string | null {
  const given = digest(key);
  let found: string | null = null;
  // All of them, so that time does not tell how far we got.
  for (const { client, digest } of known) if (timingSafeEqual(digest, given)) found = client;
  return found;
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key, 'latin1').digest();
}

function withoutKeys(request: Credentials, sources: readonly Source[]): Credentials {
  let { headers } = request;
  let { query } = request.target;
  for (const source of sources) {
    for (const name of source.headers ?? []) headers = removeHeader(headers, name);
    for (const name of source.params ?? []) query = removeQueryParameter(query, name);
    for (const name of source.cookies ?? []) headers = removeCookie(headers, name);
  }
  return { ...request, headers, target: { ...request.target, query } };
}
