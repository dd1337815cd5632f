import { createHash, timingSafeEqual } from 'node:crypto';
import { headerValues, setHeader } from '../headers.ts';
import { type Guard, unauthorized } from './guard.ts';

/** User name to SHA-1 of the password. */
export type Users = ReadonlyMap<string, Buffer>;

/** Reads htpasswd lines of the one form that Envoy takes; throws with Envoy Gateway's words when they are not. */
export function parseHtpasswd(text: string): Users {
  const users = new Map<string, Buffer>();
  for (const line of text.replaceAll('\r\n', '\n').split('\n')) {
    const entry = line.trim();
    if (entry === '') continue;
    const cut = entry.indexOf(':');
    if (cut < 0) throw new Error("invalid htpasswd format: each line must be in the format 'username:password'");
    const user = entry.slice(0, cut);
    const hash = parseSha(entry.slice(cut + 1));
    // Envoy refuses its whole configuration for these two; Envoy Gateway does not look.
    if (user === '') throw new Error('invalid htpasswd format: a line has no username');
    if (users.has(user)) throw new Error(`invalid htpasswd format: the username ${JSON.stringify(user)} occurs twice`);
    users.set(user, hash);
  }
  if (users.size === 0) throw new Error('invalid htpasswd format: there is no user');
  return users;
}

function parseSha(field: string): Buffer {
  if (!field.startsWith('{SHA}')) throw new Error('unsupported htpasswd format: please use {SHA}');
  const encoded = field.slice('{SHA}'.length);
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(encoded) || encoded.length % 4 !== 0) {
    throw new Error('invalid htpasswd format: {SHA} must be base64-encoded SHA1');
  }
  const hash = Buffer.from(encoded, 'base64');
  if (hash.length !== 20) throw new Error('invalid htpasswd format: {SHA} must be SHA1 (20 bytes)');
  return hash;
}

const nobody = createHash('sha1').update('').digest();

export function createBasicGuard(users: Users, forwardUsernameHeader: string | undefined): Guard {
  return (request) => {
    const refuse = (why: string) => ({
      refusal: unauthorized('Basic', request.uri, `User authentication failed. ${why}`),
    });
    const values = headerValues(request.headers, 'authorization');
    const credentials = values.length === 1 ? parseAuthorization(values[0] ?? '') : null;
    if (!credentials) return refuse('Missing username and password.');
    const expected = users.get(credentials.user);
    const given = createHash('sha1').update(credentials.password).digest();
    // Compared for unknown users too, so that time does not tell who exists.
    const equal = timingSafeEqual(given, expected ?? nobody);
    if (!expected || !equal) return refuse('Invalid username/password combination.');
    const headers =
      forwardUsernameHeader === undefined
        ? request.headers
        : setHeader(request.headers, forwardUsernameHeader, latin1(credentials.user));
    return { request: { ...request, headers } };
  };
}

function parseAuthorization(value: string): { user: string; password: Buffer } | null {
  const match = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(value);
  if (!match) return null;
  const decoded = Buffer.from(match[1] ?? '', 'base64');
  const cut = decoded.indexOf(':');
  if (cut < 0) return null;
  return { user: decoded.subarray(0, cut).toString('utf8'), password: decoded.subarray(cut + 1) };
}

/** UTF-8 bytes in the form Node writes into a header. */
export function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
