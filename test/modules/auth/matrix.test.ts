import { type GraphQLSchema } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { secrets } from '../../../src/k8s/resources.ts';
import { builtinModules } from '../../../src/modules/index.ts';
import { buildSchema } from '../../../src/schema/build.ts';
import { bindings, clusterRoles } from './cluster-front.ts';
import { type Claims } from './issuer.ts';
import { firstEvents } from './surface.ts';
import { type World, startWorld } from './world.ts';

/** What comes back: a code; `shows` something of the project; or an `answer` without anything of it. */
type Outcome = string;
interface Row {
  document: string;
  /** For who has no right at all there: nobody, and those of another project. */
  outside: Outcome;
  viewer: Outcome;
  editor: Outcome;
  admin: Outcome;
}

const by = '{ service: { namespace: "team-a", name: "web" } }';
const open = (document: string, outcome: Outcome = 'answer'): Row => ({
  ...{ document, outside: outcome, viewer: outcome, editor: outcome, admin: outcome },
});
const seen = (document: string, outside: Outcome = 'answer'): Row => ({
  ...{ document, outside, viewer: 'shows', editor: 'shows', admin: 'shows' },
});
const acted = (document: string): Row => ({
  ...{ document, outside: 'NOT_FOUND', viewer: 'FORBIDDEN', editor: 'shows', admin: 'shows' },
});
const exposed = (document: string): Row => ({
  ...{ document, outside: 'NOT_FOUND', viewer: 'FORBIDDEN', editor: 'FORBIDDEN', admin: 'shows' },
});
/** Secrets are those of a namespace, whoever sees it. */
const secret = (document: string): Row => ({
  ...{ document, outside: 'FORBIDDEN', viewer: 'FORBIDDEN', editor: 'FORBIDDEN', admin: 'shows' },
});
const called = (document: string): Row => ({
  ...{ document, outside: 'NOT_FOUND', viewer: 'FORBIDDEN', editor: 'NOT_READY', admin: 'NOT_READY' },
});

/** One row for each root field; `RUN` and `GATEWAY` stand for the ids of those of the project. */
const rows: Record<string, Row> = {
  viewer: open('{ viewer { anonymous } }'),
  cluster: open('{ cluster { mode } }'),
  serviceRuns: seen('{ serviceRuns { nodes { name } } }'),
  serviceRun: seen(`{ serviceRun(by: ${by}) { name } }`),
  node: seen('{ node(id: "RUN") { ... on ServiceRun { name } } }'),
  nodes: seen('{ nodes(ids: ["RUN", "GATEWAY"]) { ... on ServiceRun { name } ... on Gateway { name } } }'),
  invocations: open('{ invocations { totalCount } }'),
  invocation: open('{ invocation(id: "INVOCATION") { outcome request { url } } }'),
  gateways: seen('{ gateways { nodes { name } } }'),
  gateway: seen('{ gateway(by: { id: "GATEWAY" }) { name } }'),
  gatewayBackends: seen('{ gatewayBackends(filter: { namespace: "team-a" }) { nodes { service } } }'),
  gatewayParents: open('{ gatewayParents { namespace } }'),
  gatewaySecrets: secret('{ gatewaySecrets(namespace: "team-a", kind: API_KEY) { name } }'),
  runService: acted(
    'mutation { runService(input: { name: "web2", namespace: "team-a", project: "iris", image: "a:1", ports: [{ port: 80 }], dryRun: true }) { manifests } }',
  ),
  scaleServiceRun: acted('mutation { scaleServiceRun(input: { id: "RUN", replicas: 1, dryRun: true }) { manifests } }'),
  stopServiceRun: acted('mutation { stopServiceRun(input: { id: "RUN", dryRun: true }) { manifests } }'),
  resumeServiceRun: acted('mutation { resumeServiceRun(input: { id: "RUN", dryRun: true }) { manifests } }'),
  restartServiceRun: called('mutation { restartServiceRun(input: { id: "RUN", dryRun: true }) { manifests } }'),
  deleteServiceRun: acted('mutation { deleteServiceRun(input: { id: "RUN", dryRun: true }) { manifests } }'),
  invokeService: called('mutation { invokeService(input: { id: "RUN", path: "/" }) { invocation { outcome } } }'),
  replayInvocation: open(
    'mutation { replayInvocation(input: { id: "INVOCATION" }) { invocation { outcome } } }',
    'NOT_FOUND',
  ),
  deleteInvocations: open('mutation { deleteInvocations(input: { ids: ["INVOCATION"] }) { deleted } }'),
  createGateway: exposed(
    'mutation { createGateway(input: { name: "web2", backend: { service: "web", namespace: "team-a" }, auth: { none: true }, dryRun: true }) { manifests } }',
  ),
  updateGateway: exposed(
    'mutation { updateGateway(input: { id: "GATEWAY", pathPrefix: "/web2", dryRun: true }) { manifests } }',
  ),
  deleteGateway: exposed('mutation { deleteGateway(input: { id: "GATEWAY", dryRun: true }) { manifests } }'),
  createGatewaySecret: secret(
    'mutation { createGatewaySecret(input: { apiKey: { namespace: "team-a", name: "web-new", clients: ["a"] } }) { secret { name } } }',
  ),
  rotateGatewaySecret: secret(
    'mutation { rotateGatewaySecret(input: { namespace: "team-a", name: "web-new", principals: ["a"] }) { secret { name } } }',
  ),
  deleteGatewaySecret: {
    ...secret('mutation { deleteGatewaySecret(input: { namespace: "team-a", name: "web-new" }) { deleted } }'),
    admin: 'answer',
  },
  serviceHealthChanged: seen('subscription { serviceHealthChanged { type serviceRun { name } } }'),
  serviceRunLogs: {
    ...open(`subscription { serviceRunLogs(by: ${by}, follow: false) { line } }`),
    outside: 'NOT_FOUND',
  },
  invokeServiceStream: called('subscription { invokeServiceStream(input: { id: "RUN", path: "/" }) { text } }'),
  gatewayChanged: seen('subscription { gatewayChanged { type gateway { name } } }'),
};

