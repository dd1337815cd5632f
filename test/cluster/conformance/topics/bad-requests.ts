import { expect } from 'vitest';
import { configMaps, deployments, services } from '../../../../src/k8s/resources.ts';
import { configMap, deployment, service } from '../objects.ts';
import type { Topic } from '../suite.ts';

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
