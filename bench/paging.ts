// Paging through many runs while they change by the clock, in every order and from both ends at once: is any run shown twice,
// or lost though it was there all the time?
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { type FakeCluster, startFakeCluster } from './rig/fake-cluster.ts';
import { type Figure, ms, quantile, report, round, scaled } from './rig/figures.ts';

const runs = scaled(10_000);
const changesPerSecond = 50;
const pageSize = 200;
/** What a reader takes to look at a page: so one reading of all sees some hundreds of changes. */
const lookMs = 150;
const fields = ['CREATED_AT', 'NAME', 'PROJECT', 'HEALTH', 'LAST_CHANGED_AT'];
const readings = fields.flatMap((field) =>
  ['ASC', 'DESC'].flatMap((direction) => [false, true].map((backwards) => ({ field, direction, backwards }))),
);

const query = `query ($orderBy: ServiceRunOrder, $first: Int, $after: String, $last: Int, $before: String) {
  serviceRuns(orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
    nodes { name } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`;

interface Page {
  nodes: { name: string }[];
  totalCount: number;
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string };
}

async function ask({ graphql }: FakeCluster, variables: object): Promise<Page> {
  const headers = { 'content-type': 'application/json' };
  const { body } = await request(graphql, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const answer = (await body.json()) as { data?: { serviceRuns: Page }; errors?: unknown };
  if (!answer.data) throw new Error(JSON.stringify(answer.errors));
  return answer.data.serviceRuns;
}

/** Runs fail, recover, are made and removed. Remembers since when each is there. */
class Crowd {
  readonly present = new Set(Array.from({ length: runs }, (_, index) => `run-${index}`));
  made = runs;
  changes = 0;
  readonly #cluster: FakeCluster;

  constructor(cluster: FakeCluster) {
    this.#cluster = cluster;
  }

  async change(): Promise<void> {
    const number = this.changes++;
    const names = [...this.present];
    const run = Number((names[(number * 7_919) % names.length] ?? '').slice('run-'.length));
    if (number % 5 === 0) return this.#make();
    if (number % 5 === 1) return this.#remove(run);
    const since = number % 5 === 2 ? null : new Date(Date.now() - (number % 500) * 1000);
    await this.#cluster.stall(run, since);
  }

  async #make(): Promise<void> {
    const run = this.made++;
    await this.#cluster.make(run);
    this.present.add(`run-${run}`);
  }

  async #remove(run: number): Promise<void> {
    this.present.delete(`run-${run}`);
    await this.#cluster.remove(run);
  }
}

interface Reading {
  twice: number;
  lost: number;
  waits: number[];
}

async function read(
  cluster: FakeCluster,
  crowd: Crowd,
  { field, direction, backwards }: (typeof readings)[0],
): Promise<Reading> {
  const before = new Set(crowd.present);
  const seen: string[] = [];
  const waits: number[] = [];
  const orderBy = { field, direction };
  for (let place: object = backwards ? { last: pageSize } : { first: pageSize }; ; ) {
    const began = performance.now();
    const { nodes, pageInfo } = await ask(cluster, { orderBy, ...place });
    waits.push(performance.now() - began);
    seen.push(...nodes.map(({ name }) => name));
    if (!(backwards ? pageInfo.hasPreviousPage : pageInfo.hasNextPage)) break;
    place = backwards
      ? { last: pageSize, before: pageInfo.startCursor }
      : { first: pageSize, after: pageInfo.endCursor };
    await sleep(lookMs);
  }
  const found = new Set(seen);
  const lost = [...before].filter((name) => crowd.present.has(name) && !found.has(name)).length;
  return { twice: seen.length - found.size, lost, waits };
}

export async function benchPaging(): Promise<Figure[]> {
  await using cluster = await startFakeCluster(runs);
  for (let there = 0; there < runs; await sleep(200)) there = (await ask(cluster, { first: 1 })).totalCount;
  const crowd = new Crowd(cluster);
  const began = performance.now();
  const all = Promise.all(readings.map((reading) => read(cluster, crowd, reading)));
  let reading = true;
  const over = all.finally(() => (reading = false));
  over.catch(() => undefined);
  while (reading) {
    await crowd.change();
    await sleep(Math.max(0, (crowd.changes * 1000) / changesPerSecond - (performance.now() - began)));
  }
  const took = performance.now() - began;
  const results = await over;
  const sum = (of: (result: Reading) => number) => results.reduce((all, result) => all + of(result), 0);
  const waits = results.flatMap((result) => result.waits);
  return [
    {
      what: `${runs} runs, ${readings.length} readings at once: runs shown twice`,
      ours: `${sum(({ twice }) => twice)}`,
      comparedWith: '0',
    },
    { what: 'runs lost that were there all the time', ours: `${sum(({ lost }) => lost)}`, comparedWith: '0' },
    {
      what: 'changes meanwhile',
      ours: `${crowd.changes}, ${round((crowd.changes * 1000) / took)}/s`,
      comparedWith: `${changesPerSecond}/s`,
    },
    {
      what: `pages of ${pageSize}`,
      ours: `${waits.length}, p50 ${ms(quantile(waits, 0.5))}, p99 ${ms(quantile(waits, 0.99))}`,
    },
  ];
}

if (import.meta.main) report(await benchPaging());
