import type { Deployment, HTTPRoute, Service } from '../../resources.ts';
import { localGateway } from './gateway.ts';

/** A demo run: what `runService` would be asked for. */
export interface DemoRun {
  name: string;
  function: string;
  image: string;
  port: number;
  readinessPath: string;
  protocol: 'HTTP' | 'OPEN_INFERENCE' | 'OPENAI';
  model?: string;
}

export const demoNamespace = 'demo';

/** Ones that really answer, and ones that really fail. */
export const demoRuns: readonly DemoRun[] = [
  {
    name: 'echo',
    function: 'echo',
    image: 'slipway.dev/demo/echo',
    port: 8080,
    readinessPath: '/healthz',
    protocol: 'HTTP',
  },
  {
    name: 'iris',
    function: 'iris-classifier',
    image: 'slipway.dev/demo/iris',
    port: 8080,
    readinessPath: '/v2/health/ready',
    protocol: 'OPEN_INFERENCE',
    model: 'iris',
  },
  {
    name: 'chat',
    function: 'assistant',
    image: 'slipway.dev/demo/chat',
    port: 8000,
    readinessPath: '/health',
    protocol: 'OPENAI',
    model: 'demo-chat',
  },
  {
    name: 'crash',
    function: 'billing-report',
    image: 'slipway.dev/demo/crash',
    port: 8080,
    readinessPath: '/',
    protocol: 'HTTP',
  },
  {
    name: 'missing-image',
    function: 'forecast',
    image: 'registry.example/none:1',
    port: 8080,
    readinessPath: '/',
    protocol: 'HTTP',
  },
  {
    name: 'never-ready',
    function: 'recommender',
    image: 'slipway.dev/demo/never-ready',
    port: 8080,
    readinessPath: '/ready',
    protocol: 'HTTP',
  },
];

function labelsOf(run: DemoRun, runId: string): Record<string, string> {
  return {
    'app.kubernetes.io/managed-by': 'slipway',
    'slipway.dev/run': runId,
    'slipway.dev/project': 'demo',
    'slipway.dev/function': run.function,
  };
}

export function demoDeployment(run: DemoRun, runId: string): Deployment {
  const labels = labelsOf(run, runId);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: run.name,
      namespace: demoNamespace,
      labels,
      annotations: {
        'slipway.dev/protocol': run.protocol,
        'slipway.dev/user': 'local',
        ...(run.model !== undefined && { 'slipway.dev/model': run.model }),
      },
    },
    spec: {
      replicas: 1,
      selector: { matchLabels: { 'slipway.dev/run': runId } },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            {
              name: 'main',
              image: run.image,
              ports: [{ name: 'http', containerPort: run.port, protocol: 'TCP' }],
              readinessProbe: {
                httpGet: { path: run.readinessPath, port: run.port },
                periodSeconds: 1,
                timeoutSeconds: 1,
                failureThreshold: 3,
              },
            },
          ],
        },
      },
    },
  };
}

/** The Service goes with its Deployment. */
export function demoService(run: DemoRun, deployment: Deployment): Service {
  const { name, uid, labels } = deployment.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: run.name,
      namespace: demoNamespace,
      ...(labels && { labels }),
      ...(deployment.metadata.annotations && { annotations: deployment.metadata.annotations }),
      ...(uid !== undefined && { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name, uid }] }),
    },
    spec: {
      selector: deployment.spec.selector.matchLabels ?? {},
      ports: [{ name: 'http', port: run.port, targetPort: run.port, protocol: 'TCP' }],
    },
  };
}

/** An open gateway to the echo service. */
export function demoRoute(domain: string): HTTPRoute {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: {
      name: 'echo',
      namespace: demoNamespace,
      labels: { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/project': 'demo' },
      annotations: { 'slipway.dev/auth': 'none' },
    },
    spec: {
      parentRefs: [
        {
          group: 'gateway.networking.k8s.io',
          kind: 'Gateway',
          namespace: localGateway.namespace,
          name: localGateway.name,
        },
      ],
      hostnames: [`echo.${domain}`],
      rules: [
        {
          matches: [{ path: { type: 'PathPrefix', value: '/' } }],
          backendRefs: [{ group: '', kind: 'Service', name: 'echo', port: 8080, weight: 1 }],
        },
      ],
    },
  };
}
