import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { gateways, httpRoutes, referenceGrants, secrets, services } from '../../../src/k8s/resources.ts';
import { basic, calls } from '../../modules/gateways/surface.ts';
import { drainSeconds } from '../envoy/index.ts';
import { type Expected, listeners, type Request, routeOf, topics } from './requests/index.ts';
import { createWorld, eventually, type World } from './world.ts';

let world: World;
let call: ReturnType<typeof calls>;
/** The Services behind the addresses of their Pods. */
const names = new Map<string, string>();
beforeAll(async () => {
  world = await createWorld(inject('cluster').kubeconfig);
  call = calls(world.slipway);
  for (const [name, namespace] of [
    ['one', 'lab'],
    ['two', 'lab'],
    ['three', 'lab'],
    ['near', 'far'],
    ['far', 'far'],
  ] as const) {
    names.set((await world.addService(name, namespace)).address, name);
  }
  // Building Envoy Gateway takes long, the first time.
}, 5_400_000);
afterAll(() => world.stop());

describe('the requests that also go to the embedded data plane', () => {
  beforeAll(async () => {
    const { kube, parent } = world;
    await kube.create(services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'idle', namespace: 'lab' },
      spec: { selector: { app: 'idle' }, ports: [{ port: 80 }] },
    });
    await kube.create(referenceGrants, {
      apiVersion: 'gateway.networking.k8s.io/v1beta1',
      kind: 'ReferenceGrant',
      metadata: { name: 'near', namespace: 'far' },
      spec: {
        from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'lab' }],
        to: [{ group: '', kind: 'Service', name: 'near' }],
      },
    });
    const allowedRoutes = { namespaces: { from: 'All' as const } };
    const operations = listeners.map((one) => ({
      op: 'add' as const,
      path: '/spec/listeners/-',
      value: { ...one, port: 80, protocol: 'HTTP', allowedRoutes },
    }));
    await kube.patch(gateways, parent.name, parent.namespace, operations);
    for (const spec of topics.flatMap(({ routes }) => routes)) {
      await kube.create(httpRoutes, routeOf(spec, parent, 'lab'));
    }
    for (const spec of topics.flatMap(({ routes }) => routes)) {
      const found = await eventually(
        () => kube.get(httpRoutes, spec.name, 'lab'),
        ({ status }) =>
          (status?.parents?.[0]?.conditions ?? []).some(({ type, status, reason }) =>
            spec.reason === undefined ? type === 'Accepted' && status === 'True' : reason === spec.reason,
          ),
      );
      const reasons = found.status?.parents?.[0]?.conditions?.map(({ reason }) => reason) ?? [];
      if (!reasons.includes(spec.reason ?? 'Accepted')) throw new Error(`${spec.name} is ${reasons.join()}`);
    }
  });

  const outcome = async ({ method, host, path, headers = {} }: Request, wanted: Expected): Promise<Expected> => {
    const answer = await world.ask(host, path, { method, headers });
    if (answer.status !== 200) return { by: answer.status };
    const seen = answer.json() as { backend: string; url: string; headers: Record<string, string> };
    return {
      by: names.get(seen.backend) ?? seen.backend,
      ...(wanted.url !== undefined && { url: seen.url }),
      ...(wanted.host !== undefined && { host: seen.headers['host'] ?? '' }),
    };
  };

  describe.each(topics)('$name', ({ requests }) => {
    test.each(requests)('$method $host$path $headers', async (request) => {
      const { because: _, ...expected } = { because: '', ...(request.envoy ?? request.expected) };
      const equal = (found: Expected) => JSON.stringify(found) === JSON.stringify(expected);
      expect(await eventually(() => outcome(request, expected), equal, 60)).toEqual(expected);
    });
  });
});

const backend = { service: 'one', namespace: 'lab' };
const hostOf = (name: string) => `${name}.services.example.org`;
const query = `query ($name: String!) { gateway(by: { name: { namespace: "lab", name: $name } }) {
  url auth { kind } status { phase message conditions { object { kind } type status reason current } } } }`;

