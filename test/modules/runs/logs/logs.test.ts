import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunsServer, errorsOf, startRunsServer } from '../surface.ts';

/** Writes a line at the start, and one for each request: its path. */
const chatty = {
  command: [
    process.execPath,
    '-e',
    `console.log('up');
     require('node:http').createServer((request, response) => {
       console.log(request.url);
       response.end();
       if (request.url === '/die') setImmediate(() => process.exit(1));
     }).listen(Number(process.env.PORT), process.env.HOST)`,
  ],
};

type Lines = { serviceRunLogs: { line: string; pod: string; container: string; at: string | null } };

let server: RunsServer;
let address = '';
beforeAll(async () => {
  server = await startRunsServer();
  const input = { name: 'chatty', ports: [{ port: 8000 }], process: chatty };
  await server.data('mutation ($input: RunServiceInput!) { runService(input: $input) { manifests } }', { input });
  const run = await server.until('chatty', (view) => view.status.health === 'HEALTHY');
  address = run.status.service?.urls[0]?.url ?? '';
});
afterAll(() => server.stop());

const by = '{ service: { namespace: "default", name: "chatty" } }';
const subscribe = (args = '', transport: 'ws' | 'sse' = 'ws') =>
  server.subscribe<Lines>(
    `subscription { serviceRunLogs(by: ${by} ${args}) { line pod container at } }`,
    undefined,
    transport,
  );
const visit = async (path: string) => {
  await (await fetch(new URL(path, address))).arrayBuffer();
};
/** The lines up to the wanted one. */
const until = async (stream: ReturnType<typeof subscribe>, wanted: string) => {
  const lines: string[] = [];
  for (;;) {
    const { value, done } = await stream.next();
    if (done) throw new Error(`the stream ended after ${lines.join(', ')}`);
    if (value.errors) throw new Error(JSON.stringify(value.errors));
    const line = value.data?.serviceRunLogs.line ?? '';
    lines.push(line);
    if (line === wanted) return lines;
  }
};

describe('serviceRunLogs', () => {
  test.each(['ws', 'sse'] as const)('follows what is written, over %s', async (transport) => {
    const stream = subscribe('', transport);
    expect((await until(stream, 'up')).at(-1)).toBe('up');
    await visit(`/seen-by-${transport}`);
    expect(await until(stream, `/seen-by-${transport}`)).not.toContain('up');
    await stream.return?.();
  });

  test('without follow it gives what is there and ends', async () => {
    const lines: string[] = [];
    for await (const { data } of subscribe(', follow: false, tailLines: 1')) {
      lines.push(data?.serviceRunLogs.line ?? '');
      expect(data?.serviceRunLogs).toMatchObject({ container: 'main', pod: expect.stringMatching(/^chatty-/) });
    }
    expect(lines).toHaveLength(1);
  });

  test('since leaves out what was written before, with and without follow', async () => {
    await visit('/early');
    let told: Lines['serviceRunLogs'] | undefined;
    // It has answered before its line is read.
    while (told?.line !== '/early') {
      for await (const { data } of subscribe(', follow: false, tailLines: 1')) told = data?.serviceRunLogs;
    }
    // Times are told to the millisecond, and are asked for by the second.
    const next = new Date(Math.ceil((Date.parse(told.at ?? '') + 1) / 1000) * 1000).toISOString();
    const late = async () => {
      await visit('/late');
      const data = await server.data<{ serviceRun: { logs: string } }>(
        `{ serviceRun(by: ${by}) { logs(since: "${next}") } }`,
      );
      return data.serviceRun.logs;
    };
    await expect.poll(late).toContain('/late');
    expect(await late()).not.toContain('/early');
    const stream = subscribe(`, since: "${next}"`);
    expect((await stream.next()).value.data.serviceRunLogs.line).toBe('/late');
    await stream.return?.();
  });

  test('of one Pod and container', async () => {
    const { pods } = await server.until('chatty', () => true);
    const args = `pod: "${pods[0]?.name}", container: "main"`;
    const { serviceRun } = await server.data<{ serviceRun: { logs: string; all: string } }>(
      `{ serviceRun(by: ${by}) { logs(${args}) all: logs } }`,
    );
    expect(serviceRun.logs).toBe(serviceRun.all);
    expect(serviceRun.logs).toMatch(/^up\n/);
    const told: string[] = [];
    for await (const { data } of subscribe(`, ${args}, follow: false`)) told.push(data?.serviceRunLogs.line ?? '');
    expect(`${told.join('\n')}\n`).toBe(serviceRun.logs);
  });

  test.each([
    [', tailLines: 0', 'INVALID tailLines OUT_OF_RANGE'],
    [', pod: "other"', 'INVALID pod NO_SUCH_POD'],
    [', container: "other"', 'INVALID container NO_SUCH_CONTAINER'],
  ])('%s is %s', async (args, error) => {
    const { value } = await subscribe(args).next();
    expect(errorsOf(value)).toEqual([error]);
  });

  test('a run that is not there is NOT_FOUND', async () => {
    const stream = server.subscribe('subscription { serviceRunLogs(by: { runId: "none" }) { line } }');
    expect(errorsOf((await stream.next()).value)).toEqual(['NOT_FOUND by.runId']);
  });

  test('goes on with the next run of a container, no line twice and none left out', async () => {
    const stream = subscribe();
    await until(stream, 'up');
    await visit('/before');
    await visit('/die').catch(() => {});
    const lines = await until(stream, 'up');
    expect(lines.slice(lines.indexOf('/before'))).toEqual(['/before', '/die', 'up']);
    await stream.return?.();
    const previous = await server.data<{ serviceRun: { logs: string } }>(
      `{ serviceRun(by: ${by}) { logs(previous: true) } }`,
    );
    expect(previous.serviceRun.logs).toMatch(/\/die\n$/);
  });

  test('ends when the run is gone', async () => {
    const stream = subscribe();
    await until(stream, 'up');
    const { serviceRun } = await server.data<{ serviceRun: { id: string } }>(`{ serviceRun(by: ${by}) { id } }`);
    await server.data('mutation ($input: ServiceRunActionInput!) { deleteServiceRun(input: $input) { id } }', {
      input: { id: serviceRun.id },
    });
    for await (const answer of stream) expect(answer.errors).toBeUndefined();
  });
});
