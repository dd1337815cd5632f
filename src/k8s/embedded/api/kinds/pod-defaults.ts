import type { Container, PodSpec, Probe } from '../../../resources.ts';
import { isObject, type JsonObject } from '../json.ts';

type AnyProbe = Probe & { grpc?: JsonObject };
type AnyContainer = Container & {
  imagePullPolicy?: string;
  terminationMessagePath?: string;
  terminationMessagePolicy?: string;
  lifecycle?: { postStart?: AnyProbe; preStop?: AnyProbe };
};
type AnyPodSpec = PodSpec & {
  dnsPolicy?: string;
  schedulerName?: string;
  securityContext?: JsonObject;
  enableServiceLinks?: boolean;
  volumes?: JsonObject[];
  serviceAccount?: string;
  ephemeralContainers?: AnyContainer[];
};

/** What Kubernetes fills in for a Pod, alone or as the template of a workload. */
export function defaultPodSpec(pod: PodSpec, options: { template: boolean }): void {
  const spec: AnyPodSpec = pod;
  spec.dnsPolicy ??= 'ClusterFirst';
  spec.restartPolicy ??= 'Always';
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  spec.schedulerName ??= 'default-scheduler';
  // The old name of the field is kept equal to the new one.
  const account = spec.serviceAccountName ?? spec.serviceAccount;
  if (account !== undefined) Object.assign(spec, { serviceAccountName: account, serviceAccount: account });
  if (!options.template) spec.enableServiceLinks ??= true;
  for (const container of [
    ...(spec.containers ?? []),
    ...(spec.initContainers ?? []),
    ...(spec.ephemeralContainers ?? []),
  ]) {
    defaultContainer(container, spec.hostNetwork === true);
    if (!options.template) defaultRequests(container);
  }
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
}

/** The tag of an image reference: `latest` when it names neither a tag nor a digest. */
function tagOf(image: string): string {
  if (image.includes('@')) return '';
  const name = image.slice(image.lastIndexOf('/') + 1);
  const colon = name.indexOf(':');
  return colon < 0 ? 'latest' : name.slice(colon + 1);
}

function defaultContainer(container: AnyContainer, hostNetwork: boolean): void {
  container.imagePullPolicy ??= tagOf(container.image ?? '') === 'latest' ? 'Always' : 'IfNotPresent';
  container.terminationMessagePath ??= '/dev/termination-log';
  container.terminationMessagePolicy ??= 'File';
  for (const port of container.ports ?? []) {
    port.protocol ??= 'TCP';
    const hosted: { hostPort?: number; containerPort: number } = port;
    if (hostNetwork) hosted.hostPort ??= port.containerPort;
  }
  for (const env of container.env ?? []) {
    const field: { apiVersion?: string; fieldPath: string } | undefined = env.valueFrom?.fieldRef;
    if (field) field.apiVersion ??= 'v1';
  }
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) {
    if (probe) defaultProbe(probe);
  }
  for (const hook of [container.lifecycle?.postStart, container.lifecycle?.preStop]) if (hook) defaultHttpGet(hook);
}

function defaultProbe(probe: AnyProbe): void {
  probe.timeoutSeconds ??= 1;
  probe.periodSeconds ??= 10;
  probe.successThreshold ??= 1;
  probe.failureThreshold ??= 3;
  if (probe.grpc) probe.grpc.service ??= '';
  defaultHttpGet(probe);
}

function defaultHttpGet({ httpGet }: AnyProbe): void {
  if (!httpGet) return;
  httpGet.path ??= '/';
  httpGet.scheme ??= 'HTTP';
}

function defaultRequests({ resources }: Container): void {
  if (!resources?.limits) return;
  resources.requests = { ...resources.limits, ...resources.requests };
}

const fileMode = 0o644;

function defaultVolume(volume: JsonObject): void {
  if (Object.keys(volume).every((key) => key === 'name')) volume.emptyDir = {};
  for (const source of ['secret', 'configMap', 'downwardAPI', 'projected']) {
    const settings = volume[source];
    if (isObject(settings)) settings.defaultMode ??= fileMode;
  }
  if (isObject(volume.hostPath)) volume.hostPath.type ??= '';
  const projected =
    isObject(volume.projected) && Array.isArray(volume.projected.sources) ? volume.projected.sources : [];
  for (const source of projected) {
    const token = isObject(source) ? source.serviceAccountToken : undefined;
    if (isObject(token)) token.expirationSeconds ??= 3600;
  }
}

/** The class that decides who goes first when memory runs out. */
export function qosClass(spec: PodSpec): string {
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  const amounts = containers.flatMap(({ resources }) => [resources?.requests ?? {}, resources?.limits ?? {}]);
  if (amounts.every((each) => Object.keys(each).length === 0)) return 'BestEffort';
  const guaranteed = containers.every(({ resources }) =>
    ['cpu', 'memory'].every(
      (name) =>
        resources?.limits?.[name] !== undefined &&
        (resources.requests?.[name] ?? resources.limits[name]) === resources.limits[name],
    ),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
