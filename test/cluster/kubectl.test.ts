import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { type EmbeddedCluster, startEmbedded } from '../../src/k8s/embedded/index.ts';
import { createLog } from '../../src/log.ts';
import { createKubectl, type Kubectl } from './kubectl.ts';

/** kubectl is the client most people have: each call gives the same on the embedded cluster as on a real one. */
describe.each(['embedded', 'real'] as const)('kubectl on the %s cluster', (which) => {
  const { kubectl: program, kubeconfig } = inject('cluster');
  const namespace = `kubectl-${which}-${Date.now().toString(36)}`;
  let embedded: EmbeddedCluster | undefined;
  let dataDir = '';
  let kubectl: Kubectl;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'slipway-kubectl-'));
    if (which === 'embedded') {
      const log = createLog(process.env['SLIPWAY_TEST_LOG'] ?? 'silent');
      const options = {
        dataDir,
        apiPort: 0,
        gatewayPort: 0,
        demo: false,
        namespace: 'default',
        clock: systemClock,
        log,
      };
      embedded = await startEmbedded(options);
    }
    kubectl = createKubectl(program, embedded?.kubeconfig ?? kubeconfig, namespace);
    await kubectl.output(`create namespace ${namespace}`);
  });
  afterAll(async () => {
    await kubectl.output(`delete namespace ${namespace} --wait=false`);
    await embedded?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  // An image that the embedded cluster runs; the stand-in kubelet of the real one takes any.
  const manifests = (version: string, host = 'a.example') => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web, version: ${version} } }
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{ name: main, image: slipway.dev/demo/echo, ports: [{ containerPort: 8080 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec: { hostnames: [${host}], rules: [{ backendRefs: [{ name: web, port: 80 }] }] }
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: { name: web }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: web }]
  basicAuth: { users: { name: users } }
`;
  const names = [
    'deployment.apps/web',
    'service/web',
    'httproute.gateway.networking.k8s.io/web',
    'securitypolicy.gateway.envoyproxy.io/web',
  ];
  const each = (word: string) => `${names.map((name) => `${name} ${word}`).join('\n')}\n`;
  const sorted = (text: string) => text.trim().split('\n').toSorted();

  it('creates on the server without keeping anything', async () => {
    expect(await kubectl.output('create -f - --dry-run=server', manifests('one'))).toBe(
      each('created (server dry run)'),
    );
    expect((await kubectl.run('get deployment web')).error).toBe(
      'Error from server (NotFound): deployments.apps "web" not found\n',
    );
  });

  it('applies, and applies changes', async () => {
    expect(await kubectl.output('apply -f -', manifests('one'))).toBe(each('created'));
    expect(await kubectl.output('apply -f -', manifests('one', 'b.example'))).toBe(
      `${names[0]} unchanged\n${names[1]} unchanged\n${names[2]} configured\n${names[3]} unchanged\n`,
    );
    expect(await kubectl.output(`get httproute web -o 'jsonpath={.spec.hostnames}'`)).toBe('["b.example"]');
  });

  it('waits for a rollout', async () => {
    expect(await kubectl.output('rollout status deployment/web --timeout=240s')).toContain(
      'deployment "web" successfully rolled out',
    );
    expect(await kubectl.output('wait --for=condition=Available deployment/web --timeout=240s')).toBe(
      'deployment.apps/web condition met\n',
    );
  });

  it('lists several kinds, by label, in each form', async () => {
    const kinds = 'deployments,services,httproutes,securitypolicies';
    expect(sorted(await kubectl.output(`get ${kinds} -o name`))).toEqual(names.toSorted());
    expect(await kubectl.output('get deployments -l app=web,missing!=x')).toMatch(
      /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +1\/1 +1 +1 +\w+\n$/,
    );
    expect(await kubectl.output('get deployments -o wide')).toMatch(
      /CONTAINERS +IMAGES +SELECTOR\nweb .* main +slipway\.dev\/demo\/echo +app=web\n$/,
    );
    expect(await kubectl.output('get services web -o yaml')).toContain('kind: Service\n');
    expect(JSON.parse(await kubectl.output('get httproutes -o json'))).toMatchObject({
      kind: 'List',
      items: [{ kind: 'HTTPRoute', spec: { hostnames: ['b.example'] } }],
    });
    expect(await kubectl.output('get pods -l app=web --field-selector=status.phase=Running -o name')).toMatch(
      /^pod\/web-/,
    );
  });

  it('watches', async () => {
    await using watch = kubectl.follow('get httproutes web -w --output-watch-events');
    expect(await watch.next()).toMatch(/^EVENT +NAME +HOSTNAMES +AGE$/);
    expect(await watch.next()).toMatch(/^ADDED +web +\["b.example"\]/);
    await kubectl.output(`patch httproute web --type=merge -p '{"spec":{"hostnames":["c.example"]}}'`);
    expect(await watch.next()).toMatch(/^MODIFIED +web +\["c.example"\]/);
  });

  it('applies on the server, names conflicts, and takes fields over', async () => {
    const { code, error } = await kubectl.run(
      'apply --server-side -f - --field-manager=other',
      manifests('two', 'd.example'),
    );
    expect(code).toBe(1);
    expect(error).toContain(
      'conflict with "kubectl-client-side-apply" using apps/v1: .spec.template.metadata.labels.version',
    );
    expect(error).toContain('conflicts with "kubectl-patch" using gateway.networking.k8s.io/v1:\n- .spec.hostnames\n');
    const forced = await kubectl.output('apply --server-side -f - --force-conflicts', manifests('two', 'd.example'));
    expect(forced).toBe(each('serverside-applied'));
    await kubectl.output('rollout status deployment/web --timeout=240s');
  });

  it('patches as an editor does', async () => {
    const patch = '{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"A","value":"1"}]}]}}}}';
    expect(await kubectl.output(`patch deployment web -p '${patch}'`)).toBe('deployment.apps/web patched\n');
    expect(await kubectl.output('set env deployment/web A=2')).toBe('deployment.apps/web env updated\n');
    const value = `get deployment web -o 'jsonpath={.spec.template.spec.containers[0].env[0].value}'`;
    expect(await kubectl.output(value)).toBe('2');
    const refused = await kubectl.run(`patch httproute web --type=merge -p '{"spec":{"hostnames":["A"]}}'`);
    expect(refused.error).toMatch(/^The HTTPRoute "web" is invalid: spec\.hostnames\[0\]: Invalid value: "A"/);
  });

  it('scales, labels and annotates', async () => {
    expect(await kubectl.output('scale deployment web --replicas=2')).toBe('deployment.apps/web scaled\n');
    await kubectl.output('rollout status deployment/web --timeout=240s');
    expect((await kubectl.run('scale deployment web --replicas=0 --current-replicas=5')).error).toBe(
      'error: Expected replicas to be 5, was 2\n',
    );
    expect(await kubectl.output('label deployment web tier=front')).toBe('deployment.apps/web labeled\n');
    expect((await kubectl.run('label deployment web tier=back')).error).toBe(
      "error: 'tier' already has a value (front), and --overwrite is false\n",
    );
    expect(await kubectl.output('label deployment web tier-')).toBe('deployment.apps/web unlabeled\n');
    expect(await kubectl.output('annotate service web note=hi')).toBe('service/web annotated\n');
  });

  it('creates ConfigMaps, Secrets and workloads from its own arguments', async () => {
    expect(await kubectl.output('create configmap settings --from-literal=a=1')).toBe('configmap/settings created\n');
    expect(await kubectl.output('create secret generic users --from-literal=.htpasswd=x')).toBe(
      'secret/users created\n',
    );
    expect(await kubectl.output(`get secret users -o 'jsonpath={.data.\\.htpasswd}'`)).toBe('eA==');
    expect(await kubectl.output('create deployment more --image=web:1 --port=80 --replicas=0')).toBe(
      'deployment.apps/more created\n',
    );
    expect(await kubectl.output('create service clusterip more --tcp=80:8080')).toBe('service/more created\n');
    expect((await kubectl.run('create configmap settings')).error).toBe(
      'error: failed to create configmap: configmaps "settings" already exists\n',
    );
    expect(await kubectl.output('auth can-i create deployments')).toBe('yes\n');
  });

  it('describes', async () => {
    const text = await kubectl.output('describe deployment web');
    expect(text).toMatch(/^Name: +web\n/);
    expect(text).toMatch(/Replicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable/);
    expect(text).toContain('ScalingReplicaSet');
    expect(await kubectl.output('describe httproute web')).toMatch(/Hostnames:\n +d\.example/);
    expect(await kubectl.output('describe pods -l app=web')).toMatch(/Status: +Running/);
  });

  it('explains', async () => {
    expect(await kubectl.output('explain deployment.spec.replicas')).toMatch(/FIELD: replicas <integer>/);
    expect(await kubectl.output('explain httproute.spec.hostnames')).toMatch(/GROUP: +gateway\.networking\.k8s\.io/);
    expect((await kubectl.run('explain deployment.spec.replcas')).error).toBe(
      'error: field "replcas" does not exist\n',
    );
  });

  it('names the resources', async () => {
    const resources = (await kubectl.output('api-resources --no-headers -o wide')).split('\n');
    for (const [plural, short, kind] of [
      ['deployments', 'deploy', 'Deployment'],
      ['services', 'svc', 'Service'],
      ['gateways', 'gtw', 'Gateway'],
      ['securitypolicies', 'sp', 'SecurityPolicy'],
    ]) {
      const line = resources.find((each) => each.startsWith(`${plural} `));
      expect(line?.split(/ +/).slice(1, 5)).toEqual([short, expect.any(String), 'true', kind]);
    }
  });

  it('deletes what a manifest names, and waits for the end of it', async () => {
    const deleted = await kubectl.output('delete -f - --timeout=240s', manifests('two'));
    expect(deleted.replaceAll(` from ${namespace} namespace`, '')).toBe(
      `${names.map((name) => `${name.replace('/', ' "')}" deleted`).join('\n')}\n`,
    );
    await kubectl.output('wait --for=delete pods -l app=web --timeout=240s');
    expect((await kubectl.run('get pods -l app=web')).error).toBe(`No resources found in ${namespace} namespace.\n`);
  });
});
