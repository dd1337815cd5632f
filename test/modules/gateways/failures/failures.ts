import { isDeepStrictEqual } from 'node:util';
import { httpRoutes, type KubeObject, type SecurityPolicy, securityPolicies } from '../../../../src/k8s/resources.ts';
import { envoyGateway } from '../../../../src/modules/gateways/envoy-gateway.ts';
import { globalId } from '../../../../src/schema/ids.ts';
import { documents } from '../surface.ts';
import type { Fault } from './api-proxy.ts';
import { isOpen, type Operation, type Standing } from './cases.ts';
import { type FailureWorld, type Held, type Replica, playedParent } from './world.ts';

/** A mutation during which requests fail, and everything that was wrong about it. */
export interface Outcome {
  /** What the server asked of the cluster, in order. */
  asked: readonly string[];
  problems: string[];
}

export interface Circumstances {
  /** By the number of the request that fails. */
  faults: ReadonlyMap<number, Fault>;
  /** Whether the client repeats the mutation until it is done. */
  repeated: boolean;
  /** Whether the embedded data plane serves it; else a controller that takes over policies and routes in any order. */
  served: boolean;
}

let count = 0;

/** Carries out a mutation with these faults, then all that puts things right again, and looks on all the time. */
export async function carryOut(
  world: FailureWorld,
  operation: Operation,
  { faults, repeated, served }: Circumstances,
): Promise<Outcome> {
  const name = `gw-${++count}`;
  const problems: string[] = [];
  const replica = await world.failing();
  const { from, to } = operation;
  if (from) await succeed(world.well, name, { from: null, to: from, served });
  if (from) await seen(replica, name);
  const watching = lookOn(world, name, operation);

  replica.proxy.arm(faults);
  let done = await attempt(replica, name, { from, to, served });
  const { asked } = replica.proxy;
  replica.proxy.arm(new Map());
  if ([...faults.values()].some((fault) => fault.startsWith('died'))) await world.lose();
  if (repeated) {
    for (let i = 0; i < 3 && !done; i++) done = await attempt(world.well, name, { from, to, served });
    if (!done) problems.push('not even a repetition succeeds');
  }
  const certain = [...faults.values()].join() === 'refused';
  const rest = (held: Held) => isWhole(held, to) || (!done && isAtRest(held, operation, certain));
  const settled = await minutesLater(world, name, rest);
  if (!settled) problems.push(`left half done: ${JSON.stringify(world.held(name))}`);
  problems.push(...(await watching.stop()));
  if (world.held(name).route) await succeed(world.well, name, { from: from ?? to, to: null, served });
  return { asked, problems };
}

/** The minute of a sweep begins when a server has seen what is left: that may be after our first. */
async function minutesLater(world: FailureWorld, name: string, wanted: (held: Held) => boolean): Promise<boolean> {
  const settled = world.until(name, wanted).then(() => true);
  for (let minutes = 0; minutes < 10; minutes++) {
    world.jump(61_000);
    const { promise: expired, resolve } = Promise.withResolvers<boolean>();
    AbortSignal.timeout(1_000).addEventListener('abort', () => resolve(false));
    if (await Promise.race([settled, expired])) return true;
  }
  return false;
}

/** How a mutation that nobody repeats may end, besides done. After a refusal only as if nothing had been asked. */
function isAtRest(held: Held, { from, to }: Operation, certain: boolean): boolean {
  if (isWhole(held, from)) return true;
  if (certain || !from || !to) return false;
  // Where nobody knows whether the route was written, a protection of it stays: closed until the next change.
  const { policy } = held;
  return [from, to].some((standing) => routeIs(held, standing)) && (policy === undefined || isTied(held));
}

const wordOf = ({ auth }: Standing): string => Object.keys(auth)[0] ?? '';

function routeIs({ route }: Held, standing: Standing): boolean {
  return (
    route?.spec.rules?.[0]?.matches?.[0]?.headers === undefined &&
    route?.metadata.annotations?.['slipway.dev/auth'] === wordOf(standing) &&
    route.spec.rules?.[0]?.matches?.[0]?.path?.value === standing.pathPrefix
  );
}

function isTied({ route, policy }: Held): boolean {
  return (
    policy?.metadata.annotations?.['slipway.dev/pending'] === undefined &&
    policy?.metadata.ownerReferences?.some(({ uid }) => uid === route?.metadata.uid) === true
  );
}

/** Route and policy say the same, and belong together. */
function isWhole(held: Held, standing: Standing | null): boolean {
  const { route, policy } = held;
  if (!standing) return !route && !policy;
  if (!routeIs(held, standing)) return false;
  if (isOpen(standing)) return !policy;
  return isTied(held) && asksFor(policy, standing);
}

function asksFor(policy: SecurityPolicy | undefined, { auth }: Standing): boolean {
  if (!policy) return false;
  const read = envoyGateway.read(policy);
  if ('basic' in auth) return isDeepStrictEqual(read, { kind: 'BASIC', secretName: auth.basic.secretName });
  return 'apiKey' in auth && read.kind === 'API_KEY' && read.secretName === auth.apiKey.secretName;
}

/** Looks at every state of the cluster, and calls the gateway without a credential all the time. */
function lookOn(world: FailureWorld, name: string, { from, to }: Operation) {
  const problems = new Set<string>();
  const mayBeOpen = [from, to].some((standing) => standing && isOpen(standing));
  const check = () => {
    const { route, policy } = world.held(name);
    if (!route) return;
    const asked = route.metadata.annotations?.['slipway.dev/auth'];
    if (asked === 'none' && !mayBeOpen) problems.add('the route says it is open');
    if (asked !== 'none' && !(policy && envoyGateway.read(policy).kind !== 'NONE'))
      problems.add('route without policy');
  };
  const { api } = world.home.embedded;
  const stops = [httpRoutes, securityPolicies].map((resource) => api.observe<KubeObject>(resource, check));
  let looking = true;
  const calling = (async () => {
    while (looking) {
      for (const path of ['/', '/v2']) {
        const { status } = await world.home.ask(`${name}.services.localhost`, path);
        if (status < 300 && !mayBeOpen) problems.add(`${path} answered ${status} to nobody`);
      }
    }
  })();
  return {
    async stop(): Promise<string[]> {
      looking = false;
      await calling;
      for (const stop of stops) stop();
      return [...problems];
    },
  };
}

interface Mutation {
  from: Standing | null;
  to: Standing | null;
  served: boolean;
}

/** The mutation from how it stands to how it shall stand. */
async function attempt(replica: Replica, name: string, { from, to, served }: Mutation): Promise<boolean> {
  const id = globalId('Gateway', `default/${name}`);
  const backend = { service: 'echo' };
  const parent = served ? null : playedParent;
  const [document, input] = !to
    ? [documents.delete, { id }]
    : from
      ? [documents.update, { id, ...to }]
      : [documents.create, { name, backend, parent, ...to, idempotencyKey: `key-of-${name}` }];
  const { errors } = await replica.query(document, { input });
  // Somebody who deletes what is gone has what they want.
  return !errors || (!to && errors[0]?.extensions['code'] === 'NOT_FOUND');
}

async function succeed(replica: Replica, name: string, mutation: Mutation): Promise<void> {
  if (!(await attempt(replica, name, mutation))) throw new Error(`${name} could not be prepared`);
}

/** Resolves when a server knows of a gateway. */
async function seen(replica: Replica, name: string): Promise<void> {
  const id = globalId('Gateway', `default/${name}`);
  const query = 'query ($id: ID!) { node(id: $id) { id } }';
  while (!(await replica.query<{ node: object | null }>(query, { id })).data?.node);
}
