import fc from 'fast-check';

/** Objects of a few kinds that differ in the fields whose merging is worth a look. */

type Fields = Record<string, unknown>;

/** Some of the items, in any order. */
const some = <T>(...items: T[]) => fc.shuffledSubarray(items);
const dictionary = (keys: string[], values: string[]) =>
  fc.dictionary(fc.constantFrom(...keys), fc.constantFrom(...values), { noNullPrototype: true });
/** Each of the fields, or not. */
const fields = (of: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Fields> =>
  fc.record(of, { requiredKeys: [], noNullPrototype: true });

const metadata = fields({
  labels: dictionary(['a', 'b', 'c'], ['1', '2']),
  annotations: dictionary(['x', 'y'], ['1', '2']),
});

const environment = some(
  { name: 'A', value: '1' },
  { name: 'B', value: '2' },
  { name: 'C', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
  { name: 'D' },
);

const container = (name: string) =>
  fields({
    env: environment,
    args: some('a', 'b', 'c'),
    ports: some<Fields>(
      { containerPort: 80 },
      { containerPort: 81, name: 'm' },
      { containerPort: 80, protocol: 'UDP' },
    ),
    resources: fc.constantFrom(
      { limits: { cpu: '0.5' } },
      { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '100m' } },
    ),
    volumeMounts: some({ name: 'v', mountPath: '/a' }, { name: 'v', mountPath: '/b' }),
    readinessProbe: fc.constantFrom({ httpGet: { port: 80 } }, { tcpSocket: { port: 'm' }, periodSeconds: 5 }),
  }).chain((more) => fc.constantFrom('w:1', 'w:2', 'w').map((image) => ({ name, image, ...more })));

const template = fc.record({
  metadata: dictionary(['p', 'q'], ['1', '2']).map((labels) => ({ labels: { ...labels, app: 'x' } })),
  spec: fc
    .tuple(
      some('m', 'n', 'o').chain((names) => fc.tuple(...names.map(container))),
      fields({
        volumes: some<Fields>({ name: 'v', emptyDir: {} }, { name: 'w', secret: { secretName: 's' } }),
        nodeSelector: dictionary(['n'], ['1', '2']),
        tolerations: some<Fields>({ key: 'a', operator: 'Exists' }, { key: 'b', value: 'c' }),
        imagePullSecrets: some({ name: 'a' }, { name: 'b' }),
        securityContext: fc.constantFrom({ runAsUser: 0 }, { runAsUser: 1000, fsGroup: 5 }),
      }),
    )
    .map(([containers, more]) => ({ containers, ...more })),
});

export interface Kind {
  path: string;
  apiVersion: string;
  kind: string;
  body: fc.Arbitrary<Fields>;
}

export const kinds: readonly Kind[] = [
  {
    path: '/api/v1/namespaces/{namespace}/configmaps',
    apiVersion: 'v1',
    kind: 'ConfigMap',
    body: fields({
      data: dictionary(['a', 'b', 'c', 'd'], ['1', '2', '']),
      binaryData: dictionary(['e', 'f'], ['MQ==', '']),
    }),
  },
  {
    path: '/api/v1/namespaces/{namespace}/services',
    apiVersion: 'v1',
    kind: 'Service',
    body: fields({
      selector: dictionary(['a', 'b'], ['1', '2']),
      sessionAffinity: fc.constantFrom('None', 'ClientIP'),
      publishNotReadyAddresses: fc.boolean(),
      externalIPs: some('1.2.3.4', '1.2.3.5'),
      ports: some<Fields>(
        { name: 'a', port: 80 },
        { name: 'b', port: 81, targetPort: 'x' },
        { name: 'c', port: 80, protocol: 'UDP' },
        { name: 'd', port: 90, targetPort: 91, protocol: 'TCP' },
      ),
    }).map((spec) => ({ spec: { ports: [{ name: 'z', port: 7 }], ...spec } })),
  },
  {
    path: '/apis/apps/v1/namespaces/{namespace}/deployments',
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    body: fc
      .tuple(
        template,
        fields({
          minReadySeconds: fc.constantFrom(0, 5),
          strategy: fc.constantFrom<Fields>(
            { type: 'Recreate' },
            { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } },
          ),
        }),
      )
      .map(([pod, more]) => ({
        // Paused and without replicas, so that a controller has nothing to do.
        spec: { replicas: 0, paused: true, selector: { matchLabels: { app: 'x' } }, template: pod, ...more },
      })),
  },
  {
    path: '/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes',
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    body: fields({
      hostnames: some('a.x', '*.b.x', 'C'),
      parentRefs: some<Fields>({ name: 'g' }, { name: 'h', sectionName: 's' }, { name: 'g', namespace: 'n' }),
      rules: some<Fields>(
        { backendRefs: [{ name: 'w', port: 80 }] },
        { matches: [{ path: { type: 'Exact', value: '/a' } }, { method: 'GET' }] },
        { filters: [{ type: 'URLRewrite', urlRewrite: { hostname: 'q.x' } }] },
      ),
    }).map((spec) => ({ spec })),
  },
];

/** An object of a kind without its type and name. */
export function contentOf({ body }: Kind): fc.Arbitrary<Fields> {
  return fc.tuple(metadata, body).map(([meta, rest]) => ({ metadata: meta, ...rest }));
}

/** Parts of an object, some of them null: what a patch says. */
export function partOf(value: unknown): fc.Arbitrary<unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fc.oneof({ weight: 9, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: fc.constant(null) });
  }
  return fields(Object.fromEntries(Object.entries(value).map(([key, member]) => [key, partOf(member)])));
}
