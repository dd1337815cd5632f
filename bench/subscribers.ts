// Many subscribers over real sockets while runs change for real, every tenth of them cut again and again: does each end with
// what the server has, without a gap, a repeat or a change out of order?
import { type Figure, ms, report, round, scaled } from './rig/figures.ts';
import { makeRuns, scaleRun, startBenchServer } from './rig/server.ts';
import { type HealthEvent, type Subscriber, subscribe, subscribeAll } from './rig/subscriber.ts';

const subscribers = scaled(1_000);
const transitions = scaled(500);
const runs = scaled(200);
/** So often a tenth of all is cut. */
const cuts = 10;

/** What one client makes of the events. */
class Client {
  readonly runs = new Map<string, string>();
  /** The numbers of the changes it was told of each run, with how many each stands for. */
  readonly told = new Map<string, { seq: number; coalesced: number }[]>();
  faults = 0;
  resets = 0;
  resumes = 0;
  cursor: string | null = null;
  connection: Subscriber | null = null;

  connect(url: string): Subscriber {
    const mine = subscribe(url, (event) => this.connection === mine && this.take(event), this.cursor);
    this.connection = mine;
    return mine;
  }

  take({ type, cursor, id, coalesced, serviceRun }: HealthEvent): void {
    const seq = Number.parseInt(cursor.split('.')[1] ?? '', 36);
    this.cursor = cursor;
    if (type === 'RESET') {
      this.runs.clear();
      this.resets += 1;
    }
    if (id === null) return;
    if (type === 'REMOVED') this.runs.delete(id);
    if (serviceRun) this.runs.set(id, JSON.stringify(serviceRun.status));
    if (type !== 'CHANGED') return;
    const list = this.told.get(id) ?? [];
    if ((list.at(-1)?.seq ?? 0) >= seq) this.faults += 1;
    list.push({ seq, coalesced });
    this.told.set(id, list);
  }
}

export async function benchSubscribers(): Promise<Figure[]> {
  await using server = await startBenchServer();
  await makeRuns(server, runs);
  const oracle = new Client();
  await oracle.connect(server.graphql).synced;
  const clients = Array.from({ length: subscribers }, () => new Client());
  await subscribeAll(subscribers, (index) => (clients[index] ?? oracle).connect(server.graphql));
  // What changed while they came is in the snapshots of some and among the changes of others.
  await settled(server, [oracle, ...clients]);
  for (const { told } of [oracle, ...clients]) told.clear();
  const [cpu, began] = [await server.cpu(), performance.now()];
  const reconnects: Promise<unknown>[] = [];
  for (let n = 0; n < transitions; n++) {
    await scaleRun(server, `run-${(n * 7919) % runs}`, n % 2 === 0 ? 1 : 0);
    if (n % Math.ceil(transitions / cuts) !== 0) continue;
    for (const client of clients.filter(() => Math.random() < 0.1)) {
      client.connection?.socket.terminate();
      client.resumes += 1;
      // One that is cut again before it is in sync counts with its next connection.
      reconnects.push(client.connect(server.graphql).synced.catch(() => undefined));
    }
  }
  await Promise.all(reconnects);
  const final = await settled(server, [oracle, ...clients]);
  const [used, took] = [(await server.cpu()) - cpu, performance.now() - began];
  const wrong = clients.filter(({ runs: mine }) => !sameAs(mine, final)).length;
  // Who was cut before it was in sync starts over: RESET says so, and the snapshot stands for what it missed.
  const resumed = clients.filter(({ resets }) => resets === 0);
  const differences = resumed.map((client) => differenceTo(client, oracle));
  const events = clients.reduce((sum, { told }) => sum + [...told.values()].flat().length, 0);
  const disorder = clients.reduce((sum, { faults }) => sum + faults, 0);
  for (const { connection } of [oracle, ...clients]) connection?.socket.terminate();
  return [
    {
      what: `subscribers of ${subscribers} that do not end with the server's state`,
      ours: `${wrong}`,
      comparedWith: '0',
    },
    {
      what: 'changes that were neither told nor counted, to those who did not start over',
      ours: inWords(differences.map(({ missing }) => missing)),
      comparedWith: '0',
    },
    {
      what: 'changes that were told or counted once too often, to those who did not start over',
      ours: inWords(differences.map(({ surplus }) => surplus)),
      comparedWith: '0',
    },
    { what: 'events of a run told twice or out of order', ours: `${disorder}`, comparedWith: '0' },
    { what: `events told while ${transitions} runs were scaled`, ours: `${events}` },
    { what: 'connections cut and resumed by cursor', ours: `${reconnects.length}` },
    { what: 'subscribers that started over, cut before they were in sync', ours: `${clients.length - resumed.length}` },
    { what: 'wall time', ours: ms(took) },
    { what: 'CPU of the server for each event told', ours: `${round((used * 1000) / Math.max(1, events))} µs` },
  ];
}

type Final = Map<string, string>;

/** The server's own answer, once it no longer changes and everybody has read all there is. */
async function settled(
  server: Awaited<ReturnType<typeof startBenchServer>>,
  clients: readonly Client[],
): Promise<Final> {
  let [before, quiet] = ['', 0];
  for (;;) {
    const nodes: { id: string; status: unknown }[] = [];
    for (let after: string | null = null, more = true; more; ) {
      const page: { serviceRuns: { nodes: typeof nodes; pageInfo: { hasNextPage: boolean; endCursor: string } } } =
        await server.query(
          'query ($after: String) { serviceRuns(first: 200, after: $after) { nodes { id status { state health message } } pageInfo { hasNextPage endCursor } } }',
          { after },
        );
      nodes.push(...page.serviceRuns.nodes);
      ({ hasNextPage: more, endCursor: after } = page.serviceRuns.pageInfo);
    }
    const now = JSON.stringify([nodes, clients.map(({ cursor }) => cursor)]);
    quiet = now === before ? quiet + 1 : 0;
    before = now;
    if (quiet === 3) return new Map(nodes.map(({ id, status }) => [id, JSON.stringify(status)]));
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

function sameAs(mine: ReadonlyMap<string, string>, final: Final): boolean {
  return mine.size === final.size && [...final].every(([id, status]) => mine.get(id) === status);
}

/** Each event stands for itself and those merged into it: together they are all that the oracle was told. */
function differenceTo(client: Client, oracle: Client): { missing: number; surplus: number } {
  let [missing, surplus] = [0, 0];
  for (const id of new Set([...oracle.told.keys(), ...client.told.keys()])) {
    const difference = changesIn(oracle.told.get(id)) - changesIn(client.told.get(id));
    missing += Math.max(0, difference);
    surplus += Math.max(0, -difference);
  }
  return { missing, surplus };
}

function changesIn(events: readonly { coalesced: number }[] = []): number {
  return events.reduce((sum, { coalesced }) => sum + coalesced + 1, 0);
}

function inWords(each: readonly number[]): string {
  const all = each.reduce((sum, one) => sum + one, 0);
  return all === 0 ? '0' : `${all}, of ${each.filter((one) => one > 0).length} subscribers`;
}

if (import.meta.main) report(await benchSubscribers());
