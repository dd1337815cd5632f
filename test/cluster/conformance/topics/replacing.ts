import { expect } from 'vitest';
import { configMaps, deployments, httpRoutes, pods, services } from '../../../../src/k8s/resources.ts';
import { configMap, deployment, httpRoute, pod, service } from '../objects.ts';
import type { Topic } from '../suite.ts';

const stale = 'the object has been modified; please apply your changes to the latest version and try again';

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
    'a missing Service is created by replacing it': async ({ api, path }) => {
      const answer = await api.put(path(services, 'new'), service('new'));
      expect(answer.code).toBe(201);
      expect((await api.get(path(services, 'new'))).object).toEqual(answer.object);
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
