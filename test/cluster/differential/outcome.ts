import type { Status } from '../../../src/k8s/api-error.ts';
import type { ManagedFields } from '../../../src/k8s/resources.ts';
import type { Answer } from '../conformance/api.ts';

/** What of an answer must be the same on both servers. */
export function outcomeOf(answer: Answer): unknown {
  const { code } = answer;
  const body = answer.json as Record<string, unknown>;
  if (code >= 400) return { code, ...refusal(body as unknown as Status) };
  return body.kind === 'Status' ? { code } : { code, ...plain(body) };
}

/** Errors in no order and each once; a sentence may quote the object, in which members have no order either. */
function refusal({ reason, message = '', details }: Status) {
  const causes = (details?.causes ?? []).map(
    ({ reason: why, field, message: text = '' }) => `${why} ${field} ${quoteless(text)}`,
  );
  const worded = causes.length > 0 ? '' : message.replace(/[0-9a-f]{8}(-[0-9a-f]{4,12}){4}/g, 'UID');
  // After errors that the two word differently, a null is no object.
  const known = causes.map((cause) =>
    cause.replace(/^FieldValueTypeInvalid spec .*/, 'FieldValueRequired spec Required value'),
  );
  return { reason, message: worded, causes: [...new Set(known)].toSorted() };
}

function quoteless(text: string): string {
  return text.replace(/^Invalid value: (null|"?\{.*\}"?|"map\[.*\]"): /, 'Invalid value: ');
}

interface Tree {
  [key: string]: unknown;
}

/** An object without identity and times, and without what controllers and address ranges add. */
function plain(object: Tree): Tree {
  const { metadata, spec, status: _, ...rest } = object;
  const {
    labels,
    annotations,
    finalizers,
    managedFields = [],
  } = metadata as Tree & { managedFields?: ManagedFields[] };
  const { clusterIP: __, clusterIPs: ___, ...visible } = (spec ?? {}) as Tree;
  return {
    ...rest,
    spec: visible,
    metadata: { labels, annotations: withoutRevision(annotations as Tree | undefined), finalizers },
    managers: managedFields
      .filter(({ manager }) => manager !== 'kube-controller-manager')
      .map(ownership)
      .toSorted(),
  };
}

const revision = 'deployment.kubernetes.io/revision';

function withoutRevision(annotations: Tree | undefined): Tree | undefined {
  const own = Object.entries(annotations ?? {}).filter(([key]) => key !== revision);
  return own.length > 0 ? Object.fromEntries(own) : undefined;
}

function ownership({ manager, operation, subresource = '', fieldsV1 }: ManagedFields): string {
  return `${operation} ${manager} ${subresource} ${JSON.stringify(sorted(fieldsV1))}`;
}

/** Who came first with an annotation depends on when the controller added its own. */
function sorted(value: unknown, key = ''): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([step]) => step !== `f:${revision}` && !(step === '.' && key === 'f:annotations'))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([step, below]) => [step, sorted(below, step)]));
}
