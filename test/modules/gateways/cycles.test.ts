import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Ask } from '../../k8s/embedded/gateway/world.ts';
import { basic, calls, echo, type GatewaysServer, startGatewaysServer } from './surface.ts';

/** `SLIPWAY_GATEWAY_CYCLES=500` for a long run. The default is what fits into every run of the tests. */
const cycles = Number(process.env['SLIPWAY_GATEWAY_CYCLES'] ?? 20);

let server: GatewaysServer;
let call: ReturnType<typeof calls>;
beforeAll(async () => {
  server = await startGatewaysServer();
  call = calls(server);
  await echo(server);
  await call.createSecret({ basic: { namespace: 'default', name: 'users', users: [{ username: 'maria' }] } });
  await call.createSecret({ apiKey: { namespace: 'default', name: 'keys', clients: ['lab'] } });
});
afterAll(() => server.stop());

const host = 'cycle.services.localhost';
const statusOf = async (ask: Ask = {}): Promise<number> => (await server.ask(host, '/', ask)).status;

let answered = Promise.withResolvers<void>();

const everyMs = 5;
/** A machine that is too busy for as many as that is not made busier still. */
const mostPending = 50;

/** Calls without a credential 200 times a second while something is done. */
async function probing(task: () => Promise<void>): Promise<Map<number, number>> {
  const statuses = new Map<number, number>();
  const pending = new Set<Promise<void>>();
  const send = () => {
    const one = statusOf()
      .then((status) => void statuses.set(status, (statuses.get(status) ?? 0) + 1))
      .finally(() => {
        pending.delete(one);
        answered.resolve();
        answered = Promise.withResolvers();
      });
    pending.add(one);
  };
  const began = performance.now();
  let sent = 0;
  // A timer that comes late makes up for it.
  const probe = setInterval(() => {
    for (; sent < (performance.now() - began) / everyMs; sent++) if (pending.size < mostPending) send();
  }, everyMs);
  try {
    await task();
  } finally {
    clearInterval(probe);
    await Promise.all(pending);
  }
  return statuses;
}

/** Asks until the data plane has taken a change over, each time after another probe. */
async function until(wanted: number, ask: Ask = {}): Promise<void> {
  while ((await statusOf(ask)) !== wanted) await answered.promise;
}

test(`in ${cycles} cycles of create, rotate, swap and delete nobody gets through without a credential`, {
  timeout: 120_000 + cycles * 10_000,
}, async () => {
  const statuses = await probing(async () => {
    for (let i = 0; i < cycles; i++) {
      const { gateway } = await call.create({
        name: 'cycle',
        backend: { service: 'echo' },
        auth: { basic: { secretName: 'users' } },
      });
      await until(401);
      const { generated: passwords } = await call.rotateSecret({ namespace: 'default', name: 'users' });
      await until(200, basic('maria', passwords[0]?.value ?? ''));
      await call.update({ id: gateway.id, auth: { apiKey: { secretName: 'keys' } } });
      const { generated: keys } = await call.rotateSecret({ namespace: 'default', name: 'keys' });
      await until(200, { headers: { 'x-api-key': keys[0]?.value ?? '' } });
      await until(401, basic('maria', passwords[0]?.value ?? ''));
      await call.delete({ id: gateway.id });
      await until(404);
    }
  });
  expect(new Set(statuses.keys())).toEqual(new Set([401, 404]));
});
