import type { Pod } from '../../resources.ts';
import { parseQuantity } from '../../quantity.ts';

/** What Pods may ask of the machine. */
export interface Capacity {
  cpu: number;
  memory: number;
}

type Requests = Record<string, string>;

function requested(pod: Pod, resource: string): number {
  const of = (requests: Requests | undefined) => parseQuantity(requests?.[resource] ?? '0') || 0;
  const requestsOf = (container: Pod['spec']['containers'][number]) =>
    of({ ...container.resources?.limits, ...container.resources?.requests });
  const together = pod.spec.containers.reduce((total, container) => total + requestsOf(container), 0);
  // Init containers run one after the other, before the rest.
  return Math.max(together, ...(pod.spec.initContainers ?? []).map(requestsOf));
}

function resourcesAsked(pod: Pod): string[] {
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  return [...new Set(containers.flatMap((c) => Object.keys({ ...c.resources?.limits, ...c.resources?.requests })))];
}

function nodeSelectorOf(pod: Pod): Record<string, string> {
  return (pod.spec as { nodeSelector?: Record<string, string> }).nodeSelector ?? {};
}

/**
 * Why the Pod can't run on the one node, in the scheduler's words; undefined when it can. Requests are held against the
 * whole machine, not against what other Pods left: local programs reserve nothing.
 */
export function unschedulable(
  pod: Pod,
  capacity: Capacity,
  nodeLabels: Readonly<Record<string, string>>,
): string | undefined {
  const none = '0/1 nodes are available';
  // What asks for more than the whole node has is not helped by ending others.
  const unhelpful = `no new claims to deallocate, preemption: ${none}: 1 Preemption is not helpful for scheduling.`;
  if (Object.entries(nodeSelectorOf(pod)).some(([key, value]) => nodeLabels[key] !== value)) {
    return `${none}: 1 node(s) didn't match Pod's node affinity/selector. ${unhelpful}`;
  }
  const limits: Record<string, number> = { cpu: capacity.cpu, memory: capacity.memory, 'ephemeral-storage': Infinity };
  const short = resourcesAsked(pod)
    .toSorted()
    .filter((resource) => requested(pod, resource) > (limits[resource] ?? 0))
    .map((resource) => `1 Insufficient ${resource}`);
  if (short.length === 0) return undefined;
  return `${none}: ${short.join(', ')}. ${unhelpful}`;
}
