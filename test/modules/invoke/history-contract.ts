import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../../src/database.ts';
import { services } from '../../../src/k8s/resources.ts';
import { holdTimers } from './held-clock.ts';
import { deleteInvocations, historyWorld, list } from './history-world.ts';
import { errorsOf, invocationFields } from './surface.ts';
import { answer } from './upstream.ts';

/** What the format asks of each entry (http://www.softwareishard.com/blog/har-12-spec/). */
const harFields = [
  ...['startedDateTime', 'time', 'cache', 'timings.send', 'timings.wait', 'timings.receive'],
  ...['method', 'url', 'httpVersion', 'cookies', 'headers', 'queryString', 'headersSize', 'bodySize'].map(
    (name) => `request.${name}`,
  ),
  ...['status', 'statusText', 'httpVersion', 'cookies', 'headers', 'redirectURL', 'headersSize', 'bodySize'].map(
    (name) => `response.${name}`,
  ),
  ...['response.content.size', 'response.content.mimeType'],
];
const missingOfHar = (entry: object) =>
  harFields.filter((path) => {
    let value: unknown = entry;
    for (const name of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[name];
    return value === undefined || value === null || (typeof value === 'number' && value < -1);
  });

/** What every database must do, through the public surface. `newUrl` gives an empty one. */
export function historyContract(newUrl: () => Promise<string>): void {
  const { start, page, paths, replay, deleted } = historyWorld(newUrl);

  describe('what is kept', () => {
    test('a call is read back as it was answered', async () => {
      const server = await start();
      const run = await server.play('echo', answer('{"a":"ü"}', { 'content-type': 'application/json', 'x-b': '1' }));
      const made = await server.call(run, {
        method: 'POST',
        path: '/x?y=1',
        headers: [{ name: 'X-A', value: '1' }],
        body: "it's\n\u0000 'ü' \\",
      });
      const { nodes, totalCount } = await page(server);
      expect(totalCount).toBe(1);
      expect(nodes).toEqual([made]);
      expect(made).toMatchObject({
        caller: 'local',
        runId: 'echo',
        outcome: 'COMPLETED',
        recorded: true,
        replayable: true,
        request: { method: 'POST', url: `${run.url}/x?y=1`, body: "it's\n\u0000 'ü' \\", curl: null },
        response: { status: 200, body: '{"a":"ü"}', preview: { format: 'JSON', value: { a: 'ü' }, error: null } },
      });
      const { connectMs, firstByteMs, totalMs } = made.timings;
      const times = [0, connectMs, firstByteMs, totalMs].map((time) => time ?? Number.NaN);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      const { node, invocation, serviceRun } = await server.data(
        `query ($id: ID!, $run: ID!) {
          node(id: $id) { ... on Invocation { ${invocationFields} } }
          invocation(id: $id) { id serviceRunId serviceRun { id name } }
          serviceRun(by: { id: $run }) { invocations { totalCount nodes { id } } }
        }`,
        { id: made.id, run: run.id },
      );
      expect(node).toEqual(made);
      expect(invocation).toEqual({ id: made.id, serviceRunId: run.id, serviceRun: { id: run.id, name: 'echo' } });
      expect(serviceRun).toEqual({ invocations: { totalCount: 1, nodes: [{ id: made.id }] } });
    });

    test('failed and refused calls are there too, with why', async () => {
      const server = await start();
      const run = await server.play('echo', 'nonsense');
      const failed = await server.call(run);
      await server.answer({ id: run.id, path: '/../x', headers: [{ name: 'Host', value: 'evil' }] });
      await server.answer({ id: run.id, url: 'http://user:canary@evil.example/x?token=canary' });
      const { nodes } = await page(server);
      expect(nodes.map(({ outcome, errorCode, replayable }) => ({ outcome, errorCode, replayable }))).toEqual([
        { outcome: 'REFUSED', errorCode: 'INVALID', replayable: false },
        { outcome: 'REFUSED', errorCode: 'HEADER_NOT_ALLOWED', replayable: false },
        { outcome: 'PROTOCOL_ERROR', errorCode: null, replayable: true },
      ]);
      expect(nodes[1]?.message).toMatch(/"Host"[^]*"\.\." segment/);
      expect(nodes[1]?.request.url).toBe(`${run.url}/../x`);
      expect(nodes[2]).toEqual(failed);
      expect(JSON.stringify(nodes)).not.toContain('canary');
      expect(nodes.slice(0, 2).map(({ response }) => response)).toEqual([null, null]);
    });

    test.each(['with-a-key', null])('a call is listed while it is under way, key: %s', async (idempotencyKey) => {
      const clock = holdTimers(50);
      const server = await start({}, { clock });
      const run = await server.play('slow', () => {});
      const arrived = run.upstream.next();
      const call = server.call(run, { idempotencyKey });
      const socket = await arrived;
      if (idempotencyKey === null) await clock.fire(50);
      let { nodes } = await page(server);
      while (nodes.length === 0) ({ nodes } = await page(server));
      expect(nodes).toMatchObject([{ outcome: 'IN_PROGRESS', response: null }]);
      socket.end(answer('done'));
      const made = await call;
      expect((await page(server)).nodes).toEqual([made]);
    });

    test('without record there are no headers and no bodies', async () => {
      const server = await start();
      const run = await server.play('echo', answer('canary', { 'x-canary': 'canary' }));
      const made = await server.call(run, {
        method: 'POST',
        headers: [{ name: 'X-Canary', value: 'canary' }],
        body: 'canary',
        record: false,
      });
      expect(made.response).toMatchObject({ status: 200, body: 'canary' });
      const [kept] = (await page(server)).nodes;
      expect(kept).toMatchObject({
        id: made.id,
        outcome: 'COMPLETED',
        recorded: false,
        replayable: false,
        request: { headers: [], body: null, bodyBytes: 6, curl: null },
        response: { status: 200, headers: [], body: null, bodyBytes: 6, preview: null },
      });
      expect(errorsOf(await replay(server, { id: made.id }))).toEqual(['INVALID id NOT_REPLAYABLE']);
    });

    test('long bodies are cut, the request whole by default', async () => {
      const server = await start({ historyResponseBytes: 10, historyRequestBytes: 10 });
      const run = await server.play('echo', answer('123456789üx'));
      const made = await server.call(run, { method: 'POST', body: '123456789ü' });
      expect(made.response).toMatchObject({ body: '123456789üx', truncated: false });
      const [kept] = (await page(server)).nodes;
      expect(kept?.request).toMatchObject({ body: '123456789', bodyBytes: 11 });
      expect(kept?.request.curl).toContain("--data-raw '<body>'");
      expect(kept?.response).toMatchObject({ body: '123456789', bodyBytes: 12, truncated: true });
      expect(errorsOf(await replay(server, { id: made.id }))).toEqual(['INVALID body GIVE_ANEW']);
      expect((await replay(server, { id: made.id, body: 'new' })).data?.replayInvocation?.invocation).toMatchObject({
        request: { body: 'new' },
      });
    });
  });

  describe('lists', () => {
    test('are newest first, in pages either way', async () => {
      const server = await start();
      const run = await server.play('echo', answer('ok'));
      for (let n = 1; n <= 7; n++) await server.call(run, { path: `/${n}` });
      expect(await paths(server)).toEqual(['/7', '/6', '/5', '/4', '/3', '/2', '/1']);
      const first = await page(server, { first: 3 });
      expect(first.totalCount).toBe(7);
      expect(first.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
      const after = first.pageInfo.endCursor;
      expect(await paths(server, { first: 3, after })).toEqual(['/4', '/3', '/2']);
      const last = await page(server, { last: 2 });
      expect(last.nodes.map(({ request }) => new URL(request.url).pathname)).toEqual(['/2', '/1']);
      expect(last.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
      expect(await paths(server, { last: 2, before: last.pageInfo.startCursor })).toEqual(['/4', '/3']);
      expect(await paths(server, { first: 7, after, before: last.edges[1]?.cursor })).toEqual(['/4', '/3', '/2']);
      // A new call moves no page.
      await server.call(run, { path: '/8' });
      expect(await paths(server, { first: 3, after })).toEqual(['/4', '/3', '/2']);
      for (const variables of [{ first: 0 }, { first: 201 }, { first: 1, last: 1 }, { after: 'x' }]) {
        expect(errorsOf(await server.query(list, variables))[0]).toMatch(/^INVALID (first|last|after) /);
      }
    });

    test('are filtered by run, outcome and text', async () => {
      const server = await start();
      const run = await server.play('echo', answer('ok'));
      const second = await server.play('other', 'nonsense');
      await server.call(run, { path: '/a_b?Q=100%25' });
      await server.call(run, { path: '/axb', method: 'DELETE' });
      await server.call(second, { path: '/c' });
      await server.answer({ id: run.id, path: '//' });
      const found = (filter: object) => paths(server, { filter });
      expect(await found({ serviceRunId: second.id })).toEqual(['/c']);
      expect(await found({ outcome: ['PROTOCOL_ERROR', 'REFUSED'] })).toEqual(['//', '/c']);
      expect(await found({ outcome: [] })).toEqual([]);
      expect(await found({ outcome: null, search: null })).toHaveLength(4);
      expect(await found({ search: 'A_B' })).toEqual(['/a_b']);
      expect(await found({ search: '100%' })).toEqual(['/a_b']);
      expect(await found({ search: 'delete' })).toEqual(['/axb']);
      expect(await found({ search: 'not proper http' })).toEqual(['/c']);
      expect(await found({ search: 'other' })).toEqual(['/c']);
      expect(await found({ search: "'; DROP TABLE invocations; --\u0000" })).toEqual([]);
      expect(await found({ serviceRunId: run.id, outcome: ['COMPLETED'], search: 'x' })).toEqual(['/axb']);
      expect((await page(server, { filter: { outcome: ['COMPLETED'] }, first: 1 })).totalCount).toBe(2);
    });
  });

  test('each caller sees, replays and deletes their own calls only, on every replica', async () => {
    const historyUrl = await newUrl();
    const as = (name: string) => start({ historyUrl }, { as: { caller: { name, local: false } } });
    const [ann, bob, again] = [await as('ann'), await as('bob'), await as('ann')];
    const run = await ann.play('echo', answer('ok'));
    const made = await ann.call(run);
    expect((await page(again)).nodes.map(({ id }) => id)).toEqual([made.id]);
    expect((await page(bob)).totalCount).toBe(0);
    expect(
      await bob.data('query ($id: ID!) { invocation(id: $id) { id } node(id: $id) { id } }', { id: made.id }),
    ).toEqual({ invocation: null, node: null });
    expect(errorsOf(await replay(bob, { id: made.id }))).toEqual(['NOT_FOUND id']);
    expect(await deleted(bob, { ids: [made.id] })).toBe(0);
    expect(await deleted(bob, { serviceRunId: run.id })).toBe(0);
    expect(await deleted(bob, { olderThan: '2100-01-01T00:00:00Z' })).toBe(0);
    expect(await (await fetch(`${bob.url}/invocations.har`)).json()).toMatchObject({ log: { entries: [] } });
    expect(await deleted(again, { ids: [made.id] })).toBe(1);
    expect((await page(ann)).totalCount).toBe(0);
  });

  describe('deletion', () => {
    test('by id, by run, by age', async () => {
      const clock = holdTimers();
      const server = await start({}, { clock });
      const run = await server.play('echo', answer('ok'));
      const other = await server.play('other', answer('ok'));
      const made = [await server.call(run), await server.call(run), await server.call(other), await server.call(other)];
      expect(await deleted(server, { ids: [made[0]?.id, made[0]?.id, 'nonsense'] })).toBe(1);
      expect(await deleted(server, { serviceRunId: run.id })).toBe(1);
      clock.shift(10_000);
      const olderThan = new Date(clock.now() - 5000).toISOString();
      await server.call(run);
      expect(await deleted(server, { olderThan })).toBe(2);
      expect((await page(server)).totalCount).toBe(1);
      expect(await deleted(server, { ids: [] })).toBe(0);
      const many = Array.from({ length: 201 }, () => made[0]?.id);
      expect(errorsOf(await server.query(deleteInvocations, { input: { ids: many } }))).toEqual([
        'INVALID ids TOO_MANY',
      ]);
      expect(errorsOf(await server.query(deleteInvocations, { input: { ids: [], serviceRunId: run.id } }))[0]).toMatch(
        /^INVALID/,
      );
    });

    test('only so many of one caller are kept, whatever others do', async () => {
      const config = { historyUrl: await newUrl(), historyPerCaller: 3 };
      const as = (name: string) => start(config, { as: { caller: { name, local: false } } });
      const [ann, bob] = [await as('ann'), await as('bob')];
      const [run, twin] = [await ann.play('echo', answer('ok')), await bob.play('echo', answer('ok'))];
      await bob.call(twin, { path: '/old' });
      for (let n = 1; n <= 5; n++) await ann.call(run, { path: `/${n}` });
      expect(await paths(ann)).toEqual(['/5', '/4', '/3']);
      expect(await paths(bob)).toEqual(['/old']);
    });

    test('a run that is gone leaves its calls behind', async () => {
      const server = await start();
      const run = await server.play('echo', answer('ok'));
      const { id } = await server.call(run);
      await server.kube.delete(services, 'echo', server.namespace);
      await server.until(() => (server.runs.byId(run.id) ? undefined : true));
      expect(
        await server.data('query ($id: ID!) { invocation(id: $id) { id serviceRunId runId serviceRun { id } } }', {
          id,
        }),
      ).toEqual({ invocation: { id, serviceRunId: run.id, runId: 'echo', serviceRun: null } });
      expect((await page(server, { filter: { serviceRunId: run.id } })).totalCount).toBe(1);
      expect(errorsOf(await replay(server, { id }))[0]).toMatch(/^NOT_FOUND/);
    });

    test('what is older than the retention goes by itself', async () => {
      const hour = 3_600_000;
      const clock = holdTimers(hour);
      const server = await start({ historyDays: 2 }, { clock });
      const run = await server.play('echo', answer('ok'));
      await server.call(run, { path: '/old', idempotencyKey: 'old-key-1' });
      clock.shift(47 * hour);
      await server.call(run, { path: '/new' });
      await clock.fire(hour);
      await clock.set(hour);
      expect(await paths(server)).toEqual(['/new', '/old']);
      clock.shift(2 * hour);
      await clock.fire(hour);
      await clock.set(hour);
      expect(await paths(server)).toEqual(['/new']);
    });
  });

  test('the archive has every call of the caller, filtered like the list', async () => {
    const server = await start();
    const run = await server.play('echo', answer('{"a":1}', { 'content-type': 'application/json' }));
    await server.call(run, {
      path: '/first?q=1&q=2',
      method: 'POST',
      body: 'x',
      headers: [{ name: 'X-A', value: '1' }],
    });
    await server.answer({ id: run.id, path: '//' });
    const get = (query: string) => fetch(`${server.url}/invocations.har${query}`);
    const response = await get('');
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'content-disposition': 'attachment; filename="invocations.har"',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    const { log } = (await response.json()) as { log: { version: string; entries: Record<string, unknown>[] } };
    expect(log.version).toBe('1.2');
    expect(log.entries).toMatchObject([
      { _outcome: 'REFUSED', _errorCode: 'INVALID', response: { status: 0 } },
      {
        request: {
          method: 'POST',
          url: `${run.url}/first?q=1&q=2`,
          headers: [{ name: 'X-A', value: '1' }],
          queryString: [
            { name: 'q', value: '1' },
            { name: 'q', value: '2' },
          ],
          postData: { mimeType: '', text: 'x' },
          bodySize: 1,
        },
        response: { status: 200, content: { mimeType: 'application/json', size: 7, text: '{"a":1}' } },
        timings: { send: 0 },
      },
    ]);
    for (const entry of log.entries) expect(missingOfHar(entry)).toEqual([]);
    const filtered = (await (await get('?outcome=COMPLETED&outcome=TIMEOUT&search=FIRST')).json()) as {
      log: { entries: unknown[] };
    };
    expect(filtered.log.entries).toHaveLength(1);
    for (const query of ['?limit=1', '?outcome=NOTHING']) {
      const refused = await get(query);
      expect(refused.status).toBe(400);
      expect(await refused.json()).toMatchObject({
        errors: [{ extensions: { code: 'INVALID', reason: 'PARAMETER' } }],
      });
    }
    expect((await get('/x')).status).toBe(404);
    const posted = await fetch(`${server.url}/invocations.har`, { method: 'POST' });
    expect(await posted.json()).toMatchObject({ errors: [{ extensions: { code: 'NOT_SUPPORTED' } }] });
    const foreign = await fetch(`${server.url}/invocations.har`, { headers: { origin: 'http://evil.example' } });
    expect({ status: foreign.status, canary: (await foreign.text()).includes('first') }).toEqual({
      status: 403,
      canary: false,
    });
  });

  test('an archive of more than one page is whole', async () => {
    const server = await start();
    const run = await server.play('echo', answer('ok'));
    for (let n = 0; n < 205; n++) await server.call(run, { path: `/${n}` });
    const { log } = (await (await fetch(`${server.url}/invocations.har`)).json()) as {
      log: { entries: { request: { url: string } }[] };
    };
    expect(log.entries.map(({ request }) => Number(request.url.split('/').at(-1)))).toEqual(
      Array.from({ length: 205 }, (_, n) => 204 - n),
    );
  });

  test('what a stopped server left in progress is CANCELLED in the end', async () => {
    const historyUrl = await newUrl();
    const server = await start({ historyUrl });
    const run = await server.play('slow', () => {});
    const arrived = run.upstream.next();
    const call = server.answer({ id: run.id }).catch(() => 'cut off');
    const closed = once(await arrived, 'close');
    await server.stop();
    await closed.catch(() => {});
    await call;
    const next = await start({ historyUrl });
    expect((await page(next)).nodes).toMatchObject([{ outcome: 'CANCELLED' }]);
  });

  describe('at the start', () => {
    test('several servers may begin with one empty database at once', async () => {
      const historyUrl = await newUrl();
      const [ann, bob] = await Promise.all([start({ historyUrl }), start({ historyUrl })]);
      const run = await ann.play('echo', answer('ok'));
      const { id } = await ann.call(run);
      expect((await page(bob)).nodes.map((node) => node.id)).toEqual([id]);
    });

    test('tables of a newer server are left alone: the server says so and does not start', async () => {
      const historyUrl = await newUrl();
      await (await start({ historyUrl })).stop();
      const database = await openDatabase(historyUrl, '/');
      await database.run("UPDATE schema_versions SET version = 99 WHERE feature = 'invoke'");
      await database.close();
      await expect(start({ historyUrl })).rejects.toMatchObject({
        problems: [
          {
            module: 'invoke',
            field: 'historyUrl',
            message: expect.stringMatching(/version 99[^]*Start a newer server/),
          },
        ],
      });
    });
  });
}
