import type { Definition, Draft } from '../definition.ts';
import { equal } from '../json.ts';
import type { FieldError } from '../status.ts';
import { duplicateValue, forbiddenField, invalidValue, requiredValue } from './field-errors.ts';
import {
  labelProblems,
  qualifiedNameProblems,
  subdomainProblems,
  validateAnnotations,
  validateLabels,
} from './names.ts';
import { validateSchema } from './schema.ts';

/** All that is wrong with a new object. */
export function validateCreate(definition: Definition, object: Draft): FieldError[] {
  return [...validateMetadata(definition, object), ...validateContent(definition, object)];
}

/** All that is wrong with a change. Writes to status can't break what they don't touch. */
export function validateUpdate(
  definition: Definition,
  next: Draft,
  live: Draft,
  subresource: 'status' | 'scale' | undefined,
): FieldError[] {
  const immutable = definition.validateUpdate && subresource !== 'status' ? definition.validateUpdate(next, live) : [];
  const content = subresource === 'status' && !definition.custom ? [] : validateContent(definition, next);
  return [...validateMetadata(definition, next), ...validateLifeCycle(next, live), ...content, ...immutable];
}

function validateContent(definition: Definition, object: Draft): FieldError[] {
  const errors = definition.custom ? validateSchema(object, definition.schema) : [];
  // A rule may rely on the types that the schema promises.
  return errors.length > 0 ? errors : (definition.validate?.(object) ?? []);
}

function nameErrors(definition: Definition, name: string | undefined): FieldError[] {
  const field = 'metadata.name';
  if (!name) return [requiredValue(field, 'name or generateName is required')];
  const problems = definition.nameRule === 'label' ? labelProblems(name) : subdomainProblems(name);
  return problems.map((problem) => invalidValue(field, name, problem.replace(/bytes$/, 'characters')));
}

function validateMetadata(definition: Definition, { metadata }: Draft): FieldError[] {
  const errors = nameErrors(definition, metadata.name);
  if (definition.namespaced && !metadata.namespace) errors.push(requiredValue('metadata.namespace'));
  return [
    ...errors,
    ...validateLabels(metadata.labels, 'metadata.labels'),
    ...validateAnnotations(metadata.annotations, 'metadata.annotations'),
    ...validateOwners(metadata.ownerReferences ?? []),
    ...validateFinalizers(metadata.finalizers ?? []),
  ];
}

function validateOwners(owners: NonNullable<Draft['metadata']['ownerReferences']>): FieldError[] {
  const field = 'metadata.ownerReferences';
  const errors: FieldError[] = owners.flatMap((owner) => [
    ...(owner.apiVersion ? [] : [invalidValue(`${field}.apiVersion`, '', 'version must not be empty')]),
    ...(owner.kind ? [] : [invalidValue(`${field}.kind`, '', 'must not be empty')]),
    ...(owner.name ? [] : [invalidValue(`${field}.name`, '', 'must not be empty')]),
    ...(owner.uid ? [] : [invalidValue(`${field}.uid`, '', 'must not be empty')]),
  ]);
  const controllers = owners.filter((owner) => owner.controller);
  if (controllers.length > 1) {
    const [first, second] = controllers;
    errors.push(
      invalidValue(
        field,
        owners,
        `Only one reference can have Controller set to true. Found "true" in references for ${first?.kind}/${first?.name} and ${second?.kind}/${second?.name}`,
      ),
    );
  }
  return errors;
}

const plainFinalizers = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);

function validateFinalizers(finalizers: readonly string[]): FieldError[] {
  const errors = finalizers.flatMap((finalizer, index) => [
    ...qualifiedNameProblems(finalizer).map((problem) => invalidValue('metadata.finalizers', finalizer, problem)),
    ...(!finalizer.includes('/') && !plainFinalizers.has(finalizer)
      ? [
          invalidValue(
            `metadata.finalizers[${index}]`,
            finalizer,
            'name is neither a standard finalizer name nor is it fully qualified',
          ),
        ]
      : []),
    ...(finalizers.indexOf(finalizer) < index ? [duplicateValue(`metadata.finalizers[${index}]`, finalizer)] : []),
  ]);
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.push(
      invalidValue('metadata.finalizers', finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'),
    );
  }
  return errors;
}

/** Nobody can be kept alive by a finalizer that comes after the request to delete. */
function validateLifeCycle(next: Draft, live: Draft): FieldError[] {
  if (live.metadata.deletionTimestamp === undefined) return [];
  const before = live.metadata.finalizers ?? [];
  const added = (next.metadata.finalizers ?? []).filter((finalizer) => !before.includes(finalizer));
  if (added.length === 0) return [];
  const shown = `[]string{${added.map((each) => JSON.stringify(each)).join(', ')}}`;
  return [
    forbiddenField(
      'metadata.finalizers',
      `no new finalizers can be added if the object is being deleted, found new finalizers ${shown}`,
    ),
  ];
}

/** `field is immutable`, when it changed. */
export function immutable(next: unknown, live: unknown, field: string): FieldError[] {
  return equal(next, live) ? [] : [invalidValue(field, next ?? null, 'field is immutable')];
}
