import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLog } from '../../../src/log.ts';
import { secrets } from '../../../src/k8s/resources.ts';
import type { TestServer } from '../../../src/testing.ts';
import {
  basic,
  calls,
  documents,
  echo,
  errorsOf,
  type GatewaysServer,
  ready,
  rights,
  startGatewaysServer,
} from './surface.ts';

const given = 'harbour-lantern-7-otter-quay';
let server: GatewaysServer;
let call: ReturnType<typeof calls>;
let logged = '';
/** All that was ever answered. */
let answered = '';
beforeAll(async () => {
  const log = createLog('trace', { write: (line: string) => void (logged += line) });
  const started = await startGatewaysServer({ log });
  const recorded = <T>(answer: T): T => {
    answered += JSON.stringify(answer);
    return answer;
  };
  server = {
    ...started,
    query: async <D>(...args: Parameters<TestServer['query']>) => recorded(await started.query<D>(...args)),
    data: async <D>(...args: Parameters<TestServer['data']>) => recorded(await started.data<D>(...args)),
  };
  call = calls(server);
  await echo(server);
});
afterAll(() => server.stop());

let count = 0;
let name = '';
beforeEach(() => {
  name = `secret-${++count}`;
});
const place = () => ({ namespace: 'default', name });
const users = (...usernames: string[]) => usernames.map((username) => ({ username }));
const stored = () => server.kube.get(secrets, name, 'default');
const gatewaySecrets = (kind: string) =>
  server.query<{ gatewaySecrets: { name: string; principals: string[]; problem: string | null }[] }>(
    `{ gatewaySecrets(namespace: "default", kind: ${kind}) { name namespace kind principals problem } }`,
  );
const listed = async (kind: string) =>
  (await gatewaySecrets(kind)).data?.gatewaySecrets.find((secret) => secret.name === name);

describe('create refuses', () => {
  const ofUsers = (...given: object[]) => ({ basic: { ...place(), users: given } });
  const ofClients = (...clients: string[]) => ({ apiKey: { ...place(), clients } });
  test.each<[string, () => object, ...string[]]>([
    ['no users', () => ofUsers(), 'INVALID basic.users EMPTY'],
    ['no clients', () => ofClients(), 'INVALID apiKey.clients EMPTY'],
    [
      '10,000 users',
      () => ofUsers(...users(...Array.from({ length: 10_000 }, (_, i) => `u${i}`))),
      'INVALID basic.users TOO_MANY',
    ],
    [
      '1001 clients',
      () => ofClients(...Array.from({ length: 1001 }, (_, i) => `c${i}`)),
      'INVALID apiKey.clients TOO_MANY',
    ],
    [
      'a short password',
      () => ofUsers({ username: 'a', password: '123456789012345' }),
      'INVALID basic.users.0.password PASSWORD_TOO_SHORT',
    ],
    [
      'an empty password',
      () => ofUsers({ username: 'a', password: '' }),
      'INVALID basic.users.0.password PASSWORD_TOO_SHORT',
    ],
    [
      'a password with a line end',
      () => ofUsers({ username: 'a', password: `${given}\n` }),
      'INVALID basic.users.0.password PASSWORD_INVALID',
    ],
    [
      'a password with NUL',
      () => ofUsers({ username: 'a', password: `${given}\0` }),
      'INVALID basic.users.0.password PASSWORD_INVALID',
    ],
    [
      'what would be another line or a comment of the password file',
      () => ofUsers(...users('a:b', 'a\nroot:{SHA}x', 'a\r', 'a\0', '#a', '', ' a', 'a')),
      ...[0, 1, 2, 3, 4, 5, 6].map((i) => `INVALID basic.users.${i}.username PRINCIPAL_INVALID`),
    ],
    ['a user twice', () => ofUsers(...users('a', 'b', 'a')), 'INVALID basic.users.2.username DUPLICATE'],
    [
      'clients that are no keys of a Secret',
      () => ofClients('a b', 'a/b', '', '..', '.htpasswd', 'ä', 'ok'),
      ...[0, 1, 2, 3, 4, 5].map((i) => `INVALID apiKey.clients.${i} PRINCIPAL_INVALID`),
    ],
    [
      'a bad name',
      () => ({ apiKey: { namespace: 'De', name: 'A', clients: ['a'] } }),
      'INVALID apiKey.namespace NAME_INVALID',
      'INVALID apiKey.name SECRET_NAME_INVALID',
    ],
    [
      'a namespace that is not there',
      () => ({ apiKey: { namespace: 'none', name, clients: ['a'] } }),
      'INVALID apiKey.namespace NAMESPACE_NOT_FOUND',
    ],
  ])('%s', async (_, input, ...refusals) => {
    expect(await call.refusals(documents.createSecret, input())).toEqual(refusals);
    await expect(stored()).rejects.toMatchObject({ status: 404 });
  });

  test('a name that is taken, and leaves what is there', async () => {
    await call.createSecret({ apiKey: { ...place(), clients: ['lab'] } });
    const before = (await stored()).data;
    expect(await call.refusals(documents.createSecret, { basic: { ...place(), users: users('a') } })).toEqual([
      'CONFLICT basic.name ALREADY_EXISTS',
    ]);
    expect((await stored()).data).toEqual(before);
  });
});

