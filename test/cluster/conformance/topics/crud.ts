import { expect } from 'vitest';
import {
  configMaps,
  deployments,
  httpRoutes,
  namespaces,
  pods,
  resourcePath,
  secrets,
  services,
} from '../../../../src/k8s/resources.ts';
import { configMap, deployment, httpRoute, pod, service } from '../objects.ts';
import type { Topic } from '../suite.ts';

const stale = 'the object has been modified; please apply your changes to the latest version and try again';

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

export const badRequests: Topic = {
  name: 'requests that make no sense',
  cases: {
    'an unknown resource': async ({ api, namespace }) => {
      expect((await api.get(`/api/v1/namespaces/${namespace}/widgets`)).code).toBe(404);
    },
    'an unknown subresource': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('plain'));
      (await api.get(path(configMaps, 'plain', 'status'))).refuses(
        404,
        'NotFound',
        'the server could not find the requested resource',
        {},
      );
    },
    'a verb that the path does not take': async ({ api, path }) => {
      (await api.post(path(configMaps, 'plain'), {})).refuses(
        405,
        'MethodNotAllowed',
        'the server does not allow this method on the requested resource',
        {},
      );
    },
    'a body that is no JSON': async ({ api, path }) => {
      const answer = await api.send('POST', path(configMaps), { body: '{"metadata": ' });
      answer.refuses(400, 'BadRequest', /.+/);
    },
    'a body of another kind': async ({ api, path }) => {
      const { failure } = await api.post(path(configMaps), {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'x' },
      });
      expect(failure).toMatchObject({ code: 400, reason: 'BadRequest' });
      expect(failure.message).toMatch(/^Secret in version "v1" cannot be handled as a ConfigMap: /);
    },
    'a body of another version': async ({ api, path }) => {
      const { failure } = await api.post(path(configMaps), {
        apiVersion: 'v2',
        kind: 'ConfigMap',
        metadata: { name: 'x' },
      });
      expect(failure).toMatchObject({ code: 400, reason: 'BadRequest' });
      expect(failure.message).toMatch(
        /^ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v2"/,
      );
    },
    'a value of the wrong type': async ({ api, path }) => {
      (await api.post(path(configMaps), { metadata: { name: 'x' }, data: { a: 1 } })).refuses(
        400,
        'BadRequest',
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string',
      );
    },
    'a deep value of the wrong type': async ({ api, path }) => {
      const body = deployment('wrong', { replicas: 'two' as unknown as number });
      (await api.post(path(deployments), body)).refuses(
        400,
        'BadRequest',
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
      );
    },
    'a number that is no integer': async ({ api, path }) => {
      const body = service('wrong', { ports: [{ port: 80.5 }] });
      (await api.post(path(services), body)).refuses(
        400,
        'BadRequest',
        'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal number 80.5 into Go struct field ServicePort.spec.ports.port of type int32',
      );
    },
    'a media type that is not understood': async ({ api, path }) => {
      const { code, failure } = await api.send('POST', path(configMaps), { body: 'a=1', type: 'text/plain' });
      expect(code).toBe(415);
      expect(failure.reason).toBe('UnsupportedMediaType');
    },
    'an answer in a form that is not served': async ({ api, path }) => {
      (await api.get(path(configMaps), { accept: 'text/html;q=1' })).refuses(
        406,
        'NotAcceptable',
        /^406: Not Acceptable\n\nAvailable representations: application\/json, /,
        {},
      );
    },
    'a path outside of all groups': async ({ api }) => {
      expect((await api.get('/apis/apps/v1/namespaces/a/b/c/d/e')).code).toBe(404);
    },
    'a name in a path that can not be one': async ({ api, path }) => {
      (await api.get(`${path(configMaps)}/Not_A_Name`)).refuses(404, 'NotFound', 'configmaps "Not_A_Name" not found', {
        name: 'Not_A_Name',
        kind: 'configmaps',
      });
    },
    'a namespaced kind created outside of a namespace': async ({ api }) => {
      expect((await api.post('/api/v1/configmaps', configMap('x'))).code).toBe(405);
    },
  },
};

