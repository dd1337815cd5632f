import { describe, expect, test } from 'vitest';
import type { SlipwayError } from '../../../src/errors.ts';
import { type GatewayAuthInput, readAuth } from '../../../src/modules/gateways/auth-input.ts';

function read(input: GatewayAuthInput, embedded = false) {
  const errors: SlipwayError[] = [];
  const auth = readAuth(input, { embedded }, errors);
  return { auth, errors: errors.map(({ field, reason }) => `${field} ${reason}`) };
}
const jwt = (more: object = {}): GatewayAuthInput => ({
  jwt: { jwksUri: 'https://login.example.org/certs', issuer: 'https://login.example.org', ...more },
});

describe('no protection', () => {
  test('is had by saying so', () => {
    expect(read({ none: true })).toEqual({ auth: { kind: 'NONE' }, errors: [] });
  });
  test.each<[GatewayAuthInput, string]>([
    [{ none: false }, 'auth.none AUTH_REQUIRED'],
    [{ none: null }, 'auth AUTH_REQUIRED'],
    [{}, 'auth AUTH_REQUIRED'],
  ])('is never what %j means', (input, error) => {
    expect(read(input)).toEqual({ auth: null, errors: [error] });
  });
  test('never wins over protection', () => {
    expect(read({ none: true, basic: { secretName: 'users' } }).auth).toMatchObject({ kind: 'BASIC' });
  });
});

test('basic and API key name a Secret', () => {
  expect(read({ basic: { secretName: 'users' } }).auth).toEqual({ kind: 'BASIC', secretName: 'users' });
  expect(read({ apiKey: { secretName: 'keys' } }).auth).toEqual({
    kind: 'API_KEY',
    secretName: 'keys',
    headerName: 'x-api-key',
  });
  for (const secretName of ['', 'Users', '../x', 'a/b', 'a'.repeat(254)]) {
    expect(read({ basic: { secretName } })).toEqual({
      auth: null,
      errors: ['auth.basic.secretName SECRET_NAME_INVALID'],
    });
    expect(read({ apiKey: { secretName } }).errors).toEqual(['auth.apiKey.secretName SECRET_NAME_INVALID']);
  }
});

test.each([
  '',
  'x key',
  'x:key',
  ':path',
  'Host',
  'content-length',
  'X-Forwarded-For',
  'x-envoy-peer',
  'cookie',
  'schlüssel',
])('the header %j can not carry a key', (headerName) => {
  expect(read({ apiKey: { secretName: 'keys', headerName } })).toEqual({
    auth: null,
    errors: ['auth.apiKey.headerName HEADER_INVALID'],
  });
});

describe('JWT', () => {
  test('is complete', () => {
    const claimToHeaders = [{ claim: 'preferred_username', header: 'x-user' }];
    expect(read(jwt({ audiences: ['shop'], claimToHeaders })).auth).toEqual({
      kind: 'JWT',
      jwksUri: 'https://login.example.org/certs',
      issuer: 'https://login.example.org',
      audiences: ['shop'],
      claimToHeaders,
    });
  });

  test.each([
    ['http://login.example.org/certs', 'JWKS_NOT_HTTPS'],
    ['http://127.0.0.1/certs', 'JWKS_NOT_HTTPS'],
    ['ftp://login.example.org/certs', 'JWKS_NOT_HTTPS'],
    ['login.example.org/certs', 'JWKS_URI_INVALID'],
    ['', 'JWKS_URI_INVALID'],
    ['https://me:secret@login.example.org/certs', 'JWKS_URI_INVALID'],
    ['https://login.example.org/certs#x', 'JWKS_URI_INVALID'],
    ['https://login.example.org/ce rts', 'JWKS_URI_INVALID'],
    [`https://login.example.org/${'x'.repeat(253)}`, 'JWKS_URI_INVALID'],
    ['https://login.example.org/.well-known/openid-configuration', 'JWKS_IS_DISCOVERY'],
    ['https://login.example.org/realms/x/.well-known/openid-configuration/', 'JWKS_IS_DISCOVERY'],
  ])('keys at %j: %s', (jwksUri, reason) => {
    expect(read(jwt({ jwksUri }))).toEqual({ auth: null, errors: [`auth.jwt.jwksUri ${reason}`] });
  });

  test.each([
    ['http://127.0.0.1:9000/certs', true],
    ['http://localhost:9000/certs', true],
    ['http://[::1]:9000/certs', true],
    ['http://10.0.0.1/certs', false],
    ['http://localhost.example.org/certs', false],
    ['http://127.0.0.1.example.org/certs', false],
  ])('on the embedded cluster keys may be at %s: %s', (jwksUri, allowed) => {
    expect(read(jwt({ jwksUri }), true).errors).toEqual(allowed ? [] : ['auth.jwt.jwksUri JWKS_NOT_HTTPS']);
  });

  test.each(['', 'two words', 'x'.repeat(254), 'a:b c', ':', 'me@', '@example.org'])(
    'the issuer %j is refused',
    (issuer) => {
      expect(read(jwt({ issuer })).errors).toEqual(['auth.jwt.issuer ISSUER_INVALID']);
    },
  );

  test.each([[['']], [['a b']], [['a', 'a']], [Array.from({ length: 9 }, (_, i) => `a${i}`)]])(
    'audiences %j are refused',
    (audiences) => {
      expect(read(jwt({ audiences })).errors).toEqual(['auth.jwt.audiences AUDIENCE_INVALID']);
    },
  );

  test('headers that routing and trust rest on are not set from claims', () => {
    for (const header of ['Host', 'Authorization', 'X-Forwarded-For', 'connection', 'x-envoy-x', 'te']) {
      expect(read(jwt({ claimToHeaders: [{ claim: 'sub', header }] })).errors).toEqual([
        'auth.jwt.claimToHeaders.0.header HEADER_NOT_ALLOWED',
      ]);
    }
    const claimToHeaders = [
      { claim: '', header: 'x-a' },
      { claim: 'b', header: 'X-A' },
      { claim: 'c', header: 'x y' },
    ];
    expect(read(jwt({ claimToHeaders })).errors).toEqual([
      'auth.jwt.claimToHeaders.0.claim CLAIM_INVALID',
      'auth.jwt.claimToHeaders.1.header HEADER_INVALID',
      'auth.jwt.claimToHeaders.2.header HEADER_INVALID',
    ]);
  });

  test('every fault is told at once', () => {
    expect(read(jwt({ jwksUri: 'x', issuer: '', audiences: [''] })).errors).toHaveLength(3);
  });
});
