import { once } from 'node:events';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { Provider } from 'oidc-provider';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BareServer, startBare } from './bare.ts';
import { createKey } from './issuer.ts';
import { bearer, openSocket, send } from './surface.ts';

const api = 'urn:slipway';
const client = { id: 'console', secret: 'console-secret', redirect: 'http://127.0.0.1:1/callback' };

let provider: Server;
let issuer: string;
let slipway: BareServer;
beforeAll(async () => {
  provider = createServer();
  provider.listen(0, '127.0.0.1');
  await once(provider, 'listening');
  issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  const key = await createKey('RS256', 'k1');
  const oidc = new Provider(issuer, {
    jwks: { keys: [{ ...key.privateKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' }] },
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        redirect_uris: [client.redirect],
        grant_types: ['authorization_code', 'client_credentials'],
        response_types: ['code'],
      },
    ],
    ttl: { AccessToken: 300, ClientCredentials: 300, Grant: 300, IdToken: 300, Interaction: 300, Session: 300 },
    pkce: { required: () => false },
    cookies: { keys: ['of the test'] },
    findAccount: (_: unknown, accountId: string) => ({ accountId, claims: () => ({ sub: accountId }) }),
    extraTokenClaims: () => ({ groups: ['staff'] }),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => api,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: 'read',
          // The client has the name of the API, as it often is: then the audience alone tells nothing.
          audience: client.id,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  const answer = oidc.callback();
  provider.on('request', (request, response) => void answer(request, response));
  slipway = await startBare({ config: { issuer, audience: [client.id] } });
});
afterAll(async () => {
  await slipway.stop();
  provider.closeAllConnections();
  provider.close();
});

const basic = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`;

async function tokens(parameters: Record<string, string>): Promise<Record<string, string>> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: basic },
    body: new URLSearchParams(parameters),
  });
  return (await response.json()) as Record<string, string>;
}

/** A browser that signs in as `account` and consents; gives the code it is sent back with. */
async function signInAs(account: string): Promise<string> {
  const cookies = new Map<string, string>();
  const go = async (url: string, body?: Record<string, string>): Promise<string> => {
    const response = await fetch(new URL(url, issuer), {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(body && { method: 'POST', body: new URLSearchParams(body) }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      cookies.set(name, value);
    }
    return response.headers.get('location') ?? '';
  };
  const query = new URLSearchParams({
    client_id: client.id,
    response_type: 'code',
    redirect_uri: client.redirect,
    scope: 'openid read',
    nonce: 'n-1',
  });
  let at = await go(`/auth?${query}`);
  for (const body of [{ prompt: 'login', login: account, password: 'x' }, { prompt: 'consent' }]) {
    if (at.startsWith(client.redirect)) break;
    at = await go(await go(at, body));
  }
  return new URL(at).searchParams.get('code') ?? '';
}

const viewer = async (token: string) => {
  const { status, text } = await send(slipway.url, { headers: bearer(token), body: '{ viewer { name groups } }' });
  return [status, JSON.parse(text).data?.viewer];
};

describe('a real identity provider', () => {
  test('its access tokens for the API sign in, over HTTP and WebSocket', async () => {
    const { access_token: token = '' } = await tokens({
      grant_type: 'client_credentials',
      resource: api,
      scope: 'read',
    });
    expect(decodeProtectedHeader(token).typ).toBe('at+jwt');
    expect(await viewer(token)).toEqual([200, { name: 'oidc:console', groups: ['oidc:staff'] }]);
    const connection = await openSocket(slipway.url, { authorization: `Bearer ${token}` });
    expect((await connection.next()).type).toBe('connection_ack');
    connection.socket.close();
  });

  test('of a person who signs in, the access token does and the ID token does not', async () => {
    const code = await signInAs('alice');
    const { access_token: access = '', id_token: id = '' } = await tokens({
      grant_type: 'authorization_code',
      code,
      redirect_uri: client.redirect,
    });
    // Issuer, audience and signature of both are the same.
    expect([decodeJwt(id).iss, decodeJwt(id).aud]).toEqual([decodeJwt(access).iss, decodeJwt(access).aud]);
    expect(await viewer(access)).toEqual([200, { name: 'oidc:alice', groups: ['oidc:staff'] }]);
    expect(await viewer(id)).toEqual([401, undefined]);
  });
});
