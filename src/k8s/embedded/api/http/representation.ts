import type { IncomingHttpHeaders } from 'node:http';
import type { Definition, Draft } from '../definition.ts';
import { groupVersionOf } from '../definition.ts';
import type { ListResult } from '../read.ts';
import { badRequest, notAcceptable } from '../status.ts';
import { jsonOf } from '../store.ts';
import { tableRow, tableText } from './table.ts';

/** The form in which objects go out: whole, as a table for kubectl, or their metadata only. */
export interface Representation {
  readonly form: 'object' | 'table' | 'metadata';
  /** What the rows of a table carry along. */
  readonly includeObject: 'Metadata' | 'Object' | 'None';
}

/** Chooses by the Accept header, whose clauses are in order of preference. */
export function representationOf(headers: IncomingHttpHeaders, includeObject: string | null): Representation {
  const clauses = (headers.accept ?? '*/*').split(',').map((clause) => clause.split(';').map((part) => part.trim()));
  for (const [type = '', ...parameters] of clauses) {
    if (!['application/json', 'application/*', '*/*'].includes(type)) continue;
    const as = parameters.find((parameter) => parameter.startsWith('as='))?.slice(3);
    const served = parameters.includes('g=meta.k8s.io') && parameters.includes('v=v1');
    if (as === undefined) return { form: 'object', includeObject: 'None' };
    if (!served) continue;
    if (as === 'Table') return { form: 'table', includeObject: includedObject(includeObject) };
    if (as.startsWith('PartialObjectMetadata')) return { form: 'metadata', includeObject: 'None' };
  }
  throw notAcceptable(['application/json', 'application/json;stream=watch']);
}

function includedObject(text: string | null): Representation['includeObject'] {
  if (text === null || text === '') return 'Metadata';
  if (text === 'Metadata' || text === 'Object' || text === 'None') return text;
  const shown = JSON.stringify(text);
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${shown}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}

export function objectText(definition: Definition, object: Draft, form: Representation, now: number): string {
  if (form.form === 'table') return tableText(definition, [object], {}, form, now);
  return form.form === 'metadata' ? JSON.stringify(metadataOf(object)) : jsonOf(object);
}

function metadataOf({ metadata }: Draft) {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
}

export function listText(
  definition: Definition,
  { items, metadata }: ListResult,
  form: Representation,
  now: number,
): string {
  if (form.form === 'table') return tableText(definition, items, metadata, form, now);
  const meta = JSON.stringify(metadata);
  if (form.form === 'metadata') {
    const texts = items.map((item) => JSON.stringify(metadataOf(item)));
    return `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":${meta},"items":[${texts.join(',')}]}\n`;
  }
  const head = `"kind":"${definition.kind}List","apiVersion":"${groupVersionOf(definition)}","metadata":${meta}`;
  return `{${head},"items":[${items.map((item) => itemText(definition, item)).join(',')}]}\n`;
}

/** Items of built-in kinds come without apiVersion and kind, which the list has for all of them. */
function itemText(definition: Definition, object: Draft): string {
  const text = jsonOf(object);
  const head = `{"apiVersion":"${groupVersionOf(definition)}","kind":"${definition.kind}",`;
  return !definition.custom && text.startsWith(head) ? `{${text.slice(head.length)}` : text;
}

/** An object as it goes into a watch event. */
export function eventObjectText(
  definition: Definition,
  object: Draft,
  form: Representation,
  now: number,
  first: boolean,
): string {
  if (form.form !== 'table') return objectText(definition, object, form, now);
  if (object.metadata.name === undefined) {
    // A bookmark has no row, only its version.
    return `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"${object.metadata.resourceVersion ?? ''}"},"columnDefinitions":null,"rows":[${tableRow(definition, object, form, now, true)}]}`;
  }
  return tableText(definition, [object], {}, form, now, first);
}
