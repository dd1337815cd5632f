import { matchesSelector } from '../../../k8s/selectors.ts';
import type { Container, Deployment, Service } from '../../../k8s/resources.ts';
import { type Finding, finding, latest } from './finding.ts';
import { type Situation, canRead, createdAt, oneLine, readyChangedAt } from './situation.ts';

/** A Deployment is made a moment before its Service. */
const servicePatienceMs = 5000;
/** EndpointSlices follow Pods with some delay. */
const endpointPatienceMs = 10_000;

/** What is wrong between the Service and the Pods. */
export function diagnoseNetwork(situation: Situation): Finding[] {
  const { workload, service } = situation.objects;
  if (!service && !canRead(situation, 'Service')) return [];
  if (!service || service.metadata.deletionTimestamp !== undefined) {
    return workload ? [serviceMissing(situation, workload)] : [];
  }
  if (service.spec.type === 'ExternalName') return [];
  if (workload && situation.desired === 0) return [];
  // Endpoints of a Service without a selector are somebody else's work: its ports are theirs too.
  const selects = Object.keys(service.spec.selector ?? {}).length > 0;
  const mismatch = workload && selects && (selectorMismatch(service, workload) ?? portMismatch(service, workload));
  if (mismatch) return [mismatch];
  const empty = noEndpoints(situation, service);
  return empty ? [empty] : [];
}

function serviceMissing(situation: Situation, workload: Deployment): Finding {
  const since = createdAt(workload);
  const until = since + servicePatienceMs;
  const waiting = situation.now <= until;
  return finding('SERVICE_MISSING', {
    health: waiting ? 'PROGRESSING' : 'MISSING',
    message: `Deployment ${workload.metadata.name} has no Service, so it has no address.`,
    hint: waiting
      ? 'Wait: the Service is usually created right after the Deployment.'
      : 'Create a Service with the labels of the run, or delete the run and start it again.',
    object: workload,
    since,
    ...(waiting ? { changesAt: until + 1 } : { from: until }),
  });
}

function selectorMismatch(service: Service, workload: Deployment): Finding | null {
  const selector = service.spec.selector ?? {};
  const labels = workload.spec.template.metadata?.labels ?? {};
  if (matchesSelector({ matchLabels: selector }, labels)) return null;
  const wrong = Object.entries(selector)
    .filter(([key, value]) => labels[key] !== value)
    .map(([key, value]) => `${key}=${value}${labels[key] === undefined ? '' : ` (the Pods have ${labels[key]})`}`);
  return finding('SELECTOR_MISMATCH', {
    health: 'DEGRADED',
    message: `Service ${service.metadata.name} selects no Pod of the run: it wants ${wrong.join(', ')}.`,
    hint: "Make the selector of the Service equal to the labels of the Deployment's Pod template.",
    object: service,
    since: latest([createdAt(service), createdAt(workload)]),
  });
}

/**
 * A target port that provably leads nowhere: a name that no container has, or a number though every container declares its
 * ports and none has it. Declaring ports is optional, so what a probe asks, or a container that declares none, may be it.
 */
function portMismatch(service: Service, workload: Deployment): Finding | null {
  const { containers, initContainers = [] } = workload.spec.template.spec;
  // Init containers that go on running, as sidecars do, serve too.
  const serving = [...containers, ...initContainers.filter((container) => container.restartPolicy === 'Always')];
  const declared = serving.flatMap((container) => container.ports ?? []);
  const wrong = (service.spec.ports ?? []).find(({ port, targetPort = port }) =>
    typeof targetPort === 'string' ? !declared.some(({ name }) => name === targetPort) : isClosed(targetPort, serving),
  );
  if (!wrong) return null;
  const { name, port, targetPort = port } = wrong;
  const known = declared.map((one) => (one.name ? `${one.name} (${one.containerPort})` : one.containerPort));
  const target = typeof targetPort === 'string' ? `the port named ${targetPort}` : `port ${targetPort}`;
  return finding('PORT_MISMATCH', {
    health: 'DEGRADED',
    message: `Port ${name ? `${name} (${port})` : port} of Service ${service.metadata.name} leads to ${target} of the Pods, whose containers declare ${known.length > 0 ? `ports ${known.join(', ')}` : 'no port'}.`,
    hint:
      typeof targetPort === 'string'
        ? 'Give the container port that name, or use the number as targetPort.'
        : 'Correct targetPort: it must be the port on which the program listens. If it is, declare it as a containerPort.',
    object: service,
    since: latest([createdAt(service), createdAt(workload)]),
  });
}

function isClosed(port: number, containers: readonly Container[]): boolean {
  return containers.every((container) => {
    const { ports = [], readinessProbe, livenessProbe, startupProbe } = container;
    const probed = [readinessProbe, livenessProbe, startupProbe].some(
      (probe) => (probe?.httpGet?.port ?? probe?.tcpSocket?.port) === port,
    );
    return ports.length > 0 && !probed && !ports.some(({ containerPort }) => containerPort === port);
  });
}

/** Ready Pods that the Service does not reach. Without ready Pods, having no endpoint is only a consequence. */
function noEndpoints(situation: Situation, service: Service): Finding | null {
  const { objects, now, ready } = situation;
  if (!canRead(situation, 'EndpointSlice')) return null;
  const endpoints = objects.slices.flatMap((slice) => slice.endpoints ?? []);
  if (endpoints.some((endpoint) => endpoint.conditions?.ready !== false)) return null;
  const selects = Object.keys(service.spec.selector ?? {}).length > 0;
  if (selects && ready.length === 0) return null;
  const since = (selects ? latest(ready.map(readyChangedAt)) : null) ?? createdAt(service);
  const until = since + endpointPatienceMs;
  const waiting = now <= until;
  const warning = objects.events.findLast((event) => event.involvedObject.uid === service.metadata.uid);
  return finding('NO_ENDPOINTS', {
    health: waiting ? 'PROGRESSING' : 'DEGRADED',
    rawReason: warning?.reason,
    message: selects
      ? `Service ${service.metadata.name} has no ready endpoint though ${ready.length} ${ready.length === 1 ? 'Pod is' : 'Pods are'} ready${warning ? `: ${oneLine(warning.message)}` : ''}.`
      : `Service ${service.metadata.name} has no selector and no endpoint.`,
    hint: selects
      ? 'Check that the endpoint controller of the cluster runs and that the Service is in the namespace of the Pods.'
      : 'Give the Service a selector, or an EndpointSlice with the addresses it stands for.',
    object: service,
    since,
    ...(waiting ? { changesAt: until + 1 } : { from: until }),
  });
}
