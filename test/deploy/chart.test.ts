import { readFile } from 'node:fs/promises';
import { describe, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import { printManifests } from '../../src/commands/manifests.ts';
import { type Manifest, type Values, lint, render, signIn } from './helm.ts';

const { helm } = inject('deploy');

/** Values over those that are asked for at the least. */
const withSignIn = ({ config = {}, ...rest }: Values & { config?: Values } = {}): Values => ({
  ...rest,
  config: { ...signIn.config, ...config },
});

async function rendered(values: Values = withSignIn()): Promise<Manifest[]> {
  const { code, manifests, error } = await render(helm, values);
  if (code !== 0) throw new Error(error);
  return manifests;
}

async function refusal(values: Values): Promise<string> {
  const { code, error } = await render(helm, values);
  return code === 0 ? 'rendered' : error;
}

const kinds = (manifests: readonly Manifest[]) => manifests.map(({ kind }) => kind).sort();
const only = (manifests: readonly Manifest[], kind: string): Manifest => {
  const [found] = manifests.filter((manifest) => manifest.kind === kind);
  if (!found) throw new Error(`there is no ${kind}`);
  return found;
};
const rolesOf = (manifests: readonly Manifest[]) =>
  Object.fromEntries(
    manifests.filter(({ kind }) => kind === 'ClusterRole').map(({ metadata, rules }) => [metadata.name, rules ?? []]),
  );

describe('the chart', () => {
  test('is well-formed', async () => {
    const { code, output } = await lint(helm, withSignIn());
    expect(output).not.toMatch(/\[(WARNING|ERROR)\]/);
    expect(code).toBe(0);
  });

  test('renders what `slipway manifests` prints, and an autoscaler', async () => {
    const environment = {
      SLIPWAY_AUTH_ISSUER: 'https://idp.example.org',
      SLIPWAY_AUTH_AUDIENCE: 'slipway',
      SLIPWAY_INVOKE_HISTORY_URL: 'off',
      SLIPWAY_HEALTH_HISTORY_URL: 'off',
    };
    const printed = (await printManifests(environment, {}))
      .split('---\n')
      .slice(1)
      .map((one) => parse(one) as Manifest);
    const manifests = await rendered();
    expect(kinds(manifests)).toEqual(
      [...kinds(printed).filter((kind) => kind !== 'Namespace'), 'HorizontalPodAutoscaler'].sort(),
    );
    const podOf = (from: readonly Manifest[]) => only(from, 'Deployment').spec?.['template'] as { spec: object };
    const { spec } = podOf(manifests) as { spec: { containers: { env: { name: string }[] }[] } };
    const shared = podOf(printed).spec as typeof spec;
    const names = (pod: typeof spec) => pod.containers[0]?.env.map(({ name }) => name);
    const chartOnly = ['SLIPWAY_LOG_LEVEL', 'SLIPWAY_DRAIN_MS'];
    expect(names(spec)?.filter((name) => !chartOnly.includes(name))).toEqual(names(shared));
    const withoutEnv = (pod: typeof spec) => ({
      ...pod,
      containers: pod.containers.map((one) => ({ ...one, env: [] })),
    });
    expect(withoutEnv(spec)).toEqual(withoutEnv(shared));
    expect(only(manifests, 'NetworkPolicy').spec).toEqual(only(printed, 'NetworkPolicy').spec);
  });

  test('grants the rights of the committed snapshot, each once', async () => {
    const snapshot = parse(await readFile('deploy/rbac.yaml', 'utf8')) as { cluster: object[]; namespaced: object[] };
    const distinct = (rules: readonly object[] = []) => [...new Set(rules.map((rule) => JSON.stringify(rule)))].sort();
    const roles = rolesOf(await rendered());
    expect(distinct(roles['slipway'])).toEqual(distinct(snapshot.namespaced));
    expect(distinct(roles['slipway-cluster'])).toEqual(distinct(snapshot.cluster));
  });

  test('grants only what the enabled modules need', async () => {
    const roles = rolesOf(await rendered(withSignIn({ config: { modules: ['auth', 'runs'] } })));
    const groups = Object.values(roles).flatMap((rules) => rules.flatMap(({ apiGroups }) => apiGroups));
    expect([...new Set(groups)].sort()).toEqual(['', 'apps', 'authorization.k8s.io', 'discovery.k8s.io']);
  });

  test('grants it in the watched namespaces only, where some are named', async () => {
    const manifests = await rendered(withSignIn({ namespaces: ['lab', 'shop'] }));
    const bound = manifests.filter(({ kind }) => kind === 'RoleBinding').map(({ metadata }) => metadata.namespace);
    expect(bound).toEqual(['lab', 'shop']);
    const everywhere = manifests
      .filter(({ kind }) => kind === 'ClusterRoleBinding')
      .map(({ metadata }) => metadata.name);
    expect(everywhere).toEqual(['slipway-cluster']);
    expect(JSON.stringify(only(manifests, 'Deployment'))).toContain('"lab,shop"');
  });

  test('takes the rules of modules of others, and all optional parts', async () => {
    const manifests = await rendered({
      ...withSignIn({
        config: { modules: ['auth', 'runs', 'metrics', '@acme/cost'], '@acme/cost': { currency: 'EUR' } },
      }),
      rbac: { extraRules: [{ apiGroups: ['metrics.k8s.io'], resources: ['pods'], verbs: ['list'] }] },
      metrics: { serviceMonitor: { enabled: true, labels: { release: 'prometheus' } } },
      httpRoute: { enabled: true, parentRefs: [{ name: 'public' }], hostnames: ['slipway.example.org'] },
      autoscaling: { enabled: false },
      networkPolicy: { callableNamespaces: { matchLabels: { team: 'lab' } } },
      podLabels: { team: 'lab' },
      extraEnv: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/etc/ca.pem' }],
      image: { digest: `sha256:${'a'.repeat(64)}` },
    });
    expect(rolesOf(manifests)['slipway']).toContainEqual({
      apiGroups: ['metrics.k8s.io'],
      resources: ['pods'],
      verbs: ['list'],
    });
    expect(kinds(manifests)).toEqual(expect.arrayContaining(['ServiceMonitor', 'HTTPRoute']));
    expect(kinds(manifests)).not.toContain('HorizontalPodAutoscaler');
    const text = JSON.stringify(only(manifests, 'Deployment'));
    for (const part of ['slipway.example.org', 'NODE_EXTRA_CA_CERTS', `@sha256:${'a'.repeat(64)}`, '"team":"lab"']) {
      expect(text).toContain(part);
    }
    expect(JSON.stringify(only(manifests, 'NetworkPolicy'))).toContain(
      '{"namespaceSelector":{"matchLabels":{"team":"lab"}}}',
    );
  });

  test.each(['1.34.0', '1.35.0', '1.36.0'])('renders for Kubernetes %s', async (version) => {
    expect((await render(helm, withSignIn(), version)).code).toBe(0);
  });
});

describe('it refuses', () => {
  const sqlite = { historyUrl: 'sqlite:history.db' };
  const cases: [what: string, values: Values, words: string][] = [
    ['no issuer', { config: { auth: { audience: ['slipway'] } } }, 'config.auth.issuer is required'],
    ['no audience', { config: { auth: { issuer: 'https://idp.example.org' } } }, 'config.auth.audience is required'],
    ['no sign-in', withSignIn({ config: { modules: ['runs'] } }), 'config.modules lacks "auth"'],
    ['a history in a file of several replicas', withSignIn({ config: { invoke: sqlite } }), 'config.invoke.historyUrl'],
    ['the same of health', withSignIn({ config: { health: sqlite } }), 'config.health.historyUrl'],
    [
      'rights of its own for callers everywhere',
      { config: { auth: { ...signIn.config.auth, authorizer: 'roles' } } },
      'namespaces is required',
    ],
    ['a misspelled value', withSignIn({ replica: 3 }), 'replica'],
    ['a misspelled setting of a module', withSignIn({ config: { gateways: { domian: 'x.org' } } }), 'domian'],
    ['a drain that would outlast the grace period', withSignIn({ drainMs: 20_000 }), 'drainMs'],
  ];
  test.each(cases)('%s', async (_what, values, words) => {
    expect(await refusal(values)).toContain(words);
  });

  test('but one replica may have a file, and several a database', async () => {
    const one = { autoscaling: { enabled: false }, replicas: 1 };
    await rendered(withSignIn({ ...one, config: { invoke: sqlite } }));
    const manifests = await rendered(withSignIn({ historySecret: { name: 'database' } }));
    expect(JSON.stringify(only(manifests, 'Deployment'))).toContain(
      '{"name":"SLIPWAY_INVOKE_HISTORY_URL","valueFrom":{"secretKeyRef":{"name":"database","key":"url"}}}',
    );
  });

  test('and in the roles mode it grants the rights of callers, and no impersonation', async () => {
    const roles = rolesOf(
      await rendered({ namespaces: ['lab'], config: { auth: { ...signIn.config.auth, authorizer: 'roles' } } }),
    );
    expect(roles['slipway']?.some(({ resources }) => resources.includes('secrets'))).toBe(true);
    expect(JSON.stringify(roles)).not.toContain('impersonate');
    expect(JSON.stringify(rolesOf(await rendered()))).not.toContain('secrets');
  });
});
