import { defaulted, int32, int64, limited, list, listMap, required, type Schema, string, struct } from '../schema.ts';

/** Building blocks that the Gateway API and Envoy Gateway share. */

const dnsLabel = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const dnsName = `${dnsLabel}(\\.${dnsLabel})*`;

export const groupPattern = `^$|^${dnsName}$`;
export const hostnamePattern = `^(\\*\\.)?${dnsName}$`;
export const durationPattern = '^([0-9]{1,5}(h|m|s|ms)){1,4}$';

export const group = limited(string, { maxLength: 253, pattern: groupPattern });
export const kind = limited(string, { minLength: 1, maxLength: 63, pattern: '^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$' });
export const objectName = limited(string, { minLength: 1, maxLength: 253 });
export const namespaceName = limited(string, { minLength: 1, maxLength: 63, pattern: `^${dnsLabel}$` });
export const sectionName = limited(string, { minLength: 1, maxLength: 253, pattern: `^${dnsName}$` });
export const hostname = limited(string, { minLength: 1, maxLength: 253, pattern: hostnamePattern });
export const preciseHostname = limited(string, { minLength: 1, maxLength: 253, pattern: `^${dnsName}$` });
export const portNumber = limited(int32, { minimum: 1, maximum: 65535 });
export const duration = limited(string, { pattern: durationPattern });
export const controllerName = limited(string, {
  minLength: 1,
  maxLength: 253,
  pattern: `^${dnsName}\\/[A-Za-z0-9\\/\\-._~%!$&'()*+,;=:]+$`,
});

export function atMost(maxItems: number, schema: Schema): Schema {
  return limited(schema, { maxItems });
}
export function atLeast(minItems: number, schema: Schema): Schema {
  return limited(schema, { minItems });
}
export function oneOf(...values: string[]): Schema {
  return limited(string, { enum: values });
}

const gatewayGroup = 'gateway.networking.k8s.io';

export const parentReference = struct('gateway.v1.ParentReference', {
  group: defaulted(group, gatewayGroup),
  kind: defaulted(kind, 'Gateway'),
  namespace: namespaceName,
  name: required(objectName),
  sectionName,
  port: portNumber,
});

/** A Secret, or what else `kind` names. */
export const secretReference = struct('gateway.v1.SecretObjectReference', {
  group: defaulted(group, ''),
  kind: defaulted(kind, 'Secret'),
  name: required(objectName),
  namespace: namespaceName,
});

const conditionType = `^(${dnsName}/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$`;

const condition = struct('gateway.v1.Condition', {
  type: required(limited(string, { maxLength: 316, pattern: conditionType })),
  status: required(oneOf('True', 'False', 'Unknown')),
  observedGeneration: limited(int64, { minimum: 0 }),
  lastTransitionTime: required(string),
  reason: required(
    limited(string, { minLength: 1, maxLength: 1024, pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$' }),
  ),
  message: required(limited(string, { maxLength: 32768 })),
});
export const conditions = atMost(8, listMap(condition, ['type']));

export const routeStatus = struct('gateway.v1.RouteStatus', {
  parents: required(
    atMost(
      32,
      list(
        struct('gateway.v1.RouteParentStatus', {
          parentRef: required(parentReference),
          controllerName: required(controllerName),
          conditions: required(atLeast(1, conditions)),
        }),
      ),
    ),
  ),
});

export const policyStatus = struct('gateway.v1.PolicyStatus', {
  ancestors: required(
    atMost(
      16,
      list(
        struct('gateway.v1.PolicyAncestorStatus', {
          ancestorRef: required(parentReference),
          controllerName: required(controllerName),
          conditions: required(atLeast(1, conditions)),
        }),
      ),
    ),
  ),
});

/** The condition of an object that no controller has looked at yet. */
export function waiting(...types: string[]): unknown[] {
  return types.map((type) => ({
    type,
    status: 'Unknown',
    reason: 'Pending',
    message: 'Waiting for controller',
    lastTransitionTime: '1970-01-01T00:00:00Z',
  }));
}
