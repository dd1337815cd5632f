// What a call through the mediator costs, with its history, beside a bare reverse proxy to the same service and the least
// that any server with a history does, and what any GraphQL request does; how long a list of 10,000 calls takes, and any
// list while 200 services are stuck. On Linux.
import { type Figure, ms, report, round, scaled, times as ratio } from './rig/figures.ts';
import { type World, graphql, invokeService, serviceRuns, world } from './rig/invoke-world.ts';
import { type Load, ask, load, median, share } from './rig/load.ts';

const seconds = Number(process.env['SECONDS'] ?? 4);
const rounds = Number(process.env['ROUNDS'] ?? 5);
const connections = 32;
const listed = scaled(10_000);
const stuck = scaled(200);

const invocations = `query ($after: String) { invocations(first: 50, after: $after) {
  totalCount pageInfo { hasNextPage endCursor } nodes { id outcome startedAt request { method url } response { status } }
} }`;

const measured = ['bare', 'least', 'slipway', 'trivial', 'list'] as const;
/** One of them in each round. */
interface Rounds {
  many: Load[];
  aloneMs: number[];
}
type Measured = Record<(typeof measured)[number], Rounds>;

/** All of them by turns: what else the machine does is in each of them alike. */
async function measure(world: World): Promise<Measured> {
  const none = (): Rounds => ({ many: [], aloneMs: [] });
  const found: Measured = { bare: none(), least: none(), slipway: none(), trivial: none(), list: none() };
  for (const name of measured) await load(world[name], connections, 2000);
  for (let n = 0; n < rounds; n++) {
    for (const name of measured) {
      found[name].many.push(await load(world[name], connections, seconds * 1000));
      found[name].aloneMs.push(median((await load(world[name], 1, 1000)).times));
    }
  }
  return found;
}

/** What a target costs beside another: medians, and the median of the rounds' own ratios. */
function compare(what: string, ours: Rounds, other: string, theirs: Rounds): Figure[] {
  const figure = (how: string, of: (round: Load) => number, shown: (value: number) => string): Figure => {
    const [own, its] = [ours.many.map(of), theirs.many.map(of)];
    const ratios = own.map((value, index) => value / (its[index] ?? Number.NaN));
    return {
      what: `${what}, ${how}`,
      ours: shown(median(own)),
      comparedWith: `${other}: ${shown(median(its))}`,
      ratio: ratio(median(ratios), 1),
    };
  };
  const [own, its] = [median(ours.aloneMs), median(theirs.aloneMs)];
  return [
    figure(
      `${connections} at once`,
      ({ perSecond }) => perSecond,
      (value) => `${Math.round(value)}/s`,
    ),
    figure(
      'CPU of the process',
      ({ cpuMicros }) => cpuMicros,
      (value) => `${Math.round(value)} µs`,
    ),
    {
      what: `${what}, one at a time, median`,
      ours: `${round(own, 2)} ms`,
      comparedWith: `${other}: ${round(its, 2)} ms`,
      ratio: `${round(own - its, 2)} ms more`,
    },
  ];
}

/** A list of so many calls, page after page. */
async function listing({ url, slipway }: World): Promise<Figure[]> {
  await graphql(url, 'mutation ($until: DateTime!) { deleteInvocations(input: { olderThan: $until }) { deleted } }', {
    until: new Date().toISOString(),
  });
  let left = listed;
  const worker = async () => {
    while (left-- > 0) await ask(slipway);
  };
  await Promise.all(Array.from({ length: connections }, worker));
  const times: number[] = [];
  let after: string | null = null;
  for (let n = 0; n < 300; n++) {
    const started = performance.now();
    const page: { invocations: { pageInfo: { endCursor: string } } } = await graphql(url, invocations, { after });
    times.push(performance.now() - started);
    after = n % 100 === 99 ? null : page.invocations.pageInfo.endCursor;
  }
  const what = `a page of 50 of a history of ${listed} calls`;
  return [
    { what: `${what}, median`, ours: ms(median(times)) },
    { what: `${what}, p95`, ours: ms(share(times, 0.95)) },
  ];
}

/** A list of runs while services are stuck. */
async function whileStuck({ url, id }: World): Promise<Figure[]> {
  const aborter = new AbortController();
  const body = JSON.stringify({ query: invokeService, variables: { input: { id, path: '/stuck' } } });
  const headers = { 'content-type': 'application/json' };
  const calls = Array.from({ length: stuck }, () =>
    fetch(url, { method: 'POST', headers, body, signal: aborter.signal }).catch(() => null),
  );
  const times: number[] = [];
  for (let n = 0; n < 300; n++) {
    const started = performance.now();
    await graphql(url, serviceRuns);
    times.push(performance.now() - started);
  }
  aborter.abort();
  await Promise.all(calls);
  const what = `a list of runs beside ${stuck} stuck calls`;
  return [
    { what: `${what}, median`, ours: ms(median(times)) },
    { what: `${what}, p99`, ours: ms(share(times, 0.99)), comparedWith: 'allowed: 100 ms' },
  ];
}

export async function benchInvoke(): Promise<Figure[]> {
  return world(connections, async (ready) => {
    const { bare, least, slipway, trivial, list } = await measure(ready);
    const what = 'invokeService with its history, 4 KiB answer';
    return [
      ...compare(what, slipway, 'bare proxy', bare),
      ...compare(what, slipway, 'least server with a history', least),
      ...compare('the least server with a history', least, 'bare proxy', bare),
      ...compare('a query of one field', trivial, 'bare proxy', bare),
      ...compare('a list of one run', list, 'bare proxy', bare),
      ...(await listing(ready)),
      ...(await whileStuck(ready)),
    ];
  });
}

if (import.meta.main) report(await benchInvoke());
