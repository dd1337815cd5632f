import { expect } from 'vitest';
import { configMaps, deployments, httpRoutes, services } from '../../../../src/k8s/resources.ts';
import { configMap, deployment, httpRoute, service } from '../objects.ts';
import type { Topic } from '../suite.ts';

const dry = { query: { dryRun: 'All' } };

export const dryRunning: Topic = {
  name: 'dry run',
  cases: {
    'a create answers as if, and makes nothing': async ({ api, path }) => {
      const answer = await api.post(path(configMaps), configMap('unmade'), dry);
      expect(answer.code).toBe(201);
      expect(answer.object.metadata).toMatchObject({ uid: expect.any(String) as string });
      expect(answer.object.metadata).not.toHaveProperty('resourceVersion');
      expect((await api.get(path(configMaps, 'unmade'))).code).toBe(404);
    },
    'a create is checked': async ({ api, path }) => {
      expect((await api.post(path(services), service('unmade', { ports: [{ port: 0 }] }), dry)).code).toBe(422);
      await api.post(path(configMaps), configMap('taken'));
      expect((await api.post(path(configMaps), configMap('taken'), dry)).failure.reason).toBe('AlreadyExists');
    },
    'a replacement changes nothing': async ({ api, path }) => {
      const made = (await api.post(path(configMaps), configMap('replaced'))).object;
      const answer = (await api.put(path(configMaps, 'replaced'), configMap('replaced', { a: '2' }), dry)).object;
      expect(answer.data).toEqual({ a: '2' });
      expect(answer.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
      expect((await api.get(path(configMaps, 'replaced'))).object.data).toEqual({ a: '1' });
    },
    'a patch changes nothing': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('patched'));
      expect((await api.mergePatch(path(configMaps, 'patched'), { data: { a: '2' } }, dry)).object.data).toEqual({
        a: '2',
      });
      expect((await api.get(path(configMaps, 'patched'))).object.data).toEqual({ a: '1' });
    },
    'an apply makes nothing': async ({ api, path }) => {
      const answer = await api.apply(path(configMaps, 'unapplied'), 'one', configMap('unapplied'), dry);
      expect(answer.code).toBe(201);
      expect((await api.get(path(configMaps, 'unapplied'))).code).toBe(404);
    },
    'a delete removes nothing': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('kept'));
      const answer = await api.delete(path(configMaps, 'kept'), undefined, dry);
      expect(answer.json).toMatchObject({ status: 'Success' });
      await api.delete(path(configMaps, 'kept'), { dryRun: ['All'] });
      expect((await api.get(path(configMaps, 'kept'))).object.metadata).not.toHaveProperty('deletionTimestamp');
    },
    'a generated name is not kept': async ({ api, path }) => {
      const answer = await api.post(path(configMaps), { metadata: { generateName: 'dry-' } }, dry);
      const { name } = answer.object.metadata;
      expect(name).toMatch(/^dry-[a-z0-9]{5}$/);
      expect((await api.get(path(configMaps, name))).code).toBe(404);
    },
    'another value is refused, with the name of the request': async ({ api, path }) => {
      const details = (kind: string) => ({
        group: 'meta.k8s.io',
        kind,
        causes: [
          {
            reason: 'FieldValueNotSupported',
            message: 'Unsupported value: ["Some"]: supported values: "All"',
            field: 'dryRun',
          },
        ],
      });
      const message = (kind: string) =>
        `${kind}.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"`;
      const some = { query: { dryRun: 'Some' } };
      for (const [kind, answer] of [
        ['CreateOptions', await api.post(path(configMaps), configMap('x'), some)],
        ['UpdateOptions', await api.put(path(configMaps, 'kept'), configMap('kept'), some)],
        ['PatchOptions', await api.mergePatch(path(configMaps, 'kept'), {}, some)],
        ['DeleteOptions', await api.delete(path(configMaps, 'kept'), undefined, some)],
      ] as const) {
        answer.refuses(422, 'Invalid', message(kind), details(kind));
      }
    },
  },
};

const stray = (name: string) => ({ ...configMap(name, {}, { foo: 1 }), spare: true });
const strict = { query: { fieldValidation: 'Strict' } };

