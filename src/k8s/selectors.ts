import { invalid } from '../errors.ts';
import type { LabelSelector } from './resources.ts';

/** One condition on labels; all of a selector's must hold. */
export interface Requirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  readonly values: readonly string[];
}

/** A parsed selector; without requirements it matches everything. */
export type Selector = readonly Requirement[];

type Labels = Readonly<Record<string, string>> | undefined;

/** Whether labels satisfy a parsed selector or a LabelSelector object. As in Kubernetes, no selector matches nothing. */
export function matchesSelector(selector: Selector | LabelSelector | null | undefined, labels: Labels): boolean {
  if (!selector) return false;
  const requirements = isParsed(selector) ? selector : requirementsOf(selector);
  return requirements.every((requirement) => holds(requirement, labels ?? {}));
}

function isParsed(selector: Selector | LabelSelector): selector is Selector {
  return Array.isArray(selector);
}

function holds({ key, operator, values }: Requirement, labels: Readonly<Record<string, string>>): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default: {
      if (value === undefined || !integer.test(value)) return false;
      const bound = BigInt(values[0] ?? '0');
      return operator === 'Gt' ? BigInt(value) > bound : BigInt(value) < bound;
    }
  }
}

/** The conditions of a LabelSelector object, such as a Deployment's. */
export function requirementsOf(selector: LabelSelector): Selector {
  const equal = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
    key,
    operator: 'In' as const,
    values: [value],
  }));
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values }) => ({
    key,
    operator,
    values: values ?? [],
  }));
  return [...equal, ...expressions];
}

const integer = /^-?\d+$/;
const token = /\s*(?:(==|!=|=|!|>|<|\(|\)|,)|([^\s=!<>(),]+))/y;
const symbols = new Set(['==', '!=', '=', '!', '>', '<', '(', ')', ',']);

/**
 * Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1` as kubectl does; what is wrong is INVALID on `field`.
 * Blank text gives a selector that matches everything.
 */
export function parseLabelSelector(text: string, field = 'labelSelector'): Selector {
  if (text.length > 4096) throw invalid(field, 'The label selector is longer than 4096 characters.');
  const tokens = tokenize(text, field);
  const requirements: Requirement[] = [];
  let position = 0;
  const peek = () => tokens[position];
  const next = () => tokens[position++];
  const fail = (found: string | undefined, expected: string) =>
    invalid(field, `The label selector has ${found ? `"${found}"` : 'its end'} where ${expected} is expected.`);

  while (position < tokens.length) {
    requirements.push(requirement());
    if (position === tokens.length) break;
    const separator = next();
    if (separator !== ',') throw fail(separator, 'a comma');
    if (position === tokens.length) throw fail(undefined, 'a label key');
  }
  return requirements;

  function requirement(): Requirement {
    if (peek() === '!') {
      next();
      return { key: labelKey(next()), operator: 'DoesNotExist', values: [] };
    }
    const key = labelKey(next());
    const operator = peek();
    if (operator === undefined || operator === ',') return { key, operator: 'Exists', values: [] };
    next();
    if (operator === '=' || operator === '==') return { key, operator: 'In', values: [oneValue()] };
    if (operator === '!=') return { key, operator: 'NotIn', values: [oneValue()] };
    if (operator === 'in') return { key, operator: 'In', values: valueList() };
    if (operator === 'notin') return { key, operator: 'NotIn', values: valueList() };
    if (operator === '>' || operator === '<') {
      const bound = next();
      if (!bound || !integer.test(bound)) throw fail(bound, 'an integer');
      return { key, operator: operator === '>' ? 'Gt' : 'Lt', values: [bound] };
    }
    throw fail(operator, 'an operator (=, ==, !=, in, notin, >, <)');
  }

  function labelKey(found: string | undefined): string {
    if (!found || symbols.has(found)) throw fail(found, 'a label key');
    if (!isLabelKey(found)) throw invalid(field, `"${found}" in the label selector is no label key.`);
    return found;
  }

  function oneValue(): string {
    const found = peek();
    if (found === undefined || found === ',') return '';
    next();
    return labelValue(found);
  }

  function labelValue(found: string): string {
    if (symbols.has(found)) throw fail(found, 'a value');
    if (!isLabelValue(found)) throw invalid(field, `"${found}" in the label selector is no label value.`);
    return found;
  }

  function valueList(): string[] {
    const open = next();
    if (open !== '(') throw fail(open, '(');
    const values: string[] = [];
    for (;;) {
      const found = peek();
      // `in (a,)` and `in ()` select the empty value, as in Kubernetes.
      values.push(found === ',' || found === ')' ? '' : listValue());
      const separator = next();
      if (separator === ')') return values;
      if (separator !== ',') throw fail(separator, 'a comma or )');
    }
  }

  function listValue(): string {
    const found = next();
    if (found === undefined) throw fail(found, 'a value');
    return labelValue(found);
  }
}

function tokenize(text: string, field: string): string[] {
  const tokens: string[] = [];
  const source = text.trimEnd();
  token.lastIndex = 0;
  while (token.lastIndex < source.length) {
    const match = token.exec(source);
    if (!match) throw invalid(field, 'The label selector can not be read.');
    tokens.push(match[1] ?? match[2] ?? '');
  }
  return tokens;
}

const name = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const prefix = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** `[prefix/]name` by the rules of Kubernetes. */
export function isLabelKey(key: string): boolean {
  const slash = key.indexOf('/');
  if (slash < 0) return name.test(key);
  const domain = key.slice(0, slash);
  return domain.length <= 253 && prefix.test(domain) && name.test(key.slice(slash + 1));
}

/** Up to 63 characters by the rules of Kubernetes; may be empty. */
export function isLabelValue(value: string): boolean {
  return value === '' || name.test(value);
}