export const replacing: Topic = {
  name: 'replace',
  cases: {
    'a replacement takes the place of what was there': async ({ api, path }) => {
      const before = (await api.post(path(configMaps), configMap('replaced', { a: '1' }, { labels: { x: 'y' } })))
        .object;
      const after = (await api.put(path(configMaps, 'replaced'), configMap('replaced', { b: '2' }))).object;
      expect(after.data).toEqual({ b: '2' });
      expect(after.metadata).not.toHaveProperty('labels');
      expect(after.metadata).toMatchObject({
        uid: before.metadata.uid,
        creationTimestamp: before.metadata.creationTimestamp,
      });
      expect(Number(after.metadata.resourceVersion)).toBeGreaterThan(Number(before.metadata.resourceVersion));
    },
    'a replacement of an old version is a conflict': async ({ api, path }) => {
      const before = (await api.post(path(configMaps), configMap('contested'))).object;
      await api.put(path(configMaps, 'contested'), configMap('contested', { a: '2' }));
      (await api.put(path(configMaps, 'contested'), { ...before, data: { a: '3' } })).refuses(
        409,
        'Conflict',
        `Operation cannot be fulfilled on configmaps "contested": ${stale}`,
        { name: 'contested', kind: 'configmaps' },
      );
    },
    'a replacement of another object with the same name is a conflict': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('same-name'));
      const { failure } = await api.put(path(configMaps, 'same-name'), configMap('same-name', {}, { uid: 'other' }));
      expect(failure).toMatchObject({ code: 409, reason: 'Conflict' });
      expect(failure.message).toMatch(
        /^Operation cannot be fulfilled on configmaps "same-name": .*Precondition failed: UID in precondition: other, UID in object meta: /,
      );
    },
    'a replacement without changes leaves the version as it is': async ({ api, path }) => {
      const before = (await api.post(path(configMaps), configMap('unchanged'))).object;
      const after = (await api.put(path(configMaps, 'unchanged'), configMap('unchanged'))).object;
      expect(after.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    },
    'the name in the body must be that of the path': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('one'));
      (await api.put(path(configMaps, 'one'), configMap('two'))).refuses(
        400,
        'BadRequest',
        'the name of the object (two) does not match the name on the URL (one)',
      );
    },
    'a missing object is not created by replacing it': async ({ api, path }) => {
      (await api.put(path(configMaps, 'absent'), configMap('absent'))).refuses(
        404,
        'NotFound',
        'configmaps "absent" not found',
        { name: 'absent', kind: 'configmaps' },
      );
    },
    'a custom resource is replaced only at a stated version': async ({ api, path }) => {
      await api.post(path(httpRoutes), httpRoute('strict'));
      (await api.put(path(httpRoutes, 'strict'), httpRoute('strict', { hostnames: ['a.example'] }))).refuses(
        422,
        'Invalid',
        'httproutes.gateway.networking.k8s.io "strict" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
        {
          name: 'strict',
          group: 'gateway.networking.k8s.io',
          kind: 'httproutes',
          causes: [
            {
              reason: 'FieldValueInvalid',
              message: 'Invalid value: 0: must be specified for an update',
              field: 'metadata.resourceVersion',
            },
          ],
        },
      );
    },
    'the generation counts changes of the spec only': async ({ api, path }) => {
      const made = (await api.post(path(httpRoutes), httpRoute('counted'))).object;
      expect(made.metadata.generation).toBe(1);
      const labelled = (await api.mergePatch(path(httpRoutes, 'counted'), { metadata: { labels: { a: 'b' } } })).object;
      expect(labelled.metadata.generation).toBe(1);
      const changed = (await api.mergePatch(path(httpRoutes, 'counted'), { spec: { hostnames: ['a.example'] } }))
        .object;
      expect(changed.metadata.generation).toBe(2);
    },
    'the generation of a Deployment counts changes of its annotations too': async ({ api, path }) => {
      const made = (await api.post(path(deployments), deployment('counted', { paused: true }))).object;
      const before = made.metadata.generation ?? 0;
      expect(before).toBeGreaterThan(0);
      const noted = await api.mergePatch(path(deployments, 'counted'), { metadata: { annotations: { a: 'b' } } });
      expect(noted.object.metadata.generation).toBeGreaterThan(before);
      const labelled = await api.mergePatch(path(deployments, 'counted'), { metadata: { labels: { a: 'b' } } });
      expect(labelled.object.metadata.generation).toBe(noted.object.metadata.generation);
    },
    'status is not changed through the object itself': async ({ api, path }) => {
      await api.post(path(pods), pod('own-status'));
      const before = (await api.get(path(pods, 'own-status'))).object;
      const after = await api.put(path(pods, 'own-status'), { ...before, status: { phase: 'Failed' } });
      expect(after.object.status).toMatchObject({ phase: 'Pending' });
    },
    'a Service keeps its address when a replacement does not state it': async ({ api, path }) => {
      const before = (await api.post(path(services), service('kept'))).object;
      const after = (await api.put(path(services, 'kept'), service('kept', { ports: [{ port: 81 }] }))).object;
      expect((after.spec as { clusterIP?: string }).clusterIP).toBe((before.spec as { clusterIP?: string }).clusterIP);
    },
  },
};
