import { expect } from 'vitest';
import type { Deployment, Service } from '../../../../src/k8s/resources.ts';
import { configMaps, deployments, httpRoutes, services } from '../../../../src/k8s/resources.ts';
import { configMap, deployment, httpRoute, service } from '../objects.ts';
import type { Topic } from '../suite.ts';

const unfit = 'the server rejected our request due to an error in our request';

export const jsonPatching: Topic = {
  name: 'JSON patch',
  cases: {
    'operations are carried out in order': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('patched', { a: '1', b: '2' }));
      const after = await api.jsonPatch(path(configMaps, 'patched'), [
        { op: 'test', path: '/data/a', value: '1' },
        { op: 'add', path: '/data/c', value: '3' },
        { op: 'replace', path: '/data/a', value: 'one' },
        { op: 'remove', path: '/data/b' },
        { op: 'copy', from: '/data/a', path: '/data/d' },
        { op: 'move', from: '/data/c', path: '/data/e' },
      ]);
      expect(after.object.data).toEqual({ a: 'one', d: 'one', e: '3' });
    },
    'slashes and tildes in names are escaped': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('escaped', {}, { annotations: { 'a.example/x': '1' } }));
      const after = await api.jsonPatch(path(configMaps, 'escaped'), [
        { op: 'replace', path: '/metadata/annotations/a.example~1x', value: '2' },
      ]);
      expect(after.object.metadata.annotations).toEqual({ 'a.example/x': '2' });
    },
    'list items are found by position, and - is the end': async ({ api, path }) => {
      await api.post(path(httpRoutes), httpRoute('positions', { hostnames: ['a.example', 'b.example'] }));
      const after = await api.jsonPatch(path(httpRoutes, 'positions'), [
        { op: 'add', path: '/spec/hostnames/-', value: 'd.example' },
        { op: 'add', path: '/spec/hostnames/1', value: 'c.example' },
        { op: 'remove', path: '/spec/hostnames/0' },
      ]);
      expect(after.object.spec).toMatchObject({ hostnames: ['c.example', 'b.example', 'd.example'] });
    },
    'a test that fails refuses the whole patch': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('tested'));
      const answer = await api.jsonPatch(path(configMaps, 'tested'), [
        { op: 'replace', path: '/data/a', value: '2' },
        { op: 'test', path: '/data/a', value: '1' },
      ]);
      answer.refuses(422, 'Invalid', unfit, {});
      expect((await api.get(path(configMaps, 'tested'))).object.data).toEqual({ a: '1' });
    },
    'a test of the version guards against changes': async ({ api, path }) => {
      const made = (await api.post(path(configMaps), configMap('guarded'))).object;
      const patch = [
        { op: 'test', path: '/metadata/resourceVersion', value: made.metadata.resourceVersion },
        { op: 'replace', path: '/data/a', value: '2' },
      ];
      expect((await api.jsonPatch(path(configMaps, 'guarded'), patch)).code).toBe(200);
      expect((await api.jsonPatch(path(configMaps, 'guarded'), patch)).code).toBe(422);
    },
    'removing what is not there': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('lacking'));
      const answer = await api.jsonPatch(path(configMaps, 'lacking'), [{ op: 'remove', path: '/data/b' }]);
      expect(answer.failure).toMatchObject({ code: 422, reason: 'Invalid' });
    },
    'replacing a member that is not there adds it': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('replaced'));
      const answer = await api.jsonPatch(path(configMaps, 'replaced'), [
        { op: 'replace', path: '/data/b', value: '2' },
      ]);
      expect(answer.object.data).toEqual({ a: '1', b: '2' });
    },
    'adding below what is not there': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('parentless'));
      (
        await api.jsonPatch(path(configMaps, 'parentless'), [{ op: 'add', path: '/metadata/labels/a', value: 'b' }])
      ).refuses(422, 'Invalid', unfit, {});
    },
    'a patch that is no list': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('unlisted'));
      const { failure } = await api.jsonPatch(path(configMaps, 'unlisted'), { op: 'remove', path: '/data/a' });
      expect(failure).toMatchObject({
        code: 400,
        reason: 'BadRequest',
        message: expect.stringMatching(/^error decoding patch: json: cannot unmarshal object into Go value/) as string,
      });
    },
    'an unknown operation, or one without a path': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('misspelt'));
      for (const operation of [
        { op: 'spill', path: '/data/a' },
        { op: 'add', value: '1' },
      ])
        (await api.jsonPatch(path(configMaps, 'misspelt'), [operation])).refuses(422, 'Invalid', unfit, {});
    },
    'too many operations': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('flooded'));
      const operation = { op: 'test', path: '/data/a', value: '1' };
      const { failure } = await api.jsonPatch(
        path(configMaps, 'flooded'),
        Array.from({ length: 10_001 }, () => operation),
      );
      expect(failure).toMatchObject({
        code: 413,
        reason: 'RequestEntityTooLarge',
        message: 'Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001',
      });
    },
    'a missing object': async ({ api, path }) => {
      (await api.jsonPatch(path(configMaps, 'missing'), [])).refuses(
        404,
        'NotFound',
        'configmaps "missing" not found',
        { name: 'missing', kind: 'configmaps' },
      );
    },
    'the result is checked': async ({ api, path }) => {
      await api.post(path(services), service('checked'));
      const { failure } = await api.jsonPatch(path(services, 'checked'), [
        { op: 'replace', path: '/spec/ports/0/port', value: 0 },
      ]);
      expect(failure).toMatchObject({
        code: 422,
        message:
          'Service "checked" is invalid: spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
      });
    },
    'the name can not be changed': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('named'));
      const { failure } = await api.jsonPatch(path(configMaps, 'named'), [
        { op: 'replace', path: '/metadata/name', value: 'other' },
      ]);
      expect(failure).toMatchObject({
        code: 400,
        message: 'the name of the object (other) does not match the name on the URL (named)',
      });
    },
  },
};

