import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiClient, followHealth } from './client.ts';
import { answered, createMachine, type Machine } from './server.ts';

let machine: Machine;
let api: ApiClient;
beforeAll(async () => {
  machine = await createMachine();
  api = await machine.start(true);
});
afterAll(() => machine[Symbol.asyncDispose]());

const list = '{ serviceRuns(orderBy: { field: NAME, direction: ASC }) { nodes { name status { health } } } }';
interface Runs {
  serviceRuns: { nodes: { name: string; status: { health: string } }[] };
}

describe('a server on a fresh data folder', () => {
  it('says of a service with a container image, in one sentence, why it is not well', async () => {
    const seen = await followHealth(api.healthOverWebSocket(), 'missing-image').until('DEGRADED');
    expect(seen.at(-1)?.message).toMatch(
      /^Container main of Pod missing-image-\S+ can't get its image "registry\.example\/none:1": this cluster runs no containers, only local programs \(`process`\) and its demo images\.$/,
    );
  });

  it('shows the demo, runs a program, tells its health, calls it, and takes it down', async () => {
    const { serviceRuns } = await api.data<Runs>(list);
    expect(serviceRuns.nodes.map(({ name }) => name)).toEqual([
      'chat',
      'crash',
      'echo',
      'iris',
      'missing-image',
      'never-ready',
    ]);
    await followHealth(api.healthOverSse(), 'echo').until('HEALTHY');

    const streams = [api.healthOverWebSocket(), api.healthOverSse()].map((stream) => followHealth(stream, 'hello'));
    const told = streams.map((stream) => stream.until('HEALTHY'));
    await Promise.all(streams.map(({ synced }) => synced));
    const id = await machine.run(api, 'hello');
    for (const seen of await Promise.all(told)) expect(seen.map(({ health }) => health)).toContain('PROGRESSING');

    const get = await machine.call(api, id, { path: '/a?b=1' });
    expect(get).toMatchObject({ outcome: 'COMPLETED', response: { status: 200 } });
    expect(answered(get)).toMatchObject({ method: 'GET', url: '/a?b=1', body: '' });
    const post = await machine.call(api, id, { method: 'POST', path: '/in', body: '{"x":1}' });
    expect(answered(post)).toMatchObject({ method: 'POST', url: '/in', body: '{"x":1}' });

    const echo = await api.data<{ serviceRun: { id: string } }>(
      '{ serviceRun(by: { service: { namespace: "demo", name: "echo" } }) { id } }',
    );
    expect((await machine.call(api, echo.serviceRun.id, { path: '/hi' })).response?.status).toBe(200);

    expect(await machine.end('SIGTERM')).toBe(0);
    expect(machine.programs()).toEqual([]);
    expect(machine.records().all()).toEqual([]);
  });
});