describe('rotate', () => {
  test('named users get a new password, others keep theirs; the gateway follows', async () => {
    const created = await call.createSecret({ basic: { ...place(), users: users('maria', 'jo', 'old') } });
    const password = (payload: typeof created, user: string) =>
      payload.generated.find(({ principal }) => principal === user)?.value ?? '';
    const first = { maria: password(created, 'maria'), jo: password(created, 'jo'), old: password(created, 'old') };
    await call.create({ name, backend: { service: 'echo' }, auth: { basic: { secretName: name } } });
    await server.until(name, ready);
    const status = async (user: string, word: string) =>
      (await server.ask(`${name}.services.localhost`, '/', basic(user, word))).status;
    expect([await status('maria', first.maria), await status('jo', first.jo), await status('old', first.old)]).toEqual([
      200, 200, 200,
    ]);

    const rotated = await call.rotateSecret({ ...place(), principals: ['maria'], add: ['new'], remove: ['old'] });
    expect(rotated.secret).toMatchObject({ principals: ['jo', 'maria', 'new'], problem: null });
    expect(rotated.generated.map(({ principal }) => principal)).toEqual(['maria', 'new']);
    expect(await status('maria', first.maria)).toBe(401);
    expect(await status('old', first.old)).toBe(401);
    expect(await status('maria', password(rotated, 'maria'))).toBe(200);
    expect(await status('new', password(rotated, 'new'))).toBe(200);
    expect(await status('jo', first.jo)).toBe(200);
  });

  test('API keys: all when nobody is named, nobody when nobody is', async () => {
    await call.createSecret({ apiKey: { ...place(), clients: ['lab', 'desk.1'] } });
    const before = (await stored()).data ?? {};
    const none = await call.rotateSecret({ ...place(), principals: [], add: ['new'] });
    expect(none.generated.map(({ principal }) => principal)).toEqual(['new']);
    expect((await stored()).data).toMatchObject(before);
    const all = await call.rotateSecret({ ...place(), remove: ['desk.1'] });
    expect(all.generated.map(({ principal }) => principal)).toEqual(['lab', 'new']);
    const after = (await stored()).data ?? {};
    expect(Object.keys(after).toSorted()).toEqual(['lab', 'new']);
    expect(Buffer.from(after['lab'] ?? '', 'base64').toString()).toBe(all.generated[0]?.value);
    expect(after['lab']).not.toBe(before['lab']);
  });

  test.each<[object, ...string[]]>([
    [{ principals: ['none'] }, 'INVALID principals.0 PRINCIPAL_NOT_FOUND'],
    [{ remove: ['none'] }, 'INVALID remove.0 PRINCIPAL_NOT_FOUND'],
    [{ add: ['lab'] }, 'INVALID add.0 PRINCIPAL_EXISTS'],
    [{ add: ['a b'] }, 'INVALID add.0 PRINCIPAL_INVALID'],
    [{ remove: ['lab'] }, 'INVALID remove EMPTY'],
    [{ principals: ['lab'], remove: ['lab'], add: ['x'] }, 'INVALID principals.0 CONTRADICTION'],
  ])('%j is refused', async (more, ...refusals) => {
    await call.createSecret({ apiKey: { ...place(), clients: ['lab'] } });
    const before = (await stored()).data;
    expect(await call.refusals(documents.rotateSecret, { ...place(), ...more })).toEqual(refusals);
    expect((await stored()).data).toEqual(before);
  });

  test('a Secret of somebody else is never changed or deleted', async () => {
    await server.kube.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'default' },
      stringData: { password: 'of-a-database' },
    });
    expect(await call.refusals(documents.rotateSecret, place())).toEqual(['NOT_SUPPORTED name NOT_MANAGED']);
    expect(await call.refusals(documents.deleteSecret, place())).toEqual(['NOT_SUPPORTED name NOT_MANAGED']);
    expect((await stored()).data).toEqual({ password: Buffer.from('of-a-database').toString('base64') });
  });

  test('a missing one is NOT_FOUND, a broken one must be made anew', async () => {
    expect(await call.refusals(documents.rotateSecret, place())).toEqual(['NOT_FOUND name']);
    await call.createSecret({ basic: { ...place(), users: users('maria') } });
    await server.kube.patch(secrets, name, 'default', { stringData: { '.htpasswd': 'maria:plain\n' } });
    expect(await call.refusals(documents.rotateSecret, place())).toEqual(['INVALID name SECRET_NOT_SHA']);
  });

  test('two at once: none is lost', async () => {
    await call.createSecret({ apiKey: { ...place(), clients: ['lab'] } });
    const added = Array.from({ length: 5 }, (_, i) => `client-${i}`);
    await Promise.all(added.map((client) => call.rotateSecret({ ...place(), principals: [], add: [client] })));
    expect(Object.keys((await stored()).data ?? {}).toSorted()).toEqual([...added, 'lab']);
  });
});

