import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EventRecorder, createEventRecorder } from '../../../../src/k8s/embedded/controllers/events.ts';
import { events, type Pod, pods } from '../../../../src/k8s/resources.ts';
import { createWorld, namespace, type World } from './world.ts';

let world: World;
let recorder: EventRecorder;
let pod: Pod;
beforeEach(async () => {
  world = await createWorld();
  const { api, clock } = world;
  recorder = createEventRecorder({ api, clock, failed: () => {} }, 'kubelet');
  await world.pod('a', {});
  pod = await api.client.get(pods, 'a', namespace);
});
afterEach(async () => {
  await recorder.stop();
  await world[Symbol.asyncDispose]();
});
const all = () => world.api.list(events, namespace);

describe('an Event', () => {
  it('says what happened to which object, and who saw it', async () => {
    recorder.record(pod, 'Warning', 'BackOff', 'Back-off restarting', 'spec.containers{main}');
    await world.settled();
    expect(all()).toMatchObject([
      {
        involvedObject: {
          kind: 'Pod',
          name: 'a',
          namespace,
          uid: pod.metadata.uid,
          fieldPath: 'spec.containers{main}',
        },
        type: 'Warning',
        reason: 'BackOff',
        message: 'Back-off restarting',
        count: 1,
        firstTimestamp: '2026-01-01T00:00:00Z',
        source: { component: 'kubelet' },
      },
    ]);
  });

  it('counts up where the same happens again, at once or later', async () => {
    recorder.record(pod, 'Warning', 'BackOff', 'Back-off');
    recorder.record(pod, 'Warning', 'BackOff', 'Back-off');
    await world.pass(5000);
    recorder.record(pod, 'Warning', 'BackOff', 'Back-off');
    recorder.record(pod, 'Warning', 'BackOff', 'another one');
    await world.settled();
    const seen = all().map((event) => [event.message, event.count, event.firstTimestamp, event.lastTimestamp]);
    expect(new Set(seen.map(String))).toEqual(
      new Set([
        'Back-off,3,2026-01-01T00:00:00Z,2026-01-01T00:00:05Z',
        'another one,1,2026-01-01T00:00:05Z,2026-01-01T00:00:05Z',
      ]),
    );
  });

  it('makes room for the next one: an object has its last 25', async () => {
    for (let number = 1; number <= 30; number += 1) {
      recorder.record(pod, 'Normal', 'Counted', `number ${number}`);
      await world.pass(1000);
    }
    const kept = all().map(({ message }) => Number(message?.split(' ')[1]));
    expect(kept.sort((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, index) => index + 6));
  });

  it('goes when nobody has repeated it for an hour', async () => {
    recorder.record(pod, 'Normal', 'Old', 'old');
    recorder.record(pod, 'Normal', 'Repeated', 'repeated');
    await world.pass(1_800_000);
    recorder.record(pod, 'Normal', 'Repeated', 'repeated');
    await world.pass(1_860_000);
    expect(all().map(({ reason }) => reason)).toEqual(['Repeated']);
  });
});
