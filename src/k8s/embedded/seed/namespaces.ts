import { namespaces } from '../../resources.ts';
import type { EmbeddedApi } from '../api/service.ts';

export async function ensureNamespace(api: EmbeddedApi, name: string): Promise<void> {
  if (api.get(namespaces, undefined, name)) return;
  await api.client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}
