import { expect } from 'vitest';
import { gatewayClasses, gateways, referenceGrants, resourcePath } from '../../../../src/k8s/resources.ts';
import type { Topic, World } from '../suite.ts';
import { accepts, refuses, type Refused, type Spec, unchecked } from './refusing.ts';

const group = 'gateway.networking.k8s.io';
const listener = { name: 'http', port: 80, protocol: 'HTTP' };
const https = { name: 'https', port: 443, protocol: 'HTTPS' };
const gateway = (name: string, spec: Spec) => ({
  apiVersion: `${group}/v1`,
  kind: 'Gateway',
  metadata: { name },
  spec,
});
const listeners = (...list: Spec[]): Spec => ({ gatewayClassName: 'example', listeners: list });
const at = 'spec.listeners[0]';

const refused: readonly Refused[] = [
  [
    'no listeners',
    listeners(),
    'spec.listeners: Invalid value: 0: spec.listeners in body should have at least 1 items',
  ],
  ['no class', { listeners: [listener] }, 'spec.gatewayClassName: Required value', unchecked],
  [
    'two listeners with one name',
    listeners(listener, { ...listener, port: 81 }),
    'spec.listeners[1]: Duplicate value: {"name":"http"}',
    'spec.listeners: Invalid value: Listener name must be unique within the Gateway',
  ],
  [
    'two listeners on one port',
    listeners(listener, { ...listener, name: 'other' }),
    'spec.listeners: Invalid value: Combination of port, protocol and hostname must be unique for each listener',
  ],
  [
    'certificates without TLS',
    listeners({ ...listener, tls: { certificateRefs: [{ name: 'cert' }] } }),
    "spec.listeners: Invalid value: tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']",
  ],
  [
    'TLS without certificates',
    listeners({ ...https, tls: { mode: 'Terminate' } }),
    `${at}.tls: Invalid value: "object": no such key: certificateRefs evaluating rule: certificateRefs or options must be specified when mode is Terminate`,
  ],
  [
    'HTTPS that is passed through',
    listeners({ ...https, tls: { mode: 'Passthrough' } }),
    'spec.listeners: Invalid value: tls mode must be Terminate for protocol HTTPS',
  ],
  [
    'a host name of a TCP listener',
    listeners({ name: 'tcp', port: 1, protocol: 'TCP', hostname: 'a.example' }),
    "spec.listeners: Invalid value: hostname must not be specified for protocols ['TCP', 'UDP']",
  ],
  [
    'a port out of range',
    listeners({ ...listener, port: 0 }),
    `${at}.port: Invalid value: 0: ${at}.port in body should be greater than or equal to 1`,
  ],
  [
    'routes from an unknown place',
    listeners({ ...listener, allowedRoutes: { namespaces: { from: 'Some' } } }),
    `${at}.allowedRoutes.namespaces.from: Unsupported value: "Some": supported values: "All", "Selector", "Same"`,
    unchecked,
  ],
  [
    'an address twice',
    { ...listeners(listener), addresses: [{ value: '1.2.3.4' }, { value: '1.2.3.4' }] },
    'spec.addresses: Invalid value: IPAddress values must be unique',
  ],
];

export const gatewaying: Topic = {
  name: 'Gateway and its class',
  cases: {
    ...Object.fromEntries(
      refused.map(([sentence, spec, ...causes]) => [
        `refused: ${sentence}`,
        (world: World) => refuses(world, gateways, gateway('refused', spec), causes),
      ]),
    ),
    'accepted: two listeners, one with TLS': (world) =>
      accepts(
        world,
        gateways,
        gateway(
          'accepted',
          listeners(listener, { ...https, hostname: '*.example', tls: { certificateRefs: [{ name: 'c' }] } }),
        ),
      ),
    'the controller of a class stays as it is': async ({ api, namespace }) => {
      const body = (controllerName: string) => ({
        apiVersion: `${group}/v1`,
        kind: 'GatewayClass',
        metadata: { name: namespace },
        spec: { controllerName },
      });
      expect((await api.post(resourcePath(gatewayClasses), body('example.net/one'))).object.status).toMatchObject({
        conditions: [{ type: 'Accepted', status: 'Unknown', reason: 'Pending' }],
      });
      const path = resourcePath(gatewayClasses, undefined, namespace);
      (await api.mergePatch(path, { spec: { controllerName: 'example.net/two' } })).refuses(
        422,
        'Invalid',
        `GatewayClass.${group} "${namespace}" is invalid: spec.controllerName: Invalid value: "example.net/two": Value is immutable`,
        {
          name: namespace,
          group,
          kind: 'GatewayClass',
          causes: [
            {
              reason: 'FieldValueInvalid',
              message: 'Invalid value: "example.net/two": Value is immutable',
              field: 'spec.controllerName',
            },
          ],
        },
      );
      await api.delete(path);
    },
    'a grant needs both sides': (world) =>
      refuses(
        world,
        referenceGrants,
        { apiVersion: `${group}/v1beta1`, kind: 'ReferenceGrant', metadata: { name: 'x' }, spec: { from: [], to: [] } },
        [
          'spec.from: Invalid value: 0: spec.from in body should have at least 1 items',
          'spec.to: Invalid value: 0: spec.to in body should have at least 1 items',
        ],
      ),
  },
};
