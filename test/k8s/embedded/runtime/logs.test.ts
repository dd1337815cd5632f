import { appendFileSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLogFile } from '../../../../src/k8s/embedded/runtime/log-file.ts';
import { readLog } from '../../../../src/k8s/embedded/runtime/log-reader.ts';
import { pods } from '../../../../src/k8s/resources.ts';
import { createWorld, namespace, pidsOf, shell, type World } from './world.ts';

let world: World;
afterEach(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await createWorld();
});
const once = { restartPolicy: 'Never' };

/** Reads on until the text is there. */
async function readUntil(stream: AsyncIterable<unknown>, wanted: string): Promise<string> {
  let seen = '';
  for await (const chunk of { [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator]() }) {
    seen += String(chunk);
    if (seen.includes(wanted)) return seen;
  }
  return `${seen}(ended)`;
}

/** The stream as it comes, for several readers in turn. */
function partsOf(stream: AsyncIterable<unknown>): AsyncIterable<unknown> {
  const reader = stream[Symbol.asyncIterator]();
  return { [Symbol.asyncIterator]: () => ({ next: () => reader.next() }) };
}

describe('the log of a container', () => {
  it('has what its program wrote, out and error', async () => {
    await world.pod('web', shell('echo one; echo two >&2; printf three'), once);
    await world.ended('web');
    expect(await world.log('web')).toBe('one\ntwo\nthree');
  });

  it('is read from its end, from a time, and with times', async () => {
    await world.pod('web', shell('echo one; sleep 0.05; echo two; sleep 0.05; echo three'), once);
    await world.ended('web');
    expect(await world.log('web', { tailLines: 2 })).toBe('two\nthree\n');
    expect(await world.log('web', { tailLines: 0 })).toBe('');
    expect(await world.log('web', { tailLines: 100 })).toBe('one\ntwo\nthree\n');
    const lines = (await world.log('web', { timestamps: true })).trim().split('\n');
    const times = lines.map((line) => line.slice(0, line.indexOf(' ')));
    expect(lines.map((line) => line.slice(line.indexOf(' ') + 1))).toEqual(['one', 'two', 'three']);
    expect(times.every((time) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(time))).toBe(true);
    const [, second = ''] = times;
    // A busy machine may read two lines at once: then they have one time.
    const since = ['one\n', 'two\n', 'three\n'].filter((_, index) => (times[index] ?? '') >= second).join('');
    expect(await world.log('web', { sinceTime: second })).toBe(since);
    expect(await world.log('web', { sinceTime: second, tailLines: 1 })).toBe('three\n');
    expect(await world.log('web', { sinceTime: '2100-01-01T00:00:00Z' })).toBe('');
  });

  it('is followed until its container ends', async () => {
    await world.pod('web', shell('echo up; while read line < /dev/null; do :; done; exec sleep 1000'), once);
    await world.running('web');
    const stream = await world.logs('web', { follow: true, tailLines: 1 });
    const parts = partsOf(stream);
    // A program that runs may not have said anything yet.
    expect(await readUntil(parts, 'up\n')).toBe('up\n');
    const [pid = 0] = pidsOf(world, 'web');
    process.kill(pid, 'SIGTERM');
    expect(await readUntil(parts, 'more')).toBe('(ended)');
  });

  it('brings each line as it comes', async () => {
    const folder = join(world.dataDir, 'feed');
    mkdirSync(folder);
    appendFileSync(join(folder, 'lines'), '');
    await world.pod('web', shell(`exec tail -f ${join(folder, 'lines')}`));
    await world.running('web');
    const stream = await world.logs('web', { follow: true });
    const parts = partsOf(stream);
    for (const line of ['first', 'second', 'third']) {
      appendFileSync(join(folder, 'lines'), `${line}\n`);
      expect(await readUntil(parts, `${line}\n`)).toBe(`${line}\n`);
    }
    stream.destroy();
  });

  it('is kept of the run before, and of no earlier one', async () => {
    const file = join(world.dataDir, 'runs');
    await world.pod('web', shell(`echo x >> ${file}; wc -l < ${file} | tr -d ' '; exit 1`));
    await world.container('web', ({ state }) => state?.waiting?.reason === 'CrashLoopBackOff');
    expect(await world.log('web')).toBe('2\n');
    expect(await world.log('web', { previous: true })).toBe('1\n');
  });

  it('is empty before the first run, goes with its Pod, and names what is not there', async () => {
    await world.pod('waits', { image: 'none:1' });
    await world.container('waits', ({ state }) => state?.waiting !== undefined);
    expect(await world.log('waits')).toBe('');
    await expect(world.log('waits', { container: 'other' })).rejects.toThrow(
      'container other is not valid for pod waits',
    );
    await expect(world.log('none')).rejects.toMatchObject({ status: 404 });
    await world.pod('web', shell('echo one'), once);
    await world.ended('web');
    await world.api.client.delete(pods, 'web', namespace);
    await expect(world.log('web')).rejects.toMatchObject({ status: 404 });
  });
});

describe('a long log', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-log-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const path = () => join(folder, 'main.0.log');
  const read = (options: Parameters<typeof readLog>[2], log?: ReturnType<typeof openLogFile>) =>
    text(readLog(path(), log, options));

  it('is cut: the part before is kept, older ones are not', async () => {
    const log = openLogFile(path(), 30);
    for (let number = 1; number <= 10; number += 1) log.write(`line number ${number}`);
    expect(log.rotations).toBe(3);
    expect(await read({}, log)).toBe('line number 7\nline number 8\nline number 9\nline number 10\n');
    expect(await read({ tailLines: 2 }, log)).toBe('line number 9\nline number 10\n');
    log.end();
  });

  it('loses nothing for those who follow it', async () => {
    const log = openLogFile(path(), 30);
    const followed = read({ follow: true }, log);
    for (let number = 1; number <= 9; number += 1) {
      log.write(`line number ${number}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    log.end();
    expect(await followed).toBe(Array.from({ length: 9 }, (_, index) => `line number ${index + 1}\n`).join(''));
  });
});
