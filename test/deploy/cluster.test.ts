import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { checkCluster } from '../../src/commands/check.ts';
import { printManifests } from '../../src/commands/manifests.ts';
import { createKubectl } from '../cluster/kubectl.ts';
import { serverEnvironment, startProcess } from '../commands/process.ts';
import { type Manifest, render, signIn } from './helm.ts';

const { helm, kubectl: program, kubeconfig } = inject('deploy');
const kubectl = createKubectl(program, kubeconfig, 'slipway');
const environment = {
  SLIPWAY_AUTH_ISSUER: 'https://idp.example.org',
  SLIPWAY_AUTH_AUDIENCE: 'slipway',
  SLIPWAY_INVOKE_HISTORY_URL: 'off',
  SLIPWAY_HEALTH_HISTORY_URL: 'off',
  SLIPWAY_GATEWAYS_PARENT: 'slipway/public',
};
const identity = 'system:serviceaccount:slipway:slipway';
const check = () =>
  checkCluster({ ...environment, SLIPWAY_CLUSTER: 'kubeconfig', KUBECONFIG: kubeconfig }, { as: identity });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-deploy-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('before anything is applied, the check says what is missing', async () => {
  const { text, problems } = await check();
  expect(text).toContain('MISSING   runs: no right to get, list, watch deployments.apps;');
  expect(text).toContain(
    'MISSING   auth: no right to create subjectaccessreviews.authorization.k8s.io; impersonate users;',
  );
  expect(problems).toBe(3);
});

test('what `slipway manifests` prints is applied as it is', async () => {
  const { code, error } = await kubectl.run('apply --filename -', await printManifests(environment, {}));
  expect([code, error]).toEqual([0, '']);
  expect(await kubectl.output('get deployment slipway --output jsonpath={.spec.replicas}')).toBe('2');
});

test('its Pods are admitted where the Pod Security Standard `restricted` is enforced', async () => {
  const deployment = JSON.parse(await kubectl.output('get deployment slipway --output json')) as {
    spec: { template: { metadata: object; spec: object } };
  };
  const { metadata, spec } = deployment.spec.template;
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'trial' }, spec };
  const { code, error } = await kubectl.run('create --dry-run=server --filename -', stringify(pod));
  expect([code, error]).toEqual([0, '']);
  const root = { ...spec, securityContext: {} };
  const refused = await kubectl.run('create --dry-run=server --filename -', stringify({ ...pod, spec: root }));
  expect(refused.error).toContain('violates PodSecurity "restricted');
});

test('then only the Gateway is missing, and what it grants is nothing more', async () => {
  const { text, problems } = await check();
  expect(text).toContain('there is no Gateway public in the namespace slipway');
  expect(problems).toBe(1);
  const may = async (right: string) => (await kubectl.run(`auth can-i ${right} --as ${identity}`)).output.trim();
  expect(await may('list pods --all-namespaces')).toBe('yes');
  for (const right of [
    'list secrets --all-namespaces',
    'get secrets',
    'create pods',
    'create deployments',
    'create pods/exec',
    'get nodes',
    'update clusterroles',
    'impersonate serviceaccounts',
  ]) {
    expect([right, await may(right)]).toEqual([right, 'no']);
  }
});

test('a server with that identity lists everything it watches', async () => {
  const token = (await kubectl.output('create token slipway')).trim();
  const admin = parse(await readFile(kubeconfig, 'utf8')) as { users: { name: string; user: object }[] };
  const own = join(folder, 'kubeconfig');
  await writeFile(own, stringify({ ...admin, users: admin.users.map(({ name }) => ({ name, user: { token } })) }));
  await using server = await startProcess(
    serverEnvironment(join(folder, 'data'), {
      SLIPWAY_CLUSTER: 'kubeconfig',
      KUBECONFIG: own,
      SLIPWAY_METRICS_PORT: '0',
      SLIPWAY_LOG_LEVEL: 'info',
    }),
  );
  const ready = await fetch(new URL('/readyz', server.ready.graphql));
  expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining('"status":"ok"')]);
  const down = async () => {
    const text = await (await fetch(server.ready.metrics ?? '')).text();
    return [...text.matchAll(/^slipway_watches_down\{resource="([^"]+)"\} 1$/gm)].map(([, resource]) => resource);
  };
  await expect.poll(down).toEqual([]);
  await server.end();
});

test('what the chart renders is taken too, every kind of it that the cluster serves', async () => {
  const values = {
    ...signIn,
    fullnameOverride: 'other',
    httpRoute: { enabled: true, parentRefs: [{ name: 'public' }], hostnames: ['slipway.example.org'] },
    namespaces: ['slipway'],
  };
  const { manifests } = await render(helm, values);
  const text = manifests.map((manifest: Manifest) => stringify(manifest)).join('---\n');
  const { code, error } = await kubectl.run('apply --server-side --dry-run=server --filename -', text);
  expect([code, error]).toEqual([0, '']);
});
