import { createHash } from 'node:crypto';
import type { Core } from '../core.ts';
import type { Definition } from '../definition.ts';
import { patchTypesOf } from '../patch/index.ts';
import type { Schema } from '../schema.ts';

/** OpenAPI v3, as far as kubectl needs it: `explain`, the merge keys of `apply`, and which queries a kind takes. */

type Document = Record<string, unknown>;

const prefixes: Record<string, string> = {
  meta: 'io.k8s.apimachinery.pkg.apis.meta',
  gateway: 'io.k8s.networking.gateway',
  envoy: 'io.envoyproxy.gateway',
};

/** `core.v1.PodSpec` as the name of a component. */
function componentName(name: string): string {
  const [group = '', ...rest] = name.split('.');
  return [prefixes[group] ?? `io.k8s.api.${group}`, ...rest].join('.');
}

export interface OpenApi {
  index(): Document;
  /** By its path, such as `apis/apps/v1`. */
  document(path: string): Document | undefined;
}

export function createOpenApi(core: Core): OpenApi {
  const made = new Map<string, { document: Document; hash: string }>();
  const paths = [...new Set(core.definitions.map(pathOf))];
  const make = (path: string) => {
    const present = made.get(path);
    if (present) return present;
    const document = documentOf(core.definitions.filter((definition) => pathOf(definition) === path));
    const hash = createHash('sha256').update(JSON.stringify(document)).digest('hex').toUpperCase();
    const entry = { document, hash };
    made.set(path, entry);
    return entry;
  };
  return {
    index: () => ({
      paths: Object.fromEntries(
        paths.map((path) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${make(path).hash}` }]),
      ),
    }),
    document: (path) => (paths.includes(path) ? make(path).document : undefined),
  };
}

function pathOf({ group, version }: Definition): string {
  return group ? `apis/${group}/${version}` : `api/${version}`;
}

function documentOf(definitions: readonly Definition[]): Document {
  const schemas: Document = {};
  for (const definition of definitions) addKind(definition, schemas);
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'unversioned' },
    paths: Object.assign({}, ...definitions.map(pathsOf)) as Document,
    components: { schemas },
  };
}

const text = { type: 'string' };

function addKind(definition: Definition, schemas: Document): void {
  const { group, version, kind, schema, description } = definition;
  const name = componentName(schema.name ?? kind);
  add(schema, schemas);
  const base = schemas[name] as { properties?: Document };
  const gvk = [{ group, version, kind }];
  schemas[name] = {
    ...base,
    description,
    properties: {
      apiVersion: { ...text, description: 'The group and version of this form of the object.' },
      kind: { ...text, description: 'The kind of the object.' },
      ...base.properties,
    },
    'x-kubernetes-group-version-kind': gvk,
  };
  schemas[`${name}List`] = {
    type: 'object',
    description: `${kind}List is a list of ${kind}.`,
    properties: {
      apiVersion: text,
      kind: text,
      metadata: { type: 'object' },
      items: { type: 'array', items: { $ref: `#/components/schemas/${name}` } },
    },
    'x-kubernetes-group-version-kind': [{ group, version, kind: `${kind}List` }],
  };
}

/** Adds the component of a struct and of all below it. */
function add(schema: Schema, schemas: Document): void {
  if (schema.items) add(schema.items, schemas);
  if (schema.type !== 'struct' || !schema.name) return;
  const name = componentName(schema.name);
  if (schemas[name]) return;
  const fields = Object.entries(schema.fields ?? {});
  const required = fields.filter(([, field]) => field.required).map(([key]) => key);
  schemas[name] = {
    type: 'object',
    ...(schema.description && { description: schema.description }),
    properties: Object.fromEntries(fields.map(([key, field]) => [key, property(field)])),
    ...(required.length > 0 && { required }),
    ...(schema.atomic && { 'x-kubernetes-map-type': 'atomic' }),
  };
  for (const [, field] of fields) add(field, schemas);
}

const types: Partial<Record<Schema['type'], Document>> = {
  'int-or-string': { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  quantity: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  bytes: { type: 'string', format: 'byte' },
  time: { type: 'string', format: 'date-time' },
  'micro-time': { type: 'string', format: 'date-time' },
  any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
};

function property(schema: Schema): Document {
  const strategy = schema.patchStrategy;
  return {
    ...typeOf(schema),
    ...(schema.description && { description: schema.description }),
    ...(schema.default !== undefined && { default: schema.default }),
    ...limitsOf(schema),
    ...(strategy && { 'x-kubernetes-patch-strategy': strategy }),
    ...(schema.patchMergeKey && { 'x-kubernetes-patch-merge-key': schema.patchMergeKey }),
  };
}

function typeOf(schema: Schema): Document {
  switch (schema.type) {
    case 'struct':
      return { allOf: [{ $ref: `#/components/schemas/${componentName(schema.name ?? '')}` }] };
    case 'map':
      return { type: 'object', additionalProperties: schema.items ? property(schema.items) : {} };
    case 'list':
      return {
        type: 'array',
        items: schema.items ? property(schema.items) : {},
        'x-kubernetes-list-type': schema.listType,
        ...(schema.keys && { 'x-kubernetes-list-map-keys': schema.keys }),
      };
    default:
      return types[schema.type] ?? { type: schema.type, ...(schema.format && { format: schema.format }) };
  }
}

function limitsOf({ limits }: Schema): Document {
  if (!limits) return {};
  const { values, ...rest } = limits;
  return { ...rest, ...(values && { enum: values }) };
}

function parameter(name: string, type: string): Document {
  return { name, in: 'query', schema: { type, uniqueItems: true } };
}

const writeParameters = [
  parameter('dryRun', 'string'),
  parameter('fieldManager', 'string'),
  parameter('fieldValidation', 'string'),
];

function pathsOf(definition: Definition): Document {
  const { group, version, kind, plural, namespaced, schema } = definition;
  const gvk = { group, version, kind };
  const reference = { $ref: `#/components/schemas/${componentName(schema.name ?? kind)}` };
  const answer = { responses: { 200: { description: 'OK', content: { 'application/json': { schema: reference } } } } };
  const body = { requestBody: { content: { 'application/json': { schema: reference } } } };
  const operation = (action: string, more: Document = {}) => ({
    ...answer,
    ...more,
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk,
  });
  const accepted = patchTypesOf(definition);
  const patchBody = {
    requestBody: { content: Object.fromEntries(accepted.map((type) => [type, { schema: { type: 'object' } }])) },
  };
  const root = `/${pathOf(definition)}${namespaced ? '/namespaces/{namespace}' : ''}/${plural}`;
  return {
    [root]: {
      get: operation('list'),
      post: operation('post', { ...body, parameters: writeParameters }),
      delete: operation('deletecollection'),
    },
    [`${root}/{name}`]: {
      get: operation('get'),
      put: operation('put', { ...body, parameters: writeParameters }),
      patch: operation('patch', { ...patchBody, parameters: [...writeParameters, parameter('force', 'boolean')] }),
      delete: operation('delete', {
        parameters: [parameter('dryRun', 'string'), parameter('propagationPolicy', 'string')],
      }),
    },
  };
}