describe('delete', () => {
  test('is refused while a gateway uses it, and says which', async () => {
    await call.createSecret({ apiKey: { ...place(), clients: ['lab'] } });
    const { gateway } = await call.create({
      name,
      backend: { service: 'echo' },
      auth: { apiKey: { secretName: name } },
    });
    const answer = await server.query(documents.deleteSecret, { input: place() });
    expect(errorsOf(answer)).toEqual(['CONFLICT name SECRET_IN_USE']);
    expect(answer.errors?.[0]?.message).toContain(`(${name})`);
    expect((await stored()).data).toBeDefined();
    await call.delete({ id: gateway.id });
    expect(await call.deleteSecret(place())).toEqual({ deleted: true });
    await expect(stored()).rejects.toMatchObject({ status: 404 });
    expect(await call.deleteSecret(place())).toEqual({ deleted: false });
  });
});

describe('gatewaySecrets', () => {
  test('tells principals and problems', async () => {
    await call.createSecret({ basic: { ...place(), users: users('maria', 'jo') } });
    expect(await listed('BASIC')).toEqual({
      name,
      namespace: 'default',
      kind: 'BASIC',
      principals: ['jo', 'maria'],
      problem: null,
    });
    expect(await listed('API_KEY')).toBeUndefined();
    await server.kube.patch(secrets, name, 'default', { stringData: { '.htpasswd': 'maria:$2y$05$bcrypt\n' } });
    expect((await listed('BASIC'))?.problem).toMatch(/^Line 1: its password is not hashed as \{SHA\}/);
  });

  test('tells a password file under the wrong name as such', async () => {
    const metadata = { name, namespace: 'default' };
    await server.kube.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      stringData: { htpasswd: 'maria:x' },
    });
    expect(await listed('BASIC')).toMatchObject({
      principals: [],
      problem: expect.stringContaining('"htpasswd"') as string,
    });
    expect(await listed('API_KEY')).toBeUndefined();
  });

  test('leaves out what is of another type or belongs to something else', async () => {
    const metadata = { name, namespace: 'default' };
    const tls = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'example.org/other', stringData: { a: 'b' } };
    await server.kube.create(secrets, tls);
    expect(await listed('API_KEY')).toBeUndefined();
    expect(await listed('BASIC')).toBeUndefined();
  });

  test.each(['NONE', 'JWT', 'OTHER', 'UNKNOWN'])('%s has no Secrets', async (kind) => {
    expect(errorsOf(await gatewaySecrets(kind))).toEqual(['INVALID kind KIND_INVALID']);
  });

  test("needs the caller's right to read Secrets", async () => {
    const access = rights({ see: ['default'], expose: ['default'] });
    await using limited = await startGatewaysServer({ as: { access } });
    const answer = await limited.query(
      '{ gatewaySecrets(namespace: "default", kind: BASIC) { name } viewer { name } }',
    );
    expect(errorsOf(answer)).toEqual(['FORBIDDEN namespace']);
    expect(answer.data).toMatchObject({ gatewaySecrets: null, viewer: { name: 'local' } });
    const refused = calls(limited);
    const input = { apiKey: { namespace: 'default', name: 'x', clients: ['a'] } };
    expect(await refused.refusals(documents.createSecret, input)).toEqual(['FORBIDDEN apiKey.namespace']);
    expect(await refused.refusals(documents.rotateSecret, { namespace: 'default', name: 'x' })).toEqual([
      'FORBIDDEN namespace',
    ]);
    expect(await refused.refusals(documents.deleteSecret, { namespace: 'default', name: 'x' })).toEqual([
      'FORBIDDEN namespace',
    ]);
  });
});

