import { expect } from 'vitest';
import {
  configMaps,
  deployments,
  endpointSlices,
  namespaces,
  pods,
  type Resource,
  resourcePath,
  secrets,
  services,
} from '../../../../src/k8s/resources.ts';
import { configMap, deployment, pod, service } from '../objects.ts';
import type { Topic, World } from '../suite.ts';

/** What is wrong, the kind, the object, and each cause as `field: message`. */
type Refused = readonly [sentence: string, resource: Resource, body: object, ...causes: string[]];

const label = "(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const aLabel = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character ${label}`;
const aSubdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const aName =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const aValue =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const aKey =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

const container = (fields: object = {}) => ({ containers: [{ name: 'main', image: 'web:1', ...fields }] });
const at = 'spec.containers[0]';

const refused: readonly Refused[] = [
  ['a name with capitals', configMaps, configMap('Upper'), `metadata.name: Invalid value: "Upper": ${aSubdomain}`],
  [
    'a name that is too long',
    configMaps,
    configMap('a'.repeat(254)),
    `metadata.name: Invalid value: "${'a'.repeat(254)}": must be no more than 253 characters`,
  ],
  [
    'a namespace with a dot',
    namespaces,
    { metadata: { name: 'a.b' } },
    'metadata.name: Invalid value: "a.b": must not contain dots',
  ],
  [
    'a Service with a dot in its name',
    services,
    service('a.b'),
    'metadata.name: Invalid value: "a.b": must not contain dots',
  ],
  [
    'a label with a space in its key',
    configMaps,
    configMap('x', {}, { labels: { 'a b': 'c' } }),
    `metadata.labels: Invalid value: "a b": ${aName}`,
  ],
  [
    'a label value that ends in a dash',
    configMaps,
    configMap('x', {}, { labels: { a: 'c-' } }),
    `metadata.labels: Invalid value: "c-": ${aValue}`,
  ],
  [
    'a label value that is too long',
    configMaps,
    configMap('x', {}, { labels: { a: 'c'.repeat(64) } }),
    `metadata.labels: Invalid value: "${'c'.repeat(64)}": must be no more than 63 bytes`,
  ],
  [
    'a label key with an empty prefix',
    configMaps,
    configMap('x', {}, { labels: { '/a': 'c' } }),
    'metadata.labels: Invalid value: "/a": prefix part must be non-empty',
  ],
  [
    'annotations that are too large',
    configMaps,
    configMap('x', {}, { annotations: { a: 'x'.repeat(262_144) } }),
    'metadata.annotations: Too long: may not be more than 262144 bytes',
  ],
  [
    'a key of a ConfigMap with a slash',
    configMaps,
    configMap('x', { 'a/b': '1' }),
    `data[a/b]: Invalid value: "a/b": ${aKey}`,
  ],
  [
    'a key of a Secret with a slash',
    secrets,
    { metadata: { name: 'x' }, stringData: { 'a/b': '1' } },
    `data[a/b]: Invalid value: "a/b": ${aKey}`,
  ],
  [
    'a Secret for TLS without a certificate',
    secrets,
    { metadata: { name: 'x' }, type: 'kubernetes.io/tls' },
    'data[tls.crt]: Required value',
    'data[tls.key]: Required value',
  ],
  ['a Service without ports', services, service('x', { ports: [] }), 'spec.ports: Required value'],
  [
    'a Service of an unknown type',
    services,
    service('x', { type: 'Magic' as 'ClusterIP' }),
    'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
  ],
  [
    'a port out of range',
    services,
    service('x', { ports: [{ port: 70_000 }] }),
    'spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive',
    'spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
  ],
  [
    'two ports without names',
    services,
    service('x', { ports: [{ port: 80 }, { port: 81 }] }),
    'spec.ports[0].name: Required value',
    'spec.ports[1].name: Required value',
  ],
  [
    'the same port twice',
    services,
    service('x', {
      ports: [
        { name: 'a', port: 80 },
        { name: 'b', port: 80 },
      ],
    }),
    'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
  ],
  [
    'the same name of a port twice',
    services,
    service('x', {
      ports: [
        { name: 'a', port: 80 },
        { name: 'a', port: 81 },
      ],
    }),
    'spec.ports[1].name: Duplicate value: "a"',
  ],
  [
    'an unknown protocol',
    services,
    service('x', { ports: [{ port: 80, protocol: 'ICMP' }] }),
    'spec.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
  ],
  [
    'a target port with a name that can not be one',
    services,
    service('x', { ports: [{ port: 80, targetPort: 'No_Name' }] }),
    'spec.ports[0].targetPort: Invalid value: "No_Name": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
  ],
  [
    'an external name that is missing',
    services,
    service('x', { type: 'ExternalName' }),
    'spec.externalName: Required value',
  ],
  [
    'a Deployment whose selector does not fit',
    deployments,
    deployment('x', { selector: { matchLabels: { app: 'y' } } }),
    'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`',
  ],
  [
    'a Deployment with less than no replicas',
    deployments,
    deployment('x', { replicas: -1 }),
    'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  ],
  [
    'a Deployment with an unknown strategy',
    deployments,
    deployment('x', { strategy: { type: 'Magic' } }),
    'spec.strategy: Unsupported value: {"Type":"Magic","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"',
  ],
  [
    'a Deployment that can not move',
    deployments,
    deployment('x', { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
    'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0',
  ],
  [
    'a Deployment whose deadline comes too early',
    deployments,
    deployment('x', { minReadySeconds: 10, progressDeadlineSeconds: 5 }),
    'spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds',
  ],
  [
    'a Deployment whose Pods do not run for ever',
    deployments,
    deployment('x', {
      template: { metadata: { labels: { app: 'x' } }, spec: { ...container(), restartPolicy: 'Never' } },
    }),
    'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
  ],
  ['a Pod without containers', pods, pod('x', { containers: [] }), 'spec.containers: Required value'],
  ['a container without an image', pods, pod('x', { containers: [{ name: 'main' }] }), `${at}.image: Required value`],
  ['a container without a name', pods, pod('x', { containers: [{ image: 'web:1' }] }), `${at}.name: Required value`],
  [
    'two containers with one name',
    pods,
    pod('x', {
      containers: [
        { name: 'main', image: 'web:1' },
        { name: 'main', image: 'web:2' },
      ],
    }),
    'spec.containers[1].name: Duplicate value: "main"',
  ],
  [
    'a container with a name that can not be one',
    pods,
    pod('x', container({ name: 'Main' })),
    `${at}.name: Invalid value: "Main": ${aLabel}`,
  ],
  [
    'a container with an unknown pull policy',
    pods,
    pod('x', container({ imagePullPolicy: 'Sometimes' })),
    `${at}.imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"`,
  ],
  [
    'a container port out of range',
    pods,
    pod('x', container({ ports: [{ containerPort: 0 }] })),
    `${at}.ports[0].containerPort: Required value`,
  ],
  [
    'a name of a container port that is too long',
    pods,
    pod('x', container({ ports: [{ containerPort: 80, name: 'much-too-long-name' }] })),
    `${at}.ports[0].name: Invalid value: "much-too-long-name": must be no more than 15 characters`,
  ],
  [
    'a variable without a name',
    pods,
    pod('x', container({ env: [{ value: '1' }] })),
    `${at}.env[0].name: Required value`,
  ],
  [
    'a variable with two values',
    pods,
    pod('x', container({ env: [{ name: 'A', value: '1', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] })),
    `${at}.env[0].valueFrom: Invalid value: "": may not be specified when \`value\` is not empty`,
  ],
  [
    'a request above its limit',
    pods,
    pod('x', container({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } })),
    `${at}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1`,
  ],
  [
    'a probe that does nothing',
    pods,
    pod('x', container({ readinessProbe: {} })),
    `${at}.readinessProbe: Required value: must specify a handler type`,
  ],
  [
    'a probe that does two things',
    pods,
    pod('x', container({ readinessProbe: { httpGet: { port: 80 }, tcpSocket: { port: 80 } } })),
    `${at}.readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type`,
  ],
  [
    'a liveness probe that must succeed twice',
    pods,
    pod('x', container({ livenessProbe: { tcpSocket: { port: 80 }, successThreshold: 2 } })),
    `${at}.livenessProbe.successThreshold: Invalid value: 2: must be 1`,
  ],
  [
    'a probe of a port that can not be one',
    pods,
    pod('x', container({ readinessProbe: { httpGet: { port: 0 } } })),
    `${at}.readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive`,
  ],
  [
    'a mount of a volume that is not there',
    pods,
    pod('x', container({ volumeMounts: [{ name: 'data', mountPath: '/data' }] })),
    `${at}.volumeMounts[0].name: Not found: "data"`,
  ],
  [
    'an unknown restart policy',
    pods,
    pod('x', { ...container(), restartPolicy: 'Sometimes' }),
    'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
  ],
  [
    'an endpoint without an address',
    endpointSlices,
    { metadata: { name: 'x' }, addressType: 'IPv4', endpoints: [{ addresses: [] }], ports: [] },
    'endpoints[0].addresses: Required value: must contain at least 1 address',
  ],
  [
    'endpoints of an unknown type',
    endpointSlices,
    { metadata: { name: 'x' }, addressType: 'Postal', endpoints: [], ports: [] },
    'addressType: Unsupported value: "Postal": supported values: "FQDN", "IPv4", "IPv6"',
  ],
];

async function refuses({ api, path }: World, resource: Resource, body: object, causes: readonly string[]) {
  const collection = resource.namespaced ? path(resource) : resourcePath(resource);
  const { code, reason, details } = (await api.post(collection, body)).failure;
  expect({ code, reason }).toEqual({ code: 422, reason: 'Invalid' });
  expect(details?.causes?.map(({ field, message }) => `${field}: ${message}`)).toEqual(causes);
}

export const validating: Topic = {
  name: 'validation',
  cases: {
    ...Object.fromEntries(
      refused.map(([sentence, resource, body, ...causes]) => [
        `refused: ${sentence}`,
        (world: World) => refuses(world, resource, body, causes),
      ]),
    ),
    'several errors are listed in brackets': async ({ api, path }) => {
      const { failure } = await api.post(path(services), service('several', { ports: [{ port: 80 }, { port: 81 }] }));
      expect(failure.message).toBe(
        'Service "several" is invalid: [spec.ports[0].name: Required value, spec.ports[1].name: Required value]',
      );
    },
  },
};