export const fieldValidating: Topic = {
  name: 'field validation',
  cases: {
    'unknown fields are dropped with a warning': async ({ api, path }) => {
      const answer = await api.post(path(configMaps), stray('warned'));
      expect(answer.object).not.toHaveProperty('spare');
      expect(answer.warnings).toEqual(['unknown field "metadata.foo"', 'unknown field "spare"']);
    },
    'ignored, they are dropped silently': async ({ api, path }) => {
      const answer = await api.post(path(configMaps), stray('ignored'), { query: { fieldValidation: 'Ignore' } });
      expect(answer.code).toBe(201);
      expect(answer.warnings).toEqual([]);
    },
    'strictly, they are refused': async ({ api, path }) => {
      (await api.post(path(configMaps), stray('refused'), strict)).refuses(
        400,
        'BadRequest',
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "metadata.foo", unknown field "spare"',
      );
    },
    'deep fields are named by their path': async ({ api, path }) => {
      const body = deployment('deep');
      Object.assign(body.spec.template.spec.containers[0] ?? {}, { imagee: 'x' });
      (await api.post(path(deployments), body, strict)).refuses(
        400,
        'BadRequest',
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.template.spec.containers[0].imagee"',
      );
    },
    'a name given twice': async ({ api, path }) => {
      const body = '{"metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}';
      const answer = await api.send('POST', path(configMaps), { body });
      expect(answer.object.data).toEqual({ a: '2' });
      expect(answer.warnings).toEqual(['duplicate field "data.a"']);
      (await api.send('POST', path(configMaps), { body: body.replace('twice', 'thrice'), ...strict })).refuses(
        400,
        'BadRequest',
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data.a"',
      );
    },
    'a replacement is checked as a create is': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('replaced'));
      expect((await api.put(path(configMaps, 'replaced'), stray('replaced'), strict)).code).toBe(400);
    },
    'the result of a patch is checked': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('patched'));
      const { failure } = await api.mergePatch(path(configMaps, 'patched'), { spare: true }, strict);
      expect(failure).toMatchObject({
        code: 422,
        reason: 'Invalid',
        message: expect.stringMatching(/strict decoding error: unknown field "spare"$/) as string,
        details: { causes: [{ reason: 'FieldValueInvalid', field: 'patch' }] },
      });
      const warned = await api.mergePatch(path(configMaps, 'patched'), { spare: true });
      expect(warned.warnings).toEqual(['unknown field "spare"']);
    },
    'custom resources are pruned': async ({ api, path }) => {
      const answer = await api.post(path(httpRoutes), httpRoute('pruned', { spare: 1, rules: [{ a: 1 }] }));
      expect(answer.object.spec).not.toHaveProperty('spare');
      expect(answer.warnings).toEqual(['unknown field "spec.rules[0].a"', 'unknown field "spec.spare"']);
    },
    'custom resources are refused strictly': async ({ api, path }) => {
      (
        await api.post(path(httpRoutes), httpRoute('strict', { spare: 1, rules: [{ a: 1 }] }, { foo: 1 }), strict)
      ).refuses(
        400,
        'BadRequest',
        'HTTPRoute in version "v1" cannot be handled as a HTTPRoute: strict decoding error: unknown field "metadata.foo", unknown field "spec.rules[0].a", unknown field "spec.spare"',
      );
    },
    'an unknown way to check': async ({ api, path }) => {
      (await api.post(path(configMaps), configMap('x'), { query: { fieldValidation: 'Maybe' } })).refuses(
        422,
        'Invalid',
        'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Maybe": supported values: "", "Ignore", "Strict", "Warn"',
        {
          group: 'meta.k8s.io',
          kind: 'CreateOptions',
          causes: [
            {
              reason: 'FieldValueNotSupported',
              message: 'Unsupported value: "Maybe": supported values: "", "Ignore", "Strict", "Warn"',
              field: 'fieldValidation',
            },
          ],
        },
      );
    },
    'a manager with a name that is too long': async ({ api, path }) => {
      const answer = await api.apply(path(configMaps, 'x'), 'x'.repeat(129), configMap('x'));
      expect(answer.failure.message).toBe(
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes',
      );
    },
  },
};
