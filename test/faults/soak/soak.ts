import type { KubeObject } from '../../../src/k8s/resources.ts';
import { keyOf, stateOf } from '../api-server/store.ts';
import type { FakeObject } from '../api-server/server.ts';
import { type Watching, fakeDeployments, nextTurn, startWatching } from '../watching.ts';
import { faults } from './faults.ts';
import { type Random, createRandom } from './random.ts';

const events = 10_000;
const names = 2_000;
const outsideLabel = { outside: 'yes' };

const wants = (object: FakeObject) => object.metadata.labels?.outside !== 'yes';

/** What was found in one run. */
export interface Findings {
  /** What the oracle saw go wrong, event by event. */
  problems: string[];
  missedEnds: string[];
  /** Names that the cache and a fresh list disagree about. */
  differences: string[];
  /** What an index still has, or has under a wrong key. */
  misfiled: string[];
  mostWatches: number;
  /** How often the cache was compared with a list of its version, and how often it was not the same. */
  checks: number;
  mismatches: number;
  told: { ADDED: number; MODIFIED: number; DELETED: number };
  lists: number;
  struck: Record<string, number>;
}

/** 10,000 random changes of 2,000 objects, with every fault in between, in an order that depends on the seed alone. */
export async function soak(seed: number): Promise<Findings> {
  const random = createRandom(seed);
  await using watching = await startWatching({
    random: random.next,
    wants,
    connect: { checkEveryMs: 10_000 },
    prepare: (api) => {
      for (let index = 0; index < names; index += 1) api.put(`object-${index}`, 0);
    },
  });
  const byHalf = watching.cache.index('half', halfOf);
  await watching.converged(10_000);
  const struck = await strikeAll(watching, random);
  watching.api.forgetSteps();
  await watching.converged(150_000);
  const fresh = await freshList(watching);
  const cached = new Map([...watching.cache.list()].map((object) => [keyOf(object), stateOf(object)]));
  return {
    problems: watching.oracle.problems,
    missedEnds: watching.oracle.missedEnds(),
    differences: [...new Set([...fresh.keys(), ...cached.keys()])].filter((key) => fresh.get(key) !== cached.get(key)),
    misfiled: ['low', 'high']
      .flatMap((half) => [...byHalf(half)].filter((object) => !isFiled(watching, half, object)))
      .map(keyOf),
    mostWatches: watching.api.mostWatches,
    checks: watching.watchState().checks,
    mismatches: watching.watchState().mismatches,
    told: watching.oracle.counts,
    lists: watching.api.listed.length,
    struck,
  };
}

function halfOf({ spec }: FakeObject): string[] {
  return [Number(spec.value) < 0.5 ? 'low' : 'high'];
}

function isFiled({ cache }: Watching, half: string, object: FakeObject): boolean {
  return cache.byUid(object.metadata.uid ?? '') === object && halfOf(object).includes(half);
}

async function strikeAll(watching: Watching, random: Random): Promise<Record<string, number>> {
  const order = random.shuffled(faults.flatMap((fault) => Array.from({ length: fault.times }, () => fault)));
  const struck: Record<string, number> = {};
  let backup = watching.api.backup();
  let end = () => Promise.resolve();
  let changed = 0;
  for (const [index, fault] of order.entries()) {
    const due = Math.round(((index + 1) / order.length) * events);
    // Some before the fault, some while it lasts.
    const before = changed + random.below(due - changed + 1);
    for (; changed < before; changed += 1) change(watching, random);
    if (random.next() < 0.5) await letPass(watching, random);
    if (fault.lasting || random.next() < 0.5) await end();
    const over = await fault.strike({ watching, random, backup });
    if (over) end = once(over);
    struck[fault.name] = (struck[fault.name] ?? 0) + 1;
    if (fault.restores) {
      await end();
      watching.api.forgetSteps();
      await watching.converged(150_000);
    }
    for (; changed < due; changed += 1) change(watching, random);
    await letPass(watching, random);
    if (random.next() < 0.1) backup = watching.api.backup();
  }
  await end();
  return struck;
}

function once(task: () => void | Promise<void>): () => Promise<void> {
  let done = false;
  return async () => {
    if (done) return;
    done = true;
    await task();
  };
}

/** Often until the watch is up again, else for a moment, so that faults overlap. */
async function letPass(watching: Watching, random: Random): Promise<void> {
  if (random.next() < 0.4) {
    const limit = watching.clock.now() + random.below(70_000);
    const isUp = () => watching.api.openWatches().length > 0 && watching.watchState().downSince === null;
    await watching.flow(() => isUp() || watching.clock.now() >= limit, 80_000);
  }
  for (let step = random.below(8); step > 0; step -= 1) {
    for (let turn = random.below(30); turn > 0; turn -= 1) await nextTurn();
    watching.clock.advance(random.below(500));
  }
}

/** One change of one object, of any kind that may happen to it. */
function change({ api }: Watching, random: Random): void {
  const name = `object-${random.below(names)}`;
  const value = random.next() < 0.01 ? `line\u2028separator ${random.next()}` : random.next();
  const what = random.next();
  if (!api.has(name)) api.put(name, value);
  else if (what < 0.13) api.remove(name);
  else if (what < 0.2) {
    api.remove(name);
    api.put(name, value);
  } else if (what < 0.27) api.put(name, value, { labels: outsideLabel });
  else api.put(name, value);
}

async function freshList({ cluster }: Watching): Promise<Map<string, string>> {
  const { items } = await cluster.client.list(fakeDeployments);
  const wanted: KubeObject[] = items.filter(wants);
  return new Map(wanted.map((object) => [keyOf(object), stateOf(object)]));
}
