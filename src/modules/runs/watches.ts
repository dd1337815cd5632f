import type { Watch } from '../../k8s/cluster.ts';
import {
  type Deployment,
  type KubeObject,
  type Service,
  deployments,
  endpointSlices,
  events,
  pods,
  replicaSets,
  services,
} from '../../k8s/resources.ts';
import { type PolicyRule, watch } from '../../module.ts';
import type { RunsConfig } from './config.ts';
import { builtinSources } from './sources/index.ts';
import { isDeletion } from './write/deletions.ts';

/** What makes up half of a Pod: its run shows it as the Deployment's template has it. */
const omittedOfPods = [
  ...['volumes', 'tolerations', 'affinity', 'topologySpreadConstraints', 'securityContext', 'imagePullSecrets'],
  ...['dnsPolicy', 'schedulerName', 'priority', 'preemptionPolicy', 'enableServiceLinks', 'serviceAccount'],
]
  .map((field) => `spec.${field}`)
  .concat(
    ['containers', 'initContainers'].flatMap((list) =>
      ['env', 'envFrom', 'command', 'args', 'volumeMounts', 'securityContext', 'lifecycle'].map(
        (field) => `spec.${list}.*.${field}`,
      ),
    ),
    ['containerStatuses', 'initContainerStatuses'].flatMap((list) =>
      ['imageID', 'containerID', 'volumeMounts', 'resources', 'allocatedResources', 'user'].map(
        (field) => `status.${list}.*.${field}`,
      ),
    ),
    ['status.hostIP', 'status.hostIPs', 'status.qosClass'],
  );

const eventKinds = new Set(['Deployment', 'ReplicaSet', 'Pod', 'Service']);

/**
 * What runs are made of. A module with a source of its own declares watches for what it recognises: an object is kept when
 * any module wants it.
 */
export function runWatches(config: RunsConfig): Watch[] {
  const sources = builtinSources(config);
  // The platform's labels stand on Pods too. Those of configured sources may not: then every owned object is kept.
  const isRunObject = (object: KubeObject): boolean =>
    sources.some((source) => source.identify(object as Deployment | Service) !== null);
  const isOwned = (object: KubeObject): boolean =>
    isRunObject(object) ||
    (config.sources.length > 0 && (object.metadata.ownerReferences ?? []).some((owner) => owner.controller));
  return [
    watch({ resource: deployments, wants: isRunObject }),
    watch({ resource: replicaSets, wants: isOwned, omits: ['spec.template', 'spec.selector'] }),
    watch({ resource: pods, wants: isOwned, omits: omittedOfPods }),
    watch({ resource: services, wants: (service) => isRunObject(service) || isDeletion(service) }),
    watch({ resource: endpointSlices }),
    watch({
      resource: events,
      wants: (event) => event.type === 'Warning' && eventKinds.has(event.involvedObject.kind ?? ''),
    }),
  ];
}

/** What our own identity needs for the watches. Writes go out with the caller's rights. */
export const watchRules: PolicyRule[] = [
  { apiGroups: ['apps'], resources: ['deployments', 'replicasets'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: [''], resources: ['pods', 'services', 'events'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list', 'watch'] },
];

/** What callers need to run, change and stop services, and to read their logs. */
export const callerRules: PolicyRule[] = [
  { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'create', 'patch', 'delete'] },
  { apiGroups: ['apps'], resources: ['deployments/scale'], verbs: ['patch'] },
  { apiGroups: [''], resources: ['services'], verbs: ['get', 'create', 'delete'] },
  { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] },
  { apiGroups: [''], resources: ['events'], verbs: ['list'] },
];
