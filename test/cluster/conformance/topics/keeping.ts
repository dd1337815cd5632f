import { expect } from 'vitest';
import { configMaps, deployments, pods, secrets } from '../../../../src/k8s/resources.ts';
import { configMap, deployment, pod } from '../objects.ts';
import type { Topic } from '../suite.ts';

export const keeping: Topic = {
  name: 'what can not be changed',
  cases: {
    'a selector can not be changed': async ({ api, path }) => {
      await api.post(path(deployments), deployment('selector'));
      const { failure } = await api.mergePatch(path(deployments, 'selector'), {
        spec: { selector: { matchLabels: { more: 'x' } }, template: { metadata: { labels: { more: 'x' } } } },
      });
      expect(failure).toMatchObject({
        code: 422,
        message:
          'Deployment.apps "selector" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"selector","more":"x"}}: field is immutable',
      });
    },
    'a Pod can not be rebuilt': async ({ api, path }) => {
      await api.post(path(pods), pod('fixed'));
      const { failure } = await api.mergePatch(path(pods, 'fixed'), { spec: { hostname: 'other' } });
      expect(failure.code).toBe(422);
      expect(failure.message).toContain(
        'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`',
      );
    },
    'the image of a Pod can be changed': async ({ api, path }) => {
      await api.post(path(pods), pod('images'));
      const patch = { spec: { containers: [{ name: 'main', image: 'web:2' }] } };
      expect((await api.strategicPatch(path(pods, 'images'), patch)).code).toBe(200);
    },
    'an immutable ConfigMap stays as it is': async ({ api, path }) => {
      await api.post(path(configMaps), { ...configMap('frozen'), immutable: true });
      expect((await api.mergePatch(path(configMaps, 'frozen'), { data: { a: '2' } })).failure.message).toBe(
        'ConfigMap "frozen" is invalid: data: Forbidden: field is immutable when `immutable` is set',
      );
      expect((await api.mergePatch(path(configMaps, 'frozen'), { immutable: false })).failure.message).toBe(
        'ConfigMap "frozen" is invalid: immutable: Forbidden: field is immutable when `immutable` is set',
      );
      expect((await api.mergePatch(path(configMaps, 'frozen'), { metadata: { labels: { a: 'b' } } })).code).toBe(200);
    },
    'the type of a Secret stays as it is': async ({ api, path }) => {
      await api.post(path(secrets), { metadata: { name: 'typed' } });
      expect((await api.mergePatch(path(secrets, 'typed'), { type: 'example/other' })).failure.message).toBe(
        'Secret "typed" is invalid: type: Invalid value: "example/other": field is immutable',
      );
    },
    'plain texts of a Secret are encoded': async ({ api, path }) => {
      const made = await api.post(path(secrets), {
        metadata: { name: 'encoded' },
        data: { a: 'MQ==' },
        stringData: { b: '2' },
      });
      expect(made.object).toMatchObject({ type: 'Opaque', data: { a: 'MQ==', b: 'Mg==' } });
      expect(made.object).not.toHaveProperty('stringData');
    },
    'data of a Secret that is no base64': async ({ api, path }) => {
      const { failure } = await api.post(path(secrets), { metadata: { name: 'x' }, data: { a: '?' } });
      expect(failure).toMatchObject({
        code: 400,
        message: expect.stringContaining('illegal base64 data at input byte 0') as string,
      });
    },
  },
};
