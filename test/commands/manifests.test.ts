import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { loadModules } from '../../src/commands/load-modules.ts';
import { printManifests } from '../../src/commands/manifests.ts';
import { readSettings } from '../../src/config.ts';
import { type Deployment, deployments, type Service, services } from '../../src/k8s/resources.ts';
import type { PolicyRule } from '../../src/module.ts';
import { planModules } from '../../src/registry.ts';
import { startTestServer } from '../../src/testing.ts';
import { runCommand } from './process.ts';

const environment = {
  SLIPWAY_AUTH_ISSUER: 'https://idp.example.org',
  SLIPWAY_AUTH_AUDIENCE: 'slipway',
  SLIPWAY_INVOKE_HISTORY_URL: 'off',
  SLIPWAY_HEALTH_HISTORY_URL: 'off',
};

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  rules?: PolicyRule[];
  data?: Record<string, string>;
  spec?: unknown;
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-manifests-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const print = async (extra: Record<string, string> = {}, options = {}): Promise<Manifest[]> =>
  parseAllDocuments(await printManifests({ ...environment, ...extra }, options))
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);

const named = (manifests: readonly Manifest[], kind: string) => manifests.filter((manifest) => manifest.kind === kind);
const only = (manifests: readonly Manifest[], kind: string): Manifest => {
  const [found] = named(manifests, kind);
  if (!found) throw new Error(`there is no ${kind}`);
  return found;
};
const deploymentOf = (manifests: readonly Manifest[]) => only(manifests, 'Deployment') as Deployment;
const rulesOf = (manifests: readonly Manifest[]): PolicyRule[] =>
  named(manifests, 'ClusterRole').flatMap(({ rules = [] }) => rules);

async function configFile(text: string): Promise<Record<string, string>> {
  const file = join(folder, 'slipway.yaml');
  await writeFile(file, text);
  return { SLIPWAY_CONFIG: file };
}

