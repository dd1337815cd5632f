import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { parseHtpasswd as readByGateway } from '../../../src/k8s/embedded/gateway/auth/basic.ts';
import type { Secret } from '../../../src/k8s/resources.ts';
import { envoyGateway } from '../../../src/modules/gateways/envoy-gateway.ts';
import {
  formatHtpasswd,
  generateCredential,
  parseHtpasswd,
  shaEntry,
  usernameProblem,
} from '../../../src/modules/gateways/htpasswd.ts';

const sha = (password: string) => `{SHA}${createHash('sha1').update(password).digest('base64')}`;
const hash = sha('harbour-lantern-7-otter-quay');

test('what is written is what Envoy takes', () => {
  const text = formatHtpasswd([shaEntry('maria', 'harbour-lantern-7-otter-quay'), shaEntry('jörg m', 'x')]);
  expect(text).toBe(`maria:${hash}\njörg m:${sha('x')}\n`);
  expect(parseHtpasswd(text)).toMatchObject({ fault: null, entries: [{ username: 'maria' }, { username: 'jörg m' }] });
  expect([...readByGateway(text).keys()]).toEqual(['maria', 'jörg m']);
});

describe('a password file', () => {
  test.each([
    ['', 'SECRET_EMPTY'],
    ['\n', 'SECRET_MALFORMED'],
    ['maria', 'SECRET_MALFORMED'],
    [`:${hash}`, 'SECRET_MALFORMED'],
    [`maria:${hash}\r\n`, 'SECRET_MALFORMED'],
    [`# users\nmaria:${hash}`, 'SECRET_MALFORMED'],
    [`maria:${hash}\n\njo:${hash}`, 'SECRET_MALFORMED'],
    [`maria:${hash}\nmaria:${hash}`, 'SECRET_MALFORMED'],
    [` maria:${hash}`, 'SECRET_MALFORMED'],
    ['maria:$2y$05$abcdefghijklmnopqrstuv', 'SECRET_NOT_SHA'],
    ['maria:$apr1$x$y', 'SECRET_NOT_SHA'],
    ['maria:plain', 'SECRET_NOT_SHA'],
    ['maria:{SHA}', 'SECRET_NOT_SHA'],
    ['maria:{SHA256}xyz', 'SECRET_NOT_SHA'],
    [`maria:${hash} `, 'SECRET_NOT_SHA'],
    [`maria:${hash}x`, 'SECRET_NOT_SHA'],
    [`maria:{SHA}${createHash('sha1').update('x').digest('hex')}`, 'SECRET_NOT_SHA'],
    [`maria:{SHA}${createHash('sha256').update('x').digest('base64')}`, 'SECRET_NOT_SHA'],
  ])('%j: %s', (text, reason) => {
    const { fault } = parseHtpasswd(text);
    expect(fault?.reason).toBe(reason);
    expect(fault?.message).not.toContain('{SHA}E');
  });
});

test.each(['', 'a:b', 'a\nb', 'a\rb', 'a\0b', '#a', ' a', 'a ', 'a\u2028b', 'a\u0085b', 'x'.repeat(256)])(
  '%j is no user name',
  (username) => {
    expect(usernameProblem(username)).not.toBeNull();
  },
);

test('what is generated has its bits and is never the same', () => {
  expect(Buffer.from(generateCredential(), 'base64url')).toHaveLength(32);
  const many = Array.from({ length: 500 }, generateCredential);
  expect(new Set(many).size).toBe(500);
});

describe('a Secret of API keys', () => {
  const secret = (data: Record<string, string>, more: Partial<Secret> = {}): Secret => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'keys' },
    type: 'Opaque',
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
    ...more,
  });
  const owned = { name: 'keys', ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: '1' }] };

  test('serves when every entry is a client with its own key', () => {
    expect(envoyGateway.secretProblem(secret({ lab: 'one', desk: 'two' }), 'API_KEY')).toBeNull();
  });
  test.each<[string, Secret, string]>([
    ['nothing in it', secret({}), 'SECRET_EMPTY'],
    ['an empty key', secret({ lab: '' }), 'SECRET_MALFORMED'],
    ['a line end', secret({ lab: 'one\n' }), 'SECRET_MALFORMED'],
    ['the same key twice', secret({ lab: 'one', desk: 'one' }), 'SECRET_MALFORMED'],
    ['another type', secret({ lab: 'one' }, { type: 'kubernetes.io/tls' }), 'SECRET_WRONG_TYPE'],
    ['an owner', secret({ lab: 'one' }, { metadata: owned }), 'SECRET_MIXED'],
    ['a password file too', secret({ lab: 'one', '.htpasswd': `maria:${hash}` }), 'SECRET_MIXED'],
    [
      'too many',
      secret(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`c${i}`, `k${i}`]))),
      'SECRET_TOO_LARGE',
    ],
  ])('%s: %s', (_, given, reason) => {
    expect(envoyGateway.secretProblem(given, 'API_KEY')?.reason).toBe(reason);
  });
  test('is no password file, and is told under which name one must be', () => {
    expect(envoyGateway.secretProblem(secret({ auth: `maria:${hash}` }), 'BASIC')).toMatchObject({
      reason: 'SECRET_KEY_MISSING',
      message: expect.stringContaining('"auth"') as string,
    });
  });
});
