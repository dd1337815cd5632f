import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createCut } from '../../src/k8s/json-cut.ts';
import { readList } from '../../src/k8s/list-stream.ts';
import type { KubeObject } from '../../src/k8s/resources.ts';

async function* inParts(text: string, sizes: Iterator<number>): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; ) {
    const part = bytes.subarray(start, start + Number(sizes.next().value));
    yield Buffer.from(part);
    start += part.length;
  }
}
function* always(size: number): Generator<number> {
  for (;;) yield size;
}
const cut = createCut({});
const read = (text: string, sizes: Iterator<number> = always(7)) =>
  readList(Readable.from(inParts(text, sizes), { objectMode: false }), (json, start) => {
    const left = cut(json, start);
    return left && { item: JSON.parse(left.text) as KubeObject, end: left.end };
  });

// All that has a meaning in JSON or UTF-8. The unit `binary` would take seconds to begin.
const text = fc.string({ unit: fc.constantFrom('a', '"', '\\', 'é', '😀', '\u2028', '{', ']', ','), maxLength: 4 });

test('items come out whole, however their bytes were cut', async () => {
  const item = fc.dictionary(text, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 });
  const lists = fc.record({
    before: fc.jsonValue({ maxDepth: 2 }),
    metadata: fc.record({ resourceVersion: fc.string(), items: fc.array(fc.integer(), { maxLength: 2 }) }),
    items: fc.oneof(fc.array(item, { maxLength: 5 }), fc.constant(null)),
    after: fc.jsonValue({ maxDepth: 2 }),
  });
  const sizes = fc.infiniteStream(fc.integer({ min: 1, max: 40 }));
  await fc.assert(
    fc.asyncProperty(lists, fc.constantFrom(0, 1), sizes, async (list, space, sizes) => {
      const sent = JSON.parse(JSON.stringify(list)) as typeof list;
      const { metadata, items } = await read(JSON.stringify(sent, null, space), sizes);
      expect({ metadata, items }).toEqual({ metadata: sent.metadata, items: sent.items ?? [] });
    }),
    { numRuns: 60 },
  );
});

test('items of a long list come out whole, also those longer than what comes at once', async () => {
  const long = fc.constantFrom(1, 10_000, 70_000, 200_000).map((length) => ({ long: '"}]é'.repeat(length / 5 + 1) }));
  const lists = fc.record({
    metadata: fc.record({ resourceVersion: fc.string() }),
    items: fc.array(fc.oneof(long, fc.dictionary(text, text, { maxKeys: 2 })), { minLength: 10, maxLength: 20 }),
    after: long,
  });
  const sizes = fc.infiniteStream(fc.integer({ min: 1, max: 40_000 }));
  await fc.assert(
    fc.asyncProperty(lists, sizes, async ({ after, metadata, items }, sizes) => {
      const sent = JSON.parse(JSON.stringify({ after, metadata, items, rest: after })) as typeof items;
      expect(await read(JSON.stringify(sent), sizes)).toEqual(JSON.parse(JSON.stringify({ metadata, items })));
    }),
    { numRuns: 20 },
  );
});

test.each([1, 2, 3, 5])('texts with escapes are whole when cut every %i bytes', async (size) => {
  const sent = { metadata: { resourceVersion: '"\\' }, items: [{ a: '\\"]}' }, { '"': '\\\\' }, { b: '"}]"' }] };
  expect(await read(JSON.stringify(sent), always(size))).toEqual(sent);
});

test.each([
  ['', 'nothing'],
  ['{"metadata":{"resourceVersion":"1"},"items":[{"a":1}', 'half a list'],
  ['{"metadata":{"resourceVersion":"1"},"items":[{"a":1},2]}', 'an item that is no object'],
  ['{"metadata":{"resourceVersion":"1"},"items":[{"a":}]}', 'an item that is no JSON'],
  ['{"metadata":{"resourceVersion":"1"},"items":{}}', 'items that are no list'],
  ['{"metadata":{"resourceVersion":"1"}}', 'no items'],
  ['{"metadata":{},"items":[]}', 'no version'],
  ['{"items":[]}', 'no metadata'],
  ['null', 'null'],
  ['<html>', 'a page'],
])('%s is no list: %s', async (text) => {
  await expect(read(text)).rejects.toMatchObject({ status: 0, reason: 'BadAnswer' });
});
