import { matchesSelector } from '../../../selectors.ts';
import type { LabelSelector, PodTemplate } from '../../../resources.ts';
import type { FieldError } from '../status.ts';
import { forbiddenField, invalidValue, requiredValue } from './field-errors.ts';
import { labelValueProblems, qualifiedNameProblems, validateAnnotations, validateLabels } from './names.ts';
import { validatePodSpec } from './pod.ts';

export function validateLabelSelector(selector: LabelSelector | undefined, field: string): FieldError[] {
  const labels = Object.entries(selector?.matchLabels ?? {}).flatMap(([key, value]) => [
    ...qualifiedNameProblems(key).map((problem) => invalidValue(`${field}.matchLabels`, key, problem)),
    ...labelValueProblems(value).map((problem) => invalidValue(`${field}.matchLabels`, value, problem)),
  ]);
  return [
    ...labels,
    ...(selector?.matchExpressions ?? []).flatMap((each, index) =>
      validateRequirement(each, `${field}.matchExpressions[${index}]`),
    ),
  ];
}

function validateRequirement(
  { key, operator, values = [] }: NonNullable<LabelSelector['matchExpressions']>[number],
  field: string,
): FieldError[] {
  const errors = qualifiedNameProblems(key).map((problem) => invalidValue(`${field}.key`, key, problem));
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0)
      errors.push(requiredValue(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) {
      errors.push(
        forbiddenField(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
      );
    }
  } else {
    errors.push(invalidValue(`${field}.operator`, operator, 'not a valid selector operator'));
  }
  return [
    ...errors,
    ...values.flatMap((value, index) =>
      labelValueProblems(value).map((problem) => invalidValue(`${field}.values[${index}]`, value, problem)),
    ),
  ];
}

/** A workload must select the Pods that it makes. */
export function validateWorkload(spec: { selector?: LabelSelector; template?: PodTemplate }): FieldError[] {
  const { selector, template } = spec;
  const empty =
    !selector || Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0;
  const errors = validateLabelSelector(selector, 'spec.selector');
  if (empty) {
    errors.push(
      selector
        ? invalidValue('spec.selector', selector, 'empty selector is invalid for deployment')
        : requiredValue('spec.selector'),
    );
  }
  const labels = template?.metadata?.labels;
  // No selector selects nothing, an empty one everything.
  const matches = selector ? empty || errors.length > 0 || matchesSelector(selector, labels) : false;
  if (!matches) {
    errors.push(
      invalidValue('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`'),
    );
  }
  errors.push(...validateLabels(labels, 'spec.template.labels'));
  errors.push(...validateAnnotations(template?.metadata?.annotations, 'spec.template.annotations'));
  if (!template?.spec) return errors;
  errors.push(...validatePodSpec(template.spec, 'spec.template.spec'));
  if (template.spec.restartPolicy !== 'Always' && ['OnFailure', 'Never'].includes(template.spec.restartPolicy ?? '')) {
    errors.push({
      reason: 'FieldValueNotSupported',
      field: 'spec.template.spec.restartPolicy',
      message: `Unsupported value: ${JSON.stringify(template.spec.restartPolicy)}: supported values: "Always"`,
    });
  }
  return errors;
}
