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

export const conflicting: Topic = {
  name: 'server-side apply: conflicts',
  cases: {
    'a value that another applier owns': async ({ api, path }) => {
      await api.apply(path(configMaps, 'applied'), 'one', configMap('applied'));
      (await api.apply(path(configMaps, 'applied'), 'two', configMap('applied', { a: '2' }))).refuses(
        409,
        'Conflict',
        'Apply failed with 1 conflict: conflict with "one": .data.a',
        { causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.a' }] },
      );
      expect((await api.get(path(configMaps, 'applied'))).object.data).toEqual({ a: '1' });
    },
    'a value that an updater owns': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('edited'), { query: { fieldManager: 'editor' } });
      (await api.apply(path(configMaps, 'edited'), 'one', configMap('edited', { a: '2' }))).refuses(
        409,
        'Conflict',
        'Apply failed with 1 conflict: conflict with "editor" using v1: .data.a',
        { causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "editor" using v1', field: '.data.a' }] },
      );
    },
    'several values are listed by their owner': async ({ api, path }) => {
      await api.apply(path(configMaps, 'several'), 'one', configMap('several', { a: '1', b: '2' }));
      await api.apply(path(configMaps, 'several'), 'two', configMap('several', { c: '3' }));
      const { message, details } = (
        await api.apply(path(configMaps, 'several'), 'three', configMap('several', { a: 'x', b: 'x', c: 'x' }))
      ).failure;
      expect(message).toBe(
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.a\n- .data.b\nconflicts with "two":\n- .data.c',
      );
      // The managers come in no order.
      expect(details?.causes?.map((cause) => `${cause.field} ${cause.message}`).toSorted()).toEqual([
        '.data.a conflict with "one"',
        '.data.b conflict with "one"',
        '.data.c conflict with "two"',
      ]);
    },
    'an item of a list is named by its key': async ({ api, path }) => {
      await api.apply(path(deployments, 'keyed'), 'one', deployment('keyed'));
      const body = deployment('keyed');
      body.spec.template.spec.containers = [{ name: 'main', image: 'web:2' }];
      expect((await api.apply(path(deployments, 'keyed'), 'two', body)).failure).toMatchObject({
        message: 'Apply failed with 1 conflict: conflict with "one": .spec.template.spec.containers[name="main"].image',
      });
    },
    'a scaled workload names the subresource': async ({ api, path }) => {
      await api.post(path(deployments), deployment('scaled'), { query: { fieldManager: 'maker' } });
      await api.mergePatch(
        path(deployments, 'scaled', 'scale'),
        { spec: { replicas: 1 } },
        { query: { fieldManager: 'scaler' } },
      );
      const { failure } = await api.apply(path(deployments, 'scaled'), 'one', deployment('scaled', { replicas: 2 }));
      expect(failure.message).toBe(
        'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas',
      );
      await api.delete(path(deployments, 'scaled'));
    },
    'an atomic list conflicts as a whole': async ({ api, path }) => {
      await api.apply(path(httpRoutes, 'atomic'), 'one', httpRoute('atomic', { hostnames: ['a.example'] }));
      const answer = await api.apply(
        path(httpRoutes, 'atomic'),
        'two',
        httpRoute('atomic', { hostnames: ['b.example'] }),
      );
      expect(answer.failure.message).toBe('Apply failed with 1 conflict: conflict with "one": .spec.hostnames');
    },
    'force takes the value over': async ({ api, path }) => {
      await api.apply(path(configMaps, 'forced'), 'one', configMap('forced', { a: '1', b: '1' }));
      const after = (
        await api.apply(path(configMaps, 'forced'), 'two', configMap('forced', { a: '2' }), { query: { force: true } })
      ).object;
      expect(after.data).toEqual({ a: '2', b: '1' });
      expect(ownedBy(after, 'one')).toEqual({ 'f:data': { 'f:b': {} } });
      expect(ownedBy(after, 'two')).toEqual({ 'f:data': { 'f:a': {} } });
    },
    'applying without a manager': async ({ api, path }) => {
      const answer = await api.send('PATCH', path(configMaps, 'x'), {
        body: configMap('x'),
        type: 'application/apply-patch+yaml',
      });
      answer.refuses(
        422,
        'Invalid',
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
        {
          group: 'meta.k8s.io',
          kind: 'PatchOptions',
          causes: [
            {
              reason: 'FieldValueRequired',
              message: 'Required value: is required for apply patch',
              field: 'fieldManager',
            },
          ],
        },
      );
    },
    'force is for apply only': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('unforced'));
      const { failure } = await api.mergePatch(path(configMaps, 'unforced'), {}, { query: { force: true } });
      expect(failure).toMatchObject({
        code: 422,
        message: 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
      });
    },
    'managed fields can not be applied': async ({ api, path }) => {
      const body = configMap('managed', {}, { managedFields: [{ manager: 'one' }] });
      expect((await api.apply(path(configMaps, 'managed'), 'one', body)).failure).toMatchObject({
        code: 400,
        message: 'metadata.managedFields must be nil',
      });
    },
    'the type must be stated, and be that of the path': async ({ api, path }) => {
      const apply = (type: object) =>
        api.apply(path(configMaps, 'untyped'), 'one', { ...type, metadata: { name: 'untyped' } });
      (await apply({})).refuses(400, 'BadRequest', 'invalid object type: /, Kind=');
      (await apply({ apiVersion: 'v1', kind: 'Secret' })).refuses(
        400,
        'BadRequest',
        'invalid object type: /v1, Kind=Secret',
      );
      (await apply({ apiVersion: 'v2', kind: 'ConfigMap' })).refuses(
        400,
        'BadRequest',
        'invalid object type: /v2, Kind=ConfigMap',
      );
    },
    'the body must be YAML': async ({ api, path }) => {
      const { failure } = await api.apply(path(configMaps, 'broken'), 'one', 'a: [b');
      expect(failure.message).toMatch(/^error decoding YAML: error converting YAML to JSON: /);
    },
    'the name must be that of the path': async ({ api, path }) => {
      const { failure } = await api.apply(path(configMaps, 'one'), 'one', configMap('two'));
      expect(failure).toMatchObject({
        code: 400,
        message: 'the name of the object (two) does not match the name on the URL (one)',
      });
    },
    'a version must be the present one': async ({ api, path }) => {
      await api.apply(path(configMaps, 'old'), 'one', configMap('old'));
      const { failure } = await api.apply(
        path(configMaps, 'old'),
        'one',
        configMap('old', { a: '2' }, { resourceVersion: '1' }),
      );
      expect(failure).toMatchObject({ code: 409, reason: 'Conflict' });
    },
    'a uid of a missing object is a conflict': async ({ api, path }) => {
      (await api.apply(path(configMaps, 'unborn'), 'one', configMap('unborn', {}, { uid: 'x' }))).refuses(
        409,
        'Conflict',
        'Operation cannot be fulfilled on configmaps "unborn": uid mismatch: the provided object specified uid x, and no existing object was found',
        { name: 'unborn', kind: 'configmaps' },
      );
    },
    'two items with the same key': async ({ api, path }) => {
      const body = deployment('twice');
      body.spec.template.spec.containers = [
        { name: 'main', image: 'web:1' },
        { name: 'main', image: 'web:2' },
      ];
      const { failure } = await api.apply(path(deployments, 'twice'), 'one', body);
      expect(failure).toMatchObject({
        code: 500,
        message: expect.stringContaining(
          '.spec.template.spec.containers: duplicate entries for key [name="main"]',
        ) as string,
      });
    },
    'a value of the wrong type': async ({ api, path }) => {
      const body = deployment('wrong', { replicas: 'two' as unknown as number });
      const { failure } = await api.apply(path(deployments, 'wrong'), 'one', body);
      expect(failure).toMatchObject({
        code: 500,
        message: expect.stringContaining('.spec.replicas: expected numeric (int or float), got string') as string,
      });
    },
    'an unknown field': async ({ api, path }) => {
      const body = { ...configMap('stray'), spare: true };
      const { failure } = await api.apply(path(configMaps, 'stray'), 'one', body, {
        query: { fieldValidation: 'Ignore' },
      });
      expect(failure).toMatchObject({
        code: 500,
        message: expect.stringContaining('.spare: field not declared in schema') as string,
      });
    },
  },
};
