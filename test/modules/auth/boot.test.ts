import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BootError } from '../../../src/boot-error.ts';
import { readSettings } from '../../../src/config.ts';
import { runCommand, serverEnvironment, startProcess } from '../../commands/process.ts';
import { startBare } from './bare.ts';
import { type Issuer, audience, startIssuer } from './issuer.ts';
import { bearer, send } from './surface.ts';

let issuer: Issuer;
let folder: string;
beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(() => issuer.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-boot-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const complete = { issuer: 'https://idp.example', audience: [audience] };

/** The fields that are named; [] when it starts. */
async function problems(config: Record<string, unknown>, options: object = {}): Promise<string[]> {
  try {
    await (await startBare({ config, ...options })).stop();
    return [];
  } catch (error) {
    if (error instanceof BootError) return error.problems.map(({ field = '' }) => field);
    throw error;
  }
}

describe('sign-in is configured whole or not at all', () => {
  test.each<[string, Record<string, unknown>, string[]]>([
    ['nothing', {}, []],
    ['issuer alone', { issuer: complete.issuer }, ['audience']],
    ['audience alone', { audience: complete.audience }, ['issuer']],
    ['algorithms alone', { algorithms: ['RS256'] }, ['issuer', 'audience']],
    ['authorizer alone', { authorizer: 'roles' }, ['issuer', 'audience']],
    ['a prefix alone', { userPrefix: 'idp:' }, ['issuer', 'audience']],
    ['the tolerance alone', { clockToleranceSeconds: 5 }, ['issuer', 'audience']],
    ['an empty audience', { ...complete, audience: [] }, ['audience']],
    ['an audience without a name', { ...complete, audience: [''] }, ['audience.0']],
    ['no algorithm', { ...complete, algorithms: [] }, ['algorithms']],
    ['HS256', { ...complete, algorithms: ['RS256', 'HS256'] }, ['algorithms.1']],
    ['none', { ...complete, algorithms: ['none'] }, ['algorithms.0']],
    ['an unknown authorizer', { ...complete, authorizer: 'everybody' }, ['authorizer']],
    ['an issuer that is no URL', { ...complete, issuer: 'idp' }, ['issuer']],
    ['an issuer in plain text', { ...complete, issuer: 'http://idp.example' }, ['issuer']],
    ['an issuer that looks like loopback', { ...complete, issuer: 'http://127.0.0.1.evil.example' }, ['issuer']],
    ['an issuer with a password', { ...complete, issuer: 'https://a:b@idp.example' }, ['issuer']],
    ['an issuer with a query', { ...complete, issuer: 'https://idp.example?tenant=1' }, ['issuer']],
    ['keys in a file', { ...complete, jwksUri: 'file:///keys.json' }, ['jwksUri']],
    ['keys in plain text', { ...complete, jwksUri: 'http://idp.example/keys' }, ['jwksUri']],
    ['an empty prefix', { ...complete, userPrefix: '' }, ['userPrefix']],
    ['the system prefix', { ...complete, userPrefix: 'system:' }, ['userPrefix']],
    ['a prefix within the system prefix', { ...complete, groupPrefix: 'system:oidc:' }, ['groupPrefix']],
    ['a prefix that a name could make the system prefix', { ...complete, groupPrefix: 'sys' }, ['groupPrefix']],
    ['a prefix with a blank', { ...complete, userPrefix: 'id p:' }, ['userPrefix']],
    ['too much tolerance', { ...complete, clockToleranceSeconds: 61 }, ['clockToleranceSeconds']],
    ['an unknown setting', { ...complete, audiance: ['x'] }, ['']],
  ])('%s', async (_, config, fields) => {
    expect(await problems(config)).toEqual(fields);
  });

  test('plain http on loopback is for the embedded cluster', async () => {
    const plain = { issuer: issuer.url, audience: [audience] };
    expect(await problems(plain)).toEqual([]);
    expect(await problems(plain, { mode: 'KUBECONFIG' })).toEqual(['SLIPWAY_AUTH_ISSUER']);
    const keys = { ...complete, jwksUri: `${issuer.url}/keys` };
    expect(await problems(keys, { mode: 'IN_CLUSTER' })).toEqual(['SLIPWAY_AUTH_JWKS_URI']);
  });
});

describe('a listener for others', () => {
  test('needs sign-in, whatever opens it', async () => {
    expect(await problems({}, { host: '0.0.0.0' })).toEqual(['SLIPWAY_HOST']);
    expect(await problems({}, { host: '::' })).toEqual(['SLIPWAY_HOST']);
    expect(await problems({}, { allowedHosts: ['slipway.example.com'] })).toEqual(['SLIPWAY_ALLOWED_HOSTS']);
    expect(await problems({}, { allowedOrigins: ['https://c.example'] })).toEqual(['SLIPWAY_ALLOWED_ORIGINS']);
    expect(await problems(complete, { host: '0.0.0.0', allowedOrigins: ['https://c.example'] })).toEqual([]);
  });
});

describe('slipway serve', () => {
  test('names the settings and ends with 78', async () => {
    const { code, stderr } = await runCommand([], serverEnvironment(folder, { SLIPWAY_AUTH_AUTHORIZER: 'roles' }));
    expect(code).toBe(78);
    for (const name of ['SLIPWAY_AUTH_ISSUER', 'SLIPWAY_AUTH_AUDIENCE']) expect(stderr).toContain(name);
  });

  test.each([
    ['SLIPWAY_ALLOWED_ORIGINS', '*'],
    ['SLIPWAY_ALLOWED_ORIGINS', 'https://console.example.com/'],
    ['SLIPWAY_ALLOWED_ORIGINS', 'null'],
    ['SLIPWAY_ALLOWED_HOSTS', '*.example.com'],
    ['SLIPWAY_ALLOWED_HOSTS', 'slipway.example.com:443'],
  ])('refuses %s=%s', (name, value) => {
    expect(() => readSettings({ [name]: value })).toThrow(name);
  });

  test('with sign-in it listens beyond loopback, lets in who has a token, and logs none', async () => {
    const file = join(folder, 'slipway.yaml');
    await writeFile(file, `auth: { issuer: "${issuer.url}", audience: [${audience}] }\n`);
    const env = serverEnvironment(join(folder, 'data'), {
      SLIPWAY_HOST: '0.0.0.0',
      SLIPWAY_CONFIG: file,
      SLIPWAY_DEMO: 'false',
      SLIPWAY_LOG_LEVEL: 'trace',
    });
    const server = await startProcess(env);
    const output: string[] = [];
    server.child.stdout?.on('data', (chunk) => output.push(String(chunk)));
    server.child.stderr?.on('data', (chunk) => output.push(String(chunk)));
    const endpoints = JSON.parse(await readFile(join(folder, 'data', 'endpoints.json'), 'utf8'));
    const url = `http://127.0.0.1:${new URL(endpoints.graphql).port}`;
    const token = await issuer.sign();
    expect((await send(url)).code).toBe('UNAUTHENTICATED');
    expect((await send(url, { headers: bearer(token) })).text).toContain('oidc:alice');
    expect((await send(url, { headers: bearer(`${token.slice(0, -6)}AAAAAA`) })).status).toBe(401);
    expect((await send(url, { headers: [...bearer(token), 'Host', 'other.example'] })).status).toBe(421);
    await server.end();
    const parts = token.split('.');
    expect(parts.filter((part) => output.join('').includes(part))).toEqual([]);
  });
});
