import { matchesSelector } from '../../../k8s/selectors.ts';
import type { Deployment, Service } from '../../../k8s/resources.ts';
import { type Finding, finding, latest } from './finding.ts';
import { type Situation, createdAt, oneLine, readyChangedAt } from './situation.ts';

/** A Deployment is made a moment before its Service. */
const servicePatienceMs = 5000;
/** EndpointSlices follow Pods with some delay. */
const endpointPatienceMs = 10_000;

/** What is wrong between the Service and the Pods. */
export function diagnoseNetwork(situation: Situation): Finding[] {
  const { workload, service } = situation.objects;
  if (!service || service.metadata.deletionTimestamp !== undefined) {
    return workload ? [serviceMissing(situation, workload)] : [];
  }
  if (service.spec.type === 'ExternalName') return [];
  if (workload && situation.desired === 0) return [];
  const mismatch = workload && (selectorMismatch(service, workload) ?? portMismatch(service, workload));
  if (mismatch?.health === 'DEGRADED') return [mismatch];
  const empty = noEndpoints(situation, service);
  return [...(mismatch ? [mismatch] : []), ...(empty ? [empty] : [])];
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
    ...(waiting && { changesAt: until + 1 }),
  });
}

function selectorMismatch(service: Service, workload: Deployment): Finding | null {
  const selector = service.spec.selector ?? {};
  const labels = workload.spec.template.metadata?.labels ?? {};
  if (Object.keys(selector).length === 0 || matchesSelector({ matchLabels: selector }, labels)) return null;
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

function portMismatch(service: Service, workload: Deployment): Finding | null {
  const declared = workload.spec.template.spec.containers.flatMap((container) => container.ports ?? []);
  const known = declared.map((port) => (port.name ? `${port.name} (${port.containerPort})` : port.containerPort));
  const listed = known.length > 0 ? `ports ${known.join(', ')}` : 'no port';
  for (const { name, port, targetPort = port } of service.spec.ports ?? []) {
    const named = typeof targetPort === 'string';
    if (named && declared.some((candidate) => candidate.name === targetPort)) continue;
    // Declaring ports is optional, so a number that no container declares may still be right.
    if (!named && (declared.length === 0 || declared.some((candidate) => candidate.containerPort === targetPort)))
      continue;
    return finding('PORT_MISMATCH', {
      health: named ? 'DEGRADED' : 'HEALTHY',
      message: `Port ${name ? `${name} (${port})` : port} of Service ${service.metadata.name} leads to ${named ? `the port named ${targetPort}` : `port ${targetPort}`} of the Pods, whose containers declare ${listed}.`,
      hint: named
        ? 'Give the container port that name, or use the number as targetPort.'
        : 'Correct targetPort if calls fail: it should be the port on which the program listens.',
      object: service,
      since: latest([createdAt(service), createdAt(workload)]),
    });
  }
  return null;
}

/** Ready Pods that the Service does not reach. Without ready Pods, having no endpoint is only a consequence. */
function noEndpoints(situation: Situation, service: Service): Finding | null {
  const { objects, now, ready } = situation;
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
    ...(waiting && { changesAt: until + 1 }),
  });
}
