import type { Random } from '../../faults/soak/random.ts';
import type { ApiProxy } from '../api-proxy.ts';

export interface Struck {
  proxy: ApiProxy;
  random: Random;
  /** Changes meanwhile. */
  change(): Promise<void>;
  /** Kills the API server and starts it again. */
  restart(): Promise<void>;
  /** Present where versions expire by it: without watch caches. */
  compact: (() => Promise<void>) | null;
}

export interface Fault {
  readonly name: string;
  readonly times: number;
  strike(world: Struck): Promise<void>;
}

/** One of the kinds that are watched right now. */
async function watched({ proxy, random }: Struck): Promise<string> {
  await proxy.watching();
  return random.pick(proxy.openKinds().sort());
}

export const faults: readonly Fault[] = [
  {
    name: 'disconnect',
    times: 50,
    async strike(world) {
      world.proxy.cut(await watched(world), world.random.pick(['end', 'reset']));
      await world.change();
    },
  },
  {
    name: '410',
    // A few find a watch that begins anew by a list just then, and has no version to lose.
    times: 25,
    async strike(world) {
      const { proxy, compact } = world;
      const kind = await watched(world);
      if (!compact) {
        proxy.age(kind);
        proxy.cut(kind, 'reset');
        return world.change();
      }
      const release = proxy.hold(kind);
      proxy.cut(kind, 'reset');
      await world.change();
      await compact();
      release();
    },
  },
  {
    name: 'restart of the API server',
    times: 5,
    async strike(world) {
      // What is sent while it is down is tried again until it is done.
      await Promise.all([world.restart(), world.change()]);
    },
  },
  {
    name: 'half-open',
    times: 3,
    async strike(world) {
      world.proxy.mute(await watched(world));
      await world.change();
    },
  },
];
