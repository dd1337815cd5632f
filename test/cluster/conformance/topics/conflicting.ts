import { expect } from 'vitest';
import type { ManagedFields } from '../../../../src/k8s/resources.ts';
import { configMaps, deployments, httpRoutes } from '../../../../src/k8s/resources.ts';
import type { Stored } from '../api.ts';
import { configMap, deployment, httpRoute } from '../objects.ts';
import type { Topic } from '../suite.ts';

/** The fields that a manager owns, as FieldsV1. */
function ownedBy(object: Stored, manager: string, subresource?: string): ManagedFields['fieldsV1'] | undefined {
  return object.metadata.managedFields?.find((entry) => entry.manager === manager && entry.subresource === subresource)
    ?.fieldsV1;
}

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
