import fc from 'fast-check';
import { expect, test } from 'vitest';
import { watchEvents } from '../../src/k8s/watch-stream.ts';

async function* chunks(all: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* all;
}

async function collect(all: Iterable<Uint8Array>): Promise<{ events: unknown[]; heard: number }> {
  const events: unknown[] = [];
  let heard = 0;
  for await (const event of watchEvents(
    chunks(all),
    () => (heard += 1),
    (json) => JSON.parse(json.toString()),
  ))
    events.push(event);
  return { events, heard };
}

test('events come out whole, however their bytes were cut', async () => {
  // All that has a meaning in JSON or UTF-8. The unit `binary` would take seconds to begin.
  const value = fc.string({
    unit: fc.constantFrom('a', '"', '\\', 'é', '😀', '\u2028', '\n', '{', ']', '\0'),
    maxLength: 12,
  });
  const type = fc.constantFrom('ADDED', 'MODIFIED', 'DELETED');
  const events = fc.array(fc.record({ type, object: fc.record({ metadata: fc.record({ name: value }), value }) }), {
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(events, fc.infiniteStream(fc.integer({ min: 1, max: 20 })), async (sent, sizes) => {
      const bytes = Buffer.from(sent.map((event) => `${JSON.stringify(event)}\n`).join(''));
      const cut: Uint8Array[] = [];
      for (let start = 0; start < bytes.length; start += cut.at(-1)?.length ?? 0) {
        cut.push(bytes.subarray(start, start + Number(sizes.next().value)));
      }
      expect(await collect(cut)).toEqual({ events: sent, heard: cut.length });
    }),
    { numRuns: 30 },
  );
});

test('empty lines are signs of life, and what is no whole line is dropped', async () => {
  const line = '{"type":"ADDED","object":{"metadata":{"name":"a"}}}';
  const { events, heard } = await collect([Buffer.from(`\n\r\n${line}\n`), Buffer.from(line)]);
  expect([events.length, heard]).toEqual([1, 2]);
});

test('a line without an end is given up before it fills the memory', async () => {
  const megabyte = Buffer.alloc(1024 * 1024, 'x');
  let given = 0;
  function* endless(): Generator<Uint8Array> {
    for (; given < 1_000; given += 1) yield megabyte;
  }
  await expect(collect(endless())).rejects.toMatchObject({ status: 0, reason: 'BadAnswer' });
  expect(given).toBe(64);
});
