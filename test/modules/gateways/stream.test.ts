import { afterAll, beforeAll, expect, test } from 'vitest';
import { everything } from '../../../src/caller.ts';
import { securityPolicies } from '../../../src/k8s/resources.ts';
import type { GraphQLAnswer } from '../../../src/testing.ts';
import { createChanges } from '../../../src/modules/gateways/changes.ts';
import type { GatewayChange } from '../../../src/modules/gateways/service.ts';
import { manualClock } from '../../schema/stream/world.ts';
import { policy, route, viewOf } from './objects.ts';
import { calls, errorsOf, type GatewaysServer, ready, service, startGatewaysServer } from './surface.ts';

interface Event {
  type: string;
  cursor: string;
  id: string | null;
  coalesced: number;
  gateway: { name: string; status: { phase: string } } | null;
}
type Answers = AsyncIterator<GraphQLAnswer<{ gatewayChanged: Event }>>;

const subscription = `subscription ($filter: GatewayFilter, $after: String) {
  gatewayChanged(filter: $filter, after: $after) { type cursor id coalesced at gateway { name status { phase } } }
}`;

async function next(answers: Answers): Promise<Event> {
  const { value } = (await answers.next()) as IteratorResult<GraphQLAnswer<{ gatewayChanged: Event }>, undefined>;
  if (!value?.data) throw new Error(JSON.stringify(value?.errors ?? 'the stream has ended'));
  return value.data.gatewayChanged;
}
const short = ({ type, gateway, id }: Event): string =>
  [type, gateway?.name ?? id, gateway?.status.phase].filter(Boolean).join(' ');
/** The next event that is as wanted, past those on the way to it. */
async function until(answers: Answers, wanted: string): Promise<Event> {
  for (;;) {
    const event = await next(answers);
    if (short(event) === wanted) return event;
  }
}

let server: GatewaysServer;
let call: ReturnType<typeof calls>;
beforeAll(async () => {
  server = await startGatewaysServer();
  call = calls(server);
  await service(server, 'shop');
  await call.createSecret({ basic: { namespace: 'default', name: 'users', users: [{ username: 'maria' }] } });
});
afterAll(() => server.stop());

const open = (variables: object = {}, transport: 'ws' | 'sse' = 'ws') =>
  server.subscribe<{ gatewayChanged: Event }>(subscription, variables as Record<string, unknown>, transport);
const secured = (name: string) => ({ name, backend: { service: 'shop' }, auth: { basic: { secretName: 'users' } } });

test.each(['ws', 'sse'] as const)(
  '%s: ADDED, SYNCED, then every change; unprotected within one event',
  async (transport) => {
    const name = `watched-${transport}`;
    const filter = { search: name };
    const { gateway } = await call.create(secured(name));
    await server.until(name, ready);
    const events = open({ filter }, transport);
    expect(short(await next(events))).toBe(`ADDED ${name} READY`);
    expect(await next(events)).toMatchObject({ type: 'SYNCED', id: null, gateway: null });

    await server.kube.delete(securityPolicies, `${name}-sp`, 'default');
    const changed = await next(events);
    expect(short(changed)).toBe(`CHANGED ${name} UNPROTECTED`);
    expect(changed.id).toBe(gateway.id);

    await call.update({ id: gateway.id, auth: { basic: { secretName: 'users' } } });
    await until(events, `CHANGED ${name} READY`);
    await call.create(secured(`${name}-two`));
    expect(short(await next(events))).toMatch(new RegExp(`^ADDED ${name}-two`));
    await until(events, `CHANGED ${name}-two READY`);
    const { cursor } = await call.delete({ id: gateway.id }).then(() => until(events, `REMOVED ${gateway.id}`));
    await events.return?.();

    await call.create(secured(`${name}-three`));
    await server.until(`${name}-three`, ready);
    const again = open({ filter, after: cursor }, transport);
    expect(short(await next(again))).toMatch(new RegExp(`^ADDED ${name}-three`));
    await until(again, `CHANGED ${name}-three READY`);
    expect((await next(again)).type).toBe('SYNCED');
    await again.return?.();
  },
);

test('a filter by phase tells what comes to need care', async () => {
  await call.create(secured('quiet'));
  await server.until('quiet', ready);
  const events = open({ filter: { phase: ['UNPROTECTED'], search: 'quiet' } });
  expect((await next(events)).type).toBe('SYNCED');
  await server.kube.delete(securityPolicies, 'quiet-sp', 'default');
  expect(short(await next(events))).toBe('ADDED quiet UNPROTECTED');
  await events.return?.();
});

test('that a gateway was open is told even to who reads late', async () => {
  const { clock } = manualClock();
  const listeners = new Set<(change: GatewayChange) => void>();
  const changes = createChanges(
    {
      known: () => Promise.resolve(),
      all: () => [viewOf(route({ auth: 'basic' }), [policy()])],
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    { freshness: { ...server.cluster.freshness, subscribe: () => () => {} } },
    clock,
  );
  const events = changes.subscribe({ filter: null, matches: () => true, scope: everything });
  const views = [viewOf(route({ auth: 'basic' }), []), viewOf(route({ auth: 'basic' }), [policy()])];
  for (const after of views) for (const tell of listeners) tell({ key: after.key, after, revision: 1 });
  const told: string[] = [];
  for (const _ of [1, 2, 3, 4]) {
    const { value } = await events.next();
    told.push([value?.type, value?.item?.status.phase].filter(Boolean).join(' '));
  }
  expect(told).toEqual(['ADDED READY', 'SYNCED', 'CHANGED UNPROTECTED', 'CHANGED READY']);
  changes.stop();
});

test('a garbage cursor is INVALID, one of another filter starts anew', async () => {
  const { value } = (await open({ after: 'garbage' }).next()) as { value: GraphQLAnswer };
  expect(errorsOf(value)).toEqual([expect.stringMatching(/^INVALID after/)]);
  const first = open({ filter: { search: 'nothing' } });
  const { cursor } = await next(first);
  await first.return?.();
  const other = open({ filter: { search: 'nothing else' }, after: cursor });
  expect((await next(other)).type).toBe('RESET');
  expect((await next(other)).type).toBe('SYNCED');
  await other.return?.();
});