interface Shown {
  url: string;
  status: {
    phase: string;
    message: string | null;
    conditions: { object: { kind: string }; type: string; status: string }[];
  };
}

const shown = (name: string): Promise<Shown> =>
  world.slipway.data<{ gateway: Shown }>(query, { name }).then(({ gateway }) => gateway);
const inPhase = (name: string, phase: string, seconds = 200): Promise<Shown> =>
  eventually(
    () => shown(name),
    ({ status }) => status.phase === phase,
    seconds,
  );

/** Creates a gateway and waits until it is ready. */
async function createReady(name: string, input: object): Promise<Shown> {
  await call.create({ name, backend, ...input });
  const view = await inPhase(name, 'READY');
  expect(view.status).toMatchObject({ phase: 'READY', message: null });
  return view;
}

const statusOf = async (name: string, headers: Record<string, string> = {}, path = '/'): Promise<number> =>
  (await world.ask(hostOf(name), path, { headers })).status;
const until = (name: string, status: number, headers: Record<string, string> = {}) =>
  eventually(
    () => statusOf(name, headers),
    (found) => found === status,
  );
const headersOf = (user: string, password: string) => basic(user, password).headers as Record<string, string>;

describe('protection: nobody, somebody wrong, the right one, and the right one of another gateway', () => {
  test('none', async () => {
    const { url } = await createReady('open', { auth: { none: true } });
    expect(url).toBe('http://open.services.example.org/');
    expect(await until('open', 200)).toBe(200);
  });

  test('passwords', async () => {
    const credentials: Record<string, Record<string, string>> = {};
    for (const name of ['basic-a', 'basic-b']) {
      const { generated } = await call.createSecret({
        basic: { namespace: 'lab', name, users: [{ username: 'maria' }] },
      });
      credentials[name] = headersOf('maria', generated[0]?.value ?? '');
      await createReady(name, { auth: { basic: { secretName: name } } });
    }
    expect(await until('basic-a', 200, credentials['basic-a'])).toBe(200);
    expect(await statusOf('basic-a')).toBe(401);
    expect(await statusOf('basic-a', headersOf('maria', 'wrong-wrong-wrong-wrong'))).toBe(401);
    expect(await statusOf('basic-a', credentials['basic-b'])).toBe(401);
  });

  test('API keys: the service never sees them', async () => {
    const keys: Record<string, Record<string, string>> = {};
    for (const name of ['keys-a', 'keys-b']) {
      const { generated } = await call.createSecret({ apiKey: { namespace: 'lab', name, clients: ['lab'] } });
      keys[name] = { 'x-api-key': generated[0]?.value ?? '' };
      await createReady(name, { auth: { apiKey: { secretName: name } } });
    }
    expect(await until('keys-a', 200, keys['keys-a'])).toBe(200);
    const { text } = await world.ask(hostOf('keys-a'), '/', { headers: keys['keys-a'] ?? {} });
    expect(text).not.toContain(keys['keys-a']?.['x-api-key']);
    expect(await statusOf('keys-a')).toBe(401);
    expect(await statusOf('keys-a', { 'x-api-key': 'wrong' })).toBe(401);
    expect(await statusOf('keys-a', keys['keys-b'])).toBe(401);
  });

  test('tokens: 401 without a good one, 403 with one for another audience, and a claim reaches the service', async () => {
    const [issuer, stranger] = [await world.startIssuer(), await world.startIssuer()];
    const jwt = {
      jwksUri: `${issuer.url}/certs`,
      issuer: issuer.url,
      audiences: ['shop'],
      claimToHeaders: [{ claim: 'preferred_username', header: 'x-user' }],
    };
    await createReady('tokens', { auth: { jwt } });
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    const good = await issuer.token();
    expect(await until('tokens', 200, bearer(good))).toBe(200);
    const { headers } = (
      await world.ask(hostOf('tokens'), '/', { headers: { ...bearer(good), 'x-user': 'admin' } })
    ).json();
    expect(headers).toMatchObject({ 'x-user': 'maria' });
    expect(await statusOf('tokens')).toBe(401);
    expect(await statusOf('tokens', {}, `/?access_token=${good}`)).toBe(401);
    expect(await statusOf('tokens', bearer('wrong'))).toBe(401);
    expect(await statusOf('tokens', bearer(await stranger.token({ iss: issuer.url })))).toBe(401);
    expect(await statusOf('tokens', bearer(await stranger.token()))).toBe(401);
    expect(await statusOf('tokens', bearer(await issuer.token({ aud: 'bank' })))).toBe(403);
  });
});

