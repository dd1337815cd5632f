import { type KeyObject, generateKeyPairSync, randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type JWK, SignJWT, exportJWK } from 'jose';
import type { Certificate } from '../../k8s/certificates.ts';
import { listenAgain } from '../../ports.ts';

export const audience = 'slipway';
const keysPath = '/keys';
const discoveryPath = '/.well-known/openid-configuration';

export interface SigningKey {
  kid: string;
  alg: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
  jwk: JWK;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const generators: Record<string, () => { publicKey: KeyObject; privateKey: KeyObject }> = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};

export async function createKey(alg = 'RS256', kid: string = randomUUID()): Promise<SigningKey> {
  const { publicKey, privateKey } = generators[alg]?.() ?? generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

export type Claims = Record<string, unknown>;
export type Header = Record<string, unknown>;

/** An identity provider on loopback, as far as an API sees one: its configuration and its keys; with a certificate, of https. */
export async function startIssuer(now: () => number = Date.now, certificate?: Certificate) {
  const key = await createKey();
  let keys = [key];
  const answers = new Map<string, Answer>();
  const requests: string[] = [];
  const seen = new EventEmitter();
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const path = request.url ?? '';
    requests.push(path);
    const answer = answers.get(path);
    if (answer) answer(request, response);
    else if (path === keysPath) json(response, { keys: keys.map(({ jwk }) => jwk) });
    else if (path === discoveryPath) json(response, { issuer: url, jwks_uri: url + keysPath });
    else response.writeHead(404).end();
    seen.emit(path);
  };
  const server = certificate ? createSecureServer(certificate, handle) : createServer(handle);
  let port = 0;
  const listen = async () => {
    port = await listenAgain(server, port);
  };
  await listen();
  const url = `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`;

  const claims = (given: Claims = {}): Claims => {
    const seconds = Math.floor(now() / 1000);
    return { iss: url, aud: audience, sub: 'alice', iat: seconds, exp: seconds + 300, ...given };
  };

  return {
    url,
    key,
    keysPath,
    discoveryPath,
    requests,
    /** How often its keys were asked for. */
    get fetches() {
      return requests.filter((path) => path === keysPath).length;
    },
    claims,
    /** A good token, but for what is given; `undefined` leaves a claim out. */
    sign: (given: Claims = {}, header: Header = {}, by: SigningKey = key): Promise<string> =>
      new SignJWT(claims(given))
        .setProtectedHeader({ alg: by.alg, kid: by.kid, typ: 'at+jwt', ...header })
        .sign(by.privateKey),
    publish: (...published: SigningKey[]) => {
      keys = published;
    },
    /** Answers a path otherwise from now on; null: well again. */
    answer: (path: string, how: Answer | null) => void (how ? answers.set(path, how) : answers.delete(path)),
    /** The next request for a path has been answered. */
    asked: (path: string) => once(seen, path),
    /** Goes away; `listen` brings it back on the same port. */
    async close(): Promise<void> {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
    listen,
  };
}

export type Issuer = Awaited<ReturnType<typeof startIssuer>>;

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
