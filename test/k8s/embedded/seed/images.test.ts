import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { images } from '../../../../src/k8s/embedded/seed/images.ts';

const running: { abort: AbortController; ended: Promise<number> }[] = [];

/** Runs an image on a free port; resolves with its address once it listens, or with its exit code. */
async function start(name: string, port = 0) {
  const image = images[`slipway.dev/demo/${name}`];
  if (!image) throw new Error(`there is no image ${name}`);
  const abort = new AbortController();
  const lines: string[] = [];
  const { promise: url, resolve } = Promise.withResolvers<string>();
  const log = (line: string) => {
    lines.push(line);
    const match = /listening on (\S+)/.exec(line);
    if (match?.[1]) resolve(match[1]);
  };
  const env = { TOKEN_DELAY_MS: '0' };
  const ended = image({ host: '127.0.0.1', port, env, args: [], signal: abort.signal, log });
  running.push({ abort, ended });
  return { url: await Promise.race([url, ended.then(String)]), lines, abort, ended };
}

async function call(url: string, body?: unknown): Promise<{ status: number; json: Record<string, unknown> }> {
  const init =
    body === undefined ? {} : { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) };
  const response = await fetch(url, init);
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

afterEach(async () => {
  for (const { abort, ended } of running.splice(0)) {
    abort.abort();
    await ended;
  }
});

describe('echo', () => {
  it('tells what it was asked', async () => {
    const { url } = await start('echo');
    const response = await fetch(`${url}/a/b?x=1&y=%20`, {
      method: 'PUT',
      body: 'hello',
      headers: { 'x-test': 'yes' },
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      method: 'PUT',
      path: '/a/b',
      query: { x: '1', y: ' ' },
      headers: { 'x-test': 'yes' },
      body: 'hello',
    });
  });

  it('speaks YAML and any status', async () => {
    const { url } = await start('echo');
    const yaml = await fetch(`${url}/yaml`);
    expect(yaml.headers.get('content-type')).toBe('application/yaml');
    expect(parse(await yaml.text())).toMatchObject({ method: 'GET', path: '/yaml' });
    expect((await call(`${url}/status/418`)).status).toBe(418);
    expect((await call(`${url}/status/999`)).status).toBe(200);
  });

  it('ends with 0 when told to, and with 1 when its port is taken', async () => {
    const first = await start('echo');
    const second = await start('echo', Number(new URL(first.url).port));
    expect(second.url).toBe('1');
    expect(second.lines.join()).toContain('EADDRINUSE');
    first.abort.abort();
    expect(await first.ended).toBe(0);
  });
});

describe('iris', () => {
  const infer = (data: unknown, more: Record<string, unknown> = {}) => ({
    id: 'one',
    inputs: [{ name: 'input-0', datatype: 'FP64', shape: [3, 4], data, ...more }],
  });
  const flowers = [5.1, 3.5, 1.4, 0.2, 6.0, 2.7, 4.2, 1.3, 6.9, 3.1, 5.8, 2.2];

  it('knows the three species', async () => {
    const { url } = await start('iris');
    const nested = [flowers.slice(0, 4), flowers.slice(4, 8), flowers.slice(8)];
    for (const data of [flowers, nested]) {
      expect(await call(`${url}/v2/models/iris/infer`, infer(data))).toEqual({
        status: 200,
        json: {
          model_name: 'iris',
          model_version: '1',
          id: 'one',
          outputs: [{ name: 'predict', datatype: 'INT64', shape: [3], data: [0, 1, 2] }],
        },
      });
    }
  });

  it('gives the outputs that are asked for', async () => {
    const { url } = await start('iris');
    const request = { ...infer(flowers), outputs: [{ name: 'species' }, { name: 'probabilities' }] };
    const { json } = await call(`${url}/v2/models/iris/versions/1/infer`, request);
    const outputs = json['outputs'] as { name: string; shape: number[]; data: unknown[] }[];
    expect(outputs.map(({ name, shape }) => [name, shape])).toEqual([
      ['species', [3]],
      ['probabilities', [3, 3]],
    ]);
    expect(outputs[0]?.data).toEqual(['setosa', 'versicolor', 'virginica']);
    const first = outputs[1]?.data.slice(0, 3) as number[];
    expect(first.reduce((a, b) => a + b)).toBeCloseTo(1);
    expect(first[0]).toBeGreaterThan(0.99);
  });

  it.each([
    ['/v2', { name: 'slipway-iris' }],
    ['/v2/health/live', { live: true }],
    ['/v2/health/ready', { ready: true }],
    ['/v2/models/iris', { name: 'iris', versions: ['1'] }],
    ['/v2/models/iris/ready', { name: 'iris', ready: true }],
  ])('answers on %s', async (path, expected) => {
    const { url } = await start('iris');
    expect(await call(url + path)).toMatchObject({ status: 200, json: expected });
  });

  it.each<[string, unknown, number]>([
    ['/v2/models/other/infer', infer(flowers), 404],
    ['/v2/models/iris/versions/2/infer', infer(flowers), 404],
    ['/v2/models/iris/infer', '{', 400],
    ['/v2/models/iris/infer', {}, 400],
    ['/v2/models/iris/infer', infer([1, 2, 3]), 400],
    ['/v2/models/iris/infer', infer(flowers, { datatype: 'BYTES' }), 400],
    ['/v2/models/iris/infer', infer(flowers, { shape: [3, 5] }), 400],
    ['/v2/models/iris/infer', infer(flowers, { shape: [1e12, 4] }), 400],
    ['/v2/models/iris/infer', { ...infer(flowers), outputs: [{ name: 'x' }] }, 400],
    ['/v2/models/iris', {}, 405],
    ['/elsewhere', {}, 404],
  ])('%s refuses %j with an error of the protocol', async (path, body, status) => {
    const { url } = await start('iris');
    expect(await call(url + path, body)).toEqual({ status, json: { error: expect.any(String) } });
  });
});

