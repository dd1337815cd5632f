import { Agent } from 'undici';
import { ApiError, noCredentials } from './api-error.ts';
import { proxyFromEnvironment } from './proxy.ts';
import { type Pem, createConnector, readTls } from './tls.ts';
import { transportError } from './transport-error.ts';

export interface OidcClient {
  /** The user's name in the kubeconfig. */
  user: string;
  /** An https URL. */
  issuer: string;
  clientId: string;
  clientSecret: string | undefined;
  /** The authority of the identity provider; undefined: the system's. */
  ca: Pem | undefined;
  environment: Readonly<Record<string, string | undefined>>;
}

export interface OidcTokens {
  idToken: string | undefined;
  refreshToken: string | undefined;
}

/** The identity provider takes the refresh token no more. */
export class SignInOver extends ApiError {}

interface Answer {
  status: number;
  /** An empty one for what is no JSON object. */
  body: Record<string, unknown>;
}

const timeoutMs = 10_000;
const largestBytes = 1_048_576;

/**
 * A new ID token for a refresh token (OpenID Connect Core, section 12); the refresh token in the answer is undefined where
 * the old one stays. Rejects with an ApiError that has none of them in it.
 */
export async function refreshTokens(client: OidcClient, refreshToken: string): Promise<OidcTokens> {
  const { endpoint, methods } = await discover(client);
  let answer: Answer | null = null;
  for (const method of methods) {
    answer = await fetchJson(client, endpoint, tokenRequest(client, method, refreshToken));
    // The client as such was refused: nothing was done with the token.
    if (answer.body['error'] !== 'invalid_client') break;
  }
  const { status = 0, body = {} } = answer ?? {};
  if (status !== 200) throw refusal(client, status, body['error']);
  const { id_token: idToken, refresh_token: next } = body;
  if (typeof idToken !== 'string') {
    const why =
      'answered without an ID token: it gives none when a sign-in is renewed, or not for the scopes of this one';
    throw noCredentials(`${nameOf(client)} ${why}`);
  }
  return { idToken, refreshToken: typeof next === 'string' && next !== '' ? next : undefined };
}

type Method = 'client_secret_basic' | 'client_secret_post' | 'none';

async function discover(client: OidcClient): Promise<{ endpoint: string; methods: readonly Method[] }> {
  const url = `${client.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const { status, body } = await fetchJson(client, url);
  const { token_endpoint: endpoint, token_endpoint_auth_methods_supported: supported } = body;
  if (status !== 200 || typeof endpoint !== 'string' || !isHttps(endpoint)) {
    const what = status === 200 ? 'names no https address for tokens' : `can not be read (${status})`;
    throw new ApiError(0, 'Unreachable', `the configuration of ${nameOf(client)} ${what}`);
  }
  if (client.clientSecret === undefined) return { endpoint, methods: ['none'] };
  const known = ['client_secret_basic', 'client_secret_post'] as const;
  const methods = known.filter((method) => Array.isArray(supported) && supported.includes(method));
  return { endpoint, methods: methods.length > 0 ? methods : known };
}

interface TokenRequest {
  authorization: string | undefined;
  form: string;
}

function tokenRequest({ clientId, clientSecret = '' }: OidcClient, method: Method, refreshToken: string): TokenRequest {
  const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken });
  if (method !== 'client_secret_basic') form.set('client_id', clientId);
  if (method === 'client_secret_post') form.set('client_secret', clientSecret);
  const pair = [clientId, clientSecret].map(formEncoded).join(':');
  const basic = method === 'client_secret_basic' ? `Basic ${Buffer.from(pair).toString('base64')}` : undefined;
  return { authorization: basic, form: form.toString() };
}

/** As RFC 6749 wants it in the header: section 2.3.1. */
function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}

/** Over a connection of its own: it is needed once in the life of an ID token. */
async function fetchJson(client: OidcClient, url: string, post?: TokenRequest): Promise<Answer> {
  const agent = new Agent({ maxResponseSize: largestBytes, connect: connectorOf(client, url) });
  const { origin, pathname, search } = new URL(url);
  try {
    const { statusCode, body } = await agent.request({
      ...{ origin, path: pathname + search, method: post ? 'POST' : 'GET', body: post?.form ?? null },
      headers: {
        ...{ accept: 'application/json', 'user-agent': 'slipway' },
        ...(post && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...(post?.authorization && { authorization: post.authorization }),
      },
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: statusCode, body: objectOf(await body.text()) };
  } catch (error) {
    const { reason, message } = transportError(error);
    const late = reason === 'NoAnswerInTime';
    const code = (error as { code?: unknown } | null)?.code;
    const why = error instanceof ApiError ? `: ${message}` : typeof code === 'string' ? ` (${code})` : '';
    const what = late ? 'did not answer in time' : `can not be reached${why}`;
    throw new ApiError(0, late ? 'NoAnswerInTime' : 'Unreachable', `${nameOf(client)} ${what}`, { cause: error });
  } finally {
    await agent.destroy();
  }
}

function connectorOf({ ca, environment }: OidcClient, url: string) {
  return createConnector(readTls({ ca }), timeoutMs, proxyFromEnvironment(url, environment));
}

function objectOf(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {}; // not quoted: there may be a token in it
  }
}

function refusal(client: OidcClient, status: number, error: unknown): ApiError {
  const word = typeof error === 'string' && /^[a-z_]{1,40}$/.test(error) ? error : String(status);
  const message = `${nameOf(client)} does not renew the sign-in (${word})`;
  if (error === 'invalid_grant') return new SignInOver(401, 'NoCredentials', `${message}: sign in again`);
  return status >= 500 || status === 429 ? new ApiError(0, 'Unreachable', message) : noCredentials(message);
}

function nameOf({ user }: OidcClient): string {
  return `the identity provider of the user "${user}"`;
}

/** What secrets may be sent to. */
export function isHttps(url: string): boolean {
  return URL.canParse(url) && new URL(url).protocol === 'https:';
}
