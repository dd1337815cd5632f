import { isDeepStrictEqual } from 'node:util';
import { type Pod, pods } from '../../resources.ts';
import type { EmbeddedApi } from '../api/service.ts';
import type { PodStatus } from './pod-status.ts';

/** Writes the parts of a Pod's status that are different now; nothing when none is. */
export async function writePodStatus(
  api: EmbeddedApi,
  pod: Pod,
  status: PodStatus,
  fieldManager = 'kubelet',
): Promise<void> {
  const before: Record<string, unknown> = { ...pod.status };
  const changes = Object.entries(status).filter(([key, value]) => !isDeepStrictEqual(before[key], value));
  if (changes.length === 0) return;
  const { name, namespace, uid } = pod.metadata;
  const patch = { metadata: { uid }, status: Object.fromEntries(changes) };
  await api.client.patch(pods, name, namespace, patch, { fieldManager, subresource: 'status' });
}
