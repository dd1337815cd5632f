import { always, anything, boolean, list, map, required, string, struct } from '../schema.ts';
import { objectMeta } from './meta.ts';

export const resourceAttributes = struct('authorization.v1.ResourceAttributes', {
  namespace: string,
  verb: string,
  group: string,
  version: string,
  resource: string,
  subresource: string,
  name: string,
  fieldSelector: anything,
  labelSelector: anything,
});

export const nonResourceAttributes = struct('authorization.v1.NonResourceAttributes', {
  path: string,
  verb: string,
});

export const selfSubjectAccessReviewSpec = struct('authorization.v1.SelfSubjectAccessReviewSpec', {
  resourceAttributes: resourceAttributes,
  nonResourceAttributes: nonResourceAttributes,
});

export const subjectAccessReviewStatus = struct('authorization.v1.SubjectAccessReviewStatus', {
  allowed: required(boolean),
  denied: boolean,
  reason: string,
  evaluationError: string,
});

export const selfSubjectAccessReview = struct('authorization.v1.SelfSubjectAccessReview', {
  metadata: always(objectMeta),
  spec: required(selfSubjectAccessReviewSpec),
  status: always(subjectAccessReviewStatus),
});

export const subjectAccessReviewSpec = struct('authorization.v1.SubjectAccessReviewSpec', {
  resourceAttributes: resourceAttributes,
  nonResourceAttributes: nonResourceAttributes,
  user: string,
  groups: list(string),
  extra: map(list(string)),
  uid: string,
});

export const subjectAccessReview = struct('authorization.v1.SubjectAccessReview', {
  metadata: always(objectMeta),
  spec: required(subjectAccessReviewSpec),
  status: always(subjectAccessReviewStatus),
});
