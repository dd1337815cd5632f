import type { Draft } from '../definition.ts';
import { isObject, type Json, stableKey } from '../json.ts';
import { memberOf, type Schema } from '../schema.ts';
import type { FieldError } from '../status.ts';
import { duplicateValue, invalidValue, requiredValue, tooLong, tooMany, unsupportedValue } from './field-errors.ts';

/** After one of these the rules are not looked at: they could rely on what is wrong. */
const blocking = new Set<FieldError['reason']>([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

const unchecked = invalidValue(
  '<nil>',
  null,
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
);

/** Checks a custom resource against its schema and its rules, as the API server does with a CRD. */
export function validateSchema(object: Draft, schema: Schema): FieldError[] {
  const { apiVersion: _, kind: __, metadata: ___, ...body } = object;
  const value = body as unknown as Json;
  const errors = checkTypes(value, schema, '');
  if (errors.some(({ reason }) => blocking.has(reason))) return [...errors, unchecked];
  return [...errors, ...checkRules(value, schema, '')];
}

function checkTypes(value: Json, schema: Schema, path: string): FieldError[] {
  const wanted = typeNames[schema.type];
  if (wanted && !wanted.accepts(value)) {
    const found = typeOf(value);
    return [
      {
        reason: 'FieldValueTypeInvalid',
        field: path || '<nil>',
        message: `Invalid value: ${JSON.stringify(found)}: ${path} in body must be of type ${wanted.name}: ${JSON.stringify(found)}`,
      },
    ];
  }
  if (isObject(value)) return [...checkRequired(value, schema, path), ...checkMembers(value, schema, path)];
  if (Array.isArray(value)) return checkList(value, schema, path);
  return checkLimits(value, schema, path);
}

const isNumber = (value: Json) => typeof value === 'number';
const typeNames: Partial<Record<Schema['type'], { name: string; accepts: (value: Json) => boolean }>> = {
  struct: { name: 'object', accepts: isObject },
  map: { name: 'object', accepts: isObject },
  list: { name: 'array', accepts: Array.isArray },
  string: { name: 'string', accepts: (value) => typeof value === 'string' },
  boolean: { name: 'boolean', accepts: (value) => typeof value === 'boolean' },
  integer: { name: 'integer', accepts: (value) => Number.isInteger(value) },
  number: { name: 'number', accepts: isNumber },
};

function typeOf(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function at(path: string, key: string): string {
  return path ? `${path}.${key}` : key;
}

function checkRequired(value: { [key: string]: Json }, schema: Schema, path: string): FieldError[] {
  return Object.entries(schema.fields ?? {})
    .filter(([key, field]) => field.required && value[key] === undefined)
    .map(([key]) => requiredValue(at(path, key)));
}

function checkMembers(value: { [key: string]: Json }, schema: Schema, path: string): FieldError[] {
  return Object.entries(value).flatMap(([key, member]) => {
    const field = memberOf(schema, key);
    if (!field || (path === '' && key === 'metadata')) return [];
    return checkTypes(member, field, at(path, key));
  });
}

function checkList(value: readonly Json[], schema: Schema, path: string): FieldError[] {
  const { minItems, maxItems } = schema.limits ?? {};
  const errors = value.flatMap((item, index) =>
    schema.items ? checkTypes(item, schema.items, `${path}[${index}]`) : [],
  );
  if (maxItems !== undefined && value.length > maxItems) errors.push(tooMany(path, value.length, maxItems));
  if (minItems !== undefined && value.length < minItems) {
    errors.push(invalidValue(path, value.length, `${path} in body should have at least ${minItems} items`));
  }
  return [...errors, ...duplicates(value, schema, path)];
}

function duplicates(value: readonly Json[], schema: Schema, path: string): FieldError[] {
  if (schema.listType === 'atomic') return [];
  const keyOf = (item: Json) =>
    stableKey(
      schema.listType === 'set' || !isObject(item)
        ? item
        : (schema.keys ?? []).map((key) => item[key] ?? schema.items?.fields?.[key]?.default ?? null),
    );
  const keys = value.map(keyOf);
  return value.flatMap((item, index) => {
    if (keys.indexOf(keys[index] ?? '') === index) return [];
    const shown = isObject(item)
      ? Object.fromEntries((schema.keys ?? []).map((key) => [key, item[key] ?? null]))
      : item;
    return [duplicateValue(`${path}[${index}]`, shown)];
  });
}

function checkLimits(value: Json, schema: Schema, path: string): FieldError[] {
  const limits = schema.limits;
  if (!limits) return [];
  const broken = (detail: string) => invalidValue(path, value, `${path} in body ${detail}`);
  const errors: FieldError[] = [];
  if (typeof value === 'string') {
    const length = Array.from(value).length;
    if (limits.enum && !limits.enum.includes(value)) errors.push(unsupportedValue(path, value, limits.enum));
    if (limits.maxLength !== undefined && length > limits.maxLength) errors.push(tooLong(path, limits.maxLength));
    if (limits.minLength !== undefined && length < limits.minLength) {
      errors.push(broken(`should be at least ${limits.minLength} chars long`));
    }
    if (limits.pattern !== undefined && !new RegExp(limits.pattern, 'u').test(value)) {
      errors.push(broken(`should match '${limits.pattern}'`));
    }
  } else if (typeof value === 'number') {
    if (limits.values && !limits.values.includes(value)) {
      errors.push(unsupportedValue(path, value, limits.values.map(String)));
    }
    if (limits.minimum !== undefined && value < limits.minimum) {
      errors.push(broken(`should be greater than or equal to ${limits.minimum}`));
    }
    if (limits.maximum !== undefined && value > limits.maximum) {
      errors.push(broken(`should be less than or equal to ${limits.maximum}`));
    }
  }
  return errors;
}

function checkRules(value: Json, schema: Schema, path: string): FieldError[] {
  const errors = (schema.rules ?? []).flatMap((rule) => {
    const answer = rule.holds(value);
    return answer === true ? [] : [ruleError(value, rule.message, path, answer)];
  });
  if (Array.isArray(value)) {
    const items = schema.items;
    return [...errors, ...(items ? value.flatMap((item, index) => checkRules(item, items, `${path}[${index}]`)) : [])];
  }
  if (!isObject(value)) return errors;
  return [
    ...errors,
    ...Object.entries(value).flatMap(([key, member]) => {
      const field = memberOf(schema, key);
      return field && !(path === '' && key === 'metadata') ? checkRules(member, field, at(path, key)) : [];
    }),
  ];
}

/** Objects and lists are not shown; a rule that failed to come to an answer says why. */
function ruleError(value: Json, message: string, path: string, answer: false | string): FieldError {
  const field = path || '<nil>';
  if (answer !== false) return invalidValue(field, typeOf(value), `${answer} evaluating rule: ${message}`);
  if (typeof value !== 'object' || value === null) return invalidValue(field, value, message);
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${message}` };
}
