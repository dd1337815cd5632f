import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import { printManifests } from '../../src/commands/manifests.ts';
import { createKubectl } from '../cluster/kubectl.ts';
import { type ServerProcess, readyServer, resultOf } from '../commands/process.ts';
import { createAuthority } from '../k8s/certificates.ts';
import { type Issuer, audience, startIssuer } from '../modules/auth/issuer.ts';
import type { Manifest } from './helm.ts';
import { type Builder, type Image, baseOf, buildStandIn, createBuilder } from './image/builder.ts';
import { type ContainerOptions, type PodSpec, startContainer } from './image/container.ts';

const { kubectl: program, kubeconfig } = inject('deploy');
const namespace = 'of-image';
const tag = 'localhost/slipway:test';
const kubectl = createKubectl(program, kubeconfig, namespace);

/** A Pod has a network of its own; here ports are shared, and nothing else than this machine may reach them. */
const onLoopback = {
  SLIPWAY_HOST: '127.0.0.1',
  SLIPWAY_PORT: '0',
  SLIPWAY_METRICS_HOST: '127.0.0.1',
  SLIPWAY_METRICS_PORT: '0',
};

const authority = createAuthority();

let builder: Builder;
let image: Image;
let issuer: Issuer;
let environment: Record<string, string>;
let manifests: string;
let pod: PodSpec;

beforeAll(async () => {
  issuer = await startIssuer(Date.now, authority.forServer());
  environment = {
    SLIPWAY_AUTH_ISSUER: issuer.url,
    SLIPWAY_AUTH_AUDIENCE: audience,
    SLIPWAY_INVOKE_HISTORY_URL: 'off',
    SLIPWAY_HEALTH_HISTORY_URL: 'off',
  };
  manifests = await printManifests(environment, { image: tag, namespace });
  pod = (object('Deployment').spec as { template: { spec: PodSpec } }).template.spec;
  builder = await createBuilder();
  await buildStandIn(builder, await baseOf('Dockerfile'));
  await builder.build(tag, '.');
  image = await builder.open(tag);
}, 900_000);
afterAll(async () => {
  await builder?.close();
  await issuer?.close();
});

function object(kind: string): Manifest {
  const found = manifests.split('---\n').map((one) => parse(one) as Manifest | null);
  const [first] = found.filter((one) => one?.kind === kind);
  if (!first) throw new Error(`there is no ${kind}`);
  return first;
}

const start = (options: Partial<ContainerOptions>) =>
  startContainer({ image, pod, folder: builder.folder, ...options });

/** What the Pod finds in its cluster. */
async function inCluster(): Promise<Partial<ContainerOptions>> {
  const { clusters } = parse(await readFile(kubeconfig, 'utf8')) as {
    clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
  };
  const { server, 'certificate-authority-data': ca } = clusters[0].cluster;
  return {
    env: {
      ...onLoopback,
      KUBERNETES_SERVICE_HOST: new URL(server).hostname,
      KUBERNETES_SERVICE_PORT: new URL(server).port,
      NODE_EXTRA_CA_CERTS: '/etc/idp/ca.crt',
    },
    files: {
      '/var/run/secrets/kubernetes.io/serviceaccount': {
        token: (await kubectl.output('create token slipway')).trim(),
        'ca.crt': Buffer.from(ca, 'base64').toString(),
        namespace,
      },
      '/etc/slipway': object('ConfigMap').data ?? {},
      '/etc/idp': { 'ca.crt': authority.cert },
    },
  };
}

async function probe(server: ServerProcess, kind: 'startupProbe' | 'readinessProbe') {
  const path = pod.containers[0]?.[kind].httpGet.path ?? '';
  return (await fetch(new URL(path, server.ready.graphql))).status;
}

async function ask(server: ServerProcess, query: string, headers: Record<string, string> = {}): Promise<unknown> {
  const response = await fetch(server.ready.graphql, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  });
  return ((await response.json()) as { data: unknown }).data;
}

describe('the image', () => {
  test('holds Node, its libraries and Slipway: no shell, nothing that installs, nothing of a build', async () => {
    const files = await readdir(image.root, { recursive: true, withFileTypes: true });
    const paths = files
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name).slice(image.root.length));
    const programs = paths.filter((path) => /\/s?bin\//.test(path) && !path.startsWith('/app/'));
    expect(programs).toEqual(['/usr/local/bin/node']);
    expect(paths.filter((path) => /\.([cm]?ts|map)$|npmrc/.test(path))).toEqual([]);
    expect((await readdir(image.root)).sort()).toEqual(['app', 'data', 'etc', 'lib', 'lib64', 'tmp', 'usr', 'var']);
    expect((await readdir(join(image.root, 'app'))).sort()).toEqual(['LICENSE', 'dist', 'node_modules']);
  });

  test('has the packages of the lockfile that are not for development', async () => {
    const { packages } = JSON.parse(await readFile('package-lock.json', 'utf8')) as {
      packages: Record<string, { dev?: boolean; link?: boolean }>;
    };
    const installed = Object.keys(
      JSON.parse(await readFile(join(image.root, 'app/node_modules/.package-lock.json'), 'utf8')).packages,
    ).filter((path) => path.startsWith('node_modules/'));
    const wanted = Object.keys(packages).filter(
      (path) => path.startsWith('node_modules/') && !packages[path]?.dev && !packages[path]?.link,
    );
    expect(installed.sort()).toEqual(wanted.sort());
  });
});

