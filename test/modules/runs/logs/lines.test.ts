import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { linesOf, timeOf } from '../../../../src/modules/runs/logs/lines.ts';
import { createQueue } from '../../../../src/modules/runs/logs/queue.ts';

const collect = async (...chunks: (string | Buffer)[]) => {
  const lines = [];
  for await (const line of linesOf(Readable.from(chunks))) lines.push(line);
  return lines;
};

test('lines come whole, however the stream is cut', async () => {
  const euro = Buffer.from('2026-11-24T12:00:00.5Z 5 €\r\n');
  const lines = await collect('2026-11-24T12:00:00Z on', 'e\n', euro.subarray(0, 26), euro.subarray(26), 'no time');
  expect(lines).toEqual([
    { stamp: '2026-11-24T12:00:00.000000000Z', line: 'one' },
    { stamp: '2026-11-24T12:00:00.500000000Z', line: '5 €' },
    { stamp: '', line: 'no time' },
  ]);
  expect(timeOf(lines[1]?.stamp ?? '')).toBe(Date.parse('2026-11-24T12:00:00.500Z'));
  expect(timeOf('')).toBeNull();
});

test('a line without an end is cut, and what follows it is whole again', async () => {
  const lines = await collect('x'.repeat(100_000), 'x'.repeat(100_000), '\nnext\n');
  expect(lines.map(({ line }) => line.length)).toEqual([65_537, 4]);
});

test('a full queue makes its writers wait until the reader comes', async () => {
  const queue = createQueue<number>(2, () => {});
  const written: number[] = [];
  const writer = (async () => {
    for (const item of [1, 2, 3, 4]) {
      await queue.put(item);
      written.push(item);
    }
    queue.end();
  })();
  await queue.next();
  expect(written.length).toBeLessThanOrEqual(3);
  const rest: number[] = [];
  for await (const item of queue) rest.push(item);
  await writer;
  expect(rest).toEqual([2, 3, 4]);
});

test('a reader that leaves while it waits ends the queue at once, and its writers with it', async () => {
  let closed = 0;
  const queue = createQueue<number>(1, () => closed++);
  const waiting = queue.next();
  await queue.return();
  expect([await waiting, closed, await queue.put(1)]).toEqual([{ done: true, value: undefined }, 1, false]);
});

test('what is left is read before the error', async () => {
  const queue = createQueue<number>(9, () => {});
  await queue.put(1);
  queue.end(new Error('gone'));
  expect(await queue.next()).toEqual({ done: false, value: 1 });
  await expect(queue.next()).rejects.toThrow('gone');
  expect(await queue.next()).toMatchObject({ done: true });
});