let kubernetes: World;
let roles: World;
const ids = new Map<World, Record<string, string>>();

/** The project iris with a run, a gateway and a Secret in team-a; the same of another one in team-b. */
async function populate(world: World, admin: (namespace: string) => Claims): Promise<void> {
  await world.run('web', 'team-a', 'iris');
  await world.run('shop', 'team-b', 'other');
  await world.kube.create(secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'web-keys', namespace: 'team-a' },
    data: { alice: 'c2VjcmV0LXNlY3JldC1zZWNyZXQ=' },
  });
  const ada = admin('team-a');
  const asked = async (document: string) => JSON.parse((await world.ask(ada, document)).text).data;
  const { createGateway } = await asked(
    'mutation { createGateway(input: { name: "web-gw", backend: { service: "web", namespace: "team-a" }, auth: { none: true } }) { gateway { id } } }',
  );
  const { serviceRun } = await asked(`{ serviceRun(by: ${by}) { id } }`);
  // Refused, but recorded.
  await asked(`mutation { invokeService(input: { id: "${serviceRun.id}", path: "/web" }) { invocation { id } } }`);
  const { invocations } = await asked('{ invocations { nodes { id } } }');
  ids.set(world, { RUN: serviceRun.id, GATEWAY: createGateway.gateway.id, INVOCATION: invocations.nodes[0].id });
}

beforeAll(async () => {
  kubernetes = await startWorld();
  kubernetes.front.state.rbac = bindings({
    'oidc:bob': { namespace: 'team-b', rights: clusterRoles.admin },
    'oidc:vera': { namespace: 'team-a', rights: clusterRoles.view },
    'oidc:editors': { namespace: 'team-a', rights: clusterRoles.edit },
    'oidc:ada': { namespace: 'team-a', rights: clusterRoles.admin },
    'oidc:ann': { namespace: 'team-a', rights: clusterRoles.admin },
  });
  roles = await startWorld({ auth: { authorizer: 'roles' } });
  await populate(kubernetes, () => ({ sub: 'ann' }));
  await populate(roles, () => ({ sub: 'ann', roles: ['ROLE_ADMIN'] }));
});
afterAll(async () => {
  await kubernetes.stop();
  await roles.stop();
});

async function outcome(world: World, claims: Claims | null, document: string): Promise<Outcome> {
  const filled = Object.entries(ids.get(world) ?? {}).reduce((text, [key, id]) => text.replaceAll(key, id), document);
  const token = claims && (await world.issuer.sign(claims));
  const text = document.startsWith('subscription')
    ? await firstEvents(world.url, token, filled)
    : (await world.ask(claims, filled)).text;
  const code = /"code":"([A-Z_]+)"/.exec(text)?.[1];
  if (code) return code;
  const own = claims?.['sub'] === 'bob' || String(claims?.['roles']).startsWith('other:');
  if (text.includes('shop') && !own) return 'LEAKS';
  return text.includes('web') ? 'shows' : 'answer';
}

function rootFields(schema: GraphQLSchema): string[] {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  return roots.flatMap((root) => Object.keys(root?.getFields() ?? {}));
}

test('every root field has a row', () => {
  expect(rootFields(buildSchema(builtinModules)).filter((field) => !(field in rows))).toEqual([]);
});

describe("by the cluster's RBAC", () => {
  test.each(Object.entries(rows))('%s', async (_, row) => {
    const as = (claims: Claims | null) => outcome(kubernetes, claims, row.document);
    expect(await as(null)).toBe('UNAUTHENTICATED');
    expect(['nobody', await as({ sub: 'nobody' })]).toEqual(['nobody', row.outside]);
    expect(['other', await as({ sub: 'bob' })]).toEqual(['other', row.outside]);
    expect(['viewer', await as({ sub: 'vera' })]).toEqual(['viewer', row.viewer]);
    expect(['editor', await as({ sub: 'ed', groups: ['editors'] })]).toEqual(['editor', row.editor]);
    expect(['admin', await as({ sub: 'ada' })]).toEqual(['admin', row.admin]);
  });
});

describe("by the platform's roles", () => {
  test.each(Object.entries(rows))('%s', async (field, row) => {
    const as = (given: unknown) => outcome(roles, { sub: 'uma', roles: given }, row.document);
    expect(await outcome(roles, null, row.document)).toBe('UNAUTHENTICATED');
    for (const given of [
      undefined,
      [],
      ['ROLE_USER'],
      ['iris'],
      ['iris:ROLE_VIEWER'],
      ['*:ROLE_USER'],
      ['other:ROLE_ADMIN'],
    ]) {
      expect([given, await as(given)]).toEqual([given, row.outside]);
    }
    // Secrets belong to the namespace, in which all projects are.
    const user = field.endsWith('Secret') || field === 'gatewaySecrets' ? 'FORBIDDEN' : row.admin;
    expect(['user', await as(['iris:ROLE_USER'])]).toEqual(['user', user]);
    expect(['admin', await as(['iris:ROLE_ADMIN'])]).toEqual(['admin', user]);
  });
});
