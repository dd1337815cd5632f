import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pods } from '../../../../src/k8s/resources.ts';
import { createStepClock, createWorld, namespace, pidsOf, runs, shell, type StepClock, type World } from './world.ts';

let world: World;
let clock: StepClock;
beforeEach(async () => {
  clock = createStepClock();
  world = await createWorld({ clock });
});
afterEach(() => world[Symbol.asyncDispose]());

/** Says when it has its trap, and what it was told. */
const polite = shell(`trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done`);
const stubborn = shell(`trap 'echo no' TERM; echo up; while :; do sleep 0.01; done`);

/** Resolves as soon as the log has the line. */
async function says(name: string, line: string): Promise<void> {
  await world.running(name);
  const stream = await world.logs(name, { follow: true });
  let seen = '';
  for await (const chunk of stream) {
    seen += String(chunk);
    if (seen.split('\n').includes(line)) break;
  }
  stream.destroy();
}
const remove = (name: string, gracePeriodSeconds?: number) =>
  world.api.client.delete(pods, name, namespace, { ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }) });

describe('the deletion of a Pod', () => {
  it('asks its program to end, and waits for it', async () => {
    await world.pod('web', polite);
    await says('web', 'up');
    const states: string[] = [];
    world.api.observe(pods, ({ type, object }) => {
      const state = object.status?.containerStatuses?.[0]?.state;
      states.push(`${type} ${state?.terminated?.exitCode ?? Object.keys(state ?? {})[0]}`);
    });
    await remove('web');
    expect(await world.told('web', 'Killing')).toBe('Stopping container main');
    await world.gone('web');
    const turns = states.filter((state, at) => state !== states[at - 1]);
    expect(turns).toEqual(['ADDED running', 'MODIFIED running', 'MODIFIED 0', 'DELETED 0']);
  });

  it('kills one that does not end in its grace period, not before', async () => {
    await world.pod('web', stubborn, { terminationGracePeriodSeconds: 7 });
    await says('web', 'up');
    const [pid = 0] = pidsOf(world, 'web');
    await remove('web');
    await says('web', 'no');
    clock.advance(6_900);
    expect([runs(pid), world.present('web')?.status?.phase]).toEqual([true, 'Running']);
    clock.advance(1_100);
    await world.gone('web');
    expect(runs(pid)).toBe(false);
  });

  it('kills at once where no grace is given, also after it was asked nicely', async () => {
    await world.pod('web', stubborn, { terminationGracePeriodSeconds: 1000 });
    await says('web', 'up');
    const [pid = 0] = pidsOf(world, 'web');
    await remove('web');
    await says('web', 'no');
    await remove('web', 0);
    await world.gone('web');
    await expect.poll(() => runs(pid)).toBe(false);
  });

  it('lets a Pod of the same name begin anew', async () => {
    const first = await world.pod('web', polite);
    await says('web', 'up');
    await remove('web', 0);
    await world.pod('web', polite);
    await says('web', 'up');
    const second = world.present('web');
    expect(second?.metadata.uid).not.toBe(first.metadata.uid);
    expect(second?.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    expect(await world.log('web')).toBe('up\n');
  });
});

describe('the end of the server', () => {
  it('ends all programs, the stubborn ones after five seconds', async () => {
    await world.pod('a', polite);
    await world.pod('b', stubborn);
    await Promise.all([says('a', 'up'), says('b', 'up')]);
    const pids = [...pidsOf(world, 'a'), ...pidsOf(world, 'b')];
    const stopped = world[Symbol.asyncDispose]();
    await clock.step(5000);
    await stopped;
    expect(pids.map(runs)).toEqual([false, false]);
    world = await createWorld();
  });
});