test('of 100 values none is answered twice, and none is logged', async () => {
  const many = (word: string) => Array.from({ length: 49 }, (_, i) => `${word}-${i}`);
  const keys = { ...place(), name: `${name}-keys` };
  const generated = [
    await call.createSecret({
      basic: { ...place(), users: [...users(...many('user')), { username: 'jo', password: given }] },
    }),
    await call.rotateSecret({ ...place(), principals: ['user-0'], add: ['new'] }),
    await call.createSecret({ apiKey: { ...keys, clients: many('client') } }),
  ].flatMap((payload) => payload.generated);
  const values = [given, ...generated.map(({ value }) => value)];
  expect(new Set(values).size).toBe(101);
  const hashes = Buffer.from((await stored()).data?.['.htpasswd'] ?? '', 'base64')
    .toString()
    .split('\n')
    .flatMap((line) => line.split('{SHA}').slice(1));
  expect(hashes).toHaveLength(51);
  answered = '';
  const events = server.subscribe('subscription { gatewayChanged { gateway { manifests auth { secretName } } } }');
  await call.create({ name, backend: { service: 'echo' }, auth: { basic: { secretName: name } } });
  const { gateway } = await call.create({
    ...{ name: `${name}-b`, backend: { service: 'echo' }, auth: { apiKey: { secretName: keys.name } } },
  });
  await call.update({ id: gateway.id, auth: { basic: { secretName: name } }, dryRun: true });
  await call.update({ id: gateway.id, auth: { basic: { secretName: name } } });
  await call.refusals(documents.createSecret, { basic: { ...place(), users: [{ username: 'x', password: given }] } });
  await call.refusals(documents.createSecret, { basic: { users: [{ username: 'x', password: given }] } });
  await call.refusals(documents.rotateSecret, { ...place(), add: ['new'] });
  await call.refusals(documents.deleteSecret, place());
  await server.query('{ gateways { nodes { manifests(format: JSON) status { message conditions { message } } } } }');
  await server.query('{ serviceRuns { nodes { manifests events { message } gateways { manifests } } } }');
  for (const kind of ['BASIC', 'API_KEY']) await gatewaySecrets(kind);
  let told = '';
  for await (const event of events) {
    told += JSON.stringify(event);
    if (told.includes(`${name}-b`)) break;
  }
  for (const value of [...values, ...hashes]) {
    for (const text of [value, Buffer.from(value).toString('base64')]) {
      expect(answered + told).not.toContain(text);
      expect(logged).not.toContain(text);
    }
  }
  expect(answered).toContain(keys.name);
  expect(logged).toContain('gateway secret created');
  // Who opens something to whom is on record, too.
  expect(logged).toContain(`"gateway":"default/${name}","auth":"BASIC","msg":"gateway created"`);
});
