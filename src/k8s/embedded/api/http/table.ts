import type { Column, Definition, Draft } from '../definition.ts';
import type { ListResult } from '../read.ts';
import { jsonOf } from '../store.ts';
import type { Representation } from './representation.ts';

/** meta/v1 Table: what `kubectl get` prints. */
export function tableText(
  definition: Definition,
  objects: readonly Draft[],
  metadata: Partial<ListResult['metadata']>,
  form: Representation,
  now: number,
  withColumns = true,
): string {
  const [only] = objects;
  const version = metadata.resourceVersion ?? only?.metadata.resourceVersion;
  const meta = JSON.stringify({ ...metadata, ...(version !== undefined && { resourceVersion: version }) });
  const columns = withColumns ? JSON.stringify(definition.columns.map(columnDefinition)) : 'null';
  const rows = objects.map((object) => tableRow(definition, object, form, now));
  return `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":${meta},"columnDefinitions":${columns},"rows":[${rows.join(',')}]}\n`;
}

function columnDefinition({ name, type, format, description, priority = 0 }: Column) {
  return { name, type, format: format ?? '', description, priority };
}

export function tableRow(
  definition: Definition,
  object: Draft,
  form: Representation,
  now: number,
  bare = false,
): string {
  const cells = bare ? [] : definition.columns.map((column) => column.cell(object, now));
  return `{"cells":${JSON.stringify(cells)},"object":${rowObject(object, form)}}`;
}

function rowObject(object: Draft, { includeObject }: Representation): string {
  if (includeObject === 'None') return 'null';
  if (includeObject === 'Object') return jsonOf(object);
  return JSON.stringify({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata });
}
