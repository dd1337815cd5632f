import { expect, test } from 'vitest';
import { metrics } from '../../../src/modules/metrics/index.ts';
import { Metrics } from '../../../src/modules/metrics/service.ts';
import { captureLog } from './captured-log.ts';
import { holdTimers } from './held-clock.ts';
import { type InvokeServer, errorsOf, startInvokeServer } from './surface.ts';
import { answer } from './upstream.ts';

/** A database that the test can take away. */
export interface FragileDatabase extends AsyncDisposable {
  readonly url: string;
  /** From now on nothing is answered. */
  hang(): Promise<void>;
  /** From now on everything is refused. */
  cut(): Promise<void>;
  heal(): Promise<void>;
}

const patienceMs = 2_000;
/** When a write that failed is tried again for the first time. */
const retryMs = 1_000;

async function scrape(server: InvokeServer): Promise<Record<string, number>> {
  const text = await (await fetch(server.server.modules.use(Metrics).url ?? '')).text();
  const lines = text.split('\n').filter((line) => line.startsWith('slipway_invocation_record'));
  return Object.fromEntries(lines.map((line) => line.split(' ')).map(([name = '', value]) => [name, Number(value)]));
}

/** What every database must do when it is gone: hold up nobody who does not need it. */
export function deadDatabaseContract(open: () => Promise<FragileDatabase>): void {
  async function start(config: object = {}) {
    const database = await open();
    const clock = holdTimers(patienceMs, retryMs);
    const { log, line, lines } = captureLog();
    const server = await startInvokeServer({
      clock,
      log,
      modules: [metrics],
      config: { invoke: { historyUrl: database.url, connectTimeoutMs: 4000, ...config }, metrics: { port: 0 } },
    });
    const run = await server.play('echo', answer('ok'));
    /** The database is back, and that is tried as soon as a write has failed before. */
    const heal = async () => {
      await database.heal();
      void clock.fire(retryMs);
    };
    return {
      ...{ database, clock, line, lines, server, run, heal },
      async [Symbol.asyncDispose]() {
        await server.stop();
        await database[Symbol.asyncDispose]();
      },
    };
  }
  const outcomes = async (server: InvokeServer) =>
    (
      await server.data<{ invocations: { nodes: { outcome: string; request: { url: string } }[] } }>(
        '{ invocations { nodes { outcome request { url } } } }',
      )
    ).invocations.nodes.map(({ outcome, request }) => `${new URL(request.url).pathname} ${outcome}`);

  test('calls go on, are reported, and are recorded once it is back', async () => {
    await using world = await start();
    const { database, clock, line, server, run } = world;
    await server.call(run, { path: '/before' });
    await database.hang();
    const first = server.call(run, { path: '/first' });
    await clock.fire(patienceMs);
    expect(await first).toMatchObject({ outcome: 'COMPLETED', response: { body: 'ok' } });
    expect(await line(/^the history takes too long/)).toMatchObject({ level: 'error' });
    // Nobody else waits at all: no timer is fired for these.
    expect((await server.call(run, { path: '/second' })).outcome).toBe('COMPLETED');
    expect(errorsOf(await server.answer({ id: run.id, path: '//' }))).toEqual(['INVALID path PATH_FORM']);
    expect(await scrape(server)).toMatchObject({
      slipway_invocation_records_waiting: 3,
      slipway_invocation_records_lost_total: 0,
    });
    await world.heal();
    expect(await line(/^the history can be written again/)).toMatchObject({ level: 'info', lost: 0 });
    await server.call(run, { path: '/after' });
    expect(await outcomes(server)).toEqual([
      '/after COMPLETED',
      '// REFUSED',
      '/second COMPLETED',
      '/first COMPLETED',
      '/before COMPLETED',
    ]);
    expect(await scrape(server)).toMatchObject({ slipway_invocation_records_waiting: 0 });
  });

  test('a call that only waits for its record takes nobody the place of a call', async () => {
    await using world = await start({ maxCalls: 1 });
    const { database, clock, lines, server, run } = world;
    await database.hang();
    const made = (count: number) =>
      expect.poll(() => lines.filter(({ msg }) => msg === 'invocation').length).toBe(count);
    const first = server.call(run, { path: '/first' });
    await made(1);
    const second = server.call(run, { path: '/second' });
    await made(2);
    await clock.fire(patienceMs);
    expect((await Promise.all([first, second])).map(({ outcome }) => outcome)).toEqual(['COMPLETED', 'COMPLETED']);
    await world.heal();
  });

  test('what refuses is reported too: calls go on, and only what can not do without it is UNAVAILABLE', async () => {
    await using world = await start();
    const { database, line, server, run } = world;
    const { id } = await server.call(run, { path: '/before' });
    await database.cut();
    run.upstream.answerWith(answer('ok'));
    expect(await server.call(run, { path: '/first' })).toMatchObject({
      outcome: 'COMPLETED',
      response: { body: 'ok' },
    });
    expect(await line(/^the history can not be written/)).toMatchObject({ level: 'error' });
    const stream = 'subscription ($input: InvokeServiceInput!) { invokeServiceStream(input: $input) { text final } }';
    const chunks: unknown[] = [];
    for await (const { data } of server.subscribe(stream, { input: { id: run.id, path: '/stream' } }))
      chunks.push(data);
    expect(chunks.at(-1)).toEqual({ invokeServiceStream: { text: '', final: true } });
    const unavailable = 'UNAVAILABLE HISTORY_UNAVAILABLE';
    for (const document of [
      '{ invocations { totalCount } }',
      `{ invocation(id: "${id}") { id } }`,
      `mutation { deleteInvocations(input: { ids: ["${id}"] }) { deleted } }`,
      `mutation { replayInvocation(input: { id: "${id}" }) { invocation { id } } }`,
    ]) {
      expect(errorsOf(await server.query(document))).toEqual([unavailable]);
    }
    // What is not on record could reach the service twice.
    const keyed = { id: run.id, path: '/keyed', idempotencyKey: 'order-4711' };
    expect(errorsOf(await server.answer(keyed))).toEqual([unavailable]);
    expect(run.upstream.requests.map((sent) => sent.split(' ')[1])).toEqual(['/first', '/stream']);
    const archive = await fetch(`${server.url}/invocations.har`);
    expect({ status: archive.status, text: await archive.text() }).toEqual({
      status: 503,
      text: expect.stringContaining('"UNAVAILABLE"'),
    });
    expect(await scrape(server)).toMatchObject({
      slipway_invocation_records_waiting: 3,
      slipway_invocation_record_failures_total: 1,
    });
    await world.heal();
    await line(/^the history can be written again/);
    expect(await outcomes(server)).toEqual([
      '/keyed REFUSED',
      '/stream COMPLETED',
      '/first COMPLETED',
      '/before COMPLETED',
    ]);
    expect((await server.call(run, keyed)).outcome).toBe('COMPLETED');
  });

  test('what is too much to wait is lost, the oldest first, and counted', async () => {
    await using world = await start({ historyRequestBytes: 1_048_576 });
    const { database, clock, line, server, run } = world;
    await database.hang();
    const body = 'x'.repeat(1_000_000);
    const first = server.call(run, { method: 'POST', path: '/first', body });
    await clock.fire(patienceMs);
    await first;
    const short = 'mutation ($input: InvokeServiceInput!) { invokeService(input: $input) { invocation { outcome } } }';
    for (let n = 0; n < 35; n++) {
      const input = { id: run.id, method: 'POST', path: `/${n}`, body };
      expect((await server.query(short, { input })).errors).toBeUndefined();
    }
    const { slipway_invocation_records_lost_total: lost = 0 } = await scrape(server);
    expect(lost).toBeGreaterThanOrEqual(2);
    await world.heal();
    expect(await line(/^the history can be written again/)).toMatchObject({ lost });
  });
}
