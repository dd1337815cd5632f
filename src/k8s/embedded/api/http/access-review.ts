import { decode } from '../decode.ts';
import type { Definition } from '../definition.ts';
import * as schemas from '../schemas/authorization.ts';
import { methodNotAllowed } from '../status.ts';
import { readValue } from './body.ts';
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
  const { object } = decode(definition, await readValue(exchange.request));
  sendJson(exchange.response, 201, { ...object, status: { allowed: true } });
  return true;
}