describe('a container of it', () => {
  test('has no rights, a root that can not be written, and names', async () => {
    const script = `
      const { lookup } = require('node:dns');
      const { readFileSync, writeFileSync } = require('node:fs');
      const write = (path) => { try { writeFileSync(path, ''); return 'written'; } catch ({ code }) { return code; } };
      const status = Object.fromEntries(readFileSync('/proc/self/status', 'utf8').split('\\n').map((line) => line.split(/:\\s+/)));
      const { Uid, Gid, CapEff, CapBnd, NoNewPrivs } = status;
      lookup('localhost', (error, address) => console.log(JSON.stringify({
        user: [Uid, Gid], rights: [CapEff, CapBnd, NoNewPrivs], written: ['/app/a', '/tmp/a', '/data/a'].map(write), address,
      })));`;
    const { stdout } = await resultOf(await start({ entrypoint: ['node', '-e', script] }));
    const [user, none] = [['1000', '1000', '1000', '1000'].join('\t'), '0'.repeat(16)];
    expect(JSON.parse(stdout)).toEqual({
      user: [user, user],
      rights: [none, none, '1'],
      written: ['EROFS', 'EROFS', 'written'],
      address: '127.0.0.1',
    });
    expect(image.config.User).toBe('1000:1000');
  });

  test('prints the manifests that run it', async () => {
    const args = ['manifests', '--image', tag, '--namespace', namespace];
    expect(await resultOf(await start({ pod: outside(), args, env: environment }))).toEqual({
      ...{ code: 0, stderr: '' },
      stdout: manifests,
    });
  });

  test('finds only a Gateway missing where they are applied', async () => {
    const { code, error } = await kubectl.run('apply --filename -', manifests);
    expect([code, error]).toEqual([0, '']);
    const { code: problems, stdout } = await resultOf(await start({ ...(await inCluster()), args: ['check'] }));
    expect(stdout).toContain('MISSING   gateways: no Gateway serves by default');
    expect([problems, stdout.match(/MISSING/g)]).toEqual([1, ['MISSING']]);
  });

  test('serves there, as its Pod, and ends in order', async () => {
    await using server = await readyServer(await start(await inCluster()));
    expect([await probe(server, 'startupProbe'), await probe(server, 'readinessProbe')]).toEqual([200, 200]);
    const query = '{ cluster { mode freshness } serviceRuns { nodes { id } } }';
    expect(await ask(server, query, { authorization: `Bearer ${await issuer.sign()}` })).toEqual({
      cluster: { mode: 'IN_CLUSTER', freshness: 'FRESH' },
      serviceRuns: { nodes: [] },
    });
    expect(await (await fetch(server.ready.metrics ?? '')).text()).toContain('slipway_watches_down');
    await server.end();
    expect(await server.ended).toBe(0);
  });

  test('runs an embedded cluster too, with its programs, threads and files', async () => {
    const env = {
      ...onLoopback,
      SLIPWAY_CLUSTER: 'embedded',
      SLIPWAY_EMBEDDED_API_PORT: '0',
      SLIPWAY_GATEWAY_PORT: '0',
    };
    await using server = await readyServer(await start({ pod: outside(), env }));
    const found = await ask(server, '{ serviceRuns(filter: { search: "echo" }) { nodes { id } } }');
    const [run] = (found as { serviceRuns: { nodes: { id: string }[] } }).serviceRuns.nodes;
    const call = `mutation { invokeService(input: { id: "${run?.id}", method: GET, path: "/" }) { invocation { outcome } } }`;
    await expect.poll(() => ask(server, call)).toEqual({ invokeService: { invocation: { outcome: 'COMPLETED' } } });
    expect(await ask(server, '{ invocations(first: 1) { nodes { outcome } } }')).toEqual({
      invocations: { nodes: [{ outcome: 'COMPLETED' }] },
    });
    await server.end();
    expect(await server.ended).toBe(0);
  });

  test('takes a module of others from an image on top of it', async () => {
    const context = join(builder.folder, 'context');
    await mkdir(join(context, 'slipway-cost'), { recursive: true });
    const source = await readFile('test/fixtures/third-party/index.ts', 'utf8');
    const manifest = await readFile('test/fixtures/third-party/package.json', 'utf8');
    await writeFile(join(context, 'slipway-cost/index.js'), stripTypeScriptTypes(source));
    await writeFile(join(context, 'slipway-cost/package.json'), manifest.replace('index.ts', 'index.js'));
    await writeFile(
      join(context, 'Dockerfile'),
      `FROM ${tag}\nCOPY slipway-cost /app/node_modules/@acme/slipway-cost\n`,
    );
    await builder.build('localhost/slipway-cost:test', context);
    const options = {
      image: await builder.open('localhost/slipway-cost:test'),
      args: ['schema'],
      files: { '/etc/slipway': { 'slipway.yaml': 'modules: [runs, "@acme/slipway-cost"]\n' } },
    };
    const { code, stdout } = await resultOf(await start(options));
    expect([code, stdout]).toEqual([0, expect.stringContaining('costPerHour: Float')]);
  });
});

/** The Pod's security and files, without its settings. */
function outside(): PodSpec {
  return { ...pod, containers: pod.containers.map((container) => ({ ...container, env: [] })) };
}
