import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Place } from '../../../src/caller.ts';
import { createRoleAccess } from '../../../src/modules/auth/roles.ts';
import { type World, startWorld } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld({
    auth: { authorizer: 'roles', rolesClaim: 'authorities' },
    watchedNamespaces: ['team-a', 'team-b'],
  });
  await world.run('web', 'team-a', 'iris');
  await world.run('shop', 'team-b', 'other');
});
afterAll(() => world.stop());

const as = (...authorities: string[]) => ({ sub: 'uma', authorities });
const id = async (name: string): Promise<string> => {
  const { text } = await world.ask(as('ROLE_ADMIN'), '{ serviceRuns { nodes { id name } } }');
  const runs: { id: string; name: string }[] = JSON.parse(text).data.serviceRuns.nodes;
  return runs.find((run) => run.name === name)?.id ?? '';
};

describe('roles of the platform', () => {
  test('the viewer has the projects, and a platform’s admin needs none', async () => {
    const projects = async (...given: string[]) =>
      JSON.parse((await world.ask(as(...given), '{ viewer { projects } }')).text).data.viewer.projects;
    expect(await projects('ROLE_USER', 'other:ROLE_USER', 'iris:ROLE_ADMIN', 'iris:ROLE_USER')).toEqual([
      'iris',
      'other',
    ]);
    expect(await projects('ROLE_ADMIN', 'iris:ROLE_USER')).toEqual([]);
    expect(await projects('iris', 'x:y:ROLE_USER', 'iris:ROLE_USERS', '-iris:ROLE_USER', 'IRIS:role_user')).toEqual([]);
  });

  test('writes go out with our own identity, and the cluster is asked nothing about callers', async () => {
    const before = world.front.writes.length;
    const scale = `mutation { scaleServiceRun(input: { id: "${await id('web')}", replicas: 2 }) { manifests } }`;
    expect((await world.ask(as('iris:ROLE_USER'), scale)).code).toBeUndefined();
    const writes = world.front.writes.slice(before);
    expect(writes.length).toBeGreaterThan(0);
    expect(writes.filter(({ user, groups }) => user !== undefined || groups.length > 0)).toEqual([]);
    expect([world.front.questions, world.front.impersonated]).toEqual([[], []]);
  });

  test('a run of another project and one that is not there are the same answer', async () => {
    const [hidden, absent] = [await id('shop'), Buffer.from('ServiceRun:team-b/none').toString('base64url')];
    for (const document of [
      '{ node(id: "ID") { id } }',
      '{ serviceRun(by: { id: "ID" }) { id } }',
      '{ invocations(filter: { serviceRunId: "ID" }) { totalCount } }',
      'mutation { stopServiceRun(input: { id: "ID" }) { manifests } }',
      'mutation { invokeService(input: { id: "ID", path: "/" }) { invocation { id } } }',
    ]) {
      const one = await world.ask(as('iris:ROLE_ADMIN'), document.replace('ID', hidden));
      const other = await world.ask(as('iris:ROLE_ADMIN'), document.replace('ID', absent));
      expect(one.text).toBe(other.text);
    }
  });

  test('nobody starts a service in the name of another project, or of none', async () => {
    const run = (project: string) =>
      `mutation { runService(input: { name: "new", namespace: "team-a", ${project} image: "a:1", ports: [{ port: 80 }], dryRun: true }) { manifests } }`;
    const codes: unknown[] = [];
    for (const project of ['project: "iris",', 'project: "other",', '']) {
      codes.push((await world.ask(as('iris:ROLE_USER'), run(project))).code);
    }
    expect(codes).toEqual([undefined, 'NOT_FOUND', 'NOT_FOUND']);
  });

  test('they end at the namespaces of the platform, also for its admin', async () => {
    const secrets = (namespace: string) => `{ gatewaySecrets(namespace: "${namespace}", kind: BASIC) { name } }`;
    expect((await world.ask(as('ROLE_ADMIN'), secrets('team-a'))).code).toBeUndefined();
    expect((await world.ask(as('ROLE_ADMIN'), secrets('kube-system'))).code).toBe('FORBIDDEN');
  });
});

test('a label of a project counts in the namespaces of the platform only', async () => {
  const caller = { name: 'oidc:uma', groups: [], anonymous: false, local: false, expiresAt: null };
  const access = createRoleAccess(['digitalhub'])({ ...caller, roles: ['iris:ROLE_USER'] });
  const places: Place[] = [
    { namespace: 'digitalhub', project: 'iris' },
    { namespace: 'kube-system', project: 'iris' },
    { namespace: 'digitalhub', project: null },
    { namespace: 'digitalhub' },
  ];
  const scope = await access.scope('see');
  expect(places.map((place) => scope.includes(place))).toEqual([true, false, false, false]);
  expect(await Promise.all(places.map((place) => access.allows('act', place)))).toEqual([true, false, false, false]);
});
