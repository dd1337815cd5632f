import { decode } from '../decode.ts';
import type { Definition, Draft } from '../definition.ts';
import { isObject } from '../json.ts';
import * as schemas from '../schemas/authorization.ts';
import { type FieldError, invalid, methodNotAllowed } from '../status.ts';
import { invalidValue } from '../validation/field-errors.ts';
import { readObjectBody } from './object-body.ts';
import { type Exchange, sendJson } from './server.ts';

/** The kinds of authorization.k8s.io that are served; nothing of them is stored. */
export const accessReviewKinds = [
  { kind: 'SelfSubjectAccessReview', plural: 'selfsubjectaccessreviews', schema: schemas.selfSubjectAccessReview },
  { kind: 'SubjectAccessReview', plural: 'subjectaccessreviews', schema: schemas.subjectAccessReview },
] as const;

const prefix = '/apis/authorization.k8s.io/v1/';

/** Answers an access review: who can reach this server is its one user, and may do everything. */
export async function serveAccessReview(exchange: Exchange): Promise<boolean> {
  const kind = accessReviewKinds.find(({ plural }) => exchange.path === prefix + plural);
  if (!kind) return false;
  if (exchange.method !== 'POST') throw methodNotAllowed();
  const definition: Definition = {
    ...kind,
    group: 'authorization.k8s.io',
    version: 'v1',
    singular: kind.kind.toLowerCase(),
    namespaced: false,
    description: 'A question about a right.',
    columns: [],
  };
  const { value } = await readObjectBody(exchange.request, definition);
  const { object } = decode(definition, value);
  const errors = reviewErrors(object, kind.kind === 'SubjectAccessReview');
  // The kind is not named: so words it the API server.
  if (errors.length > 0) throw invalid({ group: definition.group, kind: '' }, '', errors);
  sendJson(exchange.response, 201, { ...object, status: { allowed: true } });
  return true;
}

function reviewErrors({ spec }: Draft, aboutOthers: boolean): FieldError[] {
  const { resourceAttributes, nonResourceAttributes, user, groups } = isObject(spec) ? spec : {};
  const oneOf = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
  const nobody = !user && (!Array.isArray(groups) || groups.length === 0);
  return [
    ...(resourceAttributes && nonResourceAttributes
      ? [
          invalidValue(
            'spec.nonResourceAttributes',
            nonResourceAttributes,
            `cannot be specified in combination with resourceAttributes`,
          ),
        ]
      : []),
    ...(resourceAttributes || nonResourceAttributes ? [] : [invalidValue('spec.resourceAttributes', null, oneOf)]),
    ...(aboutOthers && nobody
      ? [invalidValue('spec.user', '', 'at least one of user or group must be specified')]
      : []),
  ];
}
