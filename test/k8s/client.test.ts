import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { createKubeClient } from '../../src/k8s/client.ts';
import { type Deployment, configMaps, deployments, namespaces, pods } from '../../src/k8s/resources.ts';
import { createTransport } from '../../src/k8s/transport.ts';
import { type Answer, linesOf, ok, startHttpServer } from './http-world.ts';

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'a/b', namespace: 'lab', managedFields: [] },
  spec: { replicas: 2 },
} as unknown as Deployment;

/** A client whose every request gets this answer, and what it sent. */
async function startClient(answer: Answer = ok({ kind: 'Deployment', metadata: { name: 'a' } })) {
  const server = await startHttpServer(answer);
  const transport = createTransport({ url: server.url });
  return {
    client: createKubeClient(transport),
    as: createKubeClient(transport, { user: 'oidc:alice', groups: ['oidc:dev'] }),
    server,
    /** `METHOD path?query` of each request. */
    sent: () => server.received.map(({ method, path }) => `${method} ${decodeURIComponent(path)}`),
    async [Symbol.asyncDispose]() {
      await transport.close();
      await server.close();
    },
  };
}

const fields = 'fieldManager=slipway&fieldValidation=Strict';
const path = '/apis/apps/v1/namespaces/lab/deployments';

describe('a client', () => {
  test('reads an object, of a namespace, of all, or of a kind without', async () => {
    await using world = await startClient();
    await world.client.get(deployments, 'a/b', 'lab');
    await world.client.get(namespaces, 'lab', 'ignored');
    await world.client.get(pods, 'p', 'lab');
    expect(world.sent()).toEqual([
      `GET ${path}/a/b`,
      'GET /api/v1/namespaces/lab',
      'GET /api/v1/namespaces/lab/pods/p',
    ]);
    expect(world.server.received[0]?.path).toBe(`${path}/a%2Fb`);
  });

  test('lists with selectors and pages, and gives each item its kind', async () => {
    const metadata = { resourceVersion: '7', continue: 'more' };
    await using world = await startClient(
      ok({ kind: 'DeploymentList', metadata, items: [{ metadata: { name: 'a' } }] }),
    );
    const options = { namespace: 'lab', labelSelector: 'a=b', fieldSelector: 'c=d', limit: 5, continue: 'x' };
    expect(await world.client.list(deployments, options)).toEqual({
      metadata,
      items: [{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' } }],
    });
    expect(world.sent()).toEqual([`GET ${path}?labelSelector=a=b&fieldSelector=c=d&limit=5&continue=x`]);
  });

  test('takes a list without items for an empty one, as servers in Go write it', async () => {
    await using world = await startClient(ok({ kind: 'PodList', metadata: { resourceVersion: '7' }, items: null }));
    expect((await world.client.list(pods)).items).toEqual([]);
  });

  test.for([{}, { items: [] }, { metadata: { resourceVersion: '1' } }, { metadata: {}, items: [] }])(
    'refuses %j as a list',
    async (answer) => {
      await using world = await startClient(ok(answer));
      await expect(world.client.list(pods)).rejects.toMatchObject({ status: 0, reason: 'BadAnswer' });
    },
  );

  test('writes strictly, under its own name, and without storing when it is a dry run', async () => {
    await using world = await startClient();
    const { client } = world;
    await client.create(deployments, deployment);
    await client.create(deployments, deployment, { dryRun: true, fieldManager: 'other' });
    await client.replace(deployments, deployment, { subresource: 'scale' });
    await client.patch(deployments, 'a', 'lab', { spec: { replicas: 3 } });
    await client.patch(deployments, 'a', 'lab', [{ op: 'remove', path: '/spec' }], { subresource: 'status' });
    await client.apply(deployments, deployment);
    expect(world.sent()).toEqual([
      `POST ${path}?${fields}`,
      `POST ${path}?fieldManager=other&fieldValidation=Strict&dryRun=All`,
      `PUT ${path}/a/b/scale?${fields}`,
      `PATCH ${path}/a?${fields}`,
      `PATCH ${path}/a/status?${fields}`,
      `PATCH ${path}/a/b?${fields}`,
    ]);
    expect(world.server.received.slice(3).map((request) => linesOf(request, 'content-type').join())).toEqual([
      'application/merge-patch+json',
      'application/json-patch+json',
      'application/apply-patch+yaml',
    ]);
  });

  test('applies without the managed fields, which a server refuses, and never by force', async () => {
    await using world = await startClient();
    await world.client.apply(configMaps, {
      metadata: { name: 'a', namespace: 'lab', managedFields: [] },
      data: { a: 'b' },
    });
    const [request] = world.server.received;
    expect(JSON.parse(request?.body ?? '')).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a', namespace: 'lab' },
      data: { a: 'b' },
    });
    expect(request?.path).not.toContain('force');
  });

  test('deletes under conditions, and gives what was there when the server only says that it is done', async () => {
    await using world = await startClient((request, response) =>
      ok(request.method === 'GET' ? { kind: 'Deployment', metadata: { name: 'a', uid: '1' } } : { kind: 'Status' })(
        request,
        response,
      ),
    );
    const preconditions = { uid: '1', resourceVersion: '5' };
    const gone = await world.client.delete(deployments, 'a', 'lab', {
      ...{ preconditions, propagationPolicy: 'Foreground', gracePeriodSeconds: 0, dryRun: true },
    });
    expect(gone).toMatchObject({ kind: 'Deployment', metadata: { uid: '1' } });
    expect(JSON.parse(world.server.received[1]?.body ?? '')).toEqual({
      ...{ apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Foreground', preconditions },
      ...{ gracePeriodSeconds: 0, dryRun: ['All'] },
    });
  });

  test('streams logs', async () => {
    await using world = await startClient((_, response) => void response.writeHead(200).end('one\ntwo\n'));
    const options = {
      container: 'main',
      previous: true,
      tailLines: 5,
      sinceTime: '2026-01-01T00:00:00Z',
      follow: true,
      timestamps: true,
    };
    expect(await text(await world.client.podLogs('p', 'lab', options))).toBe('one\ntwo\n');
    expect(world.sent()).toEqual([
      'GET /api/v1/namespaces/lab/pods/p/log?container=main&previous=true&tailLines=5&sinceTime=2026-01-01T00:00:00Z&follow=true&timestamps=true',
    ]);
  });

  test('acts as whom it was made for, in everything', async () => {
    await using world = await startClient((request, response) =>
      ok(
        request.path.endsWith('/deployments')
          ? { metadata: { resourceVersion: '1' }, items: [] }
          : { kind: 'Deployment' },
      )(request, response),
    );
    const { as } = world;
    await as.get(deployments, 'a', 'lab');
    await as.list(deployments);
    await as.create(deployments, deployment);
    await as.replace(deployments, deployment);
    await as.apply(deployments, deployment);
    await as.patch(deployments, 'a', 'lab', {});
    await as.delete(deployments, 'a', 'lab');
    await text(await as.podLogs('p', 'lab'));
    expect(world.server.received).toHaveLength(9);
    for (const request of world.server.received) {
      expect(linesOf(request, 'impersonate-user')).toEqual(['oidc:alice']);
      expect(linesOf(request, 'impersonate-group')).toEqual(['oidc:dev']);
    }
  });
});
