import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { Provider } from 'oidc-provider';
import { createKey } from '../modules/auth/issuer.ts';
import { listenApart } from '../ports.ts';
import type { Authority } from './certificates.ts';

export interface IdentityProviderOptions {
  authority: Authority;
  /** Whether a refresh token is good for one time only. @default true */
  rotates?: boolean;
  /** How the client proves who it is; `none`: it has no secret. @default client_secret_basic */
  method?: 'client_secret_basic' | 'client_secret_post' | 'none';
  secret?: string;
}

/** Answers a request in the provider's place; false: it does not. */
type Answer = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A real identity provider over TLS on loopback, where `alice` has signed in to the client `kubernetes`. */
export async function startIdentityProvider(options: IdentityProviderOptions) {
  const { authority, rotates = true, method = 'client_secret_basic', secret = 'secret of: the+client%' } = options;
  const requests: string[] = [];
  let answer: Answer = () => false;
  let idTokenSeconds = 300;
  const server = createServer(authority.forServer({ names: ['idp.test'] }));
  const issuer = `https://127.0.0.1:${await listenApart(server)}`;
  const key = await createKey('ES256', 'k1');
  const clientId = 'kubernetes';
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...key.privateKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' }] },
    clients: [
      {
        client_id: clientId,
        ...(method !== 'none' && { client_secret: secret }),
        ...{ token_endpoint_auth_method: method, id_token_signed_response_alg: 'ES256' },
        ...{ redirect_uris: ['https://127.0.0.1:1/callback'], response_types: ['code'] },
        grant_types: ['authorization_code', 'refresh_token'],
      },
    ],
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    scopes: ['openid', 'offline_access'],
    rotateRefreshToken: rotates,
    ttl: { IdToken: () => idTokenSeconds, RefreshToken: 86_400, Grant: 86_400, AccessToken: 60 },
    cookies: { keys: ['of the test'] },
    features: { devInteractions: { enabled: false } },
    findAccount: (_: unknown, accountId: string) => ({ accountId, claims: () => ({ sub: accountId }) }),
  });
  const handle = provider.callback();
  server.on('request', (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (!answer(request, response)) void handle(request, response);
  });

  return {
    issuer,
    clientId,
    secret,
    requests,
    /** How often tokens were asked for. */
    refreshes: () => requests.filter((line) => line === 'POST /token').length,
    /** From now on ID tokens are good for so long. */
    lasting(seconds: number) {
      idTokenSeconds = seconds;
    },
    answerWith(next: Answer) {
      answer = next;
    },
    /** What the program that signs people in gets: a refresh token. */
    async signIn(): Promise<string> {
      const client = await provider.Client.find(clientId);
      const grant = new provider.Grant({ accountId: 'alice', clientId });
      grant.addOIDCScope('openid offline_access');
      const scope = 'openid offline_access';
      const account = { accountId: 'alice', client, grantId: await grant.save(), scope, gty: 'authorization_code' };
      return new provider.RefreshToken({ ...account, authTime: Math.floor(Date.now() / 1000) }).save();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
