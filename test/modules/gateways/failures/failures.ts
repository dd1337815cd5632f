import { setTimeout as delay } from 'node:timers/promises';
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
  // Who waits for an answer of a server that is gone need not do it in real time.
  void replica.proxy.death.then(() => world.jump(15_000));
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
  else problems.push(...(await misreported(world, name)));
  problems.push(...(await watching.stop()));
  if (world.held(name).route) await succeed(world.well, name, { from: from ?? to, to: null, served });
  return { asked, problems };
}

/** The minute of a sweep begins when a server has seen what is left: that may be after our first. */
async function minutesLater(world: FailureWorld, name: string, wanted: (held: Held) => boolean): Promise<boolean> {
  const settled = world.until(name, wanted).then(() => true);
  for (let minutes = 0; minutes < 100; minutes++) {
    world.jump(61_000);
    const { promise: expired, resolve } = Promise.withResolvers<boolean>();
    AbortSignal.timeout(1_000).addEventListener('abort', () => resolve(false));
    if (await Promise.race([settled, expired])) return true;
  }
  return false;
}

/** What the API says at last, where that is not what the cluster holds. */
async function misreported(world: FailureWorld, name: string): Promise<string[]> {
  const { route, policy } = world.held(name);
  const kind = policy ? envoyGateway.read(policy).kind : 'NONE';
  const truth = route ? `READY ${kind} ${pathOf({ route, policy })}` : 'nothing';
  const patience = AbortSignal.timeout(100_000);
  for (;;) {
    const said = await reported(world.well, name);
    if (said === truth) return [];
    if (patience.aborted) return [`is ${truth}, said to be ${said}`];
  }
}

async function reported(replica: Replica, name: string): Promise<string> {
  const document = `query ($by: GatewayBy!) { gateway(by: $by) { pathPrefix auth { kind } status { phase message } } }`;
  const { data } = await replica.query<{
    gateway: { pathPrefix: string; auth: { kind: string }; status: { phase: string; message: string | null } } | null;
  }>(document, { by: { name: { namespace: 'default', name } } });
  if (!data?.gateway) return 'nothing';
  const { pathPrefix, auth, status } = data.gateway;
  return `${status.phase} ${auth.kind} ${pathPrefix}${status.message === null ? '' : `: ${status.message}`}`;
}

/** How a mutation that nobody repeats may end, besides done. After a refusal only as if nothing had been asked. */
function isAtRest(held: Held, { from, to }: Operation, certain: boolean): boolean {
  if (isWhole(held, from)) return true;
  if (certain || !from || !to) return false;
  // Where nobody knows whether the route was written, a protection of it stays: until the next change it asks for more.
  const { policy, route } = held;
  const word = route?.metadata.annotations?.['slipway.dev/auth'];
  const auths = [from, to].filter((standing) => wordOf(standing) === word);
  const paths = [from, to].filter((standing) => pathOf(held) === standing.pathPrefix);
  return isOpenToAll(held) && auths.length > 0 && paths.length > 0 && (policy === undefined || isTied(held));
}

const wordOf = ({ auth }: Standing): string => Object.keys(auth)[0] ?? '';

const matchOf = ({ route }: Held) => route?.spec.rules?.[0]?.matches?.[0];
const pathOf = (held: Held): string | undefined => matchOf(held)?.path?.value;

/** The route is not closed, and nobody is at work on it. */
const isOpenToAll = (held: Held): boolean =>
  matchOf(held) !== undefined &&
  matchOf(held)?.headers === undefined &&
  held.route?.metadata.annotations?.['slipway.dev/pending'] === undefined;

function routeIs(held: Held, standing: Standing): boolean {
  const word = held.route?.metadata.annotations?.['slipway.dev/auth'];
  return isOpenToAll(held) && word === wordOf(standing) && pathOf(held) === standing.pathPrefix;
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

/**
 * What the controller has not taken yet is not in force: an open route may have other passwords or keys in that time, but no
 * other kind of protection.
 */
function lookOnKind(world: FailureWorld, name: string): (problems: Set<string>) => void {
  let taken = '';
  return (problems) => {
    const { route, policy } = world.held(name);
    if (!route || route.spec.parentRefs?.[0]?.name !== playedParent.name) return;
    const kind = policy ? envoyGateway.read(policy).kind : 'NONE';
    const seen = policy?.status?.ancestors?.[0]?.conditions?.[0]?.observedGeneration;
    if (policy && seen === policy.metadata.generation) taken = kind;
    const asked = route.metadata.annotations?.['slipway.dev/auth'] ?? 'none';
    const open = matchOf({ route, policy })?.headers === undefined;
    if (open && asked !== 'none' && kind !== taken) problems.add(`open with ${kind} while ${taken} is in force`);
  };
}

/** Looks at every state of the cluster, and calls the gateway without a credential 200 times a second, as far as it can. */
function lookOn(world: FailureWorld, name: string, { from, to }: Operation) {
  const problems = new Set<string>();
  const mayBeOpen = [from, to].some((standing) => standing && isOpen(standing));
  const inForce = lookOnKind(world, name);
  const check = () => {
    const { route, policy } = world.held(name);
    inForce(problems);
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
      const pause = delay(10);
      for (const path of ['/', '/v2']) {
        const { status } = await world.home.ask(`${name}.services.localhost`, path);
        if (status < 300 && !mayBeOpen) problems.add(`${path} answered ${status} to nobody`);
      }
      await pause;
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