describe('chat', () => {
  const messages = [{ role: 'user', content: 'Where is the extraordinary lantern?' }];

  it('lists its model and answers', async () => {
    const { url } = await start('chat');
    expect((await call(`${url}/v1/models`)).json).toMatchObject({ object: 'list', data: [{ id: 'demo-chat' }] });
    expect(await call(`${url}/v1/chat/completions`, { model: 'demo-chat', messages })).toMatchObject({
      status: 200,
      json: {
        object: 'chat.completion',
        choices: [
          {
            message: { role: 'assistant', content: expect.stringContaining('"extraordinary"') },
            finish_reason: 'stop',
          },
        ],
        usage: { prompt_tokens: 5 },
      },
    });
    const cut = await call(`${url}/v1/completions`, { prompt: 'hello', max_tokens: 2 });
    expect(cut.json).toMatchObject({ choices: [{ text: 'You sent ', finish_reason: 'length' }] });
  });

  it('streams the same text as server-sent events', async () => {
    const { url } = await start('chat');
    const ask = { messages, stream_options: { include_usage: true } };
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ ...ask, stream: true }),
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const events = (await response.text()).split('\n\n').filter(Boolean);
    expect(events.at(-1)).toBe('data: [DONE]');
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event.slice('data: '.length)));
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
    const whole = await call(`${url}/v1/chat/completions`, ask);
    expect(whole.json).toMatchObject({ choices: [{ message: { content: text } }] });
    expect(chunks.at(-2).choices[0].finish_reason).toBe('stop');
    expect(chunks.at(-1).usage.completion_tokens).toBe(chunks.length - 2);
  });

  it.each([
    ['{', 400],
    [{ messages: [] }, 400],
    [{ messages: [{ role: 'system', content: 'x' }] }, 400],
    [{ messages, max_tokens: 0 }, 400],
    [{ messages, model: 'gpt' }, 404],
  ])('refuses %j', async (body, status) => {
    const { url } = await start('chat');
    const answer = await call(`${url}/v1/chat/completions`, body);
    expect(answer).toMatchObject({ status, json: { error: { message: expect.any(String) } } });
  });
});

describe('the ones that fail', () => {
  it('crash says why and ends with 1', async () => {
    const { lines, ended } = await start('crash');
    expect(await ended).toBe(1);
    expect(lines.at(-1)).toContain('DATABASE_URL is not set');
  });

  it('never-ready runs but is not ready', async () => {
    const { url } = await start('never-ready');
    expect((await call(`${url}/ready`)).status).toBe(503);
  });
});

it('a program holds its port only while it runs', async () => {
  const { url, abort, ended } = await start('echo');
  const port = Number(new URL(url).port);
  abort.abort();
  await ended;
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  expect(server.listening).toBe(true);
  await new Promise((resolve) => server.close(resolve));
});
