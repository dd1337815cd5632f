import type { DeleteRequest } from '../delete.ts';
import { isObject, type JsonObject } from '../json.ts';
import { patchTypes } from '../patch/index.ts';
import { badRequest, type FieldError, invalid } from '../status.ts';
import { forbiddenField, invalidValue, requiredValue, tooLong, unsupportedValue } from '../validation/field-errors.ts';
import type { FieldValidation, WriteRequest } from '../write.ts';
import { mediaType, readJson } from './body.ts';
import type { Target } from './route.ts';
import type { Exchange } from './server.ts';

/** A parameter that is true when it is there without a value. */
export function flag(value: string | null): boolean | undefined {
  return value === null ? undefined : value === '' || value === 'true' || value === '1';
}

export function integer(query: URLSearchParams, key: string): number | undefined {
  const text = query.get(key);
  if (text === null || text === '') return undefined;
  if (!/^-?\d{1,15}$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

export function selection(query: URLSearchParams, { namespace }: Target) {
  return {
    namespace,
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector: query.get('fieldSelector') ?? undefined,
  };
}

const optionKinds: Record<string, string> = { POST: 'CreateOptions', PUT: 'UpdateOptions', PATCH: 'PatchOptions' };

function refuseOptions(kind: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind }, '', errors);
}

const maxManagerName = 128;

function managerErrors(manager: string): FieldError[] {
  const control = /\p{C}/u.exec(manager);
  return [
    ...(Buffer.byteLength(manager) > maxManagerName ? [tooLong('fieldManager', maxManagerName)] : []),
    ...(control ? [invalidValue('fieldManager', manager, `invalid character (at position ${control.index})`)] : []),
  ];
}

function dryRunErrors(dryRun: readonly unknown[]): FieldError[] {
  return dryRun.every((value) => value === 'All') ? [] : [unsupportedValue('dryRun', dryRun, ['All'])];
}

const fieldValidations = ['', 'Ignore', 'Strict', 'Warn'];

function patchErrors({ query, request }: Exchange): FieldError[] {
  if (mediaType(request) === patchTypes.apply) {
    return query.get('fieldManager') ? [] : [requiredValue('fieldManager', 'is required for apply patch')];
  }
  return query.has('force') ? [forbiddenField('force', 'may not be specified for non-apply patch')] : [];
}

/** What the query and the headers of a write say. */
export function writeRequest(exchange: Exchange, { definition, namespace, name }: Target): WriteRequest {
  const { query, request, response, method } = exchange;
  const manager = query.get('fieldManager') ?? '';
  const dryRun = query.getAll('dryRun');
  const fieldValidation = query.get('fieldValidation') ?? '';
  refuseOptions(optionKinds[method] ?? '', [
    ...(method === 'PATCH' ? patchErrors(exchange) : []),
    ...managerErrors(manager),
    ...dryRunErrors(dryRun),
    ...(fieldValidations.includes(fieldValidation)
      ? []
      : [unsupportedValue('fieldValidation', fieldValidation, fieldValidations)]),
  ]);
  return {
    definition,
    namespace,
    name,
    manager: manager || agentOf(request.headers['user-agent']),
    dryRun: dryRun.length > 0,
    fieldValidation: (fieldValidation || 'Warn') as FieldValidation,
    warn: (text) => response.appendHeader('warning', `299 - "${text.replaceAll(/["\\]/g, '\\$&')}"`),
  };
}

/** Who does not name a field manager is known by the program's name. */
function agentOf(userAgent: string | undefined): string {
  return (userAgent ?? 'unknown').split('/')[0]?.slice(0, maxManagerName) || 'unknown';
}

const policies = ['Foreground', 'Background', 'Orphan'];

/** The options of a delete are in its body, or else in the query. */
export async function deleteRequest(exchange: Exchange, target: Target): Promise<Omit<DeleteRequest, 'name'>> {
  const { query } = exchange;
  const { value } = await readJson(exchange.request, (why) => badRequest(`error decoding DeleteOptions: ${why}`));
  const options: JsonObject = isObject(value)
    ? value
    : {
        dryRun: query.getAll('dryRun'),
        gracePeriodSeconds: integer(query, 'gracePeriodSeconds') ?? null,
        orphanDependents: flag(query.get('orphanDependents')) ?? null,
        propagationPolicy: query.get('propagationPolicy'),
      };
  const { orphanDependents, propagationPolicy, gracePeriodSeconds, preconditions } = options;
  const dryRun = Array.isArray(options.dryRun) ? options.dryRun : [];
  const policy = propagationPolicy ?? undefined;
  refuseOptions('DeleteOptions', [
    ...(typeof orphanDependents === 'boolean' && policy !== undefined
      ? [invalidValue('propagationPolicy', policy, 'orphanDependents and deletionPropagation cannot be both set')]
      : []),
    ...(policy !== undefined && !policies.some((each) => each === policy)
      ? [unsupportedValue('propagationPolicy', policy, [...policies, 'nil'])]
      : []),
    ...dryRunErrors(dryRun),
  ]);
  const legacy = typeof orphanDependents === 'boolean' ? (orphanDependents ? 'Orphan' : 'Background') : undefined;
  return {
    definition: target.definition,
    namespace: target.namespace,
    dryRun: dryRun.length > 0,
    gracePeriodSeconds: typeof gracePeriodSeconds === 'number' ? gracePeriodSeconds : undefined,
    propagationPolicy: (policy ?? legacy) as DeleteRequest['propagationPolicy'],
    preconditions: isObject(preconditions) ? preconditions : undefined,
  };
}