export const mergePatching: Topic = {
  name: 'merge patch',
  cases: {
    'objects are merged and nulls remove': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('merged', { a: '1', b: '2' }));
      const after = await api.mergePatch(path(configMaps, 'merged'), { data: { a: null, c: '3' } });
      expect(after.object.data).toEqual({ b: '2', c: '3' });
    },
    'lists are replaced': async ({ api, path }) => {
      await api.post(path(httpRoutes), httpRoute('merged', { hostnames: ['a.example', 'b.example'] }));
      const after = await api.mergePatch(path(httpRoutes, 'merged'), { spec: { hostnames: ['c.example'] } });
      expect(after.object.spec).toMatchObject({ hostnames: ['c.example'] });
    },
    'a version in the patch must be the present one': async ({ api, path }) => {
      const made = (await api.post(path(configMaps), configMap('versioned'))).object;
      const patch = { metadata: { resourceVersion: made.metadata.resourceVersion }, data: { a: '2' } };
      expect((await api.mergePatch(path(configMaps, 'versioned'), patch)).code).toBe(200);
      (await api.mergePatch(path(configMaps, 'versioned'), { ...patch, data: { a: '3' } })).refuses(
        409,
        'Conflict',
        'Operation cannot be fulfilled on configmaps "versioned": the object has been modified; please apply your changes to the latest version and try again',
        { name: 'versioned', kind: 'configmaps' },
      );
    },
    'a uid in the patch must be that of the object': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('identified'));
      const { failure } = await api.mergePatch(path(configMaps, 'identified'), { metadata: { uid: 'other' } });
      expect(failure).toMatchObject({
        code: 422,
        reason: 'Invalid',
        message: 'ConfigMap "identified" is invalid: metadata.uid: Invalid value: "other": field is immutable',
      });
    },
    'a patch without changes leaves the version as it is': async ({ api, path }) => {
      const made = (await api.post(path(configMaps), configMap('same'))).object;
      const after = (await api.mergePatch(path(configMaps, 'same'), { data: { a: '1' } })).object;
      expect(after.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
    },
    'a patch that is no object': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('flat'));
      const { failure } = await api.mergePatch(path(configMaps, 'flat'), ['a']);
      expect(failure).toMatchObject({ code: 400, reason: 'BadRequest' });
    },
    'a value of the wrong type': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('typed'));
      const { failure } = await api.mergePatch(path(configMaps, 'typed'), { data: { a: 1 } });
      expect(failure).toMatchObject({
        code: 422,
        reason: 'Invalid',
        details: { causes: [{ reason: 'FieldValueInvalid', field: 'patch' }] },
      });
      expect(failure.message).toMatch(
        /^ "" is invalid: patch: Invalid value: "\{.*\}": json: cannot unmarshal number into Go struct field ConfigMap.data of type string$/,
      );
    },
    'a media type that is no patch': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('untyped'));
      (await api.send('PATCH', path(configMaps, 'untyped'), { body: {} })).refuses(
        415,
        'UnsupportedMediaType',
        '415: Unsupported Media Type',
        {},
      );
    },
  },
};