describe('what happens later', () => {
  test('a Secret that goes closes the gateway with 500, and it says so', async () => {
    await call.createSecret({ basic: { namespace: 'lab', name: 'fragile', users: [{ username: 'maria' }] } });
    await createReady('fragile', { auth: { basic: { secretName: 'fragile' } } });
    expect(await until('fragile', 401)).toBe(401);
    await world.kube.delete(secrets, 'fragile', 'lab');
    const { status } = await inPhase('fragile', 'REJECTED');
    expect(status).toMatchObject({
      phase: 'REJECTED',
      message: expect.stringMatching(/Secret fragile.*500/) as string,
    });
    expect(await until('fragile', 500)).toBe(500);
  });

  test('a rotation adds the new key before the old one goes', async () => {
    const place = { namespace: 'lab', name: 'rotated' };
    const { generated } = await call.createSecret({ apiKey: { ...place, clients: ['old'] } });
    const old = { 'x-api-key': generated[0]?.value ?? '' };
    await createReady('rotated', { auth: { apiKey: { secretName: 'rotated' } } });
    expect(await until('rotated', 200, old)).toBe(200);
    const added = await call.rotateSecret({ ...place, principals: [], add: ['new'] });
    const fresh = { 'x-api-key': added.generated[0]?.value ?? '' };
    expect(await until('rotated', 200, fresh)).toBe(200);
    expect(await statusOf('rotated', old)).toBe(200);
    await call.rotateSecret({ ...place, principals: [], remove: ['old'] });
    expect(await until('rotated', 401, old)).toBe(401);
    expect(await statusOf('rotated', fresh)).toBe(200);
  });

  test.each([
    ['/v1', null, '/v1/x?q=1', '/v1/x?q=1'],
    ['/v1/', '/', '/v1/x?q=1', '/x?q=1'],
    ['/v1', '/', '/v1', '/'],
    ['/v1', '', '/v1/', '/'],
    ['/v1', '/xyz/', '/v1/a%20b', '/xyz/a%20b'],
    ['/v1', '/xyz', '/v1', '/xyz'],
    ['/a.b+c', '/x', '/a.b+c/d', '/x/d'],
    ['/', '/', '/any', '/any'],
  ])('%s rewritten to %s: %s arrives as %s', async (pathPrefix, rewritePathPrefix, path, url) => {
    const name = `path-${Buffer.from(`${pathPrefix}${rewritePathPrefix}${path}`).toString('hex').slice(-30)}`;
    await createReady(name, { auth: { none: true }, pathPrefix, rewritePathPrefix });
    const answer = await eventually(
      () => world.ask(hostOf(name), path),
      ({ status }) => status === 200,
    );
    expect(answer.json()).toMatchObject({ url });
  });
});

