import { expect } from 'vitest';
import type { Deployment, ManagedFields } from '../../../../src/k8s/resources.ts';
import { configMaps, deployments, httpRoutes, services } from '../../../../src/k8s/resources.ts';
import type { Stored } from '../api.ts';
import { configMap, deployment, httpRoute, service } from '../objects.ts';
import type { Topic } from '../suite.ts';

/** The fields that a manager owns, as FieldsV1. */
function ownedBy(object: Stored, manager: string, subresource?: string): ManagedFields['fieldsV1'] | undefined {
  return object.metadata.managedFields?.find((entry) => entry.manager === manager && entry.subresource === subresource)
    ?.fieldsV1;
}

const managersOf = (object: Stored) =>
  (object.metadata.managedFields ?? []).map(({ manager, operation }) => `${operation} ${manager}`).toSorted();

const named = (name: string, key = 'name') => `k:${JSON.stringify({ [key]: name })}`;

export const applying: Topic = {
  name: 'server-side apply: ownership',
  cases: {
    'a missing object is created': async ({ api, path, namespace }) => {
      const answer = await api.apply(path(configMaps, 'created'), 'one', configMap('created'));
      expect(answer.code).toBe(201);
      expect(answer.object).toMatchObject({
        metadata: { namespace, uid: expect.any(String) as string },
        data: { a: '1' },
      });
      expect(answer.object.metadata.managedFields).toEqual([
        {
          manager: 'one',
          operation: 'Apply',
          apiVersion: 'v1',
          time: expect.stringMatching(/Z$/) as string,
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:data': { 'f:a': {} } },
        },
      ]);
    },
    'applying the same again changes nothing': async ({ api, path }) => {
      const first = (await api.apply(path(configMaps, 'same'), 'one', configMap('same'))).object;
      const second = await api.apply(path(configMaps, 'same'), 'one', configMap('same'));
      expect(second.code).toBe(200);
      expect(second.object).toEqual(first);
    },
    'what is no longer applied is removed': async ({ api, path }) => {
      await api.apply(
        path(configMaps, 'shrinking'),
        'one',
        configMap('shrinking', { a: '1', b: '2' }, { labels: { x: 'y' } }),
      );
      const after = (await api.apply(path(configMaps, 'shrinking'), 'one', configMap('shrinking', { a: '1' }))).object;
      expect(after.data).toEqual({ a: '1' });
      expect(after.metadata).not.toHaveProperty('labels');
    },
    'what others own stays when it is no longer applied': async ({ api, path }) => {
      await api.apply(path(configMaps, 'shared'), 'one', configMap('shared', { a: '1', b: '2' }));
      await api.apply(path(configMaps, 'shared'), 'two', configMap('shared', { b: '2' }));
      const after = (await api.apply(path(configMaps, 'shared'), 'one', configMap('shared', { a: '1' }))).object;
      expect(after.data).toEqual({ a: '1', b: '2' });
      expect(ownedBy(after, 'one')).toEqual({ 'f:data': { 'f:a': {} } });
      expect(ownedBy(after, 'two')).toEqual({ 'f:data': { 'f:b': {} } });
    },
    'equal values are shared without a conflict': async ({ api, path }) => {
      await api.apply(path(configMaps, 'agreed'), 'one', configMap('agreed'));
      const after = (await api.apply(path(configMaps, 'agreed'), 'two', configMap('agreed'))).object;
      expect(managersOf(after)).toEqual(['Apply one', 'Apply two']);
    },
    'a manager that applies nothing any more is forgotten': async ({ api, path }) => {
      await api.apply(path(configMaps, 'left'), 'one', configMap('left', { a: '1' }));
      await api.apply(path(configMaps, 'left'), 'two', configMap('left', { b: '2' }));
      const nothing = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'left' } };
      const after = (await api.apply(path(configMaps, 'left'), 'two', nothing)).object;
      expect(managersOf(after)).toEqual(['Apply one']);
      expect(after.data).toEqual({ a: '1' });
    },
    'what an update writes is owned by the updater': async ({ api, path }) => {
      await api.apply(path(configMaps, 'updated'), 'one', configMap('updated', { a: '1', b: '2' }));
      const after = (
        await api.mergePatch(
          path(configMaps, 'updated'),
          { data: { a: 'changed' } },
          { query: { fieldManager: 'editor' } },
        )
      ).object;
      expect(ownedBy(after, 'one')).toEqual({ 'f:data': { 'f:b': {} } });
      expect(ownedBy(after, 'editor')).toEqual({ 'f:data': { 'f:a': {} } });
    },
    'an update that removes a field takes it from its owners': async ({ api, path }) => {
      await api.apply(path(configMaps, 'removed'), 'one', configMap('removed', { a: '1', b: '2' }));
      const after = (await api.mergePatch(path(configMaps, 'removed'), { data: { a: null } })).object;
      expect(ownedBy(after, 'one')).toEqual({ 'f:data': { 'f:b': {} } });
      expect(managersOf(after)).toEqual(['Apply one']);
    },
    'an update without a manager is named after the program': async ({ api, path }) => {
      const made = (await api.post(path(configMaps), configMap('by-program'))).object;
      expect(managersOf(made)).toEqual(['Update conformance']);
    },
    'maps are owned key by key': async ({ api, path }) => {
      const labelled = (labels: object) => configMap('labelled', { a: '1' }, { labels });
      await api.apply(path(configMaps, 'labelled'), 'one', labelled({ a: '1' }));
      const after = (await api.apply(path(configMaps, 'labelled'), 'two', labelled({ b: '2' }))).object;
      expect(after.metadata.labels).toEqual({ a: '1', b: '2' });
      expect(ownedBy(after, 'two')).toMatchObject({ 'f:metadata': { 'f:labels': { 'f:b': {} } } });
      expect(ownedBy(after, 'one')).toMatchObject({ 'f:metadata': { 'f:labels': { 'f:a': {} } } });
    },
    'list items are owned by their key': async ({ api, path }) => {
      await api.apply(path(services, 'ports'), 'one', service('ports', { ports: [{ name: 'web', port: 80 }] }));
      const after = (
        await api.apply(path(services, 'ports'), 'two', service('ports', { ports: [{ name: 'metrics', port: 90 }] }))
      ).object;
      expect(after.spec).toMatchObject({
        ports: [
          { name: 'web', port: 80 },
          { name: 'metrics', port: 90 },
        ],
      });
      expect(ownedBy(after, 'two')).toEqual({
        'f:spec': {
          'f:ports': { 'k:{"port":90,"protocol":"TCP"}': { '.': {}, 'f:name': {}, 'f:port': {} } },
        },
      });
    },
    'an item that its only owner drops is removed': async ({ api, path }) => {
      const ports = (...numbers: number[]) =>
        service('dropping', { ports: numbers.map((port) => ({ name: `p${port}`, port })) });
      await api.apply(path(services, 'dropping'), 'one', ports(80, 90));
      const after = (await api.apply(path(services, 'dropping'), 'one', ports(90))).object;
      expect(after.spec).toMatchObject({ ports: [{ name: 'p90' }] });
    },
    'containers and their variables are owned by name': async ({ api, path }) => {
      const body = deployment('nested');
      body.spec.template.spec.containers = [{ name: 'main', image: 'web:1', env: [{ name: 'A', value: '1' }] }];
      const made = (await api.apply(path(deployments, 'nested'), 'one', body)).object;
      expect(ownedBy(made, 'one')).toMatchObject({
        'f:spec': {
          'f:replicas': {},
          'f:selector': {},
          'f:template': {
            'f:metadata': { 'f:labels': { 'f:app': {} } },
            'f:spec': {
              'f:containers': {
                [named('main')]: {
                  '.': {},
                  'f:env': { [named('A')]: { '.': {}, 'f:name': {}, 'f:value': {} } },
                  'f:image': {},
                  'f:name': {},
                },
              },
            },
          },
        },
      });
    },
    'other managers may add variables to a container': async ({ api, path }) => {
      await api.apply(path(deployments, 'additions'), 'one', deployment('additions'));
      const addition = {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'additions' },
        spec: { template: { spec: { containers: [{ name: 'main', env: [{ name: 'B', value: '2' }] }] } } },
      };
      await api.apply(path(deployments, 'additions'), 'two', addition);
      const after = (await api.apply(path(deployments, 'additions'), 'one', deployment('additions'))).object;
      expect((after as unknown as Deployment).spec.template.spec.containers[0]).toMatchObject({
        image: 'web:1',
        env: [{ name: 'B', value: '2' }],
      });
    },
    'a field that is left to others keeps its value': async ({ api, path }) => {
      await api.apply(path(deployments, 'scaled'), 'one', deployment('scaled', { replicas: 0 }));
      await api.mergePatch(
        path(deployments, 'scaled', 'scale'),
        { spec: { replicas: 0 } },
        { query: { fieldManager: 'scaler' } },
      );
      const { replicas: _, ...spec } = deployment('scaled').spec;
      const after = (await api.apply(path(deployments, 'scaled'), 'one', { ...deployment('scaled'), spec })).object;
      // Nobody owned it any more, so the default takes its place.
      expect(after.spec).toMatchObject({ replicas: 1 });
      await api.delete(path(deployments, 'scaled'));
    },
    'atomic lists are owned as one': async ({ api, path }) => {
      const made = (
        await api.apply(path(httpRoutes, 'atomic'), 'one', httpRoute('atomic', { hostnames: ['a.example'] }))
      ).object;
      expect(ownedBy(made, 'one')).toEqual({ 'f:spec': { 'f:hostnames': {} } });
    },
    'defaults are owned by nobody': async ({ api, path }) => {
      const made = (await api.apply(path(services, 'defaults'), 'one', service('defaults'))).object;
      expect(made.spec).toMatchObject({ type: 'ClusterIP', sessionAffinity: 'None' });
      expect(ownedBy(made, 'one')).toEqual({
        'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {} } } },
      });
    },
    'finalizers are a set that managers share': async ({ api, path }) => {
      const held = (finalizer: string) => configMap('held', { a: '1' }, { finalizers: [finalizer] });
      await api.apply(path(configMaps, 'held'), 'one', held('a.example/one'));
      const after = (await api.apply(path(configMaps, 'held'), 'two', held('a.example/two'))).object;
      expect(after.metadata.finalizers).toEqual(['a.example/one', 'a.example/two']);
      expect(ownedBy(after, 'two')).toMatchObject({ 'f:metadata': { 'f:finalizers': { 'v:"a.example/two"': {} } } });
      await api.mergePatch(path(configMaps, 'held'), { metadata: { finalizers: null } });
    },
    'the first apply to an untracked object shares it with what was before': async ({ api, path }) => {
      const made = (await api.post(path(configMaps), configMap('untracked', { a: '1', b: '2' }))).object;
      const cleared = { ...made, metadata: { ...made.metadata, managedFields: [{}] } };
      expect((await api.put(path(configMaps, 'untracked'), cleared)).object.metadata).not.toHaveProperty(
        'managedFields',
      );
      const after = (await api.apply(path(configMaps, 'untracked'), 'one', configMap('untracked', { a: '1' }))).object;
      expect(managersOf(after)).toEqual(['Apply one', 'Update before-first-apply']);
      expect(ownedBy(after, 'before-first-apply')).toEqual({ 'f:data': { '.': {}, 'f:a': {}, 'f:b': {} } });
    },
    'a change of status has an entry of its own': async ({ api, path }) => {
      await api.apply(path(httpRoutes, 'two-doors'), 'one', httpRoute('two-doors', { hostnames: ['a.example'] }));
      const status = { ...httpRoute('two-doors'), spec: undefined, status: { parents: [] } };
      const after = (await api.apply(path(httpRoutes, 'two-doors', 'status'), 'one', status)).object;
      expect(ownedBy(after, 'one')).toEqual({ 'f:spec': { 'f:hostnames': {} } });
      expect(ownedBy(after, 'one', 'status')).toEqual({ 'f:status': { 'f:parents': {} } });
      expect(after.spec).toMatchObject({ hostnames: ['a.example'] });
    },
  },
};
