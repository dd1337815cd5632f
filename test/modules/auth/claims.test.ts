import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type World, startWorld } from './world.ts';

let world: World;
let byEmail: World;
beforeAll(async () => {
  world = await startWorld({ auth: { userPrefix: 'idp#', groupPrefix: 'idp-group:' } });
  byEmail = await startWorld({ auth: { userClaim: 'email', groupsClaim: 'realm_access.roles' } });
  for (const each of [world, byEmail]) {
    each.front.state.rbac = () => true;
    await each.run('web', 'team-a', 'iris');
  }
});
afterAll(async () => {
  await world.stop();
  await byEmail.stop();
});
beforeEach(() => {
  for (const { front } of [world, byEmail]) for (const list of [front.questions, front.impersonated]) list.length = 0;
});

const scale = async ({ ask }: World, claims: Record<string, unknown>) => {
  const id = /"id":"([^"]+)"/.exec((await ask({ sub: 'finder' }, '{ serviceRuns { nodes { id } } }')).text)?.[1];
  return ask(claims, `mutation { scaleServiceRun(input: { id: "${id}", replicas: 0 }) { manifests } }`);
};
/** Everybody the cluster was told of. */
const told = ({ front }: World) => [...front.questions, ...front.impersonated];

const many = (count: number) => Array.from({ length: count }, (_, at) => `g${at}`);

/** Claims that try to be somebody else; with the names that come out, or null when the token is refused. */
const hostile: [name: string, claims: Record<string, unknown>, user: string | null, groups?: string[]][] = [
  ['a system group', { groups: ['system:masters'] }, 'idp#alice', ['idp-group:system:masters']],
  ['a system user', { sub: 'system:admin' }, 'idp#system:admin'],
  [
    'a service account',
    { sub: 'system:serviceaccount:kube-system:default' },
    'idp#system:serviceaccount:kube-system:default',
  ],
  ['the anonymous user', { sub: 'system:anonymous' }, 'idp#system:anonymous'],
  ['a user that looks like ours', { sub: 'idp#root' }, 'idp#idp#root'],
  ['the local user', { sub: 'local', groups: ['slipway:local'] }, 'idp#local', ['idp-group:slipway:local']],
  ['an upper-case system group', { groups: ['SYSTEM:MASTERS'] }, 'idp#alice', ['idp-group:SYSTEM:MASTERS']],
  [
    'full-width look-alikes',
    { groups: ['ｓｙｓｔｅｍ：ｍａｓｔｅｒｓ'] },
    'idp#alice',
    ['idp-group:ｓｙｓｔｅｍ：ｍａｓｔｅｒｓ'],
  ],
  ['commas in a group', { groups: ['a,system:masters'] }, 'idp#alice', ['idp-group:a,system:masters']],
  ['one group that is a text', { groups: 'staff' }, 'idp#alice', ['idp-group:staff']],
  ['the same group many times', { groups: ['a', 'a', 'a'] }, 'idp#alice', ['idp-group:a']],
  ['no groups', {}, 'idp#alice'],
  ['500 groups', { groups: many(500) }, 'idp#alice', many(500).map((group) => `idp-group:${group}`)],
  ['an empty user', { sub: '' }, null],
  ['no user', { sub: undefined }, null],
  ['a user that is null', { sub: null }, null],
  ['a user that is a number', { sub: 42 }, null],
  ['a user that is a list', { sub: ['alice'] }, null],
  ['blanks around the user', { sub: ' alice ' }, null],
  ['a user of blanks', { sub: '   ' }, null],
  ['a line break in the user', { sub: 'alice\r\nImpersonate-Group: system:masters' }, null],
  ['NUL in the user', { sub: 'alice\0' }, null],
  ['a line break in a group', { groups: ['a\r\nImpersonate-User: system:admin'] }, null],
  ['a line separator in a group', { groups: ['a\u2028b'] }, null],
  ['an invisible character', { groups: ['system\u200b:masters'] }, null],
  ['text that turns around', { sub: '\u202enimda' }, null],
  ['an unpaired surrogate', { groups: ['\ud800'] }, null],
  ['an empty group', { groups: [''] }, null],
  ['groups that are no texts', { groups: [{ name: 'a' }] }, null],
  ['groups that are an object', { groups: { 0: 'a', length: 1 } }, null],
  ['nested groups', { groups: [['system:masters']] }, null],
  ['501 groups', { groups: many(501) }, null],
  ['a user of 257 characters', { sub: 'x'.repeat(257) }, null],
  ['__proto__ as groups', JSON.parse('{ "groups": { "__proto__": ["system:masters"] } }'), null],
];

describe('what the cluster is told of a caller', () => {
  test.each(hostile)('%s', async (_, claims, user, groups = []) => {
    const { status } = await scale(world, claims);
    expect(status).toBe(user === null ? 401 : 200);
    const others = told(world).filter((who) => who.user !== 'idp#finder');
    const authenticated = new Set(world.front.questions);
    expect(others.length > 0).toBe(user !== null);
    for (const who of others) {
      const own = who.groups.filter((group) => !(authenticated.has(who as never) && group === 'system:authenticated'));
      expect([who.user, own.toSorted()]).toEqual([user, groups.toSorted()]);
    }
    for (const { user: name = '', groups: all } of told(world)) {
      expect(name.startsWith('idp#')).toBe(true);
      expect(all.filter((group) => !group.startsWith('idp-group:') && group !== 'system:authenticated')).toEqual([]);
    }
  });

  test('a write goes out as the caller, with a header for each group', async () => {
    await scale(world, { sub: 'émile', groups: ['b', 'a'] });
    const names = world.front.impersonated.map(({ user, groups }) => [user, groups]);
    expect(names.length).toBeGreaterThan(0);
    expect(new Set(names.map((name) => JSON.stringify(name)))).toEqual(
      new Set([JSON.stringify(['idp#émile', ['idp-group:b', 'idp-group:a']])]),
    );
  });

  test('the viewer is told the same names', async () => {
    const { text } = await world.ask({ groups: ['a'] }, '{ viewer { name groups anonymous projects } }');
    expect(JSON.parse(text).data.viewer).toEqual({
      name: 'idp#alice',
      groups: ['idp-group:a'],
      anonymous: false,
      projects: [],
    });
  });
});

describe('other claims', () => {
  test.each([
    ['proved', { email: 'a@x.example', email_verified: true }, 'oidc:a@x.example'],
    ['about which nothing is said', { email: 'a@x.example' }, 'oidc:a@x.example'],
    ['not proved', { email: 'a@x.example', email_verified: false }, null],
    ['proved in words only', { email: 'a@x.example', email_verified: 'true' }, null],
    ['missing', { sub: 'a@x.example' }, null],
  ])('an e-mail address as the user, %s', async (_, claims, name) => {
    const { status, text } = await byEmail.ask(claims, '{ viewer { name } }');
    expect(status === 200 ? JSON.parse(text).data.viewer.name : null).toBe(name);
  });

  test('groups out of an object', async () => {
    const claims = { email: 'a@x.example', realm_access: { roles: ['dev'] }, groups: ['other'] };
    const { text } = await byEmail.ask(claims, '{ viewer { groups } }');
    expect(JSON.parse(text).data.viewer.groups).toEqual(['oidc:dev']);
    const none = await byEmail.ask({ email: 'a@x.example', realm_access: 'roles' }, '{ viewer { groups } }');
    expect(JSON.parse(none.text).data.viewer.groups).toEqual([]);
  });
});
