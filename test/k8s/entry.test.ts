import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createEntry, omittedByAll } from '../../src/k8s/entry.ts';
import { type Pod, pods } from '../../src/k8s/resources.ts';
import { createSharing } from '../../src/k8s/sharing.ts';

const pod = (metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'a', namespace: 'lab', ...metadata },
  spec: {
    nodeName: 'node',
    volumes: [{ name: 'v' }],
    containers: [
      { name: 'one', image: 'i:1', env: [{ name: 'A', value: '1' }] },
      { name: 'two', image: 'i:2' },
    ],
  },
  status: { phase: 'Running', conditions: [{ type: 'Ready', lastProbeTime: null }] },
});

function enter(omits: string[] = [], space?: number, places?: number) {
  const entry = createEntry(pods, omits, createSharing(places));
  return (object: object, previous?: Pod) =>
    entry.keep(entry.read(Buffer.from(JSON.stringify(object, null, space)), 0)?.item as Pod, previous);
}

describe('what is kept of an object', () => {
  test('is without managed fields and what kubectl applied last', () => {
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{"a":"}]"}' };
    const kept = enter()(pod({ managedFields: [{ 'k:{"a"}': {} }], annotations: { ...annotations, kept: 'yes' } }));
    expect(kept.metadata).toEqual({ name: 'a', namespace: 'lab', annotations: { kept: 'yes' } });
    expect(enter()(pod({ annotations })).metadata).toEqual({ name: 'a', namespace: 'lab' });
  });

  test('is all the rest, but for what is omitted, in each item of a list', () => {
    expect(enter()(pod())).toEqual(pod());
    const omits = ['spec.volumes', 'spec.containers.*.env', 'status.conditions.*.lastProbeTime', 'spec.none.*.a'];
    for (const space of [0, 2]) {
      expect(enter(omits, space)(pod())).toEqual({
        ...pod(),
        spec: {
          nodeName: 'node',
          containers: [
            { name: 'one', image: 'i:1' },
            { name: 'two', image: 'i:2' },
          ],
        },
        status: { phase: 'Running', conditions: [{ type: 'Ready' }] },
      });
    }
  });

  test('has the kind and version that the items of a list come without, and its own where it has them', () => {
    const { apiVersion: _, kind: __, ...item } = pod();
    expect(enter()(item)).toEqual(pod());
    expect(enter()({ ...item, kind: 'Other' })).toEqual({ ...pod(), kind: 'Other' });
  });

  test('is what any of the watchers reads', () => {
    const runs = { resource: pods, omits: ['spec.volumes', 'spec.containers.*.env'] };
    expect(omittedByAll([runs, { resource: pods, omits: ['spec.volumes', 'status'] }])).toEqual(['spec.volumes']);
    expect(omittedByAll([runs, { resource: pods }])).toEqual([]);
  });

  test('is what is left when the omitted members are taken out, whatever else there is', () => {
    const name = fc.constantFrom('a', 'b', 'x', 'metadata', '"', 'é');
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 3 },
        fc.string({ unit: fc.constantFrom('a', '"', '\\', 'é', '😀', '}', ','), maxLength: 4 }),
        fc.double({ noNaN: true }),
        fc.constantFrom(true, null, '{', '\\"', ']'),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(name, tie('tree'), { maxKeys: 4 }),
      ),
    }));
    const without = (value: unknown, path: readonly string[]): unknown => {
      const [step = '', ...rest] = path;
      if (typeof value !== 'object' || value === null) return value;
      if (Array.isArray(value)) return step === '*' ? value.map((item) => without(item, rest)) : value;
      return Object.fromEntries(
        Object.entries(value).flatMap(([key, below]) => {
          if (key !== step && step !== '*') return [[key, below]];
          if (rest.length === 0) return [];
          const left = without(below, rest);
          const emptied = isEmpty(left) && !isEmpty(below);
          return emptied ? [] : [[key, left]];
        }),
      );
    };
    const isEmpty = (value: unknown) => JSON.stringify(value) === '{}';
    const omits = ['a.b', 'x.*.a', 'b."', 'é'];
    const steps = omits.map((path) => path.split('.'));
    fc.assert(
      fc.property(fc.dictionary(name, tree, { maxKeys: 4 }), fc.constantFrom(0, 1), (object, space) => {
        const sent = JSON.parse(JSON.stringify({ n: 1, ...object, metadata: { name: 'a' } }));
        const expected = steps.reduce(without, sent);
        expect(enter(omits, space)(sent)).toEqual({ apiVersion: 'v1', kind: 'Pod', ...(expected as object) });
      }),
      { numRuns: 100 },
    );
  });
});

describe('what objects have in common', () => {
  const labels = { app: 'a', 'slipway.dev/run': 'run-0001' };

  test('is one for all of them', () => {
    const kept = enter();
    const [one, other] = [kept(pod({ labels })), kept(pod({ name: 'b', labels }))];
    expect(one.metadata.labels).toBe(other.metadata.labels);
    expect([one.spec, one.status]).toEqual([other.spec, other.status]);
    expect(one.spec).toBe(other.spec);
    expect(one.metadata).not.toBe(other.metadata);
  });

  test('is one for an object and its next version, though many came in between', () => {
    const kept = enter([], 0, 64);
    const before = kept(pod({ labels, resourceVersion: '1' }));
    for (let n = 0; n < 1000; n += 1) kept(pod({ labels: { n: `${n}` } }));
    const after = kept(pod({ labels, resourceVersion: '2' }), before);
    expect(after.metadata.labels).toBe(before.metadata.labels);
    expect([before.metadata.resourceVersion, after.metadata.resourceVersion]).toEqual(['1', '2']);
  });

  test('changes nothing of what they are, however few there is room for', () => {
    const value = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 });
    fc.assert(
      fc.property(fc.array(value, { maxLength: 20 }), fc.constantFrom(1, 2, 16), (values, places) => {
        const kept = enter([], 0, places);
        const sent = JSON.parse(JSON.stringify(values)) as object[];
        const objects = sent.map((spec) => kept({ ...pod(), spec }));
        expect(objects.map(({ spec }) => spec)).toEqual(sent);
      }),
      { numRuns: 40 },
    );
  });
});
