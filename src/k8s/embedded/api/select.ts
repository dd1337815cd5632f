import { SlipwayError } from '../../../errors.ts';
import { matchesSelector, parseLabelSelector } from '../../selectors.ts';
import type { Definition, Draft } from './definition.ts';
import { badRequest } from './status.ts';

/** Which objects of a kind a list or a watch is about. */
export interface Selection {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
}

export type Matches = (object: Draft) => boolean;

/** A predicate for a selection; undefined when it takes everything. */
export function matcher(definition: Definition, selection: Selection): Matches | undefined {
  const tests: Matches[] = [];
  if (selection.namespace !== undefined) tests.push((object) => object.metadata.namespace === selection.namespace);
  if (selection.labelSelector) tests.push(labelTest(selection.labelSelector));
  if (selection.fieldSelector) tests.push(fieldTest(definition, selection.fieldSelector));
  return tests.length > 0 ? (object) => tests.every((test) => test(object)) : undefined;
}

function labelTest(text: string): Matches {
  try {
    const selector = parseLabelSelector(text);
    return (object) => matchesSelector(selector, object.metadata.labels);
  } catch (error) {
    if (error instanceof SlipwayError) throw badRequest(`unable to parse requirement: ${error.message}`);
    throw error;
  }
}

function fieldTest(definition: Definition, text: string): Matches {
  const tests = splitTerms(text).map((term) => termTest(definition, term));
  return (object) => tests.every((test) => test(object));
}

/** Commas part the terms; a backslash takes a comma, an equals sign or a backslash as it is. */
function splitTerms(text: string): string[] {
  return (text.match(/(?:\\.|[^,\\])+/g) ?? []).filter((term) => term !== '');
}

function termTest(definition: Definition, term: string): Matches {
  const match = /^((?:\\.|[^=!\\])*)(!=|==|=)(.*)$/s.exec(term);
  if (!match) throw badRequest(`invalid selector: '${term}'; can't understand '${term}'`);
  const [, field = '', operator, raw = ''] = match;
  const value = raw.replace(/\\([\\,=])/g, '$1');
  const read = fieldReader(definition, field);
  return operator === '!=' ? (object) => read(object) !== value : (object) => read(object) === value;
}

function fieldReader(definition: Definition, field: string): (object: Draft) => string {
  if (field === 'metadata.name') return (object) => object.metadata.name;
  if (field === 'metadata.namespace' && definition.namespaced) return (object) => object.metadata.namespace ?? '';
  const found = definition.selectableFields;
  const read = found && Object.hasOwn(found, field) ? found[field] : undefined;
  if (!read) throw badRequest(unselectable(definition, field));
  return read;
}

/** Kinds that are selected by nothing but their name are worded differently. */
function unselectable({ custom, selectableFields }: Definition, field: string): string {
  if (custom || selectableFields) return `field label not supported: ${field}`;
  return `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`;
}
