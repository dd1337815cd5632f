import type { Condition, Gateway, GatewayClass, HTTPRoute } from '../../../resources.ts';
import { fillDefaults } from '../defaults.ts';
import type { Definition, Draft } from '../definition.ts';
import type { Json } from '../json.ts';
import type { Schema } from '../schema.ts';
import {
  gateway as gatewaySchema,
  gatewayClass as gatewayClassSchema,
  referenceGrant as referenceGrantSchema,
} from '../schemas/gateway.ts';
import { httpRoute as httpRouteSchema } from '../schemas/http-route.ts';
import { securityPolicy as securityPolicySchema } from '../schemas/security-policy.ts';
import { invalidValue } from '../validation/field-errors.ts';
import { creationColumn, nameColumn, specOf, textColumn, textOf } from './columns.ts';

/** What all custom resources share. */
function customResource(
  definition: Omit<Definition, 'custom' | 'applyDefaults' | 'singular' | 'generationOf'>,
): Definition {
  return {
    ...definition,
    custom: true,
    singular: definition.kind.toLowerCase(),
    generationOf: definition.statusSubresource ? withoutStatus : withoutMetadata,
    applyDefaults: (object) => fillDefaults(object as unknown as Json, bodyOf(definition.schema)),
  };
}

const withoutMetadata = (object: Draft) => ({ ...object, metadata: undefined });
const withoutStatus = (object: Draft) => ({ ...object, metadata: undefined, status: undefined });

/** metadata has no defaults; leaving it out keeps it untouched. */
function bodyOf(schema: Schema): Schema {
  const { metadata: _, ...fields } = schema.fields ?? {};
  return { ...schema, fields };
}

function conditionStatus(conditions: readonly Condition[] | undefined, type: string): string {
  return conditions?.find((condition) => condition.type === type)?.status ?? '';
}

const group = 'gateway.networking.k8s.io';
const asGateway = (object: Draft) => object as unknown as Gateway;

export const httpRoute = customResource({
  group,
  version: 'v1',
  kind: 'HTTPRoute',
  plural: 'httproutes',
  categories: ['gateway-api'],
  namespaced: true,
  description: 'HTTPRoute says which HTTP requests of a Gateway go to which Services.',
  schema: httpRouteSchema,
  statusSubresource: true,
  columns: [
    nameColumn,
    textColumn('Hostnames', 'The host names the route answers to.', (object) => {
      const { hostnames } = (object as unknown as HTTPRoute).spec;
      return hostnames ? JSON.stringify(hostnames) : '';
    }),
    creationColumn,
  ],
});

export const gateway = customResource({
  group,
  version: 'v1',
  kind: 'Gateway',
  plural: 'gateways',
  shortNames: ['gtw'],
  categories: ['gateway-api'],
  namespaced: true,
  description: 'Gateway is a set of listeners that routes attach to.',
  schema: gatewaySchema,
  statusSubresource: true,
  columns: [
    nameColumn,
    textColumn('Class', 'The class of the gateway.', (object) => asGateway(object).spec.gatewayClassName),
    textColumn('Address', 'Where it is reached.', (object) => {
      const { addresses } = (asGateway(object).status ?? {}) as { addresses?: { value?: string }[] };
      return addresses?.map(({ value }) => value ?? '').join(',') ?? '';
    }),
    textColumn('Programmed', 'Whether it is in force.', (object) =>
      conditionStatus(asGateway(object).status?.conditions, 'Programmed'),
    ),
    creationColumn,
  ],
});

export const gatewayClass = customResource({
  group,
  version: 'v1',
  kind: 'GatewayClass',
  plural: 'gatewayclasses',
  shortNames: ['gc'],
  categories: ['gateway-api'],
  namespaced: false,
  description: 'GatewayClass names the controller of its gateways.',
  schema: gatewayClassSchema,
  statusSubresource: true,
  columns: [
    nameColumn,
    textColumn('Controller', 'Who is responsible.', (object) => textOf(specOf(object).controllerName)),
    textColumn('Accepted', 'Whether the controller takes it.', (object) =>
      conditionStatus((object as unknown as GatewayClass).status?.conditions, 'Accepted'),
    ),
    creationColumn,
    textColumn('Description', 'What it is for.', (object) => textOf(specOf(object).description), 1),
  ],
  validateUpdate: (next, live) =>
    specOf(next).controllerName === specOf(live).controllerName
      ? []
      : [invalidValue('spec.controllerName', specOf(next).controllerName, 'Value is immutable')],
});

export const referenceGrant = customResource({
  group,
  version: 'v1beta1',
  kind: 'ReferenceGrant',
  plural: 'referencegrants',
  shortNames: ['refgrant'],
  categories: ['gateway-api'],
  namespaced: true,
  description: 'ReferenceGrant allows references from other namespaces.',
  schema: referenceGrantSchema,
  columns: [nameColumn, creationColumn],
});

export const securityPolicy = customResource({
  group: 'gateway.envoyproxy.io',
  version: 'v1alpha1',
  kind: 'SecurityPolicy',
  plural: 'securitypolicies',
  shortNames: ['sp'],
  categories: ['envoy-gateway'],
  namespaced: true,
  description: 'SecurityPolicy says who may use what it targets.',
  schema: securityPolicySchema,
  statusSubresource: true,
  columns: [nameColumn, creationColumn],
});
