import { expect } from 'vitest';
import {
  configMaps,
  deployments,
  httpRoutes,
  namespaces,
  resourcePath,
  secrets,
} from '../../../../src/k8s/resources.ts';
import { configMap, deployment, httpRoute } from '../objects.ts';
import type { Topic } from '../suite.ts';

export const creating: Topic = {
  name: 'create and get',
  cases: {
    'a new object gets uid, version and time, and who made it is recorded': async ({ api, path, namespace }) => {
      const answer = await api.post(path(configMaps), configMap('made'), { query: { fieldManager: 'maker' } });
      expect(answer.code).toBe(201);
      expect(answer.json).toEqual({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          name: 'made',
          namespace,
          uid: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) as string,
          resourceVersion: expect.stringMatching(/^\d+$/) as string,
          creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
          managedFields: [
            {
              manager: 'maker',
              operation: 'Update',
              apiVersion: 'v1',
              time: expect.any(String) as string,
              fieldsType: 'FieldsV1',
              fieldsV1: { 'f:data': { '.': {}, 'f:a': {} } },
            },
          ],
        },
        data: { a: '1' },
      });
      expect((await api.get(path(configMaps, 'made'))).object).toEqual(answer.object);
    },
    'a list holds items without the type that the list names': async ({ api, path, namespace }) => {
      await api.post(path(configMaps), configMap('listed'));
      const { kind, apiVersion, metadata, items } = (await api.get(path(configMaps))).list;
      expect({ kind, apiVersion }).toEqual({ kind: 'ConfigMapList', apiVersion: 'v1' });
      expect(metadata.resourceVersion).toMatch(/^\d+$/);
      const found = items.find((item) => item.metadata.name === 'listed');
      expect(found).toMatchObject({ metadata: { namespace }, data: { a: '1' } });
      expect(found).not.toHaveProperty('kind');
      expect(found).not.toHaveProperty('apiVersion');
    },
    'items of a list of custom resources keep their type': async ({ api, path }) => {
      await api.post(path(httpRoutes), httpRoute('listed'));
      const { kind, items } = (await api.get(path(httpRoutes))).list;
      expect(kind).toBe('HTTPRouteList');
      expect(items[0]).toMatchObject({ apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute' });
    },
    'an empty list has an empty array': async ({ api, path }) => {
      expect((await api.get(path(secrets), { query: { labelSelector: 'none=such' } })).list.items).toEqual([]);
    },
    'all namespaces are listed together': async ({ api, path, namespace }) => {
      await api.post(path(configMaps), configMap('everywhere'));
      const { items } = (
        await api.get(resourcePath(configMaps), { query: { fieldSelector: 'metadata.name=everywhere' } })
      ).list;
      expect(items.map(({ metadata }) => metadata.namespace)).toContain(namespace);
    },
    'a generated name has five more characters': async ({ api, path }) => {
      const body = { ...configMap(''), metadata: { generateName: 'made-' } };
      const first = (await api.post(path(configMaps), body)).object;
      const second = (await api.post(path(configMaps), body)).object;
      expect(first.metadata).toMatchObject({
        generateName: 'made-',
        name: expect.stringMatching(/^made-[a-z0-9]{5}$/) as string,
      });
      expect(second.metadata.name).not.toBe(first.metadata.name);
    },
    'a generated name is cut to 63 characters': async ({ api, path }) => {
      const made = await api.post(path(configMaps), { metadata: { generateName: `${'long'.repeat(20)}-` } });
      expect(made.object.metadata.name).toMatch(/^(long){14}lo[a-z0-9]{5}$/);
    },
    'a taken name is refused': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('taken'));
      (await api.post(path(configMaps), configMap('taken'))).refuses(
        409,
        'AlreadyExists',
        'configmaps "taken" already exists',
        { name: 'taken', kind: 'configmaps' },
      );
    },
    'a taken name of a named group is refused with the group': async ({ api, path }) => {
      await api.post(path(deployments), deployment('taken'));
      (await api.post(path(deployments), deployment('taken'))).refuses(
        409,
        'AlreadyExists',
        'deployments.apps "taken" already exists',
        { name: 'taken', group: 'apps', kind: 'deployments' },
      );
    },
    'what is not there is not found': async ({ api, path }) => {
      (await api.get(path(configMaps, 'missing'))).refuses(404, 'NotFound', 'configmaps "missing" not found', {
        name: 'missing',
        kind: 'configmaps',
      });
      (await api.get(path(httpRoutes, 'missing'))).refuses(
        404,
        'NotFound',
        'httproutes.gateway.networking.k8s.io "missing" not found',
        { name: 'missing', group: 'gateway.networking.k8s.io', kind: 'httproutes' },
      );
    },
    'nothing is created in a namespace that is not there': async ({ api }) => {
      (await api.post(resourcePath(configMaps, 'nowhere'), configMap('lost'))).refuses(
        404,
        'NotFound',
        'namespaces "nowhere" not found',
        { name: 'nowhere', kind: 'namespaces' },
      );
    },
    'an object without a name is refused': async ({ api, path }) => {
      (await api.post(path(configMaps), { data: {} })).refuses(
        422,
        'Invalid',
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
        {
          kind: 'ConfigMap',
          causes: [
            {
              reason: 'FieldValueRequired',
              message: 'Required value: name or generateName is required',
              field: 'metadata.name',
            },
          ],
        },
      );
    },
    'the namespace of the object must be that of the path': async ({ api, path, namespace }) => {
      (await api.post(path(configMaps), configMap('astray', {}, { namespace: 'default' }))).refuses(
        400,
        'BadRequest',
        'the namespace of the provided object does not match the namespace sent on the request',
      );
      const same = await api.post(path(configMaps), configMap('at-home', {}, { namespace }));
      expect(same.code).toBe(201);
    },
    'a new object can not state a version': async ({ api, path }) => {
      (await api.post(path(configMaps), configMap('versioned', {}, { resourceVersion: '1' }))).refuses(
        500,
        '',
        'resourceVersion should not be set on objects to be created',
      );
    },
    'what the server decides is taken from nobody': async ({ api, path }) => {
      const made = await api.post(
        path(configMaps),
        configMap('pretender', {}, { uid: 'mine', creationTimestamp: '2001-01-01T00:00:00Z', selfLink: '/x' }),
      );
      const { metadata } = made.object;
      expect(metadata.uid).not.toBe('mine');
      expect(metadata.creationTimestamp).not.toBe('2001-01-01T00:00:00Z');
      expect(metadata).not.toHaveProperty('selfLink');
    },
    'empty maps and nulls are dropped from built-in kinds': async ({ api, path }) => {
      const made = await api.post(path(configMaps), {
        ...configMap('sparse', {}, { labels: {}, annotations: null, finalizers: [] }),
        immutable: null,
      });
      expect(made.object).not.toHaveProperty('data');
      expect(made.object).not.toHaveProperty('immutable');
      expect(Object.keys(made.object.metadata)).not.toEqual(expect.arrayContaining(['labels']));
      expect(made.object.metadata).not.toHaveProperty('annotations');
      expect(made.object.metadata).not.toHaveProperty('finalizers');
    },
    'a false pointer is kept, a false value is dropped': async ({ api, path }) => {
      const made = await api.post(path(configMaps), { ...configMap('immutable-not'), immutable: false });
      expect(made.object).toHaveProperty('immutable', false);
      const web = await api.post(path(deployments), deployment('unpaused', { paused: false, minReadySeconds: 0 }));
      expect(web.object.spec).not.toHaveProperty('paused');
      expect(web.object.spec).not.toHaveProperty('minReadySeconds');
    },
    'kinds are told by the path when the body does not say': async ({ api, path }) => {
      const made = await api.post(path(configMaps), { metadata: { name: 'untyped' } });
      expect(made.object).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
    },
    'YAML is read as JSON is': async ({ api, path }) => {
      const body = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  answer: "yes"\n';
      const made = await api.send('POST', path(configMaps), { body, type: 'application/yaml' });
      expect(made.object).toMatchObject({ data: { answer: 'yes' } });
    },
    'namespaces are labelled with their name and are active': async ({ api, namespace }) => {
      expect((await api.get(resourcePath(namespaces, undefined, namespace))).object).toMatchObject({
        metadata: { labels: { 'kubernetes.io/metadata.name': namespace } },
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      });
    },
  },
};
