import { ago, deployment, service, slice } from '../objects.ts';
import { type Row, expectRows } from './scenes.ts';

const rows: Row[] = [
  [
    'a Service that reaches no ready Pod',
    'NO_ENDPOINTS',
    'DEGRADED',
    'RUNNING',
    { slices: [slice([])] },
    /Service web has no ready endpoint though 1 Pod is ready/,
    /endpoint controller/,
  ],
  [
    'a Service that selects other Pods',
    'SELECTOR_MISMATCH',
    'DEGRADED',
    'RUNNING',
    { service: service({ spec: { selector: { 'slipway.dev/run': 'other', app: 'x' } } }), slices: [slice([])] },
    /it wants slipway\.dev\/run=other \(the Pods have r1\), app=x\./,
    /Pod template/,
  ],
  [
    'a Service port that leads nowhere',
    'PORT_MISMATCH',
    'DEGRADED',
    'RUNNING',
    { service: service({ spec: { ports: [{ port: 80, targetPort: 'api' }] } }), slices: [slice([])] },
    /leads to the port named api of the Pods, whose containers declare ports 8080/,
    /use the number/,
  ],
  [
    'a missing Service',
    'SERVICE_MISSING',
    'MISSING',
    'RUNNING',
    { service: null, slices: [] },
    /Deployment web has no Service/,
    /Create a Service/,
  ],
  [
    'a Service that is yet to come',
    'SERVICE_MISSING',
    'PROGRESSING',
    'RUNNING',
    { workload: deployment({ metadata: { creationTimestamp: ago(1) } }), service: null, slices: [] },
    /has no Service/,
    /Wait/,
  ],
  [
    'a missing workload',
    'WORKLOAD_MISSING',
    'MISSING',
    'ERROR',
    { workload: null, replicaSets: [], pods: [], slices: [slice([])] },
    /Service web is there, but no Deployment/,
    /delete it/,
  ],
];

expectRows('the Service and its Pods', rows);
