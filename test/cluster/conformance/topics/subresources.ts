import { expect } from 'vitest';
import { configMaps, deployments, gateways, httpRoutes, pods, services } from '../../../../src/k8s/resources.ts';
import { configMap, deployment, httpRoute, pod, service } from '../objects.ts';
import type { Topic } from '../suite.ts';

const parent = {
  parentRef: { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'front' },
  controllerName: 'example.net/controller',
  conditions: [
    {
      type: 'Accepted',
      status: 'True',
      reason: 'Accepted',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    },
  ],
};

export const statuses: Topic = {
  name: 'status',
  cases: {
    'a new object has no status of its maker': async ({ api, path }) => {
      const made = await api.post(path(httpRoutes), { ...httpRoute('made'), status: { parents: [parent] } });
      expect(made.object).not.toHaveProperty('status');
    },
    'a status is written through its own path': async ({ api, path }) => {
      const made = (await api.post(path(httpRoutes), httpRoute('written'))).object;
      const after = (await api.put(path(httpRoutes, 'written', 'status'), { ...made, status: { parents: [parent] } }))
        .object;
      expect(after.status).toEqual({ parents: [parent] });
      expect(after.metadata.generation).toBe(1);
      expect((await api.get(path(httpRoutes, 'written'))).object.status).toEqual({ parents: [parent] });
    },
    'the spec is not changed through the status': async ({ api, path }) => {
      const made = (await api.post(path(httpRoutes), httpRoute('spec-kept', { hostnames: ['a.example'] }))).object;
      const after = await api.put(path(httpRoutes, 'spec-kept', 'status'), {
        ...made,
        spec: { hostnames: ['b.example'] },
        status: { parents: [] },
      });
      expect(after.object.spec).toMatchObject({ hostnames: ['a.example'] });
    },
    'the labels are not changed through the status': async ({ api, path }) => {
      await api.post(path(httpRoutes), httpRoute('labels-kept'));
      const after = await api.mergePatch(path(httpRoutes, 'labels-kept', 'status'), {
        metadata: { labels: { a: 'b' } },
        status: { parents: [] },
      });
      expect(after.object.metadata).not.toHaveProperty('labels');
    },
    'the labels of a built-in kind are': async ({ api, path }) => {
      await api.post(path(pods), pod('labelled'));
      const after = await api.mergePatch(path(pods, 'labelled', 'status'), {
        metadata: { labels: { a: 'b' } },
        status: { message: 'noted' },
      });
      expect(after.object.metadata.labels).toEqual({ a: 'b' });
    },
    'the status is not changed through the object': async ({ api, path }) => {
      await api.post(path(httpRoutes), httpRoute('status-kept'));
      await api.mergePatch(path(httpRoutes, 'status-kept', 'status'), { status: { parents: [parent] } });
      const after = await api.mergePatch(path(httpRoutes, 'status-kept'), {
        spec: { hostnames: ['a.example'] },
        status: { parents: [] },
      });
      expect(after.object.status).toEqual({ parents: [parent] });
    },
    'a status is read through its own path': async ({ api, path }) => {
      await api.post(path(httpRoutes), httpRoute('read'));
      expect((await api.get(path(httpRoutes, 'read', 'status'))).object).toMatchObject({ metadata: { name: 'read' } });
    },
    'a status is checked': async ({ api, path }) => {
      await api.post(path(httpRoutes), httpRoute('checked'));
      const { failure } = await api.mergePatch(path(httpRoutes, 'checked', 'status'), {
        status: { parents: [{ parentRef: { name: 'x' } }] },
      });
      expect(failure).toMatchObject({
        code: 422,
        details: {
          causes: expect.arrayContaining([
            { reason: 'FieldValueRequired', message: 'Required value', field: 'status.parents[0].controllerName' },
          ]) as unknown,
        },
      });
    },
    'conditions of a Pod are merged by their type': async ({ api, path }) => {
      await api.post(path(pods), pod('conditions'));
      const set = (type: string) =>
        api.strategicPatch(path(pods, 'conditions', 'status'), { status: { conditions: [{ type, status: 'True' }] } });
      await set('example.net/one');
      const after = (await set('example.net/two')).object.status as { conditions: { type: string }[] };
      expect(after.conditions.map(({ type }) => type)).toEqual(
        expect.arrayContaining(['example.net/one', 'example.net/two']),
      );
    },
    'a Pod starts as pending, with its quality of service': async ({ api, path }) => {
      expect((await api.post(path(pods), pod('new'))).object.status).toMatchObject({
        phase: 'Pending',
        qosClass: 'BestEffort',
      });
    },
    'a Service has a status of its own': async ({ api, path }) => {
      expect((await api.post(path(services), service('balanced'))).object.status).toEqual({ loadBalancer: {} });
    },
    'a Gateway waits for its controller': async ({ api, path }) => {
      const made = await api.post(path(gateways), {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'Gateway',
        metadata: { name: 'front' },
        spec: { gatewayClassName: 'example', listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] },
      });
      const { conditions } = made.object.status as { conditions: unknown[] };
      expect(conditions).toEqual([
        {
          type: 'Accepted',
          status: 'Unknown',
          reason: 'Pending',
          message: 'Waiting for controller',
          lastTransitionTime: '1970-01-01T00:00:00Z',
        },
        {
          type: 'Programmed',
          status: 'Unknown',
          reason: 'Pending',
          message: 'Waiting for controller',
          lastTransitionTime: '1970-01-01T00:00:00Z',
        },
      ]);
    },
  },
};

