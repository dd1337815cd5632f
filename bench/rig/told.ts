// Who changes the cluster, and who is told: what each should know, and how late they knew it.
import { setTimeout as sleep } from 'node:timers/promises';
import type { FakeCluster } from './fake-cluster.ts';
import { type HealthEvent, type Subscribe, type Subscriber, subscribeAll } from './subscriber.ts';

/** What one client knows: of each run the last number in its message. */
export class Client {
  readonly known = new Map<string, number>();
  cursor: string | null = null;
  /** Changes, those counted that others stand for. */
  told = 0;

  readonly #changed: (name: string, before: number, nonce: number) => void;

  constructor(changed: (name: string, before: number, nonce: number) => void = () => {}) {
    this.#changed = changed;
  }

  take = ({ type, cursor, id, coalesced, serviceRun }: HealthEvent): void => {
    this.cursor = cursor;
    if (type === 'RESET') this.known.clear();
    if (id === null || !serviceRun) return;
    const before = this.known.get(serviceRun.name) ?? 0;
    const nonce = Number(/back (\d+)/.exec(serviceRun.status.message ?? '')?.[1] ?? 0);
    this.known.set(serviceRun.name, nonce);
    if (type !== 'CHANGED') return;
    this.told += coalesced + 1;
    this.#changed(serviceRun.name, before, nonce);
  };
}

/** Changes the cluster, and knows what everybody should have been told. */
export class Changes {
  readonly truth = new Map<string, number>();
  /** From a change until somebody was told of it: one for each of them and each change, also one merged into a later one. */
  delays: number[] = [];
  #nonce = 0;
  readonly #cluster: FakeCluster;
  /** Of each run its changes, oldest first. */
  readonly #sent = new Map<string, { nonce: number; at: number }[]>();

  constructor(cluster: FakeCluster) {
    this.#cluster = cluster;
  }

  told = (name: string, before: number, nonce: number): void => {
    const now = performance.now();
    const sent = this.#sent.get(name) ?? [];
    for (let index = sent.length - 1; index >= 0; index--) {
      const change = sent[index];
      if (!change || change.nonce <= before) return;
      if (change.nonce <= nonce) this.delays.push(now - change.at);
    }
  };

  touch(run: number): Promise<void> {
    const [name, nonce] = [`run-${run}`, ++this.#nonce];
    this.truth.set(name, nonce);
    const sent = this.#sent.get(name) ?? [];
    this.#sent.set(name, sent);
    sent.push({ nonce, at: performance.now() });
    return this.#cluster.touch(run, nonce);
  }

  /** So many a second, whoever is late: those that are due go out together. Gives how many there were a second. */
  async steadily(perSecond: number, until: number, which: (index: number) => number): Promise<number> {
    const began = performance.now();
    const done: Promise<void>[] = [];
    while (performance.now() < until) {
      const due = ((performance.now() - began) * perSecond) / 1000;
      while (done.length < due) done.push(this.touch(which(done.length)));
      await sleep(Math.max(1, began + (done.length * 1000) / perSecond - performance.now()));
    }
    await Promise.all(done);
    return (done.length * 1000) / (performance.now() - began);
  }

  /** As fast as the API server takes them. */
  async fast(until: number, which: (index: number) => number): Promise<void> {
    for (let index = 0; performance.now() < until; index++) await this.touch(which(index));
  }

  async allAtOnce(runs: number): Promise<void> {
    const nonce = ++this.#nonce;
    for (let index = 0; index < runs; index++) this.truth.set(`run-${index}`, nonce);
    await this.#cluster.relist(nonce);
  }
}

/** Opens clients behind the first one's cursor: nobody needs the whole snapshot again. */
export async function openAll(
  open: Subscribe,
  { graphql }: FakeCluster,
  clients: readonly Client[],
  { query, after }: { query?: string; after?: string | null } = {},
): Promise<Subscriber[]> {
  return subscribeAll(clients.length, (index) => {
    const client = clients[index] ?? new Client();
    return open(graphql, client.take, client.cursor ?? after, query);
  });
}

/** Resolves when each knows the truth, or nothing has come for half a minute. */
export async function reached(clients: readonly Client[], { truth }: Changes): Promise<void> {
  const waiting = new Set(clients);
  for (let [before, quiet] = [-1, 0]; quiet < 600; ) {
    for (const client of waiting) {
      if (!equal(client.known, truth)) break;
      waiting.delete(client);
    }
    if (waiting.size === 0) return;
    const told = clients.reduce((sum, client) => sum + client.told, 0);
    quiet = told === before ? quiet + 1 : 0;
    before = told;
    await sleep(50);
  }
}

/** Those that were not told as many changes as the others, or do not know the truth. */
export function losers(clients: readonly Client[], { truth }: Changes): number {
  const all = Math.max(...clients.map(({ told }) => told));
  return clients.filter((client) => client.told !== all || !equal(client.known, truth)).length;
}

export const isBehind = ({ known }: Client, { truth }: Changes): boolean => !equal(known, truth);

function equal(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean {
  return one.size === other.size && [...other].every(([name, nonce]) => one.get(name) === nonce);
}
