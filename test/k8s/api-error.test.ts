import { describe, expect, test } from 'vitest';
import { ApiError, type ErrorSubject, type StatusDetails, toSlipwayError } from '../../src/k8s/api-error.ts';
import { InvalidInput, SlipwayError } from '../../src/errors.ts';

interface Case {
  what: string;
  status: number;
  reason?: string;
  message?: string;
  details?: StatusDetails;
  subject?: ErrorSubject;
  code: string;
  says?: string | RegExp;
  field?: string;
  fine?: string;
}

const named: StatusDetails = { kind: 'deployments', name: 'web' };
const conflict = (manager: string, field: string) => ({
  ...{ reason: 'FieldManagerConflict', message: `conflict with "${manager}" using apps/v1`, field },
});

const cases: Case[] = [
  { what: 'not reached', status: 0, reason: 'Unreachable', code: 'UNAVAILABLE' },
  { what: 'no API server', status: 0, reason: 'BadAnswer', code: 'UNAVAILABLE' },
  { what: 'no answer in time', status: 0, reason: 'NoAnswerInTime', code: 'TIMEOUT', says: 'may still carry out' },
  { what: 'given up', status: 0, reason: 'Aborted', code: 'TIMEOUT' },
  { what: '401: ours, not the caller', status: 401, code: 'UNAVAILABLE', says: "Slipway's own credentials" },
  { what: '403', status: 403, message: 'no rights', code: 'FORBIDDEN', says: 'no rights' },
  { what: '403 of our own', status: 403, subject: { own: true }, code: 'INTERNAL', says: "Slipway's own identity" },
  { what: '403 to impersonate', status: 403, message: 'x cannot impersonate resource', code: 'INTERNAL' },
  {
    what: 'a quota',
    status: 403,
    message: 'exceeded quota: q',
    code: 'FORBIDDEN',
    fine: 'QUOTA_EXCEEDED',
    says: 'exceeded quota',
  },
  {
    what: 'a namespace that is going',
    ...{ status: 403, details: { causes: [{ reason: 'NamespaceTerminating' }] } },
    ...{ code: 'CONFLICT', fine: 'NAMESPACE_TERMINATING' },
  },
  { what: '404', status: 404, details: named, code: 'NOT_FOUND', says: 'There is no deployment "web".' },
  {
    what: '404 of what the caller calls it',
    status: 404,
    subject: { name: 'run "web"', field: 'id' },
    code: 'NOT_FOUND',
    field: 'id',
    says: 'run "web"',
  },
  { what: '405', status: 405, code: 'NOT_SUPPORTED' },
  { what: '408', status: 408, code: 'TIMEOUT' },
  {
    what: 'a taken name',
    status: 409,
    reason: 'AlreadyExists',
    details: named,
    code: 'CONFLICT',
    fine: 'ALREADY_EXISTS',
    says: 'choose another name',
  },
  {
    what: "another manager's field",
    ...{
      status: 409,
      reason: 'Conflict',
      details: { ...named, causes: [conflict('helm', '.spec.replicas'), conflict('helm', '.spec.paused')] },
    },
    ...{ code: 'CONFLICT', fine: 'FIELD_MANAGED', says: /helm: spec\.replicas, spec\.paused/ },
  },
  { what: 'a change meanwhile', status: 409, reason: 'Conflict', details: named, code: 'CONFLICT', fine: 'CHANGED' },
  { what: '410', status: 410, code: 'CONFLICT', fine: 'EXPIRED' },
  { what: '413', status: 413, code: 'REQUEST_TOO_LARGE' },
  { what: '429', status: 429, code: 'RATE_LIMITED' },
  { what: '400', status: 400, message: 'no', code: 'INVALID', says: 'no' },
  {
    what: '422 of one field',
    ...{ status: 422, details: { causes: [{ field: 'spec.replicas', message: 'must be positive' }] } },
    ...{ subject: { fieldOf: (path: string) => (path === 'spec.replicas' ? 'replicas' : undefined) } },
    ...{ code: 'INVALID', field: 'replicas', says: 'spec.replicas: must be positive' },
  },
  { what: '500', status: 500, reason: 'InternalError', code: 'UNAVAILABLE', says: 'InternalError' },
  { what: '503', status: 503, code: 'UNAVAILABLE' },
  { what: '504', status: 504, code: 'TIMEOUT' },
  { what: '418', status: 418, code: 'INTERNAL' },
];

describe('what a failure of the cluster is to the caller', () => {
  test.for(cases)(
    '$what: $code',
    ({ status, reason = 'X', message = 'm', details, subject, code, says, field, fine }) => {
      const cause = new ApiError(status, reason, message, { details });
      const error = toSlipwayError(cause, subject);
      expect(error).toMatchObject({ code, cause });
      expect(error.message).toMatch(says instanceof RegExp ? says : new RegExp(escaped(says ?? '')));
      expect(error.field).toBe(field);
      expect(error.reason).toBe(
        fine ??
          (status === 0 || ['RATE_LIMITED', 'UNAVAILABLE', 'TIMEOUT', 'INTERNAL'].includes(code) ? reason : undefined),
      );
    },
  );

  test('422 of several fields is an error for each', () => {
    const causes = [
      { field: 'spec.a', message: 'bad' },
      { field: 'spec.b', message: 'worse' },
    ];
    const error = toSlipwayError(new ApiError(422, 'Invalid', 'm', { details: { causes } }));
    expect(error).toBeInstanceOf(InvalidInput);
    expect((error as InvalidInput).errors.map(({ field, message }) => `${field} | ${message}`)).toEqual([
      'spec.a | spec.a: bad',
      'spec.b | spec.b: worse',
    ]);
  });

  test('addresses in the words of the cluster are not passed on, and they are short', () => {
    const message = `webhook at 10.0.0.1:8443 and [fd00::1]:443 says ${'x'.repeat(1000)}`;
    const error = toSlipwayError(new ApiError(400, 'BadRequest', message));
    expect(error.message).toMatch(/^(?!.*10\.0)(?!.*fd00).*\(address\)/);
    expect(error.message.length).toBeLessThan(700);
  });

  test('what is an error for the caller already stays it, and what is a bug is INTERNAL without a word of it', () => {
    const own = new SlipwayError('NOT_READY', 'wait');
    expect(toSlipwayError(own)).toBe(own);
    const bug = toSlipwayError(new TypeError('secret is not a function'));
    expect(bug.code).toBe('INTERNAL');
    expect(bug.message).not.toContain('secret');
  });
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