const containers = (object: unknown) => (object as Deployment).spec.template.spec.containers;

export const strategicPatching: Topic = {
  name: 'strategic merge patch',
  cases: {
    'list items are merged by their key': async ({ api, path }) => {
      await api.post(path(deployments), deployment('keyed'));
      const after = await api.strategicPatch(path(deployments, 'keyed'), {
        spec: {
          template: {
            spec: {
              containers: [
                { name: 'main', image: 'web:2' },
                { name: 'side', image: 'log:1' },
              ],
            },
          },
        },
      });
      expect(containers(after.object).map(({ name, image }) => `${name} ${image}`)).toEqual([
        'main web:2',
        'side log:1',
      ]);
      expect(containers(after.object)[0]).toMatchObject({ terminationMessagePath: '/dev/termination-log' });
    },
    'new items come before the others that a patch does not name': async ({ api, path }) => {
      await api.post(path(deployments), deployment('front'));
      const after = await api.strategicPatch(path(deployments, 'front'), {
        spec: { template: { spec: { containers: [{ name: 'side', image: 'log:1' }] } } },
      });
      expect(containers(after.object).map(({ name }) => name)).toEqual(['side', 'main']);
    },
    'an item is deleted by a directive': async ({ api, path }) => {
      const two = deployment('deleting');
      two.spec.template.spec.containers.push({ name: 'side', image: 'log:1' });
      await api.post(path(deployments), two);
      const after = await api.strategicPatch(path(deployments, 'deleting'), {
        spec: { template: { spec: { containers: [{ name: 'side', $patch: 'delete' }] } } },
      });
      expect(containers(after.object).map(({ name }) => name)).toEqual(['main']);
    },
    'a list is replaced by a directive': async ({ api, path }) => {
      await api.post(path(deployments), deployment('replacing'));
      const after = await api.strategicPatch(path(deployments, 'replacing'), {
        spec: { template: { spec: { containers: [{ $patch: 'replace' }, { name: 'other', image: 'new:1' }] } } },
      });
      expect(containers(after.object).map(({ name }) => name)).toEqual(['other']);
    },
    'an object is replaced by a directive': async ({ api, path }) => {
      await api.post(path(deployments), deployment('whole', {}, { labels: { a: '1', b: '2' } }));
      const after = await api.strategicPatch(path(deployments, 'whole'), {
        metadata: { labels: { $patch: 'replace', c: '3' } },
      });
      expect(after.object.metadata.labels).toEqual({ c: '3' });
    },
    'nulls remove': async ({ api, path }) => {
      await api.post(path(deployments), deployment('nulls', { minReadySeconds: 5 }, { labels: { a: '1', b: '2' } }));
      const after = await api.strategicPatch(path(deployments, 'nulls'), {
        metadata: { labels: { a: null } },
        spec: { minReadySeconds: null },
      });
      expect(after.object.metadata.labels).toEqual({ b: '2' });
      expect(after.object.spec).not.toHaveProperty('minReadySeconds');
    },
    'retained keys drop the others': async ({ api, path }) => {
      await api.post(path(deployments), deployment('retained'));
      const after = await api.strategicPatch(path(deployments, 'retained'), {
        spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
      });
      expect((after.object.spec as Deployment['spec']).strategy).toEqual({ type: 'Recreate' });
    },
    'without retained keys the rest stays and is refused': async ({ api, path }) => {
      await api.post(path(deployments), deployment('left-over'));
      const { failure } = await api.strategicPatch(path(deployments, 'left-over'), {
        spec: { strategy: { type: 'Recreate' } },
      });
      expect(failure).toMatchObject({
        code: 422,
        message:
          'Deployment.apps "left-over" is invalid: spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is \'Recreate\'',
      });
    },
    'the order of items can be set': async ({ api, path }) => {
      const two = deployment('ordered');
      two.spec.template.spec.containers.push({ name: 'side', image: 'log:1' });
      await api.post(path(deployments), two);
      const after = await api.strategicPatch(path(deployments, 'ordered'), {
        spec: { template: { spec: { '$setElementOrder/containers': [{ name: 'side' }, { name: 'main' }] } } },
      });
      expect(containers(after.object).map(({ name }) => name)).toEqual(['side', 'main']);
    },
    'primitive items are removed by a directive': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('finalized', {}, { finalizers: ['a.example/x', 'a.example/y'] }));
      const after = await api.strategicPatch(path(configMaps, 'finalized'), {
        metadata: { '$deleteFromPrimitiveList/finalizers': ['a.example/x'] },
      });
      expect(after.object.metadata.finalizers).toEqual(['a.example/y']);
      await api.mergePatch(path(configMaps, 'finalized'), { metadata: { finalizers: null } });
    },
    'primitive items are added': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('adding', {}, { finalizers: ['a.example/x'] }));
      const after = await api.strategicPatch(path(configMaps, 'adding'), {
        metadata: { finalizers: ['a.example/y', 'a.example/x'] },
      });
      expect(after.object.metadata.finalizers?.toSorted()).toEqual(['a.example/x', 'a.example/y']);
      await api.mergePatch(path(configMaps, 'adding'), { metadata: { finalizers: null } });
    },
    'ports of a Service are merged by their number': async ({ api, path }) => {
      await api.post(path(services), service('ports', { ports: [{ name: 'web', port: 80 }] }));
      const after = await api.strategicPatch(path(services, 'ports'), {
        spec: {
          ports: [
            { port: 80, targetPort: 8080 },
            { name: 'metrics', port: 9090 },
          ],
        },
      });
      expect((after.object.spec as Service['spec']).ports).toEqual([
        { name: 'web', port: 80, protocol: 'TCP', targetPort: 8080 },
        { name: 'metrics', port: 9090, protocol: 'TCP', targetPort: 9090 },
      ]);
    },
    'environment variables are merged by their name': async ({ api, path }) => {
      const first = deployment('environment');
      first.spec.template.spec.containers = [
        {
          name: 'main',
          image: 'web:1',
          env: [
            { name: 'A', value: '1' },
            { name: 'B', value: '2' },
          ],
        },
      ];
      await api.post(path(deployments), first);
      const after = await api.strategicPatch(path(deployments, 'environment'), {
        spec: { template: { spec: { containers: [{ name: 'main', env: [{ name: 'A', value: 'one' }] }] } } },
      });
      expect(containers(after.object)[0]?.env).toEqual([
        { name: 'A', value: 'one' },
        { name: 'B', value: '2' },
      ]);
    },
    'an item without its key is refused': async ({ api, path }) => {
      await api.post(path(deployments), deployment('keyless'));
      const answer = await api.strategicPatch(path(deployments, 'keyless'), {
        spec: { template: { spec: { containers: [{ image: 'web:2' }] } } },
      });
      answer.refuses(500, '', 'map: map[image:web:2] does not contain declared merge key: name');
    },
    'an unknown directive is refused': async ({ api, path }) => {
      await api.post(path(deployments), deployment('misdirected'));
      (await api.strategicPatch(path(deployments, 'misdirected'), { spec: { $patch: 'turn' } })).refuses(
        500,
        '',
        'unknown patch type: turn in map: map[$patch:turn]',
      );
    },
    'a value of the wrong type': async ({ api, path }) => {
      await api.post(path(deployments), deployment('mistyped'));
      const { failure } = await api.strategicPatch(path(deployments, 'mistyped'), { spec: { replicas: 'two' } });
      expect(failure).toMatchObject({
        code: 422,
        reason: 'Invalid',
        details: { causes: [{ reason: 'FieldValueInvalid', field: 'patch' }] },
      });
    },
    'custom resources do not take it': async ({ api, path }) => {
      await api.post(path(httpRoutes), httpRoute('plain'));
      (await api.strategicPatch(path(httpRoutes, 'plain'), { spec: {} })).refuses(
        415,
        'UnsupportedMediaType',
        'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
      );
    },
  },
};
