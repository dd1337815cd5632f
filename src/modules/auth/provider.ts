import type { JSONWebKeySet, JWK } from 'jose';
import { Agent, request } from 'undici';
import type { Clock } from '../../clock.ts';
import { isPlain, urlProblem } from './config.ts';

const timeoutMs = 5_000;
const largestBytes = 1_048_576;
const mostKeys = 100;

/** Why the identity provider is of no use at the moment, in words that may be shown: without address or content. */
export class ProviderFault extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ProviderFault';
  }
}

export interface ProviderOptions {
  issuer: string;
  /** Absent: discovered. */
  jwksUri?: string | undefined;
  /** Whether the discovered address may be plain http on this machine. */
  plain: boolean;
  clock: Clock;
  signal: AbortSignal;
}

/** The issuer's keys over HTTP: no redirects, no proxies from the environment, little time and little room. */
export interface Provider {
  /** Rejects with a ProviderFault. */
  fetchKeys(): Promise<JSONWebKeySet>;
  stop(): Promise<void>;
}

export function createProvider({ issuer, jwksUri, plain, clock, signal }: ProviderOptions): Provider {
  const agent = new Agent({ connect: { timeout: timeoutMs } });
  let discovered: string | null = null;

  async function fetchJson(url: string, what: string): Promise<unknown> {
    const late = new AbortController();
    const cancel = clock.after(timeoutMs, () => late.abort());
    try {
      const text = await read(url, what, agent, AbortSignal.any([signal, late.signal]));
      return JSON.parse(text) as unknown;
    } catch (cause) {
      if (cause instanceof ProviderFault) throw cause;
      if (late.signal.aborted) throw new ProviderFault(`${what} did not come in time.`, { cause });
      if (cause instanceof SyntaxError) throw new ProviderFault(`${what} is not JSON.`);
      throw new ProviderFault(`${what} can not be fetched.`, { cause });
    } finally {
      cancel();
    }
  }

  async function discover(): Promise<string> {
    const what = "The identity provider's configuration";
    const document = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, what);
    const { issuer: stated, jwks_uri: uri } = (document ?? {}) as { issuer?: unknown; jwks_uri?: unknown };
    if (stated !== issuer) throw new ProviderFault(`${what} is that of another issuer.`);
    if (typeof uri !== 'string' || !URL.canParse(uri))
      throw new ProviderFault(`${what} does not say where its keys are.`);
    if (urlProblem(uri) !== null || (isPlain(uri) && !plain)) {
      throw new ProviderFault(`${what} names keys at an address that is not https, or not a plain one.`);
    }
    return uri;
  }

  return {
    async fetchKeys() {
      const what = "The identity provider's key set";
      const uri = jwksUri ?? discovered ?? (await discover());
      // It may have moved: what does not work is looked up again.
      discovered = null;
      const keys = keysOf(await fetchJson(uri, what));
      if (keys.length === 0) throw new ProviderFault(`${what} has no key to check signatures with.`);
      if (keys.length > mostKeys) throw new ProviderFault(`${what} has more than ${mostKeys} keys.`);
      discovered = uri;
      return { keys };
    },
    stop: () => agent.destroy(),
  };
}

async function read(url: string, what: string, dispatcher: Agent, signal: AbortSignal): Promise<string> {
  const headers = { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'slipway' };
  const { statusCode, headers: answered, body } = await request(url, { dispatcher, signal, headers });
  // What is left unread when the connection is cut says so after nobody listens.
  body.on('error', () => {});
  const refuse = (why: string): ProviderFault => {
    body.destroy();
    return new ProviderFault(`${what} ${why}`);
  };
  if (statusCode >= 300 && statusCode < 400) throw refuse('is a redirect, which is not followed.');
  if (statusCode !== 200) throw refuse(`can not be fetched: the answer was ${statusCode}.`);
  if (answered['content-encoding'] !== undefined) throw refuse('came compressed, which was not asked for.');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestBytes) throw refuse(`is larger than ${largestBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const publicMembers = ['kty', 'kid', 'alg', 'use', 'key_ops', 'n', 'e', 'crv', 'x', 'y'] as const;

/** Public keys for signatures; of a key that was published with its private part, the public one. */
function keysOf(document: unknown): JWK[] {
  const { keys } = (document ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys)) return [];
  return (keys as unknown[]).flatMap((key) => {
    if (typeof key !== 'object' || key === null) return [];
    const jwk = key as Record<string, unknown>;
    if (!['RSA', 'EC', 'OKP'].includes(String(jwk['kty']))) return [];
    return [Object.fromEntries(publicMembers.filter((name) => name in jwk).map((name) => [name, jwk[name]])) as JWK];
  });
}
