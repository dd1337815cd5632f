import { bookmark } from '../api-server/answers.ts';
import type { Exchange, Step } from '../api-server/exchange.ts';
import type { Backup } from '../api-server/store.ts';
import type { Watching } from '../watching.ts';
import type { Random } from './random.ts';

interface World {
  watching: Watching;
  random: Random;
  backup: Backup;
}

type Over = void | (() => void | Promise<void>);

/** What goes wrong, how often, and how. A fault that lasts gives the function that ends it. */
export interface Fault {
  readonly name: string;
  readonly times: number;
  /** One that lasts before is over by then. */
  readonly lasting?: boolean;
  /** Nothing else happens until it is overcome: a cluster that was restored may use all versions again that we know. */
  readonly restores?: boolean;
  strike(world: World): Over | Promise<Over>;
}

const garbage = [
  'upstream connect error\n',
  '<html><body>bad gateway</body></html>\n',
  '{"type":"ADDED"}\n',
  '{"type":"RENAMED","object":{"metadata":{"name":"a"}}}\n',
];

const statusOf = (code: number, reason: string, cause?: string) => ({
  ...{ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason },
  ...(cause && { details: { causes: [{ reason: cause }] } }),
});

/** The open watch, which says no more what the server knows. */
function takeOver({ api }: Watching): Exchange | undefined {
  const [open] = api.openWatches();
  open?.mute();
  return open?.exchange;
}

/** The next watch is answered like this. */
function nextWatch(step: Step) {
  return ({ watching: { api } }: Pick<World, 'watching'>) => {
    api.onWatch(step);
    api.disconnect();
  };
}

/** The next watch is expired, so there will be a list, which is answered like this. */
function nextList(step: Step) {
  return ({ watching: { api } }: Pick<World, 'watching'>) => {
    api.onWatch((exchange) => exchange.status(410, 'Expired'));
    api.onList(step);
    api.disconnect();
  };
}

function errorEvent(status: object): Step {
  return (exchange) => {
    exchange.open();
    exchange.event('ERROR', status);
  };
}

/** Everything is answered like this until it is over. */
function outage(step: Step) {
  return ({ watching: { api } }: Pick<World, 'watching'>) => {
    api.always(step);
    api.disconnect();
    return () => api.always(null);
  };
}

export const faults: readonly Fault[] = [
  {
    name: 'disconnect',
    times: 50,
    strike: ({ watching, random }) => watching.api.disconnect(random.pick(['end', 'reset'])),
  },
  {
    name: '410',
    times: 20,
    strike({ watching: { api }, random }) {
      if (random.next() < 0.5) api.onWatch(errorEvent(statusOf(410, 'Expired')));
      else api.compact();
      api.disconnect();
    },
  },
  {
    name: 'restart of the API server',
    times: 5,
    lasting: true,
    async strike({ watching: { api }, random }) {
      await api.stop();
      if (random.next() < 0.5) api.compact();
      return () => api.start();
    },
  },
  { name: 'half-open', times: 10, strike: ({ watching: { api } }) => api.mute() },
  { name: 'a watch that is never answered', times: 10, strike: nextWatch(() => {}) },
  { name: 'a list that is never answered', times: 10, strike: nextList(() => {}) },
  {
    name: 'half a line',
    times: 10,
    strike({ watching }) {
      const exchange = takeOver(watching);
      exchange?.write('{"type":"MODIFIED","object":{"metadata":{"name":"ob');
      exchange?.end();
    },
  },
  { name: 'garbage', times: 10, strike: ({ watching, random }) => takeOver(watching)?.write(random.pick(garbage)) },
  { name: 'HTML with 200', times: 10, lasting: true, strike: outage((exchange) => exchange.html(200)) },
  { name: 'HTML with 404', times: 10, lasting: true, strike: outage((exchange) => exchange.html(404)) },
  { name: '502 of a load balancer', times: 10, lasting: true, strike: outage((exchange) => exchange.html(502)) },
  { name: '503', times: 10, lasting: true, strike: outage((exchange) => exchange.status(503)) },
  { name: '401', times: 10, lasting: true, strike: outage((exchange) => exchange.status(401)) },
  { name: '403', times: 10, lasting: true, strike: outage((exchange) => exchange.status(403)) },
  { name: 'ERROR event 500', times: 10, strike: nextWatch(errorEvent(statusOf(500, 'InternalError'))) },
  {
    name: '410 for the next page',
    times: 10,
    strike: nextList((exchange) => {
      exchange.query.set('continue', 'too old');
      exchange.serve();
    }),
  },
  { name: '410 after a list', times: 10, strike: expiredAgain },
  {
    name: '429 with Retry-After',
    times: 10,
    strike: ({ watching, random }) => {
      const busy: Step = (exchange) => exchange.status(429, 'TooManyRequests', { headers: { 'retry-after': '2' } });
      const next = random.next() < 0.5 ? nextWatch(busy) : nextList(busy);
      next({ watching });
    },
  },
  {
    name: 'a replica that is behind',
    times: 10,
    strike: nextWatch((exchange) => exchange.status(504, 'Timeout', { cause: 'ResourceVersionTooLarge' })),
  },
  { name: 'replayed events', times: 10, strike: ({ watching, random }) => replay(watching, 1 + random.below(200)) },
  {
    name: 'an old bookmark',
    times: 10,
    strike({ watching: { api }, random }) {
      for (const { exchange } of api.openWatches())
        exchange.event('BOOKMARK', bookmark(api.version - random.below(500)));
      if (random.next() < 0.5) api.disconnect();
    },
  },
  {
    name: 'a bookmark without a version',
    times: 10,
    strike: ({ watching: { api } }) => {
      for (const { exchange } of api.openWatches()) exchange.event('BOOKMARK', { metadata: {} });
    },
  },
  {
    name: 'etcd restored from a backup',
    times: 10,
    lasting: true,
    restores: true,
    async strike({ watching: { api }, backup }) {
      await api.stop();
      api.restore(backup);
      return () => api.start();
    },
  },
  { name: 'a stopped process', times: 10, strike: ({ watching: { clock } }) => clock.freeze(60_000) },
  {
    name: 'a clock that is set',
    times: 10,
    strike: ({ watching: { clock }, random }) => clock.set(clock.now() + random.pick([-1, 1]) * 3_600_000),
  },
];

function expiredAgain({ watching: { api } }: World): void {
  const expired: Step = (exchange) => exchange.status(410, 'Expired');
  api.onWatch(expired, expired, expired);
  api.disconnect();
}

/** The next watch begins with what was told long before. */
function replay({ api }: Watching, versions: number): void {
  api.onWatch((exchange) => {
    const asked = Number(exchange.query.get('resourceVersion'));
    exchange.query.set('resourceVersion', String(Math.min(asked, Math.max(asked - versions, api.oldest))));
    exchange.serve();
  });
  api.disconnect();
}