/** Calls a gateway without a credential, 200 times a second, while something is done to it. */
async function probing(name: string, task: () => Promise<void>): Promise<{ passed: number[]; asked: number }> {
  const statuses = new Map<number, number>();
  const pending = new Set<Promise<void>>();
  const probe = setInterval(() => {
    // A machine that is too busy for as many as that is not made busier still.
    if (pending.size >= 50) return;
    const one = statusOf(name)
      .then((status) => void statuses.set(status, (statuses.get(status) ?? 0) + 1))
      .finally(() => pending.delete(one));
    pending.add(one);
  }, 5);
  try {
    await task();
  } finally {
    clearInterval(probe);
    await Promise.all(pending);
  }
  const passed = [...statuses.keys()].filter((status) => status < 400);
  return { passed, asked: [...statuses.values()].reduce((sum, count) => sum + count, 0) };
}

/** A connection that has carried a request already, and waits. */
async function oldConnection(name: string): Promise<{ ask(): Promise<string> }> {
  const socket = connect(world.port, world.address);
  let closed = false;
  socket.on('error', () => {});
  const gone = once(socket, 'close').then(() => {
    closed = true;
    return 'closed';
  });
  const ask = async (): Promise<string> => {
    if (closed) return 'closed';
    const answer = once(socket, 'data').then(([bytes]) => String(bytes).slice(9, 12));
    socket.write(`GET / HTTP/1.1\r\nhost: ${hostOf(name)}\r\n\r\n`);
    return Promise.race([answer, gone]);
  };
  await ask();
  return { ask };
}

/**
 * What connections from before get while something is done to a gateway: one of them asks every 200 ms, for an answer is
 * the end of a connection whose listener has changed. The last asks when it is done.
 */
async function onOldConnections(name: string, task: () => Promise<unknown>): Promise<{ all: string[]; last: string }> {
  const connections = await Promise.all(Array.from({ length: 60 }, () => oldConnection(name)));
  const last = connections.pop();
  const answers: Promise<string>[] = [];
  const asking = setInterval(() => {
    const next = connections.shift();
    if (next) answers.push(next.ask());
  }, 200);
  try {
    await task();
  } finally {
    clearInterval(asking);
  }
  return { all: await Promise.all(answers), last: (await last?.ask()) ?? '' };
}

/** Secrets and an issuer for each kind of protection, and what gets through. */
async function credentialsOf(name: string) {
  const place = { namespace: 'lab', name };
  const passwords = await call.createSecret({ basic: { ...place, users: [{ username: 'maria' }] } });
  const keys = await call.createSecret({ apiKey: { ...place, name: `${name}-keys`, clients: ['lab'] } });
  const issuer = await world.startIssuer();
  const jwt = { jwksUri: `${issuer.url}/certs`, issuer: issuer.url, audiences: ['shop'] };
  return {
    basic: { auth: { basic: { secretName: name } }, headers: headersOf('maria', passwords.generated[0]?.value ?? '') },
    apiKey: {
      auth: { apiKey: { secretName: `${name}-keys` } },
      headers: { 'x-api-key': keys.generated[0]?.value ?? '' },
    },
    jwt: { auth: { jwt }, headers: { authorization: `Bearer ${await issuer.token()}` } },
  };
}

describe('connections from before a gateway was there', () => {
  test.each(['basic', 'apiKey', 'jwt'] as const)('never get through without a credential: %s', async (kind) => {
    const name = `before-${kind.toLowerCase()}`;
    const { auth, headers } = (await credentialsOf(name))[kind];
    const { all, last } = await onOldConnections(name, async () => {
      await call.create({ name, backend, auth });
      expect(await until(name, 200, headers)).toBe(200);
    });
    expect([...all, last]).not.toContain('200');
  });

  // What docs/gateways.md says of the checks that are one for all of a kind.
  test.each(['apiKey', 'jwt'] as const)('are asked at once where the listener has the check: %s', async (kind) => {
    const name = `again-${kind.toLowerCase()}`;
    const { auth, headers } = (await credentialsOf(name))[kind];
    await createReady(name, { auth });
    await delay((drainSeconds + 1) * 1000);
    await using quick = await world.startSlipway({ drainSeconds: 0 });
    const { all, last } = await onOldConnections(`${name}-more`, async () => {
      await calls(quick).create({ name: `${name}-more`, backend, auth });
      expect(await until(`${name}-more`, 200, headers)).toBe(200);
    });
    expect([...all, last]).not.toContain('200');
    expect(last).toMatch(/^40[13]$/);
  });

  test('would get through by passwords for as long as the drain time of Envoy, were nothing closed for it', async () => {
    const { auth } = (await credentialsOf('hasty')).basic;
    await using hasty = await world.startSlipway({ drainSeconds: 0 });
    const { all, last } = await onOldConnections('hasty', async () => {
      await calls(hasty).create({ name: 'hasty', backend, auth });
      expect(await until('hasty', 401)).toBe(401);
    });
    // The last one comes too late if it took longer than that to see it.
    expect([...all, last]).toContain('200');
  });
});