describe('slipway manifests', () => {
  test('prints YAML for kubectl apply: the namespace first, the Deployment last', async () => {
    const { stdout, code } = await runCommand(['manifests'], { PATH: '', ...environment });
    const kinds = parseAllDocuments(stdout).map((document) => (document.toJS() as Manifest | null)?.kind);
    expect(code).toBe(0);
    expect(kinds.filter(Boolean)).toEqual([
      'Namespace',
      'ServiceAccount',
      'ClusterRole',
      'ClusterRoleBinding',
      'ClusterRole',
      'ClusterRoleBinding',
      'ConfigMap',
      'NetworkPolicy',
      'Service',
      'PodDisruptionBudget',
      'Deployment',
    ]);
  });

  test('its Deployment and Service are what an API server takes, with no unknown field', async () => {
    const manifests = await print({}, { namespace: 'default' });
    await using server = await startTestServer({ modules: [] });
    const deployment = await server.kube.create(deployments, deploymentOf(manifests), {
      dryRun: true,
    });
    expect(deployment.spec.replicas).toBe(2);
    await server.kube.create(services, only(manifests, 'Service') as Service, { dryRun: true });
  });

  test('its Pods pass the Pod Security Standard `restricted`, with a read-only root', async () => {
    const { spec } = deploymentOf(await print()).spec.template;
    expect(spec).toMatchObject({
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(spec).not.toHaveProperty('hostNetwork');
    for (const container of spec.containers) {
      expect(container).toMatchObject({
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        resources: { limits: { memory: '512Mi' }, requests: { memory: '192Mi' } },
        livenessProbe: { httpGet: { path: '/livez' } },
        readinessProbe: { httpGet: { path: '/readyz' } },
      });
    }
    const volumes = [
      { name: 'config', configMap: { name: 'slipway' } },
      { name: 'data', emptyDir: { sizeLimit: '256Mi' } },
    ];
    expect(spec).toHaveProperty('volumes', volumes);
  });

  test('a server reads from them the configuration they were made with', async () => {
    const manifests = await print({ SLIPWAY_GATEWAYS_PARENT: 'infra/public', SLIPWAY_NAMESPACES: 'lab,shop' });
    const file = await configFile(only(manifests, 'ConfigMap').data?.['slipway.yaml'] ?? '');
    const [container] = deploymentOf(manifests).spec.template.spec.containers;
    const given = Object.fromEntries((container?.env ?? []).map(({ name, value = '' }) => [name, value]));
    const settings = readSettings({ ...given, ...file });
    const { modules, config } = await loadModules(settings, { ...given, ...file });
    const plan = await planModules(modules, config);
    const configOf = (name: string) => plan.modules.find(({ module }) => module.name === name)?.config;
    expect(settings).toMatchObject({ SLIPWAY_CLUSTER: 'in-cluster', SLIPWAY_NAMESPACES: ['lab', 'shop'] });
    expect(configOf('auth')).toMatchObject({ issuer: 'https://idp.example.org', audience: ['slipway'] });
    expect(configOf('gateways')).toMatchObject({ parent: 'infra/public' });
    expect(configOf('invoke')).toMatchObject({ historyUrl: 'off' });
  });
});

describe('the rights in them', () => {
  test('are those of the committed snapshot', async () => {
    const snapshot = parse(await readFile('deploy/rbac.yaml', 'utf8')) as Record<string, PolicyRule[]>;
    const roles = Object.fromEntries(
      named(await print(), 'ClusterRole').map(({ metadata, rules }) => [metadata.name, rules]),
    );
    expect(roles).toEqual({ slipway: snapshot['namespaced'], 'slipway-cluster': snapshot['cluster'] });
  });

  test('have no wildcard, no Secrets, and nothing that leads to further rights', async () => {
    const rules = rulesOf(await print());
    const all = rules.flatMap(({ apiGroups, resources, verbs }) => [...apiGroups, ...resources, ...verbs]);
    for (const word of ['*', 'secrets', 'nodes/proxy', 'pods/exec', 'pods/attach', 'escalate', 'bind', 'approve']) {
      expect(all).not.toContain(word);
    }
    const impersonated = rules.filter(({ verbs }) => verbs.includes('impersonate')).map(({ resources }) => resources);
    expect(impersonated).toEqual([['users', 'groups']]);
  });

  test('are only those of the enabled modules', async () => {
    const file = await configFile('modules: [auth, runs]\n');
    const groups = rulesOf(await print(file)).flatMap(({ apiGroups }) => apiGroups);
    expect([...new Set(groups)].sort()).toEqual(['', 'apps', 'authorization.k8s.io', 'discovery.k8s.io']);
  });

  test('include what a module of a third party declares', async () => {
    await writeFile(
      join(folder, 'cost.mjs'),
      `const brand = Symbol.for('slipway.module');
       export default {
         [brand]: 1, name: '@acme/cost',
         rbac: [{ apiGroups: ['metrics.k8s.io'], resources: ['pods'], verbs: ['list'] },
                { apiGroups: [''], resources: ['nodes', 'pods'], verbs: ['get'] }],
       };`,
    );
    const file = await configFile(`modules: [auth, runs, "${join(folder, 'cost.mjs')}"]\n`);
    const roles = named(await print(file), 'ClusterRole');
    expect(roles[0]?.rules).toContainEqual({ apiGroups: ['metrics.k8s.io'], resources: ['pods'], verbs: ['list'] });
    expect(roles[0]?.rules).toContainEqual({ apiGroups: [''], resources: ['pods'], verbs: ['get'] });
    expect(roles[1]?.rules).toContainEqual({ apiGroups: [''], resources: ['nodes'], verbs: ['get'] });
  });

  test('are granted in the watched namespaces only, but for kinds without a namespace', async () => {
    const manifests = await print({ SLIPWAY_NAMESPACES: 'lab,shop' });
    const bindings = named(manifests, 'RoleBinding').map(({ metadata }) => metadata.namespace);
    expect(bindings).toEqual(['lab', 'shop']);
    expect(named(manifests, 'ClusterRoleBinding').map(({ metadata }) => metadata.name)).toEqual(['slipway-cluster']);
  });

  test('are those of callers too where roles decide and it acts in their place, in the watched namespaces', async () => {
    const roles = { SLIPWAY_AUTH_AUTHORIZER: 'roles', SLIPWAY_NAMESPACES: 'lab' };
    const rules = rulesOf(await print(roles));
    const secrets = rules.find(({ resources }) => resources.includes('secrets'));
    expect(secrets?.verbs).toContain('create');
    expect(rules.flatMap(({ verbs }) => verbs)).not.toContain('impersonate');
    await expect(print({ ...roles, SLIPWAY_NAMESPACES: '' })).rejects.toThrow('SLIPWAY_NAMESPACES');
  });
});

describe('what is refused', () => {
  test('an installation without sign-in, all problems at once', async () => {
    const { code, stderr } = await runCommand(['manifests', '--replicas', 'two'], { PATH: '' });
    expect(code).toBe(78);
    expect(stderr).toContain('SLIPWAY_AUTH_ISSUER and SLIPWAY_AUTH_AUDIENCE');
    expect(stderr).toContain('--replicas');
  });

  test('several replicas whose history is a file', async () => {
    const file = { SLIPWAY_INVOKE_HISTORY_URL: 'sqlite:history.db' };
    await expect(print(file)).rejects.toThrow('SLIPWAY_INVOKE_HISTORY_URL');
    expect(deploymentOf(await print(file, { replicas: '1' })).spec.replicas).toBe(1);
  });

  test('the password of a database: it is named in a Secret', async () => {
    const url = 'postgres://slipway:hunter2@db/slipway';
    const text = await printManifests({ ...environment, SLIPWAY_INVOKE_HISTORY_URL: url }, {});
    expect(text).not.toContain('hunter2');
    expect(text).toMatch(
      /kubectl --namespace slipway create secret generic slipway --from-literal=invoke-history-url=/,
    );
    const manifests = parseAllDocuments(text).map((document) => document.toJS() as Manifest);
    const [container] = deploymentOf(manifests.filter(Boolean)).spec.template.spec.containers;
    expect(container?.env).toContainEqual({
      name: 'SLIPWAY_INVOKE_HISTORY_URL',
      valueFrom: { secretKeyRef: { name: 'slipway', key: 'invoke-history-url' } },
    });
  });
});
