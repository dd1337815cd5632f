import { describe, expect, test } from 'vitest';
import { createEntry, createTexts, omittedByAll } from '../../src/k8s/entry.ts';
import { pods } from '../../src/k8s/resources.ts';

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
const enter = (omits: string[] = [], limit?: number) => createEntry(omits, createTexts(limit));

describe('what is kept of an object', () => {
  test('is without managed fields and what kubectl applied last', () => {
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}' };
    const kept = enter()(pod({ annotations: { ...annotations, kept: 'yes' }, managedFields: [{}] }));
    expect(kept.metadata).toEqual({ name: 'a', namespace: 'lab', annotations: { kept: 'yes' } });
    expect(enter()(pod({ annotations })).metadata).toEqual({ name: 'a', namespace: 'lab' });
  });

  test('is all the rest, but for what is omitted, in each item of a list', () => {
    expect(enter()(pod())).toEqual(pod());
    const kept = enter(['spec.volumes', 'spec.containers.*.env', 'status.conditions.*.lastProbeTime', 'spec.none.*.a'])(
      pod(),
    );
    expect(kept).toEqual({
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
  });

  test('is what any of the watchers reads', () => {
    const runs = { resource: pods, omits: ['spec.volumes', 'spec.containers.*.env'] };
    expect(omittedByAll([runs, { resource: pods, omits: ['spec.volumes', 'status'] }])).toEqual(['spec.volumes']);
    expect(omittedByAll([runs, { resource: pods }])).toEqual([]);
  });

  test('stays as it is when texts are forgotten', () => {
    const entry = enter([], 2);
    for (let n = 0; n < 5; n++) expect(entry(pod({ labels: { n: `${n}` } }))).toEqual(pod({ labels: { n: `${n}` } }));
  });
});
