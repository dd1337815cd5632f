import { expect } from 'vitest';
import type { Topic } from '../suite.ts';

const path = '/apis/authorization.k8s.io/v1';
const attributes = { verb: 'list', group: 'apps', resource: 'deployments' };

export const reviewing: Topic = {
  name: 'access reviews',
  cases: {
    'who asks for themselves is told': async ({ api, namespace }) => {
      const answer = await api.post(`${path}/selfsubjectaccessreviews`, {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: { ...attributes, namespace } },
      });
      expect(answer.code).toBe(201);
      expect(answer.object).toMatchObject({
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: { ...attributes, namespace } },
        status: { allowed: true },
      });
    },
    'who asks for an administrator is told': async ({ api, namespace }) => {
      const answer = await api.post(`${path}/subjectaccessreviews`, {
        spec: { user: 'someone', groups: ['system:masters'], resourceAttributes: { ...attributes, namespace } },
      });
      expect(answer.object).toMatchObject({ kind: 'SubjectAccessReview', status: { allowed: true } });
    },
    'paths can be asked about': async ({ api }) => {
      const answer = await api.post(`${path}/selfsubjectaccessreviews`, {
        spec: { nonResourceAttributes: { path: '/version', verb: 'get' } },
      });
      expect(answer.object.status).toMatchObject({ allowed: true });
    },
    'a question about nothing': async ({ api }) => {
      (await api.post(`${path}/selfsubjectaccessreviews`, { spec: {} })).refuses(
        422,
        'Invalid',
        '.authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
        {
          group: 'authorization.k8s.io',
          causes: [
            {
              reason: 'FieldValueInvalid',
              message:
                'Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
              field: 'spec.resourceAttributes',
            },
          ],
        },
      );
    },
    'a question about nobody': async ({ api }) => {
      const { failure } = await api.post(`${path}/subjectaccessreviews`, { spec: { resourceAttributes: attributes } });
      expect(failure).toMatchObject({
        code: 422,
        message:
          '.authorization.k8s.io "" is invalid: spec.user: Invalid value: "": at least one of user or group must be specified',
      });
    },
    'reviews are only made': async ({ api }) => {
      expect((await api.get(`${path}/selfsubjectaccessreviews`)).code).toBe(405);
    },
  },
};
