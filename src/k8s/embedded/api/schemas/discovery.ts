import { always, anything, boolean, int32, list, map, pointer, required, set, string, struct } from '../schema.ts';
import { objectMeta, objectReference } from './meta.ts';

export const endpointConditions = struct('discovery.v1.EndpointConditions', {
  ready: pointer(boolean),
  serving: pointer(boolean),
  terminating: pointer(boolean),
});

export const endpoint = struct('discovery.v1.Endpoint', {
  addresses: required(set(string)),
  conditions: always(endpointConditions),
  hostname: pointer(string),
  targetRef: objectReference,
  deprecatedTopology: map(string),
  nodeName: pointer(string),
  zone: pointer(string),
  hints: anything,
});

export const endpointPort = struct(
  'discovery.v1.EndpointPort',
  {
    name: pointer(string),
    protocol: pointer(string),
    port: pointer(int32),
    appProtocol: pointer(string),
  },
  { atomic: true },
);

export const endpointSlice = struct('discovery.v1.EndpointSlice', {
  metadata: always(objectMeta),
  addressType: required(string),
  endpoints: always(list(endpoint)),
  ports: always(list(endpointPort)),
});