test('another kind of protection lets nobody through, neither new connections nor those from before', {
  timeout: 1_200_000,
}, async () => {
  const kinds = await credentialsOf('swap');
  await createReady('swap', { auth: kinds.basic.auth });
  const { id } = await world.slipway
    .data<{ gateway: { id: string } }>('query { gateway(by: { name: { namespace: "lab", name: "swap" } }) { id } }')
    .then(({ gateway }) => gateway);
  const old: string[] = [];
  const { passed, asked } = await probing('swap', async () => {
    for (const kind of ['apiKey', 'jwt', 'basic', 'jwt', 'apiKey', 'basic'] as const) {
      const { auth, headers } = kinds[kind];
      const { all, last } = await onOldConnections('swap', async () => {
        await call.update({ id, auth });
        expect(await until('swap', 200, headers)).toBe(200);
      });
      old.push(...all, last);
    }
  });
  expect(passed).toEqual([]);
  expect(old).not.toContain('200');
  expect(asked).toBeGreaterThan(0);
});

test('an open gateway that becomes protected is closed in between', { timeout: 1_200_000 }, async () => {
  const { basic: wanted } = await credentialsOf('closing');
  await createReady('closing', { auth: { none: true } });
  expect(await until('closing', 200)).toBe(200);
  const { id } = await world.slipway
    .data<{ gateway: { id: string } }>('{ gateway(by: { name: { namespace: "lab", name: "closing" } }) { id } }')
    .then(({ gateway }) => gateway);
  const statuses: number[] = [];
  const updated = call.update({ id, auth: wanted.auth }).then(() => 'done');
  while ((await Promise.race([updated, delay(50, 'going on')])) !== 'done') statuses.push(await statusOf('closing'));
  statuses.push(await until('closing', 401));
  // Once it is closed it never answers without a credential again.
  const since = statuses.findIndex((status) => status !== 200);
  expect(new Set(statuses.slice(since))).toEqual(new Set([404, 401]));
});

test('30 cycles of create, rotate and delete under 200 requests a second let nobody through', {
  timeout: 1_200_000,
}, async () => {
  // No connections from before here, so nothing has to wait for their end.
  await using server = await world.startSlipway({ drainSeconds: 0 });
  const quick = calls(server);
  await quick.createSecret({ basic: { namespace: 'lab', name: 'cycle', users: [{ username: 'maria' }] } });
  const seen: number[] = [];
  const { passed, asked } = await probing('cycle', async () => {
    for (let i = 0; i < 30; i++) {
      const { gateway } = await quick.create({ name: 'cycle', backend, auth: { basic: { secretName: 'cycle' } } });
      seen.push(await until('cycle', 401));
      const { generated } = await quick.rotateSecret({ namespace: 'lab', name: 'cycle' });
      seen.push(await until('cycle', 200, headersOf('maria', generated[0]?.value ?? '')));
      await quick.delete({ id: gateway.id });
      seen.push(await until('cycle', 404));
    }
  });
  expect(passed).toEqual([]);
  expect(new Set(seen)).toEqual(new Set([401, 200, 404]));
  expect(asked).toBeGreaterThan(seen.length);
});
