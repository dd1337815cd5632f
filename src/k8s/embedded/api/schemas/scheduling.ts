import { int32, int64, list, pointer, required, string, struct } from '../schema.ts';
import { labelSelector } from './meta.ts';

export const nodeSelectorRequirement = struct('core.v1.NodeSelectorRequirement', {
  key: required(string),
  operator: required(string),
  values: list(string),
});

export const nodeSelectorTerm = struct(
  'core.v1.NodeSelectorTerm',
  {
    matchExpressions: list(nodeSelectorRequirement),
    matchFields: list(nodeSelectorRequirement),
  },
  { atomic: true },
);

export const nodeSelector = struct(
  'core.v1.NodeSelector',
  {
    nodeSelectorTerms: required(list(nodeSelectorTerm)),
  },
  { atomic: true },
);

export const preferredSchedulingTerm = struct('core.v1.PreferredSchedulingTerm', {
  weight: required(int32),
  preference: required(nodeSelectorTerm),
});

export const nodeAffinity = struct('core.v1.NodeAffinity', {
  requiredDuringSchedulingIgnoredDuringExecution: nodeSelector,
  preferredDuringSchedulingIgnoredDuringExecution: list(preferredSchedulingTerm),
});

export const podAffinityTerm = struct('core.v1.PodAffinityTerm', {
  labelSelector: labelSelector,
  namespaces: list(string),
  topologyKey: required(string),
  namespaceSelector: labelSelector,
  matchLabelKeys: list(string),
  mismatchLabelKeys: list(string),
});

export const weightedPodAffinityTerm = struct('core.v1.WeightedPodAffinityTerm', {
  weight: required(int32),
  podAffinityTerm: required(podAffinityTerm),
});

export const podAffinity = struct('core.v1.PodAffinity', {
  requiredDuringSchedulingIgnoredDuringExecution: list(podAffinityTerm),
  preferredDuringSchedulingIgnoredDuringExecution: list(weightedPodAffinityTerm),
});

export const podAntiAffinity = struct('core.v1.PodAntiAffinity', {
  requiredDuringSchedulingIgnoredDuringExecution: list(podAffinityTerm),
  preferredDuringSchedulingIgnoredDuringExecution: list(weightedPodAffinityTerm),
});

export const affinity = struct('core.v1.Affinity', {
  nodeAffinity: nodeAffinity,
  podAffinity: podAffinity,
  podAntiAffinity: podAntiAffinity,
});

export const toleration = struct('core.v1.Toleration', {
  key: string,
  operator: string,
  value: string,
  effect: string,
  tolerationSeconds: pointer(int64),
});

export const topologySpreadConstraint = struct('core.v1.TopologySpreadConstraint', {
  maxSkew: required(int32),
  topologyKey: required(string),
  whenUnsatisfiable: required(string),
  labelSelector: labelSelector,
  minDomains: pointer(int32),
  nodeAffinityPolicy: pointer(string),
  nodeTaintsPolicy: pointer(string),
  matchLabelKeys: list(string),
});
