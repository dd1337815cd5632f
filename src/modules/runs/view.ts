import type { Container, ContainerStatus, EnvVar, Pod } from '../../k8s/resources.ts';
import { isSecretName, isSecretValue } from '../../k8s/manifests.ts';
import { globalId } from '../../schema/ids.ts';
import { type HealthSettings, createdAt, isReady, situationOf, time } from './diagnosis/situation.ts';
import { judge } from './health.ts';
import { type Addressing, describeService, httpPorts } from './service-info.ts';
import type { RunContainerView, RunIdentity, RunObjects, RunPodView, RunView } from './service.ts';
import { openAIInfo, openInferenceInfo, openInferenceGrpcPorts, serviceUrls } from './well-known.ts';

export interface ViewSettings extends HealthSettings {
  addressing: Addressing;
}

/** A run's identity with the source that knows it. */
export interface SourcedIdentity extends RunIdentity {
  source: string;
}

/** The typename and local part of a run's global id. */
export const runTypename = 'ServiceRun';

export function runKey(namespace: string, runId: string): string {
  return `${namespace}/${runId}`;
}

/** A run as everybody sees it. Pure: the same objects at the same time give the same view. */
export function view(objects: RunObjects, identity: SourcedIdentity, now: number, settings: ViewSettings): RunView {
  const main = objects.workload ?? objects.service;
  const namespace = main?.metadata.namespace ?? '';
  const key = runKey(namespace, identity.runId);
  const judgment = judge(situationOf(objects, settings, now));
  const { changesAt, ...judged } = judgment;
  return {
    key,
    id: globalId(runTypename, key),
    uid: main?.metadata.uid ?? '',
    runId: identity.runId,
    name: identity.name ?? main?.metadata.name ?? identity.runId,
    namespace,
    project: identity.project,
    function: identity.function,
    kind: identity.kind,
    source: identity.source,
    user: identity.user,
    labels: main?.metadata.labels ?? {},
    createdAt: main ? createdAt(main) : 0,
    protocol: identity.protocol,
    spec: specOf(objects),
    status: {
      ...judged,
      replicas: replicasOf(objects),
      observedAt: now,
      ...addressesOf(objects, identity, settings.addressing),
    },
    pods: objects.pods.map(podOf),
    changesAt,
    objects,
  };
}

function addressesOf(objects: RunObjects, identity: RunIdentity, addressing: Addressing) {
  const { service } = objects;
  if (!service || service.metadata.deletionTimestamp !== undefined) {
    return { service: null, openInference: null, openAI: null };
  }
  const aliases = objects.aliases.filter((alias) => alias.metadata.deletionTimestamp === undefined);
  const grpc = identity.protocol === 'OPEN_INFERENCE' ? openInferenceGrpcPorts : [];
  const ports = httpPorts(service, addressing, grpc);
  // A server with a single port of that number is taken at its word.
  const usable = ports.length > 0 ? ports : httpPorts(service, addressing, []);
  return {
    service: { ...describeService(service, aliases, addressing), urls: serviceUrls(usable, identity) },
    openInference: openInferenceInfo(usable[0], identity),
    openAI: openAIInfo(usable[0], identity),
  };
}

function replicasOf({ workload }: RunObjects): RunView['status']['replicas'] {
  const status = workload?.status;
  return {
    desired: workload ? (workload.spec.replicas ?? 1) : 0,
    ready: status?.readyReplicas ?? 0,
    updated: status?.updatedReplicas ?? 0,
    available: status?.availableReplicas ?? 0,
  };
}

function specOf({ workload }: RunObjects): RunView['spec'] {
  const container = workload?.spec.template.spec.containers[0];
  return {
    image: container?.image ?? null,
    command: [...(container?.command ?? [])],
    args: [...(container?.args ?? [])],
    replicas: workload ? (workload.spec.replicas ?? 1) : 0,
    env: (container?.env ?? []).map(envOf),
  };
}

function envOf({ name, value, valueFrom }: EnvVar): RunView['spec']['env'][number] {
  const secret = valueFrom?.secretKeyRef !== undefined || isSecretName(name) || isSecretValue(value ?? '');
  return { name, value: secret || valueFrom ? null : (value ?? ''), secret };
}

function podOf(pod: Pod): RunPodView {
  const { metadata, spec, status } = pod;
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    phase: metadata.deletionTimestamp === undefined ? (status?.phase ?? 'Pending') : 'Terminating',
    ready: isReady(pod),
    ip: status?.podIP ?? null,
    node: spec.nodeName ?? null,
    startedAt: time(status?.startTime),
    containers: [
      ...(spec.initContainers ?? []).map((container) => containerOf(container, status?.initContainerStatuses, true)),
      ...spec.containers.map((container) => containerOf(container, status?.containerStatuses, false)),
    ],
  };
}

function containerOf(
  container: Container,
  statuses: readonly ContainerStatus[] | undefined,
  init: boolean,
): RunContainerView {
  const current = statuses?.find((candidate) => candidate.name === container.name);
  const [state] = Object.keys(current?.state ?? {});
  const { waiting, terminated } = current?.state ?? {};
  const last = terminated ?? current?.lastState?.terminated;
  return {
    name: container.name,
    image: container.image ?? current?.image ?? '',
    ready: current?.ready ?? false,
    restartCount: current?.restartCount ?? 0,
    state: state ?? null,
    reason: waiting?.reason ?? terminated?.reason ?? null,
    message: waiting?.message ?? terminated?.message ?? null,
    lastExitCode: last?.exitCode ?? null,
    init,
  };
}