export const scaling: Topic = {
  name: 'scale',
  cases: {
    'the scale of a Deployment': async ({ api, path, namespace }) => {
      const made = (await api.post(path(deployments), deployment('read'))).object;
      const scale = (await api.get(path(deployments, 'read', 'scale'))).object;
      expect(scale).toMatchObject({
        kind: 'Scale',
        apiVersion: 'autoscaling/v1',
        metadata: { name: 'read', namespace, uid: made.metadata.uid },
        spec: {},
        status: { replicas: 0, selector: 'app=read' },
      });
    },
    'replacing it sets the replicas': async ({ api, path }) => {
      await api.post(path(deployments), deployment('replaced'));
      const scale = {
        apiVersion: 'autoscaling/v1',
        kind: 'Scale',
        metadata: { name: 'replaced' },
        spec: { replicas: 2 },
      };
      expect((await api.put(path(deployments, 'replaced', 'scale'), scale)).object).toMatchObject({
        kind: 'Scale',
        spec: { replicas: 2 },
      });
      const after = (await api.get(path(deployments, 'replaced'))).object;
      expect(after.spec).toMatchObject({ replicas: 2 });
      expect(after.metadata.generation).toBeGreaterThan(1);
    },
    'patching it sets the replicas': async ({ api, path }) => {
      await api.post(path(deployments), deployment('patched'));
      const after = await api.mergePatch(path(deployments, 'patched', 'scale'), { spec: { replicas: 1 } });
      expect(after.object.spec).toEqual({ replicas: 1 });
      expect((await api.get(path(deployments, 'patched'))).object.spec).toMatchObject({ replicas: 1 });
    },
    'a JSON patch sets the replicas': async ({ api, path }) => {
      await api.post(path(deployments), deployment('json'));
      const patch = [{ op: 'add', path: '/spec/replicas', value: 1 }];
      expect((await api.jsonPatch(path(deployments, 'json', 'scale'), patch)).object.spec).toEqual({ replicas: 1 });
    },
    'who scales is recorded with the subresource': async ({ api, path }) => {
      await api.post(path(deployments), deployment('recorded'));
      await api.mergePatch(
        path(deployments, 'recorded', 'scale'),
        { spec: { replicas: 1 } },
        { query: { fieldManager: 'scaler' } },
      );
      const { metadata } = (await api.get(path(deployments, 'recorded'))).object;
      expect(metadata.managedFields?.find(({ manager }) => manager === 'scaler')).toMatchObject({
        operation: 'Update',
        apiVersion: 'apps/v1',
        subresource: 'scale',
        fieldsV1: { 'f:spec': { 'f:replicas': {} } },
      });
    },
    'an old version is a conflict': async ({ api, path }) => {
      await api.post(path(deployments), deployment('old'));
      const scale = {
        apiVersion: 'autoscaling/v1',
        kind: 'Scale',
        metadata: { name: 'old', resourceVersion: '1' },
        spec: { replicas: 2 },
      };
      expect((await api.put(path(deployments, 'old', 'scale'), scale)).failure).toMatchObject({
        code: 409,
        reason: 'Conflict',
        message:
          'Operation cannot be fulfilled on deployments.apps "old": the object has been modified; please apply your changes to the latest version and try again',
      });
    },
    'less than zero is refused': async ({ api, path }) => {
      await api.post(path(deployments), deployment('negative'));
      (await api.mergePatch(path(deployments, 'negative', 'scale'), { spec: { replicas: -1 } })).refuses(
        422,
        'Invalid',
        'Scale.autoscaling "negative" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
        {
          name: 'negative',
          group: 'autoscaling',
          kind: 'Scale',
          causes: [
            {
              reason: 'FieldValueInvalid',
              message: 'Invalid value: -1: must be greater than or equal to 0',
              field: 'spec.replicas',
            },
          ],
        },
      );
    },
    'a missing object has no scale': async ({ api, path }) => {
      (await api.get(path(deployments, 'missing', 'scale'))).refuses(
        404,
        'NotFound',
        'deployments.apps "missing" not found',
        { name: 'missing', group: 'apps', kind: 'deployments' },
      );
    },
    'a dry run leaves the replicas as they are': async ({ api, path }) => {
      await api.post(path(deployments), deployment('dry'));
      const answer = await api.mergePatch(
        path(deployments, 'dry', 'scale'),
        { spec: { replicas: 3 } },
        { query: { dryRun: 'All' } },
      );
      expect(answer.object.spec).toEqual({ replicas: 3 });
      expect((await api.get(path(deployments, 'dry'))).object.spec).toMatchObject({ replicas: 0 });
    },
    'a kind without replicas has no scale': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('none'));
      expect((await api.get(path(configMaps, 'none', 'scale'))).code).toBe(404);
    },
  },
};
